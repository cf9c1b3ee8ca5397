"""Renderers of a scene along a path, on the CPU or OpenGL."""

from camera._moved import attributes

__getattr__ = attributes("camera.render", "scene", "painters")
