"""Published metrics of whole paths: VGGT's AUC, ATE and RPE after Sim(3), WorldScore's camera error.

`camera.evaluation.paths` has the sums of CamI2V and CameraCtrl; docs/evaluation.md gives each metric's convention.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.evaluation.paths import align_path, rotation_error_degrees
from camera.path import CameraPath, inverse
from camera.rotation import angle_degrees

WORST = (15.0, 0.5)
"""Degrees of rotation and distance (in the reference's unit) at which WorldScore's score is 0."""


@dataclass(frozen=True)
class StepErrors:
    """Means over frames, or over steps from frame to frame: ``translation`` in the reference's unit, ``rotation_degrees``."""

    translation: float
    rotation_degrees: float


def pair_errors_degrees(path: CameraPath, reference: CameraPath) -> NDArray[np.float64]:
    """(F(F-1)/2, 2): rotation and translation-direction errors between every two cameras, in degrees.

    Directions count as lines, so at most 90 degrees, as in VGGT's and PoseDiffusion's evaluation. For a pair without
    translation the direction error is 0 if both paths have none, 90 degrees if only one has none.
    """
    _check(path, reference)
    first, second = np.triu_indices(len(path), k=1)
    pair = [each.camera_from_world[first] @ inverse(each.camera_from_world[second]) for each in (path, reference)]
    turns = angle_degrees(pair[0][:, :3, :3], pair[1][:, :3, :3])
    return np.stack([turns, _line_angle_degrees(pair[0][:, :3, 3], pair[1][:, :3, 3])], axis=1)


def pose_auc(path: CameraPath, reference: CameraPath, *, degrees: int = 30) -> float:
    """AUC@``degrees`` in 0..1 as in VGGT: the larger error of each pair, counted in bins of 1 degree, accumulated, averaged."""
    if degrees < 1:
        raise InputError(f"The area under the curve needs a limit of 1 degree or more, got {degrees}.")
    worst = pair_errors_degrees(path, reference).max(axis=1)
    counts, _ = np.histogram(worst, bins=np.arange(degrees + 1))
    return float(np.cumsum(counts / len(worst)).mean())


def absolute_trajectory_error(path: CameraPath, reference: CameraPath) -> float:
    """ATE: root mean square distance of the centres after Sim(3) (Umeyama), in the reference's unit.

    Raises `InputError` if the centres are on one line, which leaves the rotation undetermined.
    """
    gaps = align_path(path, reference).centres - reference.centres
    return float(np.sqrt((gaps**2).sum(axis=1).mean()))


def relative_pose_error(path: CameraPath, reference: CameraPath) -> StepErrors:
    """RPE: frame-to-frame steps compared after Sim(3) of the centres, averaged; raises like `absolute_trajectory_error`."""
    _check(path, reference)
    steps = [
        each.camera_from_world[:-1] @ each.world_from_camera[1:] for each in (align_path(path, reference), reference)
    ]
    gaps = inverse(steps[1]) @ steps[0]
    turns = angle_degrees(steps[0][:, :3, :3], steps[1][:, :3, :3])
    return StepErrors(float(np.linalg.norm(gaps[:, :3, 3], axis=1).mean()), float(turns.mean()))


def camera_parts(path: CameraPath, reference: CameraPath) -> StepErrors:
    """WorldScore's two camera errors: mean rotation error in degrees, and mean distance between the centres.

    Centres are relative to the first camera; the path's are scaled by the factor of least summed distance.
    """
    _check(path, reference)
    ours, theirs = (each.relative_to_first().centres for each in (path, reference))
    gaps = distance_scale(ours, theirs) * ours - theirs
    turns = rotation_error_degrees(path, reference)
    return StepErrors(float(np.linalg.norm(gaps, axis=1).mean()), float(turns.mean()))


def camera_error(path: CameraPath, reference: CameraPath) -> float:
    """Geometric mean of `camera_parts`, as defined in WorldScore's paper."""
    parts = camera_parts(path, reference)
    return float(np.sqrt(parts.rotation_degrees * parts.translation))


def camera_score(path: CameraPath, reference: CameraPath) -> float:
    """WorldScore's camera score in 0..1, as in its code: the geometric mean of 1 minus each error's share of its `WORST`."""
    parts = camera_parts(path, reference)
    shares = np.array([parts.rotation_degrees, parts.translation]) / WORST
    return float(np.sqrt(np.prod(1 - np.clip(shares, 0, 1))))


def distance_scale(points: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """The factor s that minimises ``sum |s points - reference|`` over distances of (N,3), by bisection of its slope; 1 without motion."""
    square = (points**2).sum(axis=1)
    moving = square > 1e-24
    if not moving.any():
        return 1.0
    ratios = (points * reference).sum(axis=1)[moving] / square[moving]
    low, high = float(ratios.min()), float(ratios.max())
    for _ in range(80):
        middle = (low + high) / 2
        gaps = middle * points - reference
        length = np.linalg.norm(gaps, axis=1)
        slope = ((points * gaps).sum(axis=1) / np.where(length > 0, length, 1)).sum()
        low, high = (middle, high) if slope < 0 else (low, middle)
    return (low + high) / 2


def l1_scale(points: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """The factor s >= 0 that minimises ``sum |s points - reference|`` over coordinates: the weighted median of the ratios; 1 without motion."""
    x, y = np.ravel(points), np.ravel(reference)
    moving = np.abs(x) > 1e-12
    if not moving.any():
        return 1.0
    ratios, weights = y[moving] / x[moving], np.abs(x[moving])
    order = np.argsort(ratios)
    half = np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)
    return max(float(ratios[order][half]), 0.0)


def _line_angle_degrees(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,): the angle between lines along ``a`` and ``b`` (N,3)."""
    lengths = np.stack([np.linalg.norm(each, axis=1) for each in (a, b)])
    still = lengths <= 1e-9
    product = np.where(still.any(axis=0), 1.0, lengths.prod(axis=0))
    angle = np.degrees(np.arccos(np.clip(np.abs((a * b).sum(axis=1)) / product, 0, 1)))
    return np.where(still.all(axis=0), 0.0, np.where(still.any(axis=0), 90.0, angle))


def _check(path: CameraPath, reference: CameraPath) -> None:
    if len(path) != len(reference) or len(path) < 2:
        raise InputError(
            f"Comparing paths needs the same number of frames, 2 or more; got {len(path)} and {len(reference)}; resample one."
        )
