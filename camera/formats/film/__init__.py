"""Cameras of film and photogrammetry tools: Blender, Nuke, Metashape."""
