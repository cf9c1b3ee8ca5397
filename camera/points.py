"""Depth to points in the world, compiled. Imports the compiler: import this module on first use only."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camera.compiled import kernel
from camera.view import View

DepthIs = Literal["z", "distance"]
"""Whether depth is measured along the camera's z axis or along the ray of the pixel."""


def unproject(
    depth: NDArray[np.float32], intrinsics: ArrayLike, world_from_camera: ArrayLike, *, depth_is: DepthIs = "z"
) -> NDArray[np.float32]:
    """World points (H,W,3) of a depth picture (H,W); the origin where depth is not positive.

    ``intrinsics`` (3,3) in pixels with centres at integers, ``world_from_camera`` (4,4).
    """
    pose = np.asarray(world_from_camera, dtype=np.float64)
    inverse_lens = np.linalg.inv(np.asarray(intrinsics, dtype=np.float64))
    depth = np.ascontiguousarray(depth, dtype=np.float32)
    if depth_is == "distance":
        y, x = np.mgrid[: depth.shape[0], : depth.shape[1]].astype(np.float32)
        rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ inverse_lens.T.astype(np.float32)
        depth = depth / (np.linalg.norm(rays, axis=-1) + np.float32(1e-8))
    points = np.empty((*depth.shape, 3), np.float32)
    _unproject(depth, (pose[:3, :3] @ inverse_lens).astype(np.float32), pose[:3, 3].astype(np.float32), points)
    return points


def points_of(view: View) -> NDArray[np.float32]:
    """World points (H,W,3) of a view; pixels without known depth stand at the distance `camera.view.FAR`."""
    return unproject(view.depth, view.intrinsics, view.world_from_camera)


@kernel
def _unproject(depth, turn, centre, points):
    height, width = depth.shape
    for y in range(height):
        base_x = turn[0, 1] * np.float32(y) + turn[0, 2]
        base_y = turn[1, 1] * np.float32(y) + turn[1, 2]
        base_z = turn[2, 1] * np.float32(y) + turn[2, 2]
        for x in range(width):
            column, d = np.float32(x), depth[y, x]
            valid = d > 0
            points[y, x, 0] = d * (turn[0, 0] * column + base_x) + centre[0] if valid else np.float32(0)
            points[y, x, 1] = d * (turn[1, 0] * column + base_y) + centre[1] if valid else np.float32(0)
            points[y, x, 2] = d * (turn[2, 0] * column + base_z) + centre[2] if valid else np.float32(0)
