"""Discovers methods: the folders of `pipelines.methods`, and entry points of other packages.

A folder ``pipelines/methods/NAME`` whose ``method.py`` holds a record ``METHOD`` of that name is a method. So is an entry point
of the group `GROUP` (``name = "package.module:METHOD"``) of any installed package. Records are light: nothing here imports torch.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from camera.errors import InputError
from pipelines.method import Method

GROUP = "reshoot.methods"
"""Group of entry points in which other packages name their methods."""
FIVE = ("gen3c", "genxd", "dimensionx", "i2v3d", "dualcamctrl")
"""The methods that this project is about, in their order; all others are listed after them."""
_FOLDER = Path(__file__).parent / "methods"
_NAME = re.compile("[a-z][a-z0-9_]*")
_log = logging.getLogger(__name__)


def _find_folders() -> list[str]:
    """Names of the methods in this package: the five, then the others by alphabet."""
    found = {file.parent.name for file in _FOLDER.glob("*/method.py")}
    return [*(name for name in FIVE if name in found), *sorted(found - set(FIVE))]


@cache
def _find_entry_points() -> dict[str, EntryPoint]:
    """Entry points of other packages by name, without loading them; logs and skips duplicate or invalid names."""
    used_names, found = set(_find_folders()), {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        if not _NAME.fullmatch(entry.name) or entry.name in used_names:
            _log.warning("The method %r of %s is left out: its name is taken or not a name.", entry.name, entry.value)
            continue
        used_names.add(entry.name)
        found[entry.name] = entry
    return found


NAMES: tuple[str, ...] = (*_find_folders(), *_find_entry_points())
"""All methods, in the order in which they are listed."""
ALSO: tuple[str, ...] = NAMES[len(FIVE) :]
"""The methods beside the five."""


@cache
def method(name: str) -> Method:
    """The record of one method. Raises `KeyError` for an unknown name, `InputError` if a package's method cannot be loaded."""
    if name not in NAMES:
        raise KeyError(name)
    if (entry := _find_entry_points().get(name)) is None:
        return import_module(f"pipelines.methods.{name}.method").METHOD
    return _load_record(entry)


def records(names: Iterable[str] = NAMES) -> list[Method]:
    """Records of ``names``; logs and leaves out a package's method that cannot be loaded."""
    found = []
    for name in names:
        try:
            found.append(method(name))
        except InputError as error:
            _log.warning("%s", error)
    return found


def _load_record(entry: EntryPoint) -> Method:
    """Load the record of an entry point; any error while importing it becomes an `InputError` of one sentence."""
    try:
        found: Any = entry.load()
    except Exception as error:
        raise InputError(f"The method {entry.name} ({entry.value}) cannot be loaded: {error}") from error
    if not isinstance(found, Method) or found.name != entry.name:
        raise InputError(f"The method {entry.name} ({entry.value}) cannot be loaded: it is no record with this name.")
    return found
