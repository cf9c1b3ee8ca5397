"""A ray-traced room seen from several places, with known surfaces."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

import numpy as np

from bench.room import SPHERES, WALLS, orbit, shot
from camera.path import CameraPath
from camera.view import Scene

ANGLES = (-8, -4, 0, 4, 8)
T = TypeVar("T")


def room(height: int = 60, width: int = 80) -> Scene:
    return Scene(tuple(shot(orbit(height, width, degrees)) for degrees in ANGLES), "views", name="room")


def path_of(scene: Scene) -> CameraPath:
    poses = np.array([view.world_from_camera for view in scene.views])
    return CameraPath(poses, scene.first.intrinsics, scene.first.width, scene.first.height)


def finished(steps: Generator[object, None, T]) -> T:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def to_surface(points: np.ndarray) -> np.ndarray:
    """Distance of each point (N,3) to the nearest wall or sphere."""
    walls = [np.abs(points[:, axis] - place) for axis, place in WALLS]
    spheres = [np.abs(np.linalg.norm(points - np.array(centre), axis=1) - radius) for centre, radius in SPHERES]
    return np.min(walls + spheres, axis=0)
