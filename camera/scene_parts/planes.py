"""Flat surfaces of a picture with depth (floor, walls, table), used to separate objects from what they stand on.

A plane of the world is linear in the inverse depth of its pixels, so planes are found there by random samples (Fischler and Bolles
1981), the largest first.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.rotation import UP
from camera.view import View

MOST_PLANES, LEAST_SHARE = 5, 0.1
"""Maximum number of planes, and the minimum share of known pixels that each covers: smaller planes cut through objects."""
LEAST_PIECE = 0.003
"""Share of a picture: smaller pieces of a plane are objects that happen to touch it."""
SAMPLES, HYPOTHESES = 4000, 400
NEAR_PLANE = 0.012
"""A pixel within this part of a plane's depth lies on it."""
GROUND_DEGREES = 40.0
"""A plane is ground where its normal is within so much of the world's up."""


@dataclass(frozen=True, eq=False)
class Plane:
    """``coefficients`` (3,): inverse depth at pixel (x,y) is their product with (x,y,1). ``on`` (H,W): pixels that lie on it.
    ``normal`` (3,): in the world, of length one, towards the camera."""

    coefficients: NDArray[np.float64]
    on: NDArray[np.bool_]
    normal: NDArray[np.float64]

    @property
    def is_ground(self) -> bool:
        return bool(self.normal @ np.array(UP) > np.cos(np.radians(GROUND_DEGREES)))


def find_planes(view: View) -> list[Plane]:
    """The largest planes of the known depth, each from pixels that no earlier plane uses; deterministic."""
    chance = np.random.default_rng(0)
    y, x = np.nonzero(view.known)
    chosen = chance.choice(len(x), min(SAMPLES, len(x)), replace=False)
    points = np.stack([x[chosen], y[chosen], np.ones(len(chosen))], axis=1).astype(np.float64)
    inverse = 1 / view.depth[y[chosen], x[chosen]].astype(np.float64)
    left = np.ones(len(points), bool)
    found: list[Plane] = []
    taken = ~view.known
    while len(found) < MOST_PLANES and left.sum() >= max(LEAST_SHARE * len(points), 12):
        coefficients, on = _largest(points[left], inverse[left], chance)
        if on.sum() < LEAST_SHARE * len(points):
            break
        plane = _plane(view, coefficients, taken)
        found.append(plane)
        taken = taken | plane.on
        left[np.flatnonzero(left)[on]] = False
    return found


def _largest(
    points: NDArray[np.float64], inverse: NDArray[np.float64], chance: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The plane through three points that contains most other points, refitted to them, and the mask of these points."""
    numbers = chance.integers(0, len(points), (HYPOTHESES, 3))
    solvable = np.abs(np.linalg.det(points[numbers])) > 1.0
    planes = np.linalg.solve(points[numbers][solvable], inverse[numbers][solvable][..., None])[..., 0]
    if not len(planes):
        return np.zeros(3), np.zeros(len(points), bool)
    counts = (np.abs(points @ planes.T / inverse[:, None] - 1) < NEAR_PLANE).sum(axis=0)
    best = planes[np.argmax(counts)]
    for _ in range(3):
        on = np.abs(points @ best / inverse - 1) < NEAR_PLANE
        best = np.asarray(np.linalg.lstsq(points[on] / inverse[on, None], np.ones(on.sum()), rcond=None)[0], np.float64)
    return best, np.abs(points @ best / inverse - 1) < NEAR_PLANE


def _plane(view: View, coefficients: NDArray[np.float64], taken: NDArray[np.bool_]) -> Plane:
    y, x = np.mgrid[: view.height, : view.width]
    inverse = coefficients[0] * x + coefficients[1] * y + coefficients[2]
    on = _large(~taken & (np.abs(inverse * view.depth - 1) < NEAR_PLANE))
    normal = view.world_from_camera[:3, :3] @ (view.intrinsics.T @ coefficients)
    return Plane(coefficients, on, -normal / np.linalg.norm(normal))


def _large(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without pieces smaller than `LEAST_PIECE`."""
    _, labels, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    large = facts[:, cv2.CC_STAT_AREA] >= LEAST_PIECE * mask.size
    large[0] = False
    return large[np.asarray(labels, np.int64)]
