"""Fusion of depth pictures into signed distances (Curless and Levoy 1996), compiled, on grids that grow with distance.

Space is divided into cells of `SIDE` voxels a side. Cells are small near the cameras and double in size with distance, like
the pixels' footprints; only cells that contain points are processed. Each camera adds to every voxel its signed distance to
the observed surface, truncated at a few voxels; the mean over all cameras is zero at the surface. Imports the compiler, so
import this module only on first use.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camera.kernel import kernel
from camera.view import Scene

SIDE = 32
CUT = 4.0
"""Truncation distance on both sides of a surface, in voxels."""
MOST_LEVELS = 12
MOST_VIEWS = 24
"""Maximum number of views per voxel; further views are used only if these see nothing, because more are redundant."""
STEEPEST = 0.05
"""Minimum of `Pictures.facing`: surfaces seen at a more grazing angle are treated as this."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """All views as arrays: ``depth`` (V,H,W) float32, 0 where unreliable; ``facing`` (V,H,W): distance from the surface per unit
    of depth in front of it, along the pixel's ray, 1 if frontal; ``colour`` (V,H,W,3);
    ``pose`` (V,3,4) float32, camera from world; ``lens`` (V,2,3) float32; ``centre`` (V,3)."""

    depth: NDArray[np.float32]
    facing: NDArray[np.float32]
    colour: NDArray[np.uint8]
    pose: NDArray[np.float32]
    lens: NDArray[np.float32]
    centre: NDArray[np.float64]

    @staticmethod
    def of(scene: Scene, believed: list[NDArray[np.bool_]], far: float) -> Pictures:
        """``believed``: (H,W) reliable pixels of every view; depth from ``far`` on is dropped."""
        views = scene.views
        depth = np.stack([
            np.where(reliable & view.known & (view.depth < far), view.depth, np.float32(0))
            for view, reliable in zip(views, believed)
        ])  # fmt: skip
        pose = np.stack([np.linalg.inv(view.world_from_camera)[:3] for view in views]).astype(np.float32)
        lens = np.stack([view.intrinsics[:2] for view in views]).astype(np.float32)
        centre = np.stack([view.world_from_camera[:3, 3] for view in views])
        facing = np.stack([_facing(each, matrix) for each, matrix in zip(depth, lens)])
        return Pictures(depth, facing, np.stack([view.colour for view in views]), pose, lens, centre)


@dataclass(frozen=True, eq=False)
class Cells:
    """``corner`` (C,3): lowest corners in the world; ``voxel`` (C,): voxel sides in scene units."""

    corner: NDArray[np.float64]
    voxel: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.voxel)


def _facing(depth: NDArray[np.float32], lens: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H,W): depth over the length of the surface's normal, for a surface z(x,y); each slope is the smaller of both sides'."""
    slopes = []
    for axis in (0, 1):
        step = np.diff(np.moveaxis(depth, axis, 0), axis=0)
        whole = np.moveaxis(depth, axis, 0) > 0
        step[~(whole[1:] & whole[:-1])] = 0
        none = np.zeros_like(step[:1])
        before, after = np.concatenate([none, step]), np.concatenate([step, none])
        slopes.append(np.moveaxis(np.where(np.abs(before) < np.abs(after), before, after), 0, axis))
    y, x = np.mgrid[: depth.shape[0], : depth.shape[1]].astype(np.float32)
    ahead = depth + (x - lens[0, 2]) * slopes[1] + (y - lens[1, 2]) * slopes[0]
    normal = np.sqrt((lens[0, 0] * slopes[1]) ** 2 + (lens[1, 1] * slopes[0]) ** 2 + ahead**2)
    return np.clip(depth / np.maximum(normal, 1e-20), STEEPEST, 1).astype(np.float32)


def cells(points: NDArray[np.float32], centres: NDArray, *, voxel: float, per_distance: float) -> Cells:
    """The cells that contain ``points`` (N,3); voxels double while they are smaller than ``per_distance`` times the distance
    of their cell from the nearest of the camera ``centres`` (V,3)."""
    lowest = points.min(axis=0).astype(np.float64) - CUT * voxel
    extent = float((points - lowest).max()) + 2 * CUT * voxel
    level = min(max(int(np.ceil(np.log2(max(extent / (SIDE * voxel), 1)))), 0), MOST_LEVELS)
    corners, voxels, left = [], [], points
    while len(left):
        side = SIDE * voxel * 2.0**level
        index = np.floor((left - lowest) / side).astype(np.int64)
        unique, member = _unique_rows(index)
        corner = lowest + unique * side
        split = (voxel * 2.0**level > per_distance * _distance(corner, side, centres)) & (level > 0)
        corners.append(corner[~split])
        voxels.append(np.full(int((~split).sum()), voxel * 2.0**level))
        left, level = left[split[member]], level - 1
    return Cells(np.concatenate(corners), np.concatenate(voxels))


def _unique_rows(index: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    index = np.minimum(index, (1 << 20) - 1)
    keys, member = np.unique((index[:, 0] << 40) | (index[:, 1] << 20) | index[:, 2], return_inverse=True)
    mask = (1 << 20) - 1
    return np.stack([keys >> 40, (keys >> 20) & mask, keys & mask], axis=1), member


def _distance(corner: NDArray, side: float, centres: NDArray) -> NDArray[np.float64]:
    """(C,): from each box to the nearest camera; 0 where one is inside."""
    nearest = np.full(len(corner), np.inf)
    for centre in centres:
        outside = np.maximum(np.maximum(corner - centre, centre - corner - side), 0)
        np.minimum(nearest, np.linalg.norm(outside, axis=1), out=nearest)
    return nearest


def fuse_cell(pictures: Pictures, corner: NDArray, voxel: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Signed distance in units of the truncation, -1 to 1 and positive in front of the surface, and the number of observations;
    both (n,n,n) with n = `SIDE` + 1, at the corners of the voxels, axes x y z."""
    n = SIDE + 1
    total, weight = np.zeros((n, n, n), np.float32), np.zeros((n, n, n), np.float32)
    place = np.asarray(corner, np.float32)
    band = np.float32(CUT * voxel)
    side = np.float32(SIDE * voxel)
    for views in _views_of_cell(place, side, pictures.depth, pictures.pose, pictures.lens, MOST_VIEWS):
        _fuse(
            total, weight, weight > 0, place, np.float32(voxel), band, views, pictures.depth, pictures.facing, pictures.pose,
            pictures.lens,
        )  # fmt: skip
    return np.divide(total, weight, out=np.ones_like(total), where=weight > 0), weight


def colours(
    pictures: Pictures, points: NDArray[np.float32], normals: NDArray[np.float32], slack: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Colour (N,3) of surface points with normals (N,3), and a mask of the points that are visible in a picture.

    The mean of the pictures whose depth is within ``slack`` (N,); near and frontal ones have more weight.
    """
    total, weight = np.zeros((len(points), 3), np.float32), np.zeros(len(points), np.float32)
    _colour(total, weight, points, normals, slack, pictures.depth, pictures.colour, pictures.pose, pictures.lens)
    mean = total / np.maximum(weight, np.float32(1e-20))[:, None]
    return np.rint(mean).astype(np.uint8), weight > 0


@kernel
def _depth_at(depth, u, v, slack):
    """Depth (H,W) at a position: interpolated between four pixels of one surface, else of the nearest pixel; 0 where unknown."""
    height, width = depth.shape
    column, row = np.int64(u + np.float32(0.5)), np.int64(v + np.float32(0.5))
    own = depth[row, column]
    x, y = np.int64(u), np.int64(v)
    if own <= 0 or x + 1 >= width or y + 1 >= height:
        return own
    a, b, c, d = depth[y, x], depth[y, x + 1], depth[y + 1, x], depth[y + 1, x + 1]
    least, most = min(min(a, b), min(c, d)), max(max(a, b), max(c, d))
    if least <= 0 or most - least > slack:
        return own
    right, below = u - np.float32(x), v - np.float32(y)
    one = np.float32(1)
    return (one - below) * ((one - right) * a + right * b) + below * ((one - right) * c + right * d)


@kernel
def _views_of_cell(corner, side, depth, pose, lens, most):
    """Indices of views that may show a part of a cell: at most ``most``, spread evenly, and the others."""
    height, width = depth.shape[1:]
    right, bottom = np.float32(width - 1), np.float32(height - 1)
    half = np.float32(0.5) * side
    radius = np.float32(1.7320508) * half
    x, y, z = corner[0] + half, corner[1] + half, corner[2] + half
    found = np.empty(len(depth), np.int64)
    count = 0
    for view in range(len(depth)):
        turn = pose[view]
        mx = turn[0, 0] * x + turn[0, 1] * y + turn[0, 2] * z + turn[0, 3]
        my = turn[1, 0] * x + turn[1, 1] * y + turn[1, 2] * z + turn[1, 3]
        mz = turn[2, 0] * x + turn[2, 1] * y + turn[2, 2] * z + turn[2, 3]
        if mz + radius <= 0:
            continue
        if mz > 2 * radius:
            margin = 3 * radius * max(lens[view, 0, 0], lens[view, 1, 1]) / (mz - radius)
            u = (lens[view, 0, 0] * mx + lens[view, 0, 1] * my) / mz + lens[view, 0, 2]
            v = lens[view, 1, 1] * my / mz + lens[view, 1, 2]
            if u < -margin or v < -margin or u > right + margin or v > bottom + margin:
                continue
        found[count] = view
        count += 1
    if count <= most:
        return found[:count], found[count:count]
    chosen, others = np.empty(most, np.int64), np.empty(count - most, np.int64)
    chosen_count = 0
    for i in range(count):
        if chosen_count < most and i == chosen_count * (count - 1) // (most - 1):
            chosen[chosen_count] = found[i]
            chosen_count += 1
        else:
            others[i - chosen_count] = found[i]
    return chosen, others


@kernel
def _fuse(total, weight, observations, corner, voxel, cut, views, depth, facing, pose, lens):
    n = total.shape[0]
    height, width = depth.shape[1:]
    right, bottom = np.float32(width - 1), np.float32(height - 1)
    for view in views:
        turn = pose[view]
        for i in range(n):
            for j in range(n):
                x, y = corner[0] + voxel * np.float32(i), corner[1] + voxel * np.float32(j)
                bx = turn[0, 0] * x + turn[0, 1] * y + turn[0, 3]
                by = turn[1, 0] * x + turn[1, 1] * y + turn[1, 3]
                bz = turn[2, 0] * x + turn[2, 1] * y + turn[2, 3]
                for k in range(n):
                    if observations[i, j, k]:
                        continue
                    z = corner[2] + voxel * np.float32(k)
                    pz = bz + turn[2, 2] * z
                    if pz <= 0:
                        continue
                    inverse = np.float32(1) / pz
                    px, py = bx + turn[0, 2] * z, by + turn[1, 2] * z
                    u = (lens[view, 0, 0] * px + lens[view, 0, 1] * py) * inverse + lens[view, 0, 2]
                    v = lens[view, 1, 1] * py * inverse + lens[view, 1, 2]
                    if u < 0 or v < 0 or u > right or v > bottom:
                        continue
                    row, column = np.int64(v + np.float32(0.5)), np.int64(u + np.float32(0.5))
                    seen = depth[view, row, column]
                    slope = facing[view, row, column]
                    ahead = (seen - pz) * slope
                    if seen <= 0 or ahead < -2 * cut:
                        continue
                    if ahead < 2 * cut:  # surfaces between pixels may deviate from the nearest pixel by a cut
                        ahead = (_depth_at(depth[view], u, v, cut / slope) - pz) * slope
                        if ahead < -cut:
                            continue
                    total[i, j, k] += min(ahead / cut, np.float32(1))
                    weight[i, j, k] += np.float32(1)


@kernel
def _colour(total, weight, points, normals, slack, depth, colour, pose, lens):
    height, width = depth.shape[1:]
    right, bottom = np.float32(width - 1), np.float32(height - 1)
    for n in range(len(points)):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        for view in range(len(depth)):
            turn = pose[view]
            pz = turn[2, 0] * x + turn[2, 1] * y + turn[2, 2] * z + turn[2, 3]
            if pz <= 0:
                continue
            px = turn[0, 0] * x + turn[0, 1] * y + turn[0, 2] * z + turn[0, 3]
            py = turn[1, 0] * x + turn[1, 1] * y + turn[1, 2] * z + turn[1, 3]
            u = (lens[view, 0, 0] * px + lens[view, 0, 1] * py) / pz + lens[view, 0, 2]
            v = lens[view, 1, 1] * py / pz + lens[view, 1, 2]
            if u < 0 or v < 0 or u > right or v > bottom:
                continue
            if abs(_depth_at(depth[view], u, v, slack[n]) - pz) > slack[n]:
                continue
            a = turn[0, 0] * normals[n, 0] + turn[0, 1] * normals[n, 1] + turn[0, 2] * normals[n, 2]
            b = turn[1, 0] * normals[n, 0] + turn[1, 1] * normals[n, 1] + turn[1, 2] * normals[n, 2]
            c = turn[2, 0] * normals[n, 0] + turn[2, 1] * normals[n, 1] + turn[2, 2] * normals[n, 2]
            square = px * px + py * py + pz * pz
            facing = max(abs(a * px + b * py + c * pz) / np.sqrt(square), np.float32(0.05))
            share = facing * facing / square
            left, top = min(np.int64(u), width - 2), min(np.int64(v), height - 2)
            across, down = u - np.float32(left), v - np.float32(top)
            weight[n] += share
            for channel in range(3):
                above = (1 - across) * colour[view, top, left, channel] + across * colour[view, top, left + 1, channel]
                below = (1 - across) * colour[view, top + 1, left, channel]
                below += across * colour[view, top + 1, left + 1, channel]
                total[n, channel] += share * np.float32((1 - down) * above + down * below)
