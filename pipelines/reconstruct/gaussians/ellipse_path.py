"""DimensionX's presentation of a scene: one orbit along the ellipse of its cameras."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import CameraPath
from camera.rotation import look_at
from camera.trajectories.genxd_fits import common_point

FRAMES, FPS = 120, 30.0


def ellipse(path: CameraPath, *, frames: int = FRAMES, fps: float = FPS) -> CameraPath:
    """One full orbit in equal angular steps, looking at the point that all cameras look at, with the first camera's lens.

    As upstream's fly-through (after Mip-NeRF 360): the axes are the principal axes of the cameras' positions and as long as the
    distance of the outermost camera; the plane passes through the cameras' mean; up is the principal axis nearest to the
    cameras' own up. Upstream's start depends on the signs of eigenvectors; here it is the point nearest to the first camera.
    Raises `InputError` for fewer than three cameras, cameras on one line, or cameras that look at no common point.
    """
    middle = path.centres.mean(axis=0)
    axes, spread = _principal(path.centres - middle)
    if len(path) < 3 or spread[1] < 1e-3 * spread[0]:
        raise InputError(
            "An ellipse needs three or more cameras that are not on one line; choose another path for the fly-through."
        )
    target = (common_point(path.world_from_camera) - middle) @ axes
    away = np.abs((path.centres - middle) @ axes - target * [1, 1, 0])
    radii = away.max(axis=0)[:2]
    angle = np.linspace(0, 2 * np.pi, frames, endpoint=False)
    ring = np.zeros((frames, 3))
    ring[:, :2] = target[:2] + radii * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    centres = ring @ axes.T + middle
    begin = int(np.argmin(np.linalg.norm(centres - path.centres[0], axis=1)))
    centres = np.roll(centres, -begin, axis=0)
    poses = np.repeat(np.eye(4)[None], frames, axis=0)
    poses[:, :3, :3] = look_at(centres, target @ axes.T + middle, up=_up(path, axes))
    poses[:, :3, 3] = centres
    return CameraPath(poses, path.intrinsics[0], path.width, path.height, fps)


def _principal(places: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Columns (3,3): the principal axes, the longest first, and the spread (3,) along them."""
    spread, axes = np.linalg.eigh(places.T @ places)
    return axes[:, ::-1], np.sqrt(np.maximum(spread[::-1], 0))


def _up(path: CameraPath, axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The principal axis nearest to the mean of the cameras' up, with the same sign."""
    own = -path.world_from_camera[:, :3, 1].mean(axis=0) @ axes
    nearest = int(np.argmax(np.abs(own)))
    return axes[:, nearest] * np.sign(own[nearest])
