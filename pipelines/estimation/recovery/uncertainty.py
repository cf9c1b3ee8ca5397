"""Uncertainty of an adjusted focal length, estimated from the clip itself.

The usual covariance treats observations as independent. Errors within one track are correlated, and so are those of
neighbouring points: they slide along the same outline, lie on the same depth edge, belong to the same moving object. So the
picture is divided into parts, and the uncertainty follows from how far these disagree about the lens: the cluster-robust
"sandwich" covariance, made of the information of all observations and the spread of the scores of whole parts (Huber 1967;
Liang and Zeger 1986), with the curvature of the robust loss.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipelines.estimation.recovery.adjust import LOSS_PX, BundleResult
from pipelines.estimation.recovery.normal_equations import NEAREST

COLUMNS, ROWS = 6, 3
"""Parts of the picture within which errors are treated as correlated; a point belongs to the part in which it first appeared."""
LEAST_DAMPING, RIDGE = 1e-9, 1e-6
"""Shares of its own diagonal added to the information matrix, before and after the points are eliminated, because the
scale of the world is free. Larger shares would hide how little is known about a lens."""


def lens_uncertainty(done: BundleResult, count: int) -> NDArray[np.float64]:
    """Standard deviations (count,) of the last ``count`` free parameters: logarithms of focal lengths. Infinite if fewer than
    three parts of the picture contain points."""
    system, seen = done.system, done.system.seen
    part = _find_parts(done)
    if part.max(initial=-1) < 2:
        return np.full(count, np.inf)
    information, _, inverse = system.reduce(LEAST_DAMPING)
    information = information + RIDGE * np.diag(np.diag(information))
    wanted = np.eye(len(information))[:, -count:]
    answers = np.linalg.solve(information, wanted)
    miss = _residuals(done)
    square = (miss**2).sum(axis=1) / LOSS_PX**2
    weight = 1 / (1 + square)
    pull = miss * weight[:, None]
    votes = [_influence(done, inverse, pull, (system.free @ answer).reshape(-1, 7)) for answer in answers.T]
    spread = [np.bincount(part[seen.point], vote, part.max() + 1) for vote in votes]
    parts = len(spread[0])
    across = np.sqrt([parts / (parts - 1) * ((one - one.mean()) ** 2).sum() for one in spread])
    bend = (weight + (1 - square) * weight**2).mean() / 2
    return across * weight.mean() / max(float(bend), 1e-3)


def _find_parts(done: BundleResult) -> NDArray[np.int64]:
    """(P,): the part of the picture in which each point first appeared, numbered without gaps."""
    seen, whole = done.system.seen, 2 * done.cameras.middle + 1
    first = np.zeros((len(done.points), 2))
    first[seen.point[::-1]] = seen.pixel[::-1]
    column, row = np.clip(first / whole * (COLUMNS, ROWS), 0, (COLUMNS - 1, ROWS - 1)).astype(int).T
    return np.unique(row * COLUMNS + column, return_inverse=True)[1]


def _points_in_cameras(done: BundleResult) -> NDArray[np.float64]:
    cameras, seen = done.cameras, done.system.seen
    turned = (cameras.rotation[seen.frame] @ done.points[seen.point][:, :, None])[:, :, 0]
    return turned + cameras.translation[seen.frame]


def _residuals(done: BundleResult) -> NDArray[np.float64]:
    """(N,2): observed minus projected pixels; zero for points behind the camera."""
    cameras, seen, local = done.cameras, done.system.seen, _points_in_cameras(done)
    before = local[:, 2] > NEAREST
    depth = np.where(before, local[:, 2], 1.0)[:, None]
    miss = seen.pixel - cameras.focal[seen.frame, None] * local[:, :2] / depth - cameras.middle
    return np.where(before[:, None], miss, 0.0)


def _influence(
    done: BundleResult, inverse: NDArray[np.float64], pull: NDArray[np.float64], along: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(N,): influence of each observation on the parameter that changes the cameras by ``along`` (F,7).

    ``pull`` (N,2): weighted residuals. The points follow the cameras, as in the elimination of `adjust`.
    """
    seen, cameras, local = done.system.seen, done.cameras, _points_in_cameras(done)
    change = along[seen.frame]
    follow = np.zeros((len(done.points), 3))
    np.add.at(follow, seen.point, (change[:, :, None] * done.system.W).sum(axis=1))
    follow = (inverse @ follow[:, :, None])[:, :, 0]
    motion = np.cross(change[:, :3], local) + change[:, 3:6]
    motion -= (cameras.rotation[seen.frame] @ follow[seen.point][:, :, None])[:, :, 0]
    depth = np.maximum(local[:, 2:], NEAREST)
    place, focal = local[:, :2] / depth, cameras.focal[seen.frame, None]
    shown = focal * (motion[:, :2] / depth - place * motion[:, 2:] / depth + place * change[:, 6:])
    return (pull * shown).sum(axis=1)
