"""The Scene tab: from frames to 3D."""
