"""The page."""

from camera._moved import install
from tabs import _moved

install("tabs", _moved.MODULES, {})
