"""The Scene tab: from frames to 3D."""

from camera._moved import attributes

__getattr__ = attributes("tabs.scene", "tab")
