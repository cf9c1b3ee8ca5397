"""Flat surfaces of a picture with depth (floor, walls, table), used to separate objects from the surfaces they stand on.

The inverse depth of a plane is linear in pixel coordinates, so planes are fitted there by RANSAC (Fischler and Bolles 1981), the
largest first.
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
"""Fraction of a picture; smaller pieces of a plane are objects that happen to touch it."""
SAMPLES, HYPOTHESES = 4000, 400
NEAR_PLANE = 0.012
"""Relative depth tolerance within which a pixel is on a plane."""
GROUND_DEGREES = 40.0
"""Maximum angle between a ground plane's normal and the world's up."""


@dataclass(frozen=True, eq=False)
class Plane:
    """``coefficients`` (3,): their product with (x,y,1) is the inverse depth at pixel (x,y). ``on`` (H,W): pixels on the plane.
    ``normal`` (3,): unit normal in the world, towards the camera."""

    coefficients: NDArray[np.float64]
    on: NDArray[np.bool_]
    normal: NDArray[np.float64]

    @property
    def is_ground(self) -> bool:
        return bool(self.normal @ np.array(UP) > np.cos(np.radians(GROUND_DEGREES)))


def find_planes(view: View) -> list[Plane]:
    """The largest planes of the known depth, each from pixels that no earlier plane uses; deterministic."""
    rng = np.random.default_rng(0)
    y, x = np.nonzero(view.known)
    chosen = rng.choice(len(x), min(SAMPLES, len(x)), replace=False)
    points = np.stack([x[chosen], y[chosen], np.ones(len(chosen))], axis=1).astype(np.float64)
    inverse = 1 / view.depth[y[chosen], x[chosen]].astype(np.float64)
    unassigned = np.ones(len(points), bool)
    planes: list[Plane] = []
    used = ~view.known
    while len(planes) < MOST_PLANES and unassigned.sum() >= max(LEAST_SHARE * len(points), 12):
        coefficients, on = _largest(points[unassigned], inverse[unassigned], rng)
        if on.sum() < LEAST_SHARE * len(points):
            break
        plane = _plane(view, coefficients, used)
        planes.append(plane)
        used = used | plane.on
        unassigned[np.flatnonzero(unassigned)[on]] = False
    return planes


def _largest(
    points: NDArray[np.float64], inverse: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The plane through three points that contains most other points, refitted to them, and the mask of these points."""
    numbers = rng.integers(0, len(points), (HYPOTHESES, 3))
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


def _plane(view: View, coefficients: NDArray[np.float64], used: NDArray[np.bool_]) -> Plane:
    y, x = np.mgrid[: view.height, : view.width]
    inverse = coefficients[0] * x + coefficients[1] * y + coefficients[2]
    on = _large(~used & (np.abs(inverse * view.depth - 1) < NEAR_PLANE))
    normal = view.world_from_camera[:3, :3] @ (view.intrinsics.T @ coefficients)
    return Plane(coefficients, on, -normal / np.linalg.norm(normal))


def _large(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask without pieces smaller than `LEAST_PIECE`."""
    _, labels, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    large = facts[:, cv2.CC_STAT_AREA] >= LEAST_PIECE * mask.size
    large[0] = False
    return large[np.asarray(labels, np.int64)]
