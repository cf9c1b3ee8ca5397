"""`CameraPath`: poses and intrinsics of a camera, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camera.errors import InputError

Fit = Literal["crop", "pad", "stretch"]
"""How a picture is fitted to a frame of another aspect ratio."""


@dataclass(frozen=True, eq=False)
class CameraPath:
    """A camera path; immutable, checked on creation.

    ``world_from_camera``: (F,4,4) float64, OpenCV axes, rotation orthonormal to 1e-4, last row 0 0 0 1.
    ``intrinsics``: (F,3,3) float64 in pixels of a ``width`` x ``height`` picture, skew allowed, last row 0 0 1;
    one (3,3) matrix is repeated over the frames.
    ``fps``: frames per second at which the path is played.

    Lengths are in the unit of the scene that the path was made for. Raises `InputError` on anything else.
    """

    world_from_camera: NDArray[np.float64]
    intrinsics: NDArray[np.float64]
    width: int
    height: int
    fps: float = 24.0

    def __post_init__(self) -> None:
        poses = np.array(self.world_from_camera, dtype=np.float64)
        if poses.ndim != 3 or poses.shape[1:] != (4, 4) or len(poses) == 0:
            raise InputError(f"A camera path needs poses of shape (F,4,4) with at least one frame, got {poses.shape}.")
        lenses = np.array(self.intrinsics, dtype=np.float64)
        if lenses.shape == (3, 3):
            lenses = np.repeat(lenses[None], len(poses), axis=0)
        if lenses.shape != (len(poses), 3, 3):
            raise InputError(
                f"A path of {len(poses)} frames needs intrinsics of shape ({len(poses)},3,3), got {lenses.shape}."
            )
        _check_poses(poses)
        _check_lenses(lenses)
        if int(self.width) < 1 or int(self.height) < 1:
            raise InputError(f"The picture size of a path must be positive, got {self.width} x {self.height}.")
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise InputError(f"Frames per second must be a positive number, got {self.fps}.")
        poses.flags.writeable = lenses.flags.writeable = False
        object.__setattr__(self, "world_from_camera", poses)
        object.__setattr__(self, "intrinsics", lenses)
        object.__setattr__(self, "width", int(self.width))
        object.__setattr__(self, "height", int(self.height))
        object.__setattr__(self, "fps", float(self.fps))

    def __len__(self) -> int:
        return len(self.world_from_camera)

    @property
    def camera_from_world(self) -> NDArray[np.float64]:
        """(F,4,4): the inverse of every pose."""
        return inverse(self.world_from_camera)

    @property
    def centres(self) -> NDArray[np.float64]:
        """(F,3): camera centres in the world."""
        return self.world_from_camera[:, :3, 3]

    @property
    def seconds(self) -> float:
        return len(self) / self.fps

    @property
    def fov_degrees(self) -> NDArray[np.float64]:
        """(F,2): horizontal and vertical field of view of a centred lens of the same focal length."""
        focal = self.intrinsics[:, [0, 1], [0, 1]]
        return np.degrees(2 * np.arctan(np.array([self.width, self.height]) / (2 * focal)))

    def values(self) -> dict[str, Any]:
        """The path as plain numbers and lists; ``CameraPath(**values)`` restores it exactly."""
        return {
            "world_from_camera": self.world_from_camera.tolist(),
            "intrinsics": self.intrinsics.tolist(),
            "width": self.width,
            "height": self.height,
            "fps": self.fps,
        }

    def with_poses(self, world_from_camera: ArrayLike) -> CameraPath:
        return replace(self, world_from_camera=np.asarray(world_from_camera))

    def with_fps(self, fps: float) -> CameraPath:
        return replace(self, fps=fps)

    def resized(self, width: int, height: int) -> CameraPath:
        """The same cameras at another picture size; the picture is stretched, so fx and fy scale separately."""
        scale = resizing(self.width, self.height, width, height)
        return replace(self, intrinsics=scale @ self.intrinsics, width=width, height=height)

    def cropped(self, left: int, top: int, width: int, height: int) -> CameraPath:
        """A window of the picture; negative ``left`` or ``top`` and larger sizes pad it."""
        shift = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]], dtype=np.float64)
        return replace(self, intrinsics=shift @ self.intrinsics, width=width, height=height)

    def fitted(self, width: int, height: int, fit: Fit = "crop") -> CameraPath:
        """Resized to ``width`` x ``height`` with a centred crop or pad, or stretched."""
        if fit == "stretch":
            return self.resized(width, height)
        inner_width, inner_height = scaled_size(self.width, self.height, width, height, fit)
        left, top = (inner_width - width) // 2, (inner_height - height) // 2
        return self.resized(inner_width, inner_height).cropped(left, top, width, height)

    def unfitted(self, like: CameraPath, fit: Fit = "crop") -> CameraPath:
        """The inverse of `fitted`: the cameras at the picture size of ``like``; fitting the result gives this path back."""
        plain = CameraPath(np.eye(4)[None], np.eye(3), like.width, like.height)
        framed_from_whole = plain.fitted(self.width, self.height, fit).intrinsics[0]
        lenses = np.linalg.inv(framed_from_whole) @ self.intrinsics
        return replace(self, intrinsics=lenses, width=like.width, height=like.height)

    def relative_to_first(self) -> CameraPath:
        """The path in the frame of its first camera, whose pose becomes the identity."""
        return self.with_poses(inverse(self.world_from_camera[0]) @ self.world_from_camera)

    def moved_to(self, world_from_first: ArrayLike) -> CameraPath:
        """The same move, started from the pose ``world_from_first`` (4,4)."""
        return self.with_poses(np.asarray(world_from_first) @ self.relative_to_first().world_from_camera)

    def sliced(self, frames: slice) -> CameraPath:
        return replace(self, world_from_camera=self.world_from_camera[frames], intrinsics=self.intrinsics[frames])

    def resampled(self, frames: int) -> CameraPath:
        """The same move in ``frames`` frames over the same duration; keeps the first and last frames, see `between`."""
        if frames < 1:
            raise InputError(f"A path needs at least one frame, got {frames}.")
        return self.between(np.linspace(0, len(self) - 1, frames)).with_fps(self.fps * frames / len(self))

    def between(self, frames: ArrayLike) -> CameraPath:
        """Cameras interpolated at fractional ``frames`` (N,), clamped to the first and last frame.

        Positions and lenses are interpolated linearly, rotations along the shortest arc.
        """
        from camera.rotation import slerp

        where = np.clip(np.asarray(frames, dtype=np.float64), 0, len(self) - 1)
        before = np.minimum(where.astype(int), max(len(self) - 2, 0))
        after = np.minimum(before + 1, len(self) - 1)
        blend = where - before
        poses = np.repeat(np.eye(4)[None], len(where), axis=0)
        poses[:, :3, :3] = slerp(self.world_from_camera[before, :3, :3], self.world_from_camera[after, :3, :3], blend)
        poses[:, :3, 3] = _mix(self.centres[before], self.centres[after], blend[:, None])
        lenses = _mix(self.intrinsics[before], self.intrinsics[after], blend[:, None, None])
        return replace(self, world_from_camera=poses, intrinsics=lenses)

    def scaled(self, factor: float) -> CameraPath:
        """The path with all positions multiplied by ``factor``: the same move in a scene with another unit."""
        poses = self.world_from_camera.copy()
        poses[:, :3, 3] *= factor
        return self.with_poses(poses)

    def reversed(self) -> CameraPath:
        return self.sliced(slice(None, None, -1))


def pinhole(width: int, height: int, fov_degrees: float) -> NDArray[np.float64]:
    """Intrinsics (3,3) of a centred lens with square pixels and a horizontal field of view in degrees."""
    if not 1 <= fov_degrees <= 170:
        raise InputError(f"The field of view must be between 1 and 170 degrees, got {fov_degrees}.")
    focal = width / (2 * np.tan(np.radians(fov_degrees) / 2))
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])


def spread_indices(count: int, most: int) -> NDArray[np.int64]:
    """Up to ``most`` evenly spaced indices from 0 to ``count`` - 1, including the first and the last."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(np.int64))


def resizing(width: int, height: int, new_width: int, new_height: int) -> NDArray[np.float64]:
    """(3,3): maps old to new pixel coordinates when a picture is resized edge to edge, with pixel centres at integers."""
    sx, sy = new_width / width, new_height / height
    return np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]])


def scaled_size(width: int, height: int, new_width: int, new_height: int, fit: Fit) -> tuple[int, int]:
    """Size at which a picture covers (crop) or fits inside (pad) ``new_width`` x ``new_height``."""
    choose = max if fit == "crop" else min
    scale = choose(new_width / width, new_height / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def inverse(transform: ArrayLike) -> NDArray[np.float64]:
    """Inverse of rigid transforms (...,4,4)."""
    transform = np.asarray(transform, dtype=np.float64)
    rotation = np.swapaxes(transform[..., :3, :3], -1, -2)
    result = np.zeros_like(transform)
    result[..., :3, :3] = rotation
    result[..., :3, 3] = -(rotation @ transform[..., :3, 3:])[..., 0]
    result[..., 3, 3] = 1
    return result


def _mix(a: NDArray, b: NDArray, blend: NDArray) -> NDArray:
    return a * (1 - blend) + b * blend


def _check_poses(poses: NDArray) -> None:
    bad = ~np.isfinite(poses).all(axis=(1, 2))
    if bad.any():
        raise InputError(f"Frame {int(np.argmax(bad))} of the camera path holds a value that is not a finite number.")
    rotations = poses[:, :3, :3]
    error = np.abs(rotations @ np.swapaxes(rotations, 1, 2) - np.eye(3)).max(axis=(1, 2))
    wrong = (error > 1e-4) | (np.linalg.det(rotations) < 0)
    if wrong.any():
        frame = int(np.argmax(wrong))
        raise InputError(
            f"Frame {frame} of the camera path is not a rotation: its axes are scaled, sheared or mirrored."
        )
    if not np.allclose(poses[:, 3], [0, 0, 0, 1], atol=1e-6):
        raise InputError("The last row of every camera pose must be 0 0 0 1; the matrices may be transposed.")


def _check_lenses(lenses: NDArray) -> None:
    bad = ~np.isfinite(lenses).all(axis=(1, 2)) | (lenses[:, 0, 0] <= 0) | (lenses[:, 1, 1] <= 0)
    if bad.any():
        raise InputError(
            f"Frame {int(np.argmax(bad))} of the camera path has a focal length that is not positive and finite."
        )
    if not np.allclose(lenses[:, 2], [0, 0, 1], atol=1e-6):
        raise InputError("The last row of every intrinsics matrix must be 0 0 1; the matrices may be transposed.")
