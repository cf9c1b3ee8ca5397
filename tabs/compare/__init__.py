"""The Side by side tab."""

from camera._moved import attributes

__getattr__ = attributes("tabs.compare", "tab")
