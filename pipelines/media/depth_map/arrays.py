"""Depth from files of plain numbers: npy, npz (Depth Pro and others) and pfm."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError, reading
from camera.formats.account import Account
from camera.formats.parsing import npz_shapes
from pipelines.media.picture_file import MAX_MEGAPIXELS, check_size

DEPTH_KEYS = ("depth", "depth_map", "depths", "predicted_depth", "depth_pred", "metric_depth", "z", "arr_0")
DISPARITY_KEYS = ("disparity", "disp", "inverse_depth", "inv_depth", "inverse_depth_map")
FOCAL_KEYS = ("focallength_px", "focal_length_px")
"""Depth Pro's name for the focal length in pixels, and its common misspelling."""


@dataclass(frozen=True, eq=False)
class Numbers:
    """``values`` (H,W) as stored; ``fov_degrees``: horizontal, if the file contains a focal length; ``near_is_large``: whether it
    is labelled as disparity (None: not labelled)."""

    values: NDArray[np.float32]
    fov_degrees: float | None = None
    near_is_large: bool | None = None


def read_npy(path: Path) -> NDArray[np.float32]:
    """(H,W) of one array; drops dimensions of length one."""
    with reading(f"{path.name} is not a plain numpy array; save the depth with numpy.save as float32."):
        values = np.load(path, allow_pickle=False, mmap_mode="r")
    return _plane(values, path)


def _plane(values: Any, path: Path, key: str = "") -> NDArray[np.float32]:
    shape = tuple(side for side in values.shape if side != 1) if values.ndim > 2 else values.shape
    where = f"{key} of {path.name}" if key else path.name
    if len(shape) != 2 or values.dtype.kind not in "fiu" or values.size > MAX_MEGAPIXELS * 1_000_000:
        raise InputError(
            f"{where} must contain one depth map of shape (H,W); it contains {values.shape} of {values.dtype}."
        )
    return np.array(values.reshape(shape), dtype=np.float32)


def read_npz(path: Path, account: Account) -> Numbers:
    """The array called depth, or the only one shaped like a picture; applies ``mask``, and converts a focal length to a field of view."""
    shapes = npz_shapes(path.read_bytes(), path.name)
    key = _depth_key(shapes, path)
    if int(np.prod(shapes[key], dtype=np.float64)) > MAX_MEGAPIXELS * 1_000_000:
        raise InputError(
            f"{key} of {path.name} has the shape {shapes[key]}; use a depth map of at most {MAX_MEGAPIXELS} megapixels."
        )
    with reading(f"{path.name} is not a readable npz file; write it again with numpy.savez."):  # noqa: SIM117
        with np.load(path, allow_pickle=False) as archive:
            arrays = account.fields({each: archive for each in shapes})
            values = _plane(arrays[key][key], path, key)
            focal = next((_number(arrays[each][each]) for each in FOCAL_KEYS if each in arrays), None)
            if "mask" in arrays and [side for side in shapes["mask"] if side != 1] == list(values.shape):
                values = np.where(arrays["mask"]["mask"].reshape(values.shape) > 0, values, np.float32(np.nan))
    fov = None if focal is None else float(np.degrees(2 * np.arctan(values.shape[1] / (2 * focal))))
    named = True if key.lower() in DISPARITY_KEYS else False if key.lower() in DEPTH_KEYS[:-1] else None
    return Numbers(values, fov, named)


def _depth_key(shapes: dict[str, tuple[int, ...]], path: Path) -> str:
    lower = {key.lower(): key for key in shapes}
    for known in (*DEPTH_KEYS, *DISPARITY_KEYS):
        if known in lower:
            return lower[known]
    planes = [
        key for key, shape in shapes.items() if len([side for side in shape if side > 1]) == 2 and max(shape) > 16
    ]
    if len(planes) == 1:
        return planes[0]
    raise InputError(
        f"{path.name} contains no array called depth; it contains {', '.join(shapes) or 'nothing'}. Save the depth as npy."
    )


def _number(value: NDArray[Any]) -> float | None:
    number = float(np.asarray(value, float).reshape(-1)[0]) if np.size(value) == 1 else 0.0
    return number if np.isfinite(number) and number > 0 else None


def read_pfm(path: Path, account: Account) -> NDArray[np.float32]:
    """(H,W) from a portable float map: rows from bottom to top, the sign of the scale is the byte order.

    Ignores the magnitude of the scale, as OpenCV and the Middlebury tools do; a note says so if it is not 1.
    """
    data = path.read_bytes()
    head = re.match(rb"(Pf|PF)\s+(\d{1,6})\s+(\d{1,6})\s+(-?[\d.eE+-]+)[ \t\r]*\n", data)
    if not head:
        raise InputError(f"{path.name} is not a portable float map; export it again, or as npy.")
    width, height, channels = int(head[2]), int(head[3]), 3 if head[1] == b"PF" else 1
    check_size(width, height, path, least=1)
    try:
        scale = float(head[4])
    except ValueError as error:
        raise InputError(f"{path.name} is not a portable float map; export it again, or as npy.") from error
    count = width * height * channels
    if len(data) - head.end() < 4 * count:
        raise InputError(f"{path.name} is truncated or damaged; export it again.")
    values = np.frombuffer(data, "<f4" if scale < 0 else ">f4", count, head.end()).reshape(height, width, channels)
    if channels == 3 and not np.array_equal(values[..., 0], values[..., 1], equal_nan=True):
        raise InputError(f"{path.name} has three different channels, so it is not a depth map; export the depth alone.")
    if abs(scale) != 1:
        account.say(f"{path.name} has a scale of {abs(scale):g}, which is ignored, as by other readers.")
    return np.ascontiguousarray(values[::-1, :, 0], dtype=np.float32)
