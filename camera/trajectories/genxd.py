"""GenXD's camera paths for one picture: a loop in front of the subject ("forward") and an orbit around it ("orbit").

Poses are world_from_camera, OpenCV axes, in a z-up world; the cameras look at its origin.
Angles are in degrees. Azimuth 0, elevation 0 is the front; increasing azimuth moves the camera to its own left.
Source: arXiv 2411.02319; ``dataset/custom_cam.py`` and ``utils/cam_utils.py`` of the original code.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camera.errors import InputError

FRAMES = 12
"""Number of views that the model generates in one run."""
RADIUS = 2.0
"""Distance to the subject in the original commands, in the model's units."""


def look_at_origin(elevation_degrees: ArrayLike, azimuth_degrees: ArrayLike, radius: float) -> NDArray[np.float64]:
    """(F,4,4): cameras on a sphere that look at its centre. Angles broadcast to (F,); elevation within -89.9..89.9."""
    elevation, azimuth = np.broadcast_arrays(
        *(np.radians(np.atleast_1d(a)) for a in (elevation_degrees, azimuth_degrees))
    )
    if (np.abs(elevation) > np.radians(89.9)).any():
        raise InputError("The elevation must stay between -89.9 and 89.9 degrees: straight above there is no 'up'.")
    if not radius > 0:
        raise InputError(f"The radius must be positive, got {radius}.")
    outward = np.stack(
        [np.cos(elevation) * np.sin(azimuth), np.cos(elevation) * np.cos(azimuth), np.sin(elevation)], axis=-1
    )
    right = np.cross([0.0, 0.0, 1.0], outward)
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    poses = np.repeat(np.eye(4)[None], len(outward), axis=0)
    poses[:, :3, 0] = right
    poses[:, :3, 1] = -np.cross(outward, right)
    poses[:, :3, 2] = -outward
    poses[:, :3, 3] = radius * outward
    return poses


def orbit(
    frames: int,
    azimuth_range: tuple[float, float],
    *,
    elevation: float = 0.0,
    radius: float = RADIUS,
    scale: float = 1.0,
    consistent4d: bool = False,
) -> NDArray[np.float64]:
    """(F,4,4): an orbit at constant elevation from the first azimuth to the second, exclusive.

    ``scale`` multiplies the positions. ``consistent4d`` gives the azimuths of the original code for the data set of that
    name: first 0, then the range over the other frames, with the opposite sign.
    """
    if consistent4d:
        azimuth = -np.concatenate([[0.0], _ramp(*azimuth_range, frames - 1)])
    else:
        azimuth = _ramp(*azimuth_range, frames)
    return _scale(look_at_origin(elevation, azimuth, radius), scale)


def forward(
    frames: int,
    azimuth_range: tuple[float, float],
    *,
    elevation: float = 0.0,
    radius: float = RADIUS,
    scale: float = 1.0,
    original_jump: bool = False,
) -> NDArray[np.float64]:
    """(F,4,4): a loop that starts in front, goes to both ends of the azimuth range and returns.

    The elevation rises to ``elevation`` in the first quarter, falls to ``-elevation`` in the third and ends at 0.
    The azimuth runs at constant speed from 0 to the second end, to the first end and back to 0. ``original_jump``
    gives the original azimuths instead: they start at the first end, but frame 0 is replaced by the front view, so the
    path jumps after it. It needs a multiple of 4 frames.
    """
    if original_jump:
        elevations, azimuths = _original_forward_angles(frames, azimuth_range, elevation)
    else:
        elevations = _through([0, elevation, 0, -elevation, 0], frames, even_legs=True)
        azimuths = _through([0, azimuth_range[1], azimuth_range[0], 0], frames)
    return _scale(look_at_origin(elevations, azimuths, radius), scale)


def given_index(which: str, frames: int) -> int:
    """Index of the given picture among the frames; ``which`` is "first", "middle" or "last"."""
    indices = {"first": 0, "middle": frames // 2, "last": frames - 1}
    if which not in indices:
        raise InputError(f"The given picture can be the first, middle or last frame, got {which!r}.")
    return indices[which]


def _ramp(start: float, end: float, frames: int) -> NDArray[np.float64]:
    return start + (end - start) * np.arange(frames) / max(frames, 1)


def _through(stops: list[float], frames: int, *, even_legs: bool = False) -> NDArray[np.float64]:
    """(F,): values interpolated through ``stops``, excluding the last; a leg's duration is proportional to its length, or equal for all."""
    lengths = np.ones(len(stops) - 1) if even_legs else np.abs(np.diff(stops))
    when = np.concatenate([[0.0], np.cumsum(lengths)])
    return np.interp(_ramp(0, when[-1], frames), when, stops)


def _original_forward_angles(
    frames: int, azimuth_range: tuple[float, float], elevation: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if frames % 4:
        raise InputError(f"The original forward move needs a multiple of 4 frames, got {frames}.")
    start, end = azimuth_range
    azimuths = np.concatenate([_ramp(start, end, frames // 2), _ramp(end, start, frames // 2)])
    elevations = _through([0, elevation, 0, -elevation, 0], frames, even_legs=True)
    azimuths[0] = elevations[0] = 0
    return elevations, azimuths


def _scale(poses: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    poses[:, :3, 3] *= scale
    return poses
