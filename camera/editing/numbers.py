"""A key as the numbers that a user types: position, pan, tilt, roll and lens."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camera.conventions import FULL_FRAME_MM
from camera.errors import InputError
from camera.path import CameraPath, inverse
from camera.rotation import from_pan_tilt_roll, to_pan_tilt_roll


@dataclass(frozen=True)
class KeyNumbers:
    """``right``, ``up``, ``forward``: the position relative to the origin's camera, in scene units (metres if the scene is metric).
    ``pan`` to the right, ``tilt`` up, ``roll`` clockwise: degrees, applied in this order. ``focal_mm``: for a 36 mm wide frame."""

    right: float = 0.0
    up: float = 0.0
    forward: float = 0.0
    pan: float = 0.0
    tilt: float = 0.0
    roll: float = 0.0
    focal_mm: float = 35.0

    @property
    def fov_degrees(self) -> float:
        """Horizontal field of view."""
        return float(np.degrees(2 * np.arctan(FULL_FRAME_MM / (2 * self.focal_mm))))

    def with_fov(self, degrees: float) -> KeyNumbers:
        """With a lens of ``degrees`` horizontal field of view."""
        if not 1 <= degrees <= 170:
            raise InputError(f"The field of view must be between 1 and 170 degrees, got {degrees}.")
        return replace(self, focal_mm=float(FULL_FRAME_MM / (2 * np.tan(np.radians(degrees) / 2))))


def numbers_of(camera: CameraPath, origin: ArrayLike) -> KeyNumbers:
    """The numbers of a camera (a path of one frame) relative to ``origin`` (4,4), world-from-camera."""
    pose = inverse(origin) @ camera.world_from_camera[0]
    pan, tilt, roll = (float(angle) for angle in to_pan_tilt_roll(pose[:3, :3]))
    right, down, forward = (float(value) for value in pose[:3, 3])
    focal = float(camera.intrinsics[0, 0, 0] * FULL_FRAME_MM / camera.width)
    return KeyNumbers(right, -down, forward, pan, tilt, roll, focal)


def with_numbers(camera: CameraPath, numbers: KeyNumbers, origin: ArrayLike) -> CameraPath:
    """The camera that these numbers describe; pixel aspect and principal point stay those of ``camera``.

    Raises `InputError` for numbers that are not finite and for a focal length outside 1 to 2000 mm.
    """
    values = np.array([numbers.right, numbers.up, numbers.forward, numbers.pan, numbers.tilt, numbers.roll])
    if not np.isfinite(values).all() or (np.abs(values) > 1e6).any():
        raise InputError("Place and angles of a key must be finite numbers below a million.")
    if not 1 <= numbers.focal_mm <= 2000:
        raise InputError(f"The focal length must be between 1 and 2000 mm, got {numbers.focal_mm}.")
    pose = np.eye(4)
    pose[:3, :3] = from_pan_tilt_roll(numbers.pan, numbers.tilt, numbers.roll)
    pose[:3, 3] = numbers.right, -numbers.up, numbers.forward
    world_from_camera = np.asarray(origin, dtype=np.float64) @ pose
    return CameraPath(world_from_camera[None], _lens(camera, numbers.focal_mm), camera.width, camera.height, camera.fps)


def _lens(camera: CameraPath, focal_mm: float) -> NDArray[np.float64]:
    lens = camera.intrinsics[0].copy()
    lens[:2, :2] *= focal_mm * camera.width / (FULL_FRAME_MM * lens[0, 0])
    return lens
