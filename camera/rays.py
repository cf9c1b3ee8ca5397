"""Rays through pixels and their Plücker coordinates, in the variants that the methods were trained on.

A ray with origin o (the camera centre) and direction d has the Plücker coordinates d and m = o x d. The moment m is the same
for every point o of the ray; for a unit d its length is the ray's distance from the world's origin.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import CameraPath

Order = Literal["moment_direction", "direction_moment"]
"""DualCamCtrl and CameraCtrl put the moment first, GenXD the direction."""

Centre = Literal["integer", "half"]
"""Pixel coordinates of the centre of pixel (0,0): (0,0), or (0.5,0.5)."""

Length = Literal["unit", "depth"]
"""Directions have length 1, or z = 1 in the camera, so that ``origin + depth * direction`` is the surface point."""


def directions(path: CameraPath, *, centre: Centre = "integer", length: Length = "unit") -> NDArray[np.float32]:
    """(F,H,W,3): the direction of every pixel's ray in the world.

    ``centre``: the pixel convention of the path's principal point; ours is "integer". Raises `InputError` for other values.
    """
    return np.ascontiguousarray(np.moveaxis(_planes(path, centre, length), 1, -1))


def pluecker(
    path: CameraPath, *, order: Order, centre: Centre = "integer", length: Length = "unit"
) -> NDArray[np.float32]:
    """(F,6,H,W): Plücker coordinates of every pixel's ray, in the path's world and unit.

    The methods expect one of the cameras as the world frame: call `CameraPath.relative_to_first` first.
    """
    if order not in ("moment_direction", "direction_moment"):
        raise InputError(f"The order of Plücker coordinates is moment_direction or direction_moment; got {order}.")
    result = np.empty((len(path), 6, path.height, path.width), np.float32)
    moment, direction = (
        (result[:, :3], result[:, 3:]) if order == "moment_direction" else (result[:, 3:], result[:, :3])
    )
    direction[:] = _planes(path, centre, length)
    scratch = np.empty((path.height, path.width), np.float32)
    for frame, origin in enumerate(path.centres.astype(np.float32)):
        for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
            np.multiply(direction[frame, k], origin[j], out=moment[frame, i])
            moment[frame, i] -= np.multiply(direction[frame, j], origin[k], out=scratch)
    return result


def _planes(path: CameraPath, centre: Centre, length: Length) -> NDArray[np.float32]:
    """(F,3,H,W): `directions` as planes: the sum of a term per column and a term per row, each computed once."""
    if centre not in ("integer", "half") or length not in ("unit", "depth"):
        raise InputError(
            f"The centre of rays is integer or half and their length unit or depth; got {centre}, {length}."
        )
    offset = 0.5 if centre == "half" else 0.0
    across, down = np.arange(path.width) + offset, np.arange(path.height) + offset
    turns = path.world_from_camera[:, :3, :3] @ np.linalg.inv(path.intrinsics)
    columns = (turns[:, :, :1] * across).astype(np.float32)
    rows = (turns[:, :, 1:2] * down + turns[:, :, 2:]).astype(np.float32)
    result = columns[:, :, None] + rows[..., None]
    if length == "unit":
        for ray in result:
            ray /= np.sqrt(np.einsum("chw,chw->hw", ray, ray))
    return result
