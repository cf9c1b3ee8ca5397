"""Rays through pixels and their Plücker coordinates, in the forms that the methods were trained on.

A ray with origin o (the camera's centre) and direction d has the Plücker coordinates d and m = o x d; the moment m does not
depend on which point of the ray is called its origin, and its length is the ray's distance from the world's origin.
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
"""Where pixel (0,0) is sampled, in the lens's own coordinates: at (0,0), or at (0.5,0.5)."""

Length = Literal["unit", "depth"]
"""Directions of length 1, or with z = 1 in the camera, so that ``origin + depth * direction`` is the point."""


def directions(path: CameraPath, *, centre: Centre = "integer", length: Length = "unit") -> NDArray[np.float32]:
    """(F,H,W,3): the direction of every pixel's ray in the world.

    ``centre`` says in which convention the path's principal point is written; ours is "integer". Raises `InputError` for
    other options.
    """
    if centre not in ("integer", "half") or length not in ("unit", "depth"):
        raise InputError(
            f"Rays know the centres integer and half and the lengths unit and depth; got {centre}, {length}."
        )
    offset = 0.5 if centre == "half" else 0.0
    down, across = np.mgrid[: path.height, : path.width] + offset
    pixels = np.stack([across, down, np.ones_like(down)], axis=-1)
    result = np.empty((len(path), path.height, path.width, 3), dtype=np.float32)
    for frame, (pose, lens) in enumerate(zip(path.world_from_camera, path.intrinsics)):
        ray = pixels @ np.linalg.inv(lens).T
        if length == "unit":
            ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
        result[frame] = ray @ pose[:3, :3].T
    return result


def pluecker(
    path: CameraPath, *, order: Order, centre: Centre = "integer", length: Length = "unit"
) -> NDArray[np.float32]:
    """(F,6,H,W): Plücker coordinates of every pixel's ray, in the world of the path and in its unit.

    The methods want the world to be one of the cameras: call `CameraPath.relative_to_first` before.
    """
    if order not in ("moment_direction", "direction_moment"):
        raise InputError(f"The order of Plücker coordinates is moment_direction or direction_moment; got {order}.")
    direction = directions(path, centre=centre, length=length)
    moment = np.cross(path.centres.astype(np.float32)[:, None, None], direction)
    parts = [moment, direction] if order == "moment_direction" else [direction, moment]
    return np.ascontiguousarray(np.moveaxis(np.concatenate(parts, axis=-1), -1, 1))
