"""Plotly figures of paths and objects."""

from camera._moved import attributes

__getattr__ = attributes("camera.figure", "path")
