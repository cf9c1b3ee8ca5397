"""Groups target views into runs of the model, and chooses the known views of each run.

The model makes 12 frames at a time; some of them are known ("contexts"), the others are generated ("targets").
Source: ``dataset/reconf_group.py`` and ``dataset/reconf_gen.py`` of the original code; uses camera positions only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError

Indices = NDArray[np.int64]
Points = NDArray[np.float64]


@dataclass(frozen=True)
class Group:
    """One run of the model: ``targets`` are indices of the wanted views, ``contexts`` of the known views, nearest first."""

    targets: tuple[int, ...]
    contexts: tuple[int, ...]


def by_place(wanted: Points, start: Points, size: int, *, cover: bool = True) -> list[list[int]]:
    """Groups of the ``size`` views nearest to places that are far from each other; indices into ``wanted`` (N,3).

    The places are ``start`` (3,), a known camera, and N // size of the wanted ones, each the farthest from the previous
    places. Views may repeat, and some belong to no group, as in the original; ``cover`` adds groups for these.
    """
    points = np.concatenate([start[None], wanted])
    everything = range(len(wanted))
    anchors = farthest_points(points, len(points) // size + 1)
    groups = [_fill_up(_nearest(wanted, points[anchor], size), everything, size) for anchor in anchors]
    left = sorted(set(everything) - {i for group in groups for i in group})
    while cover and left:
        near = _nearest(wanted[left], wanted[left[0]], size)
        groups.append(_fill_up([left[i] for i in near], everything, size))
        left = [i for i in left if i not in groups[-1]]
    return groups


def in_order(count: int, size: int, *, per_trajectory: int = 0, cover: bool = True) -> list[list[int]]:
    """Consecutive groups of ``size`` out of ``count`` views; no group crosses trajectories of ``per_trajectory`` views.

    The original drops an incomplete last group; ``cover`` completes the last group of a trajectory from its start.
    """
    length = per_trajectory or count
    groups = []
    for begin in range(0, count, length):
        trajectory = list(range(begin, min(begin + length, count)))
        whole = len(trajectory) - len(trajectory) % size
        groups += [trajectory[i : i + size] for i in range(0, whole, size)]
        if cover and trajectory[whole:]:
            groups.append(_fill_up(trajectory[whole:], trajectory, size))
    return groups


def with_contexts(groups: list[list[int]], wanted: Points, known: Points, contexts: int) -> list[Group]:
    """Each group with the ``contexts`` known views (M,3) nearest to the mean of its targets."""
    return [Group(tuple(targets), tuple(_nearest(known, wanted[targets].mean(0), contexts))) for targets in groups]


def farthest_points(points: Points, count: int) -> list[int]:
    """Farthest-point sampling: ``count`` indices into ``points`` (N,3), starting with 0."""
    chosen = [0]
    distance = np.full(len(points), np.inf)
    while len(chosen) < min(count, len(points)):
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
        chosen.append(int(np.argmax(distance)))
    return chosen


def context_frames(contexts: int, frames: int) -> tuple[int, ...]:
    """Positions of the known views among the frames of a group: the first is first, the second last, the third in the middle."""
    places = {1: (0,), 2: (0, frames - 1), 3: (0, (frames - 3) // 2 + 1, frames - 1)}
    if contexts not in places:
        raise InputError(f"A group is made from 1, 2 or 3 known views, got {contexts}.")
    return places[contexts]


def _nearest(points: Points, place: Points, count: int) -> list[int]:
    return np.argsort(np.linalg.norm(points - place, axis=1), kind="stable")[:count].tolist()


def _fill_up(indices: list[int], others: Sequence[int], size: int) -> list[int]:
    """``indices`` extended to ``size`` by the first of ``others``, repeatedly."""
    return indices + [others[i % len(others)] for i in range(size - len(indices))]
