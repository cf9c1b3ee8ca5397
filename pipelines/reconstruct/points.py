"""Fuses all views of a scene into one point cloud of points that other views confirm."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from camera.cloud import PointCloud
from camera.errors import InputError
from camera.view import Scene
from pipelines.method import Progress

LEAST_PARALLAX = 0.01
"""Minimum distance between the first camera and the one farthest from it, as a share of the scene's depth."""
LEAST_AGREEMENT = 0.02
"""Minimum share of the points that other views confirm; below it the cameras or the depth are wrong."""
DOUBTFUL = 0.4
"""Below this share, the reconstruction is reported as doubtful."""
MOST_WITNESSES = 12
"""Number of other views, evenly spread over the scene, that check each point."""
BISECTIONS = 12


def fuse_points(
    scene: Scene,
    *,
    tolerance: float = 0.02,
    least_views: int = 2,
    most_points: int = 300_000,
    far: float = np.inf,
) -> Generator[Progress, None, PointCloud]:
    """The points of all views that ``least_views`` other views confirm at the same depth; returned by the generator.

    ``tolerance``: maximum relative difference of depth. ``far``: depth in scene units from which on points are dropped; sky and
    unknown depth always are. Points in one voxel are averaged, including colours; voxels grow until at most ``most_points``
    remain. Raises `InputError` for too few views, no parallax, or views that contradict each other.
    """
    return (
        yield from fuse_and_confirm(
            scene, tolerance=tolerance, least_views=least_views, most_points=most_points, far=far
        )
    )[0]


def fuse_and_confirm(
    scene: Scene,
    *,
    tolerance: float = 0.02,
    least_views: int = 2,
    most_points: int = 300_000,
    far: float = np.inf,
) -> Generator[Progress, None, tuple[PointCloud, float]]:
    """Like `fuse_points`; also returns the share of all points that other views confirm."""
    if most_points < 1:
        raise InputError(f"A point cloud needs at least one point, got {most_points}.")
    check_views(scene, tolerance, least_views)
    from camera.unproject import points_of
    from pipelines.reconstruct.consistency import confirmations, side_by_side

    step = _step(scene, most_points)

    def confirmed(i: int) -> tuple[NDArray[np.float32], NDArray[np.uint8], int]:
        view = scene.views[i]
        usable = (view.known & (view.depth < far))[::step, ::step]
        own = np.asarray(points_of(view), np.float32)[::step, ::step][usable]
        others = [scene.views[j] for j in other_views(i, len(scene.views), max(MOST_WITNESSES, least_views))]
        valid = confirmations(own, others, tolerance) >= least_views
        return own[valid], view.colour[::step, ::step][usable][valid], len(own)

    points, colours, asked = [], [], 0
    yield Progress("Fusing views", 0, len(scene.views))
    for i, (own, colour, count) in enumerate(side_by_side(confirmed, len(scene.views)), 1):
        points.append(own)
        colours.append(colour)
        asked += count
        yield Progress("Fusing views", i, len(scene.views))
    cloud = PointCloud(np.concatenate(points), np.concatenate(colours))
    if len(cloud) < max(LEAST_AGREEMENT * asked, 1):
        raise InputError(
            f"Only {len(cloud)} of {asked} points are confirmed at the same place by {least_views} other views: the cameras "
            "contradict the frames or the scene moves; check the path, or raise the tolerance."
        )
    return thin_cloud(cloud, most_points), len(cloud) / asked


def thin_cloud(cloud: PointCloud, most: int) -> PointCloud:
    """Reduce to at most ``most`` points: the mean position and colour per occupied voxel, with the smallest possible voxels."""
    if len(cloud) <= most:
        return cloud
    from pipelines.reconstruct.consistency import count_voxels

    offset = (cloud.points - cloud.points.min(axis=0)).astype(np.float64)
    extent = max(float(offset.max()), 1e-30)
    fine, coarse = extent / 2**20, 2 * extent
    for _ in range(BISECTIONS):
        middle = float(np.sqrt(fine * coarse))
        if count_voxels(offset, middle, most) <= most:
            coarse = middle
        else:
            fine = middle
    cells, member = np.unique(_voxels(offset, coarse), return_inverse=True)
    return _means(cloud, member, len(cells))


def _voxels(offset: NDArray[np.float64], size: float) -> NDArray[np.int64]:
    """(N,): index of the voxel of side ``size`` that contains each point."""
    x, y, z = (offset / size).astype(np.int64).T
    return (x << 42) | (y << 21) | z


def _means(cloud: PointCloud, member: NDArray, n: int) -> PointCloud:
    weight = np.bincount(member, minlength=n)[:, None]
    place = np.stack([np.bincount(member, c, n) for c in cloud.points.T.astype(np.float64)], axis=1) / weight
    colour = np.stack([np.bincount(member, c, n) for c in cloud.colours.T], axis=1) / weight
    return PointCloud(place.astype(np.float32), np.rint(colour).astype(np.uint8))


def check_views(scene: Scene, tolerance: float, least_views: int) -> None:
    """Raise `InputError` for views that cannot be compared: too few of them, or no parallax."""
    if tolerance <= 0 or least_views < 1:
        raise InputError(
            f"Comparing views needs a tolerance above 0 and at least one other view, got {tolerance:g} and {least_views}."
        )
    if len(scene.views) <= least_views:
        raise InputError(
            f"Points that {least_views} other views confirm need at least {least_views + 1} frames, got "
            f"{len(scene.views)}; use more frames or require fewer views."
        )
    places = np.array([view.world_from_camera[:3, 3] for view in scene.views])
    parallax = np.linalg.norm(places - places[0], axis=1).max() / scene.first.focus_depth
    if parallax < LEAST_PARALLAX:
        raise InputError(
            f"The camera moves by {parallax:.2%} of the scene's depth, too little parallax for 3D; at least "
            f"{LEAST_PARALLAX:.0%} is needed, so use a move that changes position, not only direction."
        )


def _step(scene: Scene, most_points: int) -> int:
    """Pixel stride that gives about eight points for each one that remains."""
    pixels = len(scene.views) * scene.first.width * scene.first.height
    return max(int(np.sqrt(pixels / (8 * most_points))), 1)


def other_views(i: int, n: int, most: int) -> list[int]:
    """Up to ``most`` other views, spread evenly."""
    others = [j for j in range(n) if j != i]
    if len(others) <= most:
        return others
    return [others[k] for k in np.linspace(0, len(others) - 1, most).round().astype(int)]
