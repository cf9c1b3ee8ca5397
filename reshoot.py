"""Reshoot's Python API: ``import reshoot``. The names come from `camera` and `pipelines`; docs/api.md explains them."""

from camera import film_path
from camera.errors import InputError
from camera.path import CameraPath
from camera.view import Scene, View
from pipelines import (
    NAMES,
    Shot,
    control_pack,
    forecast,
    method,
    open_picture,
    open_splats,
    rehearse,
    scene_file,
    shoot,
)

__all__ = [
    "NAMES", "CameraPath", "InputError", "Scene", "Shot", "View", "control_pack", "film_path", "forecast", "method", "open_picture",
    "open_splats", "rehearse", "scene_file", "shoot",
]  # fmt: skip
