"""Unproject depth maps to world points with compiled kernels. Imports numba, so import this module only on first use."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camera.kernel import kernel
from camera.view import View

DepthIs = Literal["z", "distance"]
"""Whether depth is measured along the camera's z axis or along the ray of the pixel."""


def unproject(
    depth: NDArray[np.float32], intrinsics: ArrayLike, world_from_camera: ArrayLike, *, depth_is: DepthIs = "z"
) -> NDArray[np.float32]:
    """World points (H,W,3) of a depth map (H,W); (0,0,0) where depth is not positive.

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
    """World points (H,W,3) of a view; pixels without known depth are at the depth `View.far`."""
    return unproject(view.depth, view.intrinsics, view.world_from_camera)


@kernel
def _unproject(depth, turn, centre, points):
    height, width = depth.shape
    xs, ys, zs = np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width, np.float32)
    for y in range(height):
        _unproject_row(depth[y], np.float32(y), turn, centre, xs, ys, zs)
        _weave(xs, ys, zs, points[y].reshape(-1))


@kernel
def _unproject_row(depth, y, turn, centre, xs, ys, zs):
    """Unproject one row into three planes, without branches so that it vectorises. Matrix entries are scalars, so no store can alias them."""
    t00, t10, t20 = turn[0, 0], turn[1, 0], turn[2, 0]
    c0, c1, c2 = centre[0], centre[1], centre[2]
    base_x, base_y, base_z = turn[0, 1] * y + turn[0, 2], turn[1, 1] * y + turn[1, 2], turn[2, 1] * y + turn[2, 2]
    for x in range(len(depth)):
        column, d = np.float32(x), depth[x]
        valid = d > 0
        xs[x] = d * (t00 * column + base_x) + c0 if valid else np.float32(0)
        ys[x] = d * (t10 * column + base_y) + c1 if valid else np.float32(0)
        zs[x] = d * (t20 * column + base_z) + c2 if valid else np.float32(0)


@kernel
def _weave(xs, ys, zs, points):
    for x in range(len(xs)):
        points[3 * x], points[3 * x + 1], points[3 * x + 2] = xs[x], ys[x], zs[x]
