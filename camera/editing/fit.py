"""Fits a few editable keys to any path and measures the residual."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camera.editing.keys import Key, KeyedMove
from camera.editing.track import path_of
from camera.errors import InputError
from camera.path import CameraPath
from camera.rotation import angle_degrees

MOST_FITTED = 40
"""Number of keys at which a fit stops and reports the residual."""


@dataclass(frozen=True)
class Residual:
    """The largest differences over all frames. ``place``: of camera centres, in scene units. ``degrees``: of rotations.
    ``lens``: of focal lengths, as a fraction."""

    place: float
    degrees: float
    lens: float

    def within(self, tolerance: Residual) -> bool:
        return self.place <= tolerance.place and self.degrees <= tolerance.degrees and self.lens <= tolerance.lens

    @property
    def words(self) -> str:
        """The residual as a phrase for the user."""
        return f"{self.place:.2g} scene units, {self.degrees:.2g} degrees and {self.lens:.1%} of the lens off at most"


@dataclass(frozen=True, eq=False)
class Fit:
    move: KeyedMove
    residual: Residual


def residual_of(path: CameraPath, reference: CameraPath) -> Residual:
    """The largest differences between ``path`` and ``reference``, frame by frame."""
    place, degrees, lens = _differences(path, reference)
    return Residual(float(place.max()), float(degrees.max()), float(lens.max()))


def tolerance_for(path: CameraPath) -> Residual:
    """A tolerance below what a viewer notices: 1/200 of the path's length, 0.2 degrees, 0.5 % of the focal length."""
    length = float(np.linalg.norm(np.diff(path.centres, axis=0), axis=1).sum())
    return Residual(max(length / 200, 1e-9), 0.2, 0.005)


def fit_keys(path: CameraPath, tolerance: Residual | None = None, *, most: int = MOST_FITTED) -> Fit:
    """The fewest keys, at most ``most``, whose curve stays within ``tolerance`` of ``path``. Keys are frames of the path.

    Starts with the first and last frame, adds the frame with the largest error until all are within the tolerance, then removes keys
    that are not needed.
    """
    tolerance = tolerance or tolerance_for(path)
    frames = sorted({0, len(path) - 1})
    move, error = _through(path, frames), np.zeros(len(path))
    while len(frames) < min(most, len(path)):
        error = _errors(path_of(move, frames=len(path)), path, tolerance)
        if error.max() <= 1:
            break
        error[frames] = -1.0
        frames = sorted({*frames, int(np.argmax(error))})
        move = _through(path, frames)
    move = _drop_keys(path, frames, tolerance)
    return Fit(move, residual_of(path_of(move, frames=len(path)), path))


def resample_walk(cameras: CameraPath, times: ArrayLike, *, smooth_seconds: float = 0.2) -> CameraPath:
    """Resample a walk recorded as ``cameras`` at rising ``times`` (F,) in seconds to even frames at the rate of ``cameras``. Positions
    and rotations are smoothed over about ``smooth_seconds`` to remove shake; the ends are kept.

    Raises `InputError` for fewer than two cameras or times that do not increase.
    """
    from camera.rotation import from_quaternion, slerp, to_quaternion

    when = np.asarray(times, dtype=np.float64)
    if when.shape != (len(cameras),) or len(when) < 2 or not (np.diff(when) > 0).all():
        raise InputError("A recording needs at least two cameras with rising times; record for longer.")
    frames = max(2, round((when[-1] - when[0]) * cameras.fps) + 1)
    place = np.interp(np.linspace(when[0], when[-1], frames), when, np.arange(len(when)))
    before = np.minimum(place.astype(int), len(when) - 2)
    blend = place - before
    rotations = cameras.world_from_camera[:, :3, :3]
    rotated = slerp(rotations[before], rotations[before + 1], blend)
    centres = np.stack([np.interp(place, np.arange(len(when)), column) for column in cameras.centres.T], axis=1)
    quaternions = _one_sign(to_quaternion(rotated, order="xyzw"))
    if smooth_seconds > 0:
        centres, quaternions = (_smooth(values, smooth_seconds * cameras.fps) for values in (centres, quaternions))
    poses = np.repeat(np.eye(4)[None], frames, axis=0)
    poses[:, :3, 3] = centres
    poses[:, :3, :3] = from_quaternion(quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True), order="xyzw")
    return CameraPath(poses, cameras.intrinsics[before], cameras.width, cameras.height, cameras.fps)


def _smooth(values: NDArray, spread: float) -> NDArray[np.float64]:
    """Low-pass filter ``values`` (F,C) at ``spread`` frames; padded by point reflection about either end, so the ends stay."""
    from scipy.ndimage import gaussian_filter1d

    reach = min(int(4 * spread) + 1, len(values) - 1)
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="reflect", reflect_type="odd")
    return gaussian_filter1d(padded, spread, axis=0)[reach:-reach]


def _one_sign(quaternions: NDArray) -> NDArray:
    """The same rotations (F,4), with signs chosen so that neighbouring quaternions do not flip."""
    along = (quaternions[1:] * quaternions[:-1]).sum(axis=1, keepdims=True)
    flips = np.cumprod(np.where(along < 0, -1.0, 1.0), axis=0)
    return quaternions * np.concatenate([[[1.0]], flips])


def _drop_keys(path: CameraPath, frames: list[int], tolerance: Residual) -> KeyedMove:
    """The move through ``frames`` without the keys that the tolerance does not need."""
    move = _through(path, frames)
    for frame in frames[1:-1]:
        rest = [other for other in frames if other != frame]
        without = _through(path, rest)
        if _errors(path_of(without, frames=len(path)), path, tolerance).max() <= 1:
            frames, move = rest, without
    return move


def _through(path: CameraPath, frames: list[int]) -> KeyedMove:
    keys = tuple(Key(path.sliced(slice(frame, frame + 1)), frame / path.fps) for frame in frames)
    return KeyedMove(keys, max(len(path) - 1, 1) / path.fps)


def _errors(path: CameraPath, reference: CameraPath, tolerance: Residual) -> NDArray[np.float64]:
    """(F,): the largest difference of each frame, in tolerances."""
    place, degrees, lens = _differences(path, reference)
    return np.maximum.reduce([place / tolerance.place, degrees / tolerance.degrees, lens / tolerance.lens])


def _differences(path: CameraPath, reference: CameraPath) -> tuple[NDArray, NDArray, NDArray]:
    place = np.linalg.norm(path.centres - reference.centres, axis=1)
    degrees = angle_degrees(path.world_from_camera[:, :3, :3], reference.world_from_camera[:, :3, :3])
    lens = np.abs(path.intrinsics[:, 0, 0] / reference.intrinsics[:, 0, 0] - 1)
    return place, degrees, lens
