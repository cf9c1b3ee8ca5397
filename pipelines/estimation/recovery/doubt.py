"""How far an adjusted lens may be off, as the clip itself tells.

The usual covariance takes every sighting for a witness of its own. Sightings of one followed point err together, and so do
neighbouring points: they slide along the same outline, hang between the same near and far, move with the same thing. So what
counts here is how far the parts of the picture disagree about the lens: the "sandwich" of the information of all sightings and
the spread of the scores of whole parts (Huber 1967; Liang and Zeger 1986), with the curvature of the robust loss.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipelines.estimation.recovery.adjust import LOSS_PX, Adjusted
from pipelines.estimation.recovery.normal_equations import NEAREST

COLUMNS, ROWS = 6, 3
"""Parts of the picture whose points are taken to err together, by where a point was first seen."""
LEAST_DAMPING, RIDGE = 1e-9, 1e-6
"""Share of its own diagonal that is added to the information, before and after the points are eliminated: the size of the
whole world is free. Larger shares hide how little is known of a lens."""


def lens_doubt(done: Adjusted, count: int) -> NDArray[np.float64]:
    """Standard deviations (count,) of the last ``count`` free numbers: logarithms of focal lengths. Infinite where fewer than
    three parts of the picture hold points."""
    system, seen = done.system, done.system.seen
    part = _find_parts(done)
    if part.max(initial=-1) < 2:
        return np.full(count, np.inf)
    information, _, inverse = system.reduced(LEAST_DAMPING)
    information = information + RIDGE * np.diag(np.diag(information))
    wanted = np.eye(len(information))[:, -count:]
    answers = np.linalg.solve(information, wanted)
    miss = _subtract_shown(done)
    square = (miss**2).sum(axis=1) / LOSS_PX**2
    weight = 1 / (1 + square)
    pull = miss * weight[:, None]
    votes = [_count_votes(done, inverse, pull, (system.free @ answer).reshape(-1, 7)) for answer in answers.T]
    spread = [np.bincount(part[seen.point], vote, part.max() + 1) for vote in votes]
    parts = len(spread[0])
    across = np.sqrt([parts / (parts - 1) * ((one - one.mean()) ** 2).sum() for one in spread])
    bend = (weight + (1 - square) * weight**2).mean() / 2
    return across * weight.mean() / max(float(bend), 1e-3)


def _find_parts(done: Adjusted) -> NDArray[np.int64]:
    """(P,): the part of the picture in which each point was first seen, numbered without gaps."""
    seen, whole = done.system.seen, 2 * done.cameras.middle + 1
    first = np.zeros((len(done.points), 2))
    first[seen.point[::-1]] = seen.pixel[::-1]
    column, row = np.clip(first / whole * (COLUMNS, ROWS), 0, (COLUMNS - 1, ROWS - 1)).astype(int).T
    return np.unique(row * COLUMNS + column, return_inverse=True)[1]


def _see_from_cameras(done: Adjusted) -> NDArray[np.float64]:
    cameras, seen = done.cameras, done.system.seen
    turned = (cameras.turn[seen.frame] @ done.points[seen.point][:, :, None])[:, :, 0]
    return turned + cameras.shift[seen.frame]


def _subtract_shown(done: Adjusted) -> NDArray[np.float64]:
    """(N,2): pixels seen less pixels shown; nothing for points behind the camera."""
    cameras, seen, local = done.cameras, done.system.seen, _see_from_cameras(done)
    before = local[:, 2] > NEAREST
    depth = np.where(before, local[:, 2], 1.0)[:, None]
    miss = seen.pixel - cameras.focal[seen.frame, None] * local[:, :2] / depth - cameras.middle
    return np.where(before[:, None], miss, 0.0)


def _count_votes(
    done: Adjusted, inverse: NDArray[np.float64], pull: NDArray[np.float64], along: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(N,): by how much each sighting moves the number to which the cameras' change ``along`` (F,7) belongs.

    ``pull`` (N,2): weighted miss. The points follow the cameras, as in the elimination of `adjust`.
    """
    seen, cameras, local = done.system.seen, done.cameras, _see_from_cameras(done)
    change = along[seen.frame]
    follow = np.zeros((len(done.points), 3))
    np.add.at(follow, seen.point, (change[:, :, None] * done.system.W).sum(axis=1))
    follow = (inverse @ follow[:, :, None])[:, :, 0]
    motion = np.cross(change[:, :3], local) + change[:, 3:6]
    motion -= (cameras.turn[seen.frame] @ follow[seen.point][:, :, None])[:, :, 0]
    depth = np.maximum(local[:, 2:], NEAREST)
    place, focal = local[:, :2] / depth, cameras.focal[seen.frame, None]
    shown = focal * (motion[:, :2] / depth - place * motion[:, 2:] / depth + place * change[:, 6:])
    return (pull * shown).sum(axis=1)
