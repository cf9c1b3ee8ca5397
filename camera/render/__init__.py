"""Renderers of a scene along a path, on the processor or OpenGL."""
