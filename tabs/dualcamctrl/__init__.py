"""The DualCamCtrl tab."""

from camera._moved import attributes

__getattr__ = attributes("tabs.dualcamctrl", "tab")
