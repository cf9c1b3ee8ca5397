"""The scenes, one file each: shapes, surfaces, sky, light and the pose of the first camera."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from camera.path import CameraPath, pinhole
from examples.render.light import Light

Point = tuple[float, float, float]
"""Metres in authoring axes: x right, y up, z forward. Output has y down (OpenCV)."""


@dataclass(frozen=True)
class Setting:
    """One scene: compiled functions (see `march.renderer`), its light, and its own camera."""

    distance: Callable
    surface: Callable
    sky: Callable
    light: Light
    eye: Point
    target: Point
    fov_degrees: float = 50.0
    seconds: float = 0.0
    """Time of the still image."""


def camera_at(eye: Point, target: Point) -> NDArray[np.float64]:
    """World from camera (4,4), OpenCV axes, of a level camera at ``eye`` looking at ``target``."""
    place, goal = np.array(eye) * [1, -1, 1], np.array(target) * [1, -1, 1]
    forward = (goal - place) / np.linalg.norm(goal - place)
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    pose[:3, 3] = place
    return pose


def home(scene: Setting, width: int, height: int) -> CameraPath:
    """The scene's own view as a path of one frame."""
    return CameraPath(
        camera_at(scene.eye, scene.target)[None], pinhole(width, height, scene.fov_degrees), width, height
    )


def _scene(module: str) -> Callable[[], Setting]:
    return lambda: import_module(f"examples.render.scenes.{module}").SETTING


SCENES: dict[str, Callable[[], Setting]] = {
    name: _scene(name)
    for name in (
        "reading_room",
        "mountain_lake",
        "street_at_dusk",
        "still_life",
        "lighthouse",
        "temple_garden",
        "toy_train",
        "courtyard",
        "fox",
    )
}
