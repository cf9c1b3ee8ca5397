"""A scene and its camera in one file for other programs."""
