"""The DimensionX tab."""

from camera._moved import attributes

__getattr__ = attributes("tabs.dimensionx", "tab")
