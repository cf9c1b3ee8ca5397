"""Reads one depth map from a file of any common kind, and describes the assumptions made."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.formats.account import Account
from camera.formats.content import kind_of
from pipelines.media.depth_map import middlebury
from pipelines.media.depth_map.arrays import Numbers, read_npy, read_npz, read_pfm
from pipelines.media.depth_map.exr import SKY, read_exr
from pipelines.media.depth_map.meanings import CONVENTIONS, DepthMeaning, from_disparity
from pipelines.media.depth_map.raster import read_raster

KINDS = "8/16-bit PNG, TIFF, EXR, PFM, npy, npz"
LIKELY_MILLIMETRES = 300.0
"""Whole numbers with a median above this are probably not metres."""


@dataclass(frozen=True, eq=False)
class DepthMap:
    """``values`` (H,W) float32 along z, NaN where unknown; ``unit`` as `Scene.unit`; ``fov_degrees`` if the file contains it.

    ``range``: the lowest and highest value and the share without depth, as a sentence. ``notes``: assumptions, and unused
    contents of the file.
    """

    values: NDArray[np.float32]
    unit: Literal["metres", "relative"]
    fov_degrees: float | None = None
    range: str = ""
    notes: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """All notes about the file, for the user."""
        return " ".join([self.range, *self.notes])


def read_depth_map(path: str | os.PathLike, meaning: DepthMeaning, *, scale: float = 1.0) -> DepthMap:
    """Depth along z from a file of `KINDS`. ``scale`` multiplies the stored values before ``meaning`` is applied.

    Disparity is converted to distances so that the nearest point is at 1, or to metres if Middlebury's calib.txt is in the
    same folder; its zero is "no depth". Raises `InputError` for anything that is not a depth map.
    """
    path = Path(path)
    if meaning not in CONVENTIONS:
        raise InputError(f"The numbers of a depth map are {', '.join(CONVENTIONS)}; got {meaning!r}.")
    if not np.isfinite(scale) or scale <= 0:
        raise InputError(f"The numbers of a depth map are multiplied by a positive number, got {scale:g}.")
    account = Account(path.name)
    stored = _read_stored(path, account)
    _check_meaning(stored, meaning, path)
    holds = np.isfinite(stored.values) & (stored.values > 0) & (stored.values < (CONVENTIONS[meaning].sky or SKY))
    if not holds.any():
        raise InputError(f"{path.name} contains no positive finite number, so it cannot be a depth map.")
    numbers = np.where(holds, stored.values, np.float32(np.nan)) * np.float32(scale)
    _say_doubts(numbers, meaning, scale, account)
    return _to_unit(numbers, stored, meaning, path, account)


def _read_stored(path: Path, account: Account) -> Numbers:
    """The stored numbers of the file."""
    if not path.is_file():
        raise InputError(f"There is no file {path.name}.")
    kind = kind_of(path)
    if kind == ".npz":
        return read_npz(path, account)
    if kind == ".npy":
        return Numbers(read_npy(path))
    if kind == ".exr":
        return Numbers(read_exr(path, account))
    if kind == ".pfm":
        return Numbers(read_pfm(path, account))
    return Numbers(read_raster(path, account))


def _check_meaning(stored: Numbers, meaning: DepthMeaning, path: Path) -> None:
    convention = CONVENTIONS[meaning]
    if stored.near_is_large is not None and stored.near_is_large != convention.near_is_large:
        says = "disparity (near is large)" if stored.near_is_large else "depth"
        raise InputError(f"{path.name} labels its numbers as {says}, but {convention.words} was chosen; choose {says}.")
    known = stored.values[np.isfinite(stored.values)]
    if convention.whole and not np.array_equal(known, np.rint(known)):
        raise InputError(
            f"{path.name} contains fractions, and {convention.words} are whole numbers in a 16-bit PNG; choose another unit."
        )


def _say_doubts(numbers: NDArray[np.float32], meaning: DepthMeaning, scale: float, account: Account) -> None:
    known = numbers[np.isfinite(numbers)]
    if CONVENTIONS[meaning].near_is_large:
        return
    if meaning == "metres" and np.median(known) > LIKELY_MILLIMETRES and np.array_equal(known, np.rint(known)):
        account.say(
            f"{account.name} contains whole numbers around {np.median(known):g}: if they are millimetres, multiply by 0.001."
        )
    full = float((numbers == np.float32(65535) * np.float32(scale)).mean())
    if full > 1e-3:
        account.say(
            f"{100 * full:.0f} % of {account.name} is 65535, the maximum of 16 bits, which sensors often use for no reading."
        )


def _to_unit(
    numbers: NDArray[np.float32], stored: Numbers, meaning: DepthMeaning, path: Path, account: Account
) -> DepthMap:
    convention = CONVENTIONS[meaning]
    lens = middlebury.find_calibration(path, account) if meaning == "middlebury" else None
    metric = convention.scale is not None or lens is not None
    if lens is not None:
        values = lens.metres(numbers)
    elif convention.near_is_large:
        values = from_disparity(numbers)
    else:
        values = numbers * np.float32(convention.scale or 1)
    fov = lens.fov_degrees if lens else stored.fov_degrees
    range_text = _range(values, convention.words, metric)
    return DepthMap(values, "metres" if metric else "relative", fov, range_text, tuple(account.notes()))


def _range(values: NDArray[np.float32], words: str, metric: bool) -> str:
    known = values[np.isfinite(values)]
    unknown = 100 * (1 - known.size / values.size)
    share = f"{unknown:.2g} % without depth" if 0 < unknown < 10 else f"{unknown:.0f} % without depth"
    unit = "m" if metric else "units"
    return f"Depth map read as {words}: {known.min():.4g} to {known.max():.4g} {unit}, {share}."
