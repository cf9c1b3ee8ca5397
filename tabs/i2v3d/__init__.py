"""The I2V3D tab."""

from camera._moved import attributes

__getattr__ = attributes("tabs.i2v3d", "tab")
