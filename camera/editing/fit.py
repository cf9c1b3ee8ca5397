"""Any path as a few keys that can be edited, and how far the keys' path is from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camera.editing.keys import Key, KeyedMove
from camera.editing.track import path_of
from camera.path import CameraPath
from camera.rotation import angle_degrees

MOST_FITTED = 40
"""Keys beyond which a fit gives up and says what is left."""


@dataclass(frozen=True)
class Residual:
    """The largest differences over all frames. ``place``: of camera centres, in scene units. ``degrees``: of rotations.
    ``lens``: of focal lengths, as a part of them."""

    place: float
    degrees: float
    lens: float

    def within(self, tolerance: Residual) -> bool:
        return self.place <= tolerance.place and self.degrees <= tolerance.degrees and self.lens <= tolerance.lens

    @property
    def words(self) -> str:
        """For people."""
        return f"{self.place:.2g} scene units, {self.degrees:.2g} degrees and {self.lens:.1%} of the lens off at most"


@dataclass(frozen=True, eq=False)
class Fit:
    move: KeyedMove
    residual: Residual


def residual_of(path: CameraPath, reference: CameraPath) -> Residual:
    """How far ``path`` is from ``reference``, frame by frame."""
    place, degrees, lens = _differences(path, reference)
    return Residual(float(place.max()), float(degrees.max()), float(lens.max()))


def tolerance_for(path: CameraPath) -> Residual:
    """What a viewer would not see: a two-hundredth of the path's length, a fifth of a degree, half a percent of the lens."""
    length = float(np.linalg.norm(np.diff(path.centres, axis=0), axis=1).sum())
    return Residual(max(length / 200, 1e-9), 0.2, 0.005)


def fitted_keys(path: CameraPath, tolerance: Residual | None = None, *, most: int = MOST_FITTED) -> Fit:
    """As few keys as it takes to come within ``tolerance`` of ``path``, at most ``most``; keys are frames of the path.

    Begins with the first and last frame and adds the frame that is farthest off, then leaves out keys that are not needed.
    """
    tolerance = tolerance or tolerance_for(path)
    frames = sorted({0, len(path) - 1})
    move, off = _through(path, frames), np.zeros(len(path))
    while len(frames) < min(most, len(path)):
        off = _worst(path_of(move, frames=len(path)), path, tolerance)
        if off.max() <= 1:
            break
        off[frames] = -1.0
        frames = sorted({*frames, int(np.argmax(off))})
        move = _through(path, frames)
    move = _fewer(path, frames, tolerance)
    return Fit(move, residual_of(path_of(move, frames=len(path)), path))


def _fewer(path: CameraPath, frames: list[int], tolerance: Residual) -> KeyedMove:
    """Without the keys that the tolerance does not need."""
    move = _through(path, frames)
    for frame in frames[1:-1]:
        rest = [other for other in frames if other != frame]
        without = _through(path, rest)
        if _worst(path_of(without, frames=len(path)), path, tolerance).max() <= 1:
            frames, move = rest, without
    return move


def _through(path: CameraPath, frames: list[int]) -> KeyedMove:
    keys = tuple(Key(path.sliced(slice(frame, frame + 1)), frame / path.fps) for frame in frames)
    return KeyedMove(keys, max(len(path) - 1, 1) / path.fps)


def _worst(path: CameraPath, reference: CameraPath, tolerance: Residual) -> NDArray[np.float64]:
    """(F,): the largest difference of each frame, in tolerances."""
    place, degrees, lens = _differences(path, reference)
    return np.maximum.reduce([place / tolerance.place, degrees / tolerance.degrees, lens / tolerance.lens])


def _differences(path: CameraPath, reference: CameraPath) -> tuple[NDArray, NDArray, NDArray]:
    place = np.linalg.norm(path.centres - reference.centres, axis=1)
    degrees = angle_degrees(path.world_from_camera[:, :3, :3], reference.world_from_camera[:, :3, :3])
    lens = np.abs(path.intrinsics[:, 0, 0] / reference.intrinsics[:, 0, 0] - 1)
    return place, degrees, lens
