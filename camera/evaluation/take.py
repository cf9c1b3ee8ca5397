"""Compares the achieved with the requested camera path of a shot: errors per frame and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.evaluation.borrow import rotvec_degrees
from camera.evaluation.published import l1_scale
from camera.path import CameraPath
from camera.rotation import angle_degrees, scipy_rotation, slerp

HOLDS = 0.02
"""Relative deviation below which a lens or a turn counts as held."""
LEAST_TURN_DEGREES = 1.0
"""Minimum total rotation of a move, in degrees, for a turn gain."""
LEAST_ROLL_DEGREES = 0.5
MOST_LAG, LAG_STEP = 12.0, 0.5
"""Maximum lag and its search step, in frames."""
LATE_LEAVES = 0.5
"""A lag is accepted if it reduces the squared error to at most this share of the error without lag."""


@dataclass(frozen=True, eq=False)
class PathComparison:
    """The result of `compare_paths`.

    ``frames``: the placed frames (P,), ascending; ``unplaced``: the number of others. Per placed frame, relative to the
    first of them: ``turn_degrees`` (P,), ``distance`` (P,) in the request's unit and ``lens`` (P,), achieved over
    requested focal length. ``turn_gain``: achieved over requested rotation, NaN if hardly any was requested. ``end`` (3,):
    position of the last placed camera in the requested camera's axes (right, down, forward). ``scale``: the factor applied
    to the achieved lengths. ``lag``: frames by which the shot lags behind, 0 if unclear; ``turn_gain`` is fitted after
    correcting it. ``roll_degrees``: roll of the last placed camera relative to the requested one, clockwise.
    """

    frames: NDArray[np.int64]
    unplaced: int
    turn_degrees: NDArray[np.float64]
    distance: NDArray[np.float64]
    lens: NDArray[np.float64]
    turn_gain: float
    end: NDArray[np.float64]
    scale: float
    unit: str
    lag: float = 0.0
    roll_degrees: float = 0.0

    @property
    def words(self) -> str:
        """One sentence for the user: rotation, end position, lens, and frames whose camera could not be found."""
        parts = [_turn_words(self.turn_gain), _end_words(self.end, self.unit), _lens_words(float(np.median(self.lens)))]
        if self.lag:
            parts.append(f"follows {self.lag:g} frames late")
        if abs(self.roll_degrees) >= LEAST_ROLL_DEGREES:
            parts.append(
                f"ends rolled {abs(self.roll_degrees):.1f} degrees {'' if self.roll_degrees > 0 else 'counter'}clockwise"
            )
        if self.unplaced:
            parts.append(f"{self.unplaced} of {self.unplaced + len(self.frames)} frames could not be placed")
        sentence = ", ".join(parts)
        return sentence[0].upper() + sentence[1:] + "."


def compare_paths(
    achieved: CameraPath,
    requested: CameraPath,
    *,
    frames: Sequence[int] | None = None,
    fit_scale: bool = True,
    unit: str = "units",
) -> PathComparison:
    """Compare ``achieved`` with ``requested``. ``frames``: the requested frames of the achieved cameras; all by default.

    ``fit_scale``: achieved lengths have an unknown unit, as from structure from motion, and are multiplied by the factor of
    least summed distance; then a translation that is too long as a whole cannot be detected. Raises `InputError` if fewer
    than two frames are placed, or if they are not ascending frames of the request.
    """
    placed = np.arange(len(requested)) if frames is None else np.asarray(frames, dtype=np.int64)
    _check(achieved, requested, placed)
    placed_request = replace(
        requested,
        world_from_camera=requested.world_from_camera[placed],
        intrinsics=requested.intrinsics[placed],
    )
    goal = placed_request.relative_to_first()
    ours = achieved.resized(requested.width, requested.height).relative_to_first()
    scale = l1_scale(ours.centres, goal.centres) if fit_scale else 1.0
    gaps = scale * ours.centres - goal.centres
    turns = (ours.world_from_camera[:, :3, :3], goal.world_from_camera[:, :3, :3])
    lag = find_lag(ours, requested, placed)
    late = _delay_turns(requested, placed, lag) if lag else turns[1]
    return PathComparison(
        placed,
        len(requested) - len(placed),
        angle_degrees(*turns),
        np.linalg.norm(gaps, axis=1),
        ours.intrinsics[:, 1, 1] / goal.intrinsics[:, 1, 1],
        _turn_gain(turns[0], late),
        turns[1][-1].T @ gaps[-1],
        scale,
        unit,
        lag,
        float(scipy_rotation().from_matrix(turns[1][-1].T @ turns[0][-1]).as_rotvec(degrees=True)[2]),
    )


def find_lag(achieved: CameraPath, requested: CameraPath, frames: NDArray[np.int64]) -> float:
    """Number of frames by which ``achieved``, the cameras of ``frames`` (P,), lags behind ``requested``; 0 if unclear.

    Compares rotations and positions together, each with its own gain, so that a weak response is not mistaken for a late one. For every
    shift of the request, gains are fitted by least squares; the shift with the smallest residual wins.
    """
    request, response = (_signals(path) for path in (requested, achieved))
    lags = np.arange(0, MOST_LAG + LAG_STEP / 2, LAG_STEP)
    residuals = np.array([_residual_after(lag, request, response, frames) for lag in lags])
    best = int(residuals.argmin())
    return float(lags[best]) if residuals[best] <= LATE_LEAVES * residuals[0] and residuals[0] > 1e-6 else 0.0


def _signals(path: CameraPath) -> list[NDArray[np.float64]]:
    """Rotation vectors (F,3) in degrees and positions (F,3), relative to the first camera."""
    return [rotvec_degrees(path), path.relative_to_first().centres]


def _residual_after(lag: float, requested: list[NDArray], achieved: list[NDArray], frames: NDArray[np.int64]) -> float:
    """Squared errors of rotations and positions after ``lag`` and the best gains, as shares of the achieved motion."""
    residual = 0.0
    for group, (request, answer) in enumerate(zip(requested, achieved)):
        moves = np.linalg.norm(request, axis=1).max() > (LEAST_TURN_DEGREES, 1e-9)[group]
        if not moves or not answer.any():
            continue
        late = np.stack([np.interp(frames - lag, np.arange(len(request)), axis) for axis in request.T], axis=1)
        late = late - late[0]
        gain = (late * answer).sum() / max((late * late).sum(), 1e-12)
        residual += float(((answer - gain * late) ** 2).sum() / (answer**2).sum())
    return residual


def _delay_turns(requested: CameraPath, frames: NDArray[np.int64], lag: float) -> NDArray[np.float64]:
    """Rotations (P,3,3) requested ``lag`` frames before ``frames``, relative to the first of them."""
    where = np.clip(frames - lag, 0, len(requested) - 1)
    before = np.floor(where).astype(int)
    after = np.minimum(before + 1, len(requested) - 1)
    turns = requested.world_from_camera[:, :3, :3]
    late = slerp(turns[before], turns[after], where - before)
    return late[0].T @ late


def _turn_gain(ours: NDArray[np.float64], goal: NDArray[np.float64]) -> float:
    """Least-squares gain of the achieved frame-to-frame rotations over the requested ones; full turns are counted."""
    a, b = (
        scipy_rotation().from_matrix(np.swapaxes(turns[:-1], 1, 2) @ turns[1:]).as_rotvec() for turns in (ours, goal)
    )
    if np.degrees(np.linalg.norm(b, axis=1).sum()) < LEAST_TURN_DEGREES:
        return float("nan")
    return float((a * b).sum() / (b * b).sum())


def _turn_words(gain: float) -> str:
    if np.isnan(gain):
        return "no turn was asked"
    if abs(gain - 1) < HOLDS:
        return "turns as far as asked"
    return f"turns {100 * abs(gain - 1):.0f} % too {'far' if gain > 1 else 'little'}"


def _end_words(end: NDArray[np.float64], unit: str) -> str:
    axis = int(np.argmax(np.abs(end)))
    side = (("left of", "right of"), ("above", "below"), ("behind", "ahead of"))[axis][int(end[axis] > 0)]
    size = abs(float(end[axis]))
    if size < 1e-9:
        return "ends where it should"
    return (
        f"ends {100 * size:.0f} cm {side} where it should"
        if unit == "metres"
        else (f"ends {size:.2g} {unit} {side} where it should")
    )


def _lens_words(ratio: float) -> str:
    if abs(ratio - 1) < HOLDS:
        return "the lens holds"
    return f"the lens is {100 * abs(ratio - 1):.0f} % too {'long' if ratio > 1 else 'short'}"


def _check(achieved: CameraPath, requested: CameraPath, placed: NDArray[np.int64]) -> None:
    if len(placed) < 2:
        raise InputError(f"Comparing a shot with its move needs 2 placed frames or more, got {len(placed)}.")
    if len(placed) != len(achieved):
        raise InputError(
            f"Every achieved camera needs its frame: got {len(achieved)} cameras with {len(placed)} frames."
        )
    if (np.diff(placed) <= 0).any() or placed[0] < 0 or placed[-1] >= len(requested):
        raise InputError(
            f"Placed frames must ascend within the {len(requested)} requested ones; got {placed.tolist()}."
        )
