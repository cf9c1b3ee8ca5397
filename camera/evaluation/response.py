"""Response of a method to moves: gain, lag and cross-talk per axis, fitted to requested and achieved paths of shots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.evaluation.borrow import rotvec_degrees
from camera.path import CameraPath

AXES = ("tilt", "pan", "roll", "right", "down", "forward")
"""Rotations about the first camera's x, y, z in degrees; translations along them in the move's unit."""
MOST_LAG = 12
"""Maximum lag, in frames, that is searched for."""
LEAST = {"turn": 1.0, "way": 1e-3}
"""Minimum requested motion of an axis (degrees; fraction of the whole translation) for a gain to be fitted."""


@dataclass(frozen=True)
class Answer:
    """Response of one axis: the gain (achieved over requested) after ``lag`` frames; ``cross``: cross-talk into the other axes, as gains."""

    axis: str
    gain: float
    lag: float
    cross: dict[str, float]
    shots: int


@dataclass(frozen=True)
class Response:
    """The responses of a method with these weights; axes that no move requested are missing from ``axes``."""

    method: str
    weights: str
    answers: tuple[Answer, ...]

    def values(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def of(values: dict[str, Any]) -> Response:
        try:
            return Response(values["method"], values["weights"], tuple(Answer(**one) for one in values["answers"]))
        except (KeyError, TypeError) as error:
            raise InputError("The response curve is damaged; measure it again.") from error

    def gain(self, axis: str) -> float | None:
        return next((one.gain for one in self.answers if one.axis == axis), None)

    def asked_for(self, path: CameraPath) -> tuple[CameraPath, str]:
        """The path to request so that the shot turns like ``path``, and a sentence on the correction. Gains outside 0.3 to 3 are not corrected."""
        from camera.rotation import scipy_rotation

        factors = np.array([self._correction(axis) for axis in AXES[:3]])
        if (factors == 1).all():
            return path, ""
        first = path.world_from_camera[0]
        relative = path.relative_to_first().world_from_camera.copy()
        steps = np.diff(rotvec_degrees(path), axis=0) * factors
        turn = np.eye(3)
        for i, step in enumerate(steps, start=1):
            turn = scipy_rotation().from_rotvec(step, degrees=True).as_matrix() @ turn
            relative[i, :3, :3] = turn
        changes = ", ".join(f"{axis} times {factor:.2f}" for axis, factor in zip(AXES, factors) if factor != 1)
        return path.with_poses(
            first @ relative
        ), f"The request was corrected for the response of {self.method}: {changes}."

    def _correction(self, axis: str) -> float:
        gain = self.gain(axis)
        return 1.0 if gain is None or not 0.3 <= gain <= 3 or abs(gain - 1) < 0.02 else 1 / gain


def response(method: str, weights: str, shots: Sequence[tuple[CameraPath, CameraPath]]) -> Response:
    """Fit the response from (requested, achieved) pairs of equal length. Translations share one scale, because measured lengths have no unit.

    Raises `InputError` without shots and for pairs of different length.
    """
    if not shots:
        raise InputError("A response curve needs at least one shot with its move.")
    for request, achieved in shots:
        if len(request) != len(achieved) or len(request) < 3:
            raise InputError("Requested and achieved cameras need the same 3 frames or more; resample one of them.")
    pairs = [(_signals(request), _signals(achieved)) for request, achieved in shots]
    answers = [answer for axis in range(6) if (answer := _fit_answer(axis, pairs)) is not None]
    return Response(method, weights, tuple(answers))


def _signals(path: CameraPath) -> NDArray[np.float64]:
    """(F,6): rotation vectors in degrees and positions, relative to the first camera."""
    return np.concatenate([rotvec_degrees(path), path.relative_to_first().centres], axis=1)


def _fit_answer(axis: int, pairs: list[tuple[NDArray, NDArray]]) -> Answer | None:
    """Least squares over the shots that request motion on this axis, at the lag with the smallest residual."""
    requesting = [pair for pair in pairs if _is_requested(pair[0], axis)]
    if not requesting:
        return None
    lags = np.arange(0, MOST_LAG + 0.5, 0.5)
    fits = [_fit(axis, axis, requesting, lag) for lag in lags]
    best = int(np.argmin([residual for _, residual in fits]))
    group = range(3) if axis < 3 else range(3, 6)
    alone = [pair for pair in requesting if all(other == axis or not _is_requested(pair[0], other) for other in group)]
    cross = {AXES[other]: _fit(axis, other, alone, lags[best])[0] for other in group if other != axis and alone}
    return Answer(AXES[axis], fits[best][0], float(lags[best]), cross, len(requesting))


def _is_requested(request: NDArray, axis: int) -> bool:
    reach = float(np.ptp(request[:, axis]))
    if axis < 3:
        return reach >= LEAST["turn"]
    return reach > max(LEAST["way"] * float(np.ptp(request[:, 3:], axis=0).max()), 1e-9)


def _fit(axis: int, other: int, pairs: list[tuple[NDArray, NDArray]], lag: float) -> tuple[float, float]:
    """Gain from the requested ``axis`` to the achieved ``other`` with the request delayed by ``lag`` frames, and the residual."""
    xs, ys = [], []
    for request, achieved in pairs:
        frames = np.arange(len(request), dtype=np.float64)
        xs.append(np.interp(frames - lag, frames, request[:, axis]))
        ys.append(achieved[:, other])
    x, y = np.concatenate(xs), np.concatenate(ys)
    gain = float(x @ y / (x @ x)) if x @ x > 0 else 0.0
    return gain, float(((y - gain * x) ** 2).sum())
