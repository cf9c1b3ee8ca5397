"""The GEN3C tab."""

from camera._moved import attributes

__getattr__ = attributes("tabs.gen3c", "tab")
