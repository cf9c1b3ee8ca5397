"""Timing of a keyed move: overall easing and speed graph, then holds, easings and stops of single keys."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from camera.editing.keys import Key, KeyedMove, SpeedGraph
from camera.trajectories.keyframes import ease

SLOW_IN_OUT_SHARE = 0.25
"""Fraction of the time over which `slow_in_out` accelerates, and over which it decelerates."""


def slow_in_out(share: float = SLOW_IN_OUT_SHARE, *, slow_in: bool = True, slow_out: bool = True) -> SpeedGraph:
    """A speed graph that starts from rest, ends at rest, or both, each over ``share`` of the time (0 to 0.5)."""
    share = min(max(share, 0.01), 0.49)
    start = ((0.0, 0.0), (share, 1.0)) if slow_in else ((0.0, 1.0),)
    end = ((1 - share, 1.0), (1.0, 0.0)) if slow_out else ((1.0, 1.0),)
    return start + end


def progress_of(graph: SpeedGraph, share: NDArray[np.float64]) -> NDArray[np.float64]:
    """(F,): share of the total progress after ``share`` (F,) of the time, i.e. the normalised integral of the speed graph."""
    if not graph:
        return share
    at, speed = np.array(graph, dtype=np.float64).T
    done = np.concatenate([[0.0], np.cumsum(np.diff(at) * (speed[1:] + speed[:-1]) / 2)])
    piece = np.clip(np.searchsorted(at, share, side="right") - 1, 0, len(at) - 2)
    since = share - at[piece]
    slope = (speed[piece + 1] - speed[piece]) / (at[piece + 1] - at[piece])
    return (done[piece] + since * (speed[piece] + slope * since / 2)) / done[-1]


def overall_progress(move: KeyedMove, share: NDArray[np.float64]) -> NDArray[np.float64]:
    """(F,): share of the move's own time that has passed after ``share`` (F,) of the clip."""
    return progress_of(move.speed, ease(share, move.easing))


def track_times(move: KeyedMove) -> NDArray[np.float64]:
    """(K,), for a loop (K+1,): the keys' times without holds, which parametrise the curve."""
    held = np.cumsum([0.0, *(key.hold for key in move.keys)])
    times = np.array([key.time for key in move.keys]) - held[:-1]
    return np.append(times, move.seconds - held[-1]) if move.loop else times


def track_position(move: KeyedMove, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Curve parameter (F,), in the unit of `track_times`, at ``seconds`` (F,) of the move's own time."""
    places = track_times(move)
    keys = (*move.keys, move.keys[0]) if move.loop else move.keys
    arrives = np.array([key.time for key in move.keys] + ([move.seconds] if move.loop else []))
    number = np.clip(np.searchsorted(arrives, seconds, side="right") - 1, 0, len(keys) - 1)
    result = places[number].copy()
    for index, (key, after) in enumerate(pairwise(keys)):
        inside = (number == index) & (seconds > key.leaves)
        part = (seconds[inside] - key.leaves) / (arrives[index + 1] - key.leaves)
        result[inside] += _stopping(ease(part, key.easing), key, after) * (places[index + 1] - places[index])
    return result


def _stopping(part: NDArray, key: Key, after: Key) -> NDArray[np.float64]:
    """Progress between two keys; the speed is 0 at a key that stops the camera and constant at one that does not."""
    if key.stops and after.stops:
        return part * part * (3 - 2 * part)
    if key.stops:
        return part * part * (2 - part)
    return part * (1 + part * (1 - part)) if after.stops else part
