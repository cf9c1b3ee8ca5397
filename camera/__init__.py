"""Geometry without weights: paths, rays, point clouds, renderers and camera files.

Axes are OpenCV (x right, y down, z forward), matrices are written ``destination_from_source``,
intrinsics are in pixels with pixel centres at integer coordinates unless a name says otherwise.
Nothing in this package imports ``pipelines``, ``tabs`` or gradio, and importing it does not import torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from camera import _moved

if TYPE_CHECKING:
    from camera.path import CameraPath
    from camera.view import Scene, View

_moved.install("camera", _moved.MODULES, {})


def film_path(moves: str, scene: Scene | View, *, frames: int = 49, fps: float = 24.0) -> CameraPath:
    """A path of ``frames`` frames from film moves such as ``arc 20 ease; hold 1s``, starting at the first camera of ``scene``.

    For the syntax see `camera.trajectories.film_script`. Lengths are in units of the distance to the subject. Raises
    `camera.errors.InputError` for invalid text.
    """
    from camera.trajectories.film_script import path_of
    from camera.view import View

    return path_of(moves, scene if isinstance(scene, View) else scene.first, frames=frames, fps=fps)
