"""Reshoot's own JSON: everything a `CameraPath` contains, exactly, with a version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from camera.errors import InputError
from camera.formats.account import Account
from camera.formats.parsing import entries, field, number, numbers, size
from camera.path import CameraPath

VERSION = 1
FORMAT = "reshoot camera path"
"""Identifies the file."""
CONVENTION = "world from camera, OpenCV axes (x right, y down, z forward), pixels with centres at integers"


def read(values: Mapping[str, Any], name: str, account: Account) -> CameraPath:
    """Read the path; raises `InputError` for a newer version and for values that a `CameraPath` does not allow."""
    values = account.fields(values)
    if values.get("format", FORMAT) != FORMAT:
        raise InputError(f"'format' of {name} is {str(values['format'])[:80]!r}; only {FORMAT!r} can be read.")
    _check_convention(values, name)
    version = number(values.get("version", VERSION), f"'version' of {name}", minimum=1)
    if version > VERSION:
        raise InputError(f"{name} was written by a newer Reshoot (version {version:g}; this one reads {VERSION}).")
    frames = len(entries(values, "world_from_camera", name))
    width, height = size(field(values, "width", name), field(values, "height", name), name)
    return CameraPath(
        numbers(values["world_from_camera"], (frames, 4, 4), f"'world_from_camera' of {name}"),
        numbers(field(values, "intrinsics", name), (frames, 3, 3), f"'intrinsics' of {name}"),
        width,
        height,
        number(values.get("fps", 24.0), f"'fps' of {name}", minimum=1e-3, maximum=1e6),
    )


def _check_convention(values: Mapping[str, Any], name: str) -> None:
    if values.get("convention", CONVENTION) != CONVENTION:
        raise InputError(
            f"'convention' of {name} is {str(values['convention'])[:80]!r}; only {CONVENTION!r} can be read."
        )


def write(path: CameraPath) -> bytes:
    values = {
        "format": FORMAT,
        "version": VERSION,
        "convention": CONVENTION,
        "width": path.width,
        "height": path.height,
        "fps": path.fps,
        "world_from_camera": np.round(path.world_from_camera, 15).tolist(),
        "intrinsics": path.intrinsics.tolist(),
    }
    return json.dumps(values).encode()
