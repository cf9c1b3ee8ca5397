"""The GenXD tab."""

from camera._moved import attributes

__getattr__ = attributes("tabs.genxd", "tab")
