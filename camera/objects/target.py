"""An object as a target: which object a point belongs to, and how that point moves with it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camera.objects.scene import StagedScene, matrices

REACH = 0.02
"""Tolerance, as a fraction of an object's size, by which a point may be outside its bounding box."""


def object_at(scene: StagedScene, point: ArrayLike, *, share: float, seconds: float) -> int | None:
    """Index of the smallest object around a world ``point`` (3,) at a time (``share`` of the video, and ``seconds``); None without
    one."""
    place, world, found = np.asarray(point, dtype=np.float64), scene.world_from_stage, []
    for number, item in enumerate(scene.objects):
        corners = np.concatenate([part.moved(world).vertices for part in item.surfaces(share, seconds)])
        low, high = corners.min(axis=0), corners.max(axis=0)
        size = float(np.linalg.norm(high - low))
        if (place >= low - REACH * size).all() and (place <= high + REACH * size).all():
            found.append((size, number))
    return min(found)[1] if found else None


def points_on_object(
    scene: StagedScene, number: int, point: ArrayLike, *, share: float, shares: ArrayLike
) -> NDArray[np.float64]:
    """(N,3): positions at ``shares`` (N,) of the video of a world ``point`` (3,) that is on an object at ``share``. The point moves
    rigidly with the object; its animation is ignored."""
    item, moments = scene.objects[number], [share, *np.asarray(shares, dtype=np.float64).tolist()]
    world = scene.world_from_stage @ matrices([item.placement(at) for at in moments])
    local = np.linalg.inv(world[0]) @ [*np.asarray(point, dtype=np.float64), 1.0]
    return (world[1:] @ local)[:, :3]
