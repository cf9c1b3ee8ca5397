"""Reads the depth of all frames of a clip from one file: an array, or a zip with one depth map per frame."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError, reading
from camera.formats.account import Account
from camera.formats.content import kind_of
from camera.formats.parsing import natural_key, npz_shapes
from pipelines.media.depth_map.arrays import DEPTH_KEYS, DISPARITY_KEYS
from pipelines.media.depth_map.raster import read_raster
from pipelines.media.depth_map.read import read_depth_map

DISPARITIES, DISTANCES = (".png",), (".exr", ".npy", ".npz", ".pfm", ".tif", ".tiff")
"""Files in a zip: PNGs as in DualCamCtrl's results (near is bright), otherwise distances."""


def depth_of_file(file: Path, frames: NDArray[np.uint8], *, account: Account | None = None) -> NDArray[np.float32]:
    """(F,H,W) depth in the size of ``frames`` (F,H,W,3), NaN where unknown.

    npy or npz (F,H,W), or a zip with a file per frame in the natural order of their names. Unused contents are noted in
    ``account``. Raises `InputError`.
    """
    account = account or Account(file.name)
    if not file.is_file():
        raise InputError(f"There is no depth file {file}.")
    with reading(f"{file.name} cannot be read as depth; use npy, npz or a zip of depth maps."):
        kind = kind_of(file)
        maps = _read_zip(file, account) if kind == ".zip" else _read_array(file, kind, account)
    if maps.ndim != 3 or len(maps) != len(frames):
        raise InputError(
            f"{file.name} should contain {len(frames)} depth maps, one per frame, got the shape {maps.shape}."
        )
    height, width = frames.shape[1:3]
    return np.stack([cv2.resize(each, (width, height), interpolation=cv2.INTER_NEAREST_EXACT) for each in maps])


def _read_zip(file: Path, account: Account) -> NDArray[np.float32]:
    from pipelines.inputs.archive import open_folder

    with open_folder(file) as folder:
        found = {each.relative_to(folder).as_posix(): each for each in folder.rglob("*") if each.is_file()}
        visible_names = sorted(
            (name for name in found if not PurePosixPath(name).name.startswith(".")), key=natural_key
        )
        kinds = {
            kind: [name for name in visible_names if name.lower().endswith(kind)] for kind in (DISPARITIES, DISTANCES)
        }
        names = kinds[DISPARITIES] or kinds[DISTANCES]
        if names == kinds[DISPARITIES]:
            maps = [read_raster(found[name], account) for name in names]
        else:
            maps = [_read_distances(found[name], account) for name in names]
    if not maps or len({each.shape for each in maps}) > 1:
        raise InputError(
            f"{file.name} should contain depth maps of one size, one per frame: grey PNGs in which near is bright, or "
            f"{', '.join(DISTANCES)} of distances; it contains {', '.join(visible_names[:8]) or 'nothing'}."
        )
    account.fields(dict.fromkeys(name for name in visible_names if name not in names), "files")
    return _invert_nearness(np.stack(maps)) if names == kinds[DISPARITIES] else np.stack(maps)


def _read_distances(file: Path, account: Account) -> NDArray[np.float32]:
    read = read_depth_map(file, "distance")
    for note in read.notes:
        account.say(note)
    return read.values


def _invert_nearness(near: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.divide(near.max(where=near > 0, initial=0), near, out=np.full_like(near, np.nan), where=near > 0)


def _read_array(file: Path, kind: str, account: Account) -> NDArray[np.float32]:
    if kind != ".npz":
        return np.asarray(np.load(file, allow_pickle=False), np.float32)
    shapes = npz_shapes(file.read_bytes(), file.name)
    arrays = account.fields(shapes)
    known = [key for key in (*DEPTH_KEYS, *DISPARITY_KEYS) if key in arrays]
    stacks = [key for key, shape in shapes.items() if len(shape) == 3]
    key = known[0] if known else stacks[0] if len(stacks) == 1 else ""
    if not key:
        raise InputError(f"{file.name} contains no array called depth; it contains {', '.join(shapes) or 'nothing'}.")
    arrays.use(key)
    with np.load(file, allow_pickle=False) as archive:
        values = np.asarray(archive[key], np.float32)
        if "mask" in arrays and shapes["mask"] == values.shape:
            values = np.where(archive["mask"] > 0, values, np.float32(np.nan))
            arrays.use("mask")
    return _invert_nearness(values) if key in DISPARITY_KEYS else values
