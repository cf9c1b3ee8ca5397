"""An object as a target: which object a point belongs to, and how that point moves with it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camera.objects.scene import StagedScene, matrices

REACH = 0.02
"""Of an object's size: a point as near to its box belongs to it."""


def object_at(scene: StagedScene, point: ArrayLike, *, share: float, seconds: float) -> int | None:
    """Number of the smallest object around a ``point`` (3,) of the world at a moment (``share`` of the video, and ``seconds``);
    None where there is none."""
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
    """(N,3): where a ``point`` (3,) of the world that an object has at ``share`` of the video is at ``shares`` (N,), going and
    turning with the object as a whole; its animation is not followed."""
    item, moments = scene.objects[number], [share, *np.asarray(shares, dtype=np.float64).tolist()]
    world = scene.world_from_stage @ matrices([item.placement(at) for at in moments])
    local = np.linalg.inv(world[0]) @ [*np.asarray(point, dtype=np.float64), 1.0]
    return (world[1:] @ local)[:, :3]
