"""The initial splats of a fit: a Gaussian at every point, as large as the distance to its neighbours, and a backdrop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camera.cloud import PointCloud
from camera.errors import InputError
from camera.path import CameraPath
from camera.view import Scene
from pipelines.splats.splats import SH_C0, Splats

FEWEST_POINTS = 10
OPACITY = 0.1
NEIGHBOURS = 3
BACKDROP = 3.0
"""Distance of the sky, as a multiple of the scene's 90th depth percentile."""
BACKDROP_SHARE = 0.2
"""Maximum share of backdrop points."""


def initial_splats(cloud: PointCloud, degree: int) -> Splats:
    """Isotropic Gaussians of opacity `OPACITY`, with harmonics of ``degree`` that initially do not depend on direction.

    Raises `InputError` for fewer than `FEWEST_POINTS` points.
    """
    from scipy.spatial import KDTree

    n = len(cloud)
    if n < FEWEST_POINTS:
        raise InputError(
            f"Splats need at least {FEWEST_POINTS} initial points, got {n}; use frames that overlap more, or "
            "another depth."
        )
    distances, _ = KDTree(cloud.points).query(cloud.points, NEIGHBOURS + 1)
    gaps = np.sqrt((np.asarray(distances)[:, 1:] ** 2).mean(axis=1))
    gaps = np.maximum(gaps, 1e-3 * max(float(np.median(gaps)), 1e-6))
    sh = np.zeros((n, (degree + 1) ** 2, 3), np.float32)
    sh[:, 0] = (cloud.colours / np.float32(255) - 0.5) / SH_C0
    return Splats(
        cloud.points,
        np.tile(np.array([1, 0, 0, 0], np.float32), (n, 1)),
        np.repeat(np.log(gaps)[:, None], 3, axis=1),
        np.full(n, np.log(OPACITY / (1 - OPACITY)), np.float32),
        sh,
    )


def add_backdrop(cloud: PointCloud, scene: Scene) -> PointCloud:
    """The cloud and, if the views show sky or unknown depth, points far behind it, so that splats can represent it."""
    known = np.concatenate([view.depth[view.known][::31] for view in scene.views])
    distance = BACKDROP * float(np.quantile(known, 0.9)) if len(known) else 1.0
    share = float(np.mean([(~view.known).mean() for view in scene.views]))
    if share < 0.002:
        return cloud
    most = max(round(BACKDROP_SHARE * len(cloud) / len(scene.views)), FEWEST_POINTS)
    parts = [cloud]
    for view in scene.views:
        rows, columns = np.nonzero(~view.known)
        step = max(len(rows) // most, 1)
        rows, columns = rows[::step], columns[::step]
        rays = np.stack([columns, rows, np.ones_like(rows)], axis=1) @ np.linalg.inv(view.intrinsics).T
        rays *= distance / np.linalg.norm(rays, axis=1, keepdims=True)
        points = rays @ view.world_from_camera[:3, :3].T + view.world_from_camera[:3, 3]
        parts.append(PointCloud(points.astype(np.float32), view.colour[rows, columns]))
    return PointCloud.joined(parts)


def log_confidence(scene: Scene, *, tolerance: float = 0.02) -> NDArray[np.float32]:
    """(F,H,W): log(1 + n), with n the number of other views (at most a dozen) that confirm a pixel's point."""
    from camera.unproject import points_of
    from pipelines.reconstruct.consistency import confirmations
    from pipelines.reconstruct.points import MOST_WITNESSES, other_views

    found = []
    for i, view in enumerate(scene.views):
        others = [scene.views[j] for j in other_views(i, len(scene.views), MOST_WITNESSES)]
        agreeing = np.zeros(view.known.shape, np.float32)
        agreeing[view.known] = confirmations(points_of(view)[view.known], others, tolerance)
        found.append(np.log1p(agreeing))
    return np.stack(found)


def extent(cloud: PointCloud, path: CameraPath) -> float:
    """Size of the scene in its units, which scales learning rates and sizes.

    3DGS uses 1.1 times the radius of the cameras' positions. Cameras of one shot are close together, so here it is at
    least the median distance of the points from the mean camera position.
    """
    middle = path.centres.mean(axis=0)
    cameras = 1.1 * float(np.linalg.norm(path.centres - middle, axis=1).max())
    return max(cameras, float(np.median(_distances(cloud, middle))), 1e-6)


def _distances(cloud: PointCloud, place: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.linalg.norm(cloud.points - place, axis=1)
