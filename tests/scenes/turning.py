"""A turning camera, for tests of everything made from paths."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camera.path import CameraPath, pinhole
from camera.rotation import from_pan_tilt_roll


def turning(
    share: int | NDArray[np.float64], pan: float = 0.0, tilt: float = 0.0, roll: float = 0.0, *,
    way: ArrayLike = 0.0, zoom: float = 1.0, size: tuple[int, int] = (64, 48), fps: float = 24.0,
) -> CameraPath:  # fmt: skip
    """Frames at fractions ``share`` (F,) of a move, or a number of evenly spaced ones: the camera turns by these degrees, moves by ``way`` (3,)
    and zooms from 60 degrees to ``zoom`` times that focal length. ``size``: width and height."""
    at = np.linspace(0, 1, share) if isinstance(share, int) else share
    poses = np.repeat(np.eye(4)[None], len(at), axis=0)
    poses[:, :3, :3] = from_pan_tilt_roll(pan * at, tilt * at, roll * at)
    poses[:, :3, 3] = at[:, None] * np.asarray(way)
    lenses = np.repeat(pinhole(*size, 60)[None], len(at), axis=0)
    lenses[:, [0, 1], [0, 1]] *= zoom ** at[:, None]
    return CameraPath(poses, lenses, *size, fps)
