"""Every metric of a results table: name, source, convention in words, and function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from camera.errors import InputError
from camera.evaluation import paths, published
from camera.evaluation.motion_class import motion_class
from camera.evaluation.navigation import navigation, turns_in
from camera.path import CameraPath

Better = Literal["low", "high"]


@dataclass(frozen=True)
class Number:
    """One row of a table. ``of(achieved, requested)``: paths of the placed frames only; the achieved one may be in its own scale or
    aligned to the requested one. It raises `InputError` if it is undefined for these paths, and returns NaN if it does not apply."""

    key: str
    label: str
    source: str
    convention: str
    better: Better
    of: Callable[[CameraPath, CameraPath], float]


def _mean_rotation(a: CameraPath, b: CameraPath) -> float:
    return float(paths.rotation_error_degrees(a, b).mean())


def _hit(a: CameraPath, b: CameraPath) -> float:
    return float(motion_class(a) == motion_class(b))


def _nav_accuracy(achieved: CameraPath, requested: CameraPath) -> float:
    turns = turns_in(requested)
    return navigation(achieved, turns).accuracy if turns else np.nan


def _nav_score(achieved: CameraPath, requested: CameraPath) -> float:
    turns = turns_in(requested)
    score = navigation(achieved, turns).score if turns else None
    return np.nan if score is None else score


NUMBERS: tuple[Number, ...] = (
    Number(
        "rot_err", "RotErr", "CameraCtrl, CamI2V", "radians, relative to the first camera, summed over frames", "low",
        paths.rotation_error_radians_sum,
    ),
    Number("rot_mean", "mean rotation", "", "the same angles in degrees, averaged", "low", _mean_rotation),
    Number(
        "trans_rel", "TransErr rel", "CamI2V", "each path by its own largest distance, summed over frames", "low",
        lambda a, b: paths.translation_error_sum(a, b, scale="rel"),
    ),
    Number(
        "trans_abs", "TransErr abs", "CamI2V", "both paths by the requested one's largest distance, summed", "low",
        lambda a, b: paths.translation_error_sum(a, b, scale="abs"),
    ),
    Number(
        "cammc_rel", "CamMC rel", "MotionCtrl, CamI2V", "Frobenius norm of 3x4 differences, each path by its own size, summed",
        "low", lambda a, b: paths.cammc_sum(a, b, scale="rel"),
    ),
    Number(
        "cammc_abs", "CamMC abs", "MotionCtrl, CamI2V", "the same, both by the requested one's size", "low",
        lambda a, b: paths.cammc_sum(a, b, scale="abs"),
    ),
    Number(
        "camera_error", "camera error", "WorldScore",
        "geometric mean of mean turn in degrees and mean distance, scale of least summed distance", "low",
        published.camera_error,
    ),
    Number(
        "camera_score", "camera score", "WorldScore",
        "0 to 1: turn of 15 degrees and distance of 0.5 units of the move count as 0, geometric mean of both", "high",
        published.camera_score,
    ),
    Number(
        "auc_3", "AUC@3", "VGGT, Depth Anything 3", "every pair, larger of turn and direction, bins of 1 degree up to 3", "high",
        lambda a, b: published.pose_auc(a, b, degrees=3),
    ),
    Number(
        "auc_30", "AUC@30", "VGGT, Depth Anything 3", "the same up to 30", "high",
        lambda a, b: published.pose_auc(a, b, degrees=30),
    ),
    Number(
        "ate", "ATE", "Umeyama 1991", "root mean square distance after Sim(3), in the move's unit", "low",
        published.absolute_trajectory_error,
    ),
    Number(
        "rpe_trans", "RPE translation", "MIND", "steps from frame to frame after Sim(3), averaged", "low",
        lambda a, b: published.relative_pose_error(a, b).translation,
    ),
    Number(
        "rpe_rot", "RPE rotation", "MIND", "degrees from frame to frame after Sim(3), averaged", "low",
        lambda a, b: published.relative_pose_error(a, b).rotation_degrees,
    ),
    Number(
        "motion_hit", "motion class hit", "VBench", "1 where both paths move the picture in the same way most; from paths, not tracks",
        "high", _hit,
    ),
    Number(
        "nav_accuracy", "navigation accuracy", "WBench", "directions of the turns that the move is made of, 0 to 1; only of moves that are made of turns", "high", _nav_accuracy,
    ),
    Number(
        "nav_score", "NavScore", "WBench", "mean of that accuracy and of how alike turns of one action are; only where there are two such", "high", _nav_score,
    ),
)  # fmt: skip
AUC = ("auc_3", "auc_30")


def score_path(
    achieved: CameraPath, requested: CameraPath, *, count: int | None = None
) -> tuple[dict[str, float | None], tuple[str, ...]]:
    """Every metric by key, None where it cannot be computed, and the reasons.

    ``count``: frames of the whole shot, if only some were placed; every pair with a frame that was not counts as a failure in AUC.
    """
    values: dict[str, float | None] = {}
    reasons: dict[str, None] = {}
    for number in NUMBERS:
        try:
            value = number.of(achieved, requested)
            values[number.key] = value if np.isfinite(value) else None
        except InputError as error:
            values[number.key] = None
            reasons[str(error)] = None
    share = _pairs(len(achieved)) / max(_pairs(count or len(achieved)), 1)
    for key in AUC:
        value = values[key]
        values[key] = None if value is None else value * share
    return values, tuple(reasons)


def _pairs(frames: int) -> int:
    return frames * (frames - 1) // 2


@dataclass(frozen=True)
class Spread:
    """Mean, standard deviation (of a sample) and number of the values of one cell."""

    mean: float
    deviation: float
    count: int

    def __str__(self) -> str:
        return f"{self.mean:.4g}" if self.count < 2 else f"{self.mean:.4g} ± {self.deviation:.2g}"


def spread(values: list[float | None]) -> Spread | None:
    """Mean and spread over the seeds of one method and move; None if no value is known."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return Spread(float(np.mean(known)), float(np.std(known, ddof=1)) if len(known) > 1 else 0.0, len(known))


BY_KEY: Mapping[str, Number] = {number.key: number for number in NUMBERS}
