"""Scores from pairwise votes, with confidence intervals: the model of Bradley and Terry (1952)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError

PRIOR = 0.5
"""Virtual wins and losses of every contestant against an average one; keeps the score of an unbeaten contestant finite."""
NORMAL_95 = 1.959964


@dataclass(frozen=True)
class Strength:
    """``score``: log odds against the average contestant; ``low`` and ``high``: its 95 % interval; ``won`` and ``lost``: votes of
    ``name``, a tie counting half for each."""

    name: str
    score: float
    low: float
    high: float
    won: float
    lost: float


def strengths(votes: Sequence[tuple[str, str, float]]) -> list[Strength]:
    """Strengths, strongest first. ``votes``: two names and the first one's result: 1 for a win, 0.5 for a tie, 0 for a loss.

    Newton's method on the likelihood with a weak prior; intervals from its curvature. Raises `InputError` for other outcomes
    and for a name against itself.
    """
    names = sorted({name for a, b, _ in votes for name in (a, b)})
    wins = np.zeros((len(names), len(names)))
    for a, b, outcome in votes:
        if outcome not in (0, 0.5, 1) or a == b:
            raise InputError(f"A vote is 0, 0.5 or 1 between two different names; got {outcome} for {a!r} and {b!r}.")
        i, j = names.index(a), names.index(b)
        wins[i, j] += outcome
        wins[j, i] += 1 - outcome
    score, deviation = _fit_scores(wins)
    result = [
        Strength(
            name,
            float(s),
            float(s - NORMAL_95 * d),
            float(s + NORMAL_95 * d),
            float(wins[i].sum()),
            float(wins[:, i].sum()),
        )
        for i, (name, s, d) in enumerate(zip(names, score, deviation))
    ]
    return sorted(result, key=lambda one: -one.score)


def _fit_scores(wins: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores (K,) of mean zero and their standard deviations."""
    count = len(wins)
    score, played = np.zeros(count), wins + wins.T
    covariance = np.zeros((count, count))
    for _ in range(100):
        chance = 1 / (1 + np.exp(score[None] - score[:, None]))
        own = 1 / (1 + np.exp(-score))
        slope = (wins - played * chance).sum(axis=1) + PRIOR - 2 * PRIOR * own
        weight = played * chance * (1 - chance)
        curvature = np.diag(weight.sum(axis=1) + 2 * PRIOR * own * (1 - own)) - weight
        covariance = np.linalg.inv(curvature) if count else covariance
        step = covariance @ slope
        score = score + np.clip(step, -2, 2)
        if not count or np.abs(step).max() < 1e-10:
            break
    middle = np.eye(count) - 1 / max(count, 1)
    return score - (score.mean() if count else 0), np.sqrt(np.maximum(np.diag(middle @ covariance @ middle), 0))
