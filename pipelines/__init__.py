"""Everything with weights: one folder per method, and what they share.

`METHODS` is the public face: the records of the five methods, cheap to import (no torch).
"""

from __future__ import annotations

from importlib import import_module

from pipelines.method import Method

NAMES = ("gen3c", "genxd", "dimensionx", "i2v3d", "dualcamctrl")


def method(name: str) -> Method:
    """The record of one method; raises `KeyError` for an unknown name."""
    if name not in NAMES:
        raise KeyError(name)
    return import_module(f"pipelines.{name}.method").METHOD
