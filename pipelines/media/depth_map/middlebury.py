"""The calib.txt of Middlebury's stereo data sets, which converts disparity in pixels to metres."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.formats.account import Account

_NEEDED = ("cam0", "doffs", "baseline", "width")
_IDLE = ("cam1", "height", "ndisp", "isint", "vmin", "vmax", "dyavg", "dymax")


@dataclass(frozen=True)
class Calibration:
    """``focal_px`` and ``offset_px`` for pictures ``width`` wide; ``baseline`` in millimetres."""

    focal_px: float
    offset_px: float
    baseline: float
    width: int

    def metres(self, disparity: NDArray[np.float32]) -> NDArray[np.float32]:
        """(H,W) depth along z: baseline * focal / (disparity + offset); of the left camera. Source: the data sets' page."""
        factor = disparity.shape[1] / self.width
        return (self.baseline * 1e-3 * self.focal_px * factor / (disparity + self.offset_px * factor)).astype(
            np.float32
        )

    @property
    def fov_degrees(self) -> float:
        return float(np.degrees(2 * np.arctan(self.width / (2 * self.focal_px))))


def find_calibration(path: Path, account: Account) -> Calibration | None:
    """The calibration in the folder of a disparity map, or None; raises `InputError` if it cannot be read."""
    file = path.with_name("calib.txt")
    if not file.is_file():
        return None
    pairs = re.findall(r"^\s*(\w+)\s*=\s*(.+?)\s*$", file.read_text("utf-8", "replace")[:100_000], re.MULTILINE)
    own = Account(file.name)
    fields = own.fields(dict(pairs), idle=_IDLE)
    try:
        focal, offset, baseline, width = (float(fields[key].strip("[ ").split()[0]) for key in _NEEDED)
    except (KeyError, ValueError, IndexError) as error:
        raise InputError(
            f"{file.name} should contain the lines {', '.join(_NEEDED)}, as in Middlebury's data sets."
        ) from error
    if min(focal, baseline, width) <= 0:
        raise InputError(f"{file.name} contains a focal length, baseline or width that is not positive.")
    account.add(own)
    return Calibration(focal, offset, baseline, round(width))
