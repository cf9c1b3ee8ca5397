"""From a keyed move to a `CameraPath`; with plain keys the same numbers as `camera.trajectories.keyframes.through`."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from camera.editing.keys import Key, KeyedMove
from camera.editing.timing import overall_progress, track_position, track_times
from camera.errors import InputError
from camera.path import CameraPath
from camera.trajectories.keyframes import Track, at_constant_speed, track


def path_of(move: KeyedMove, *, frames: int, fps: float = 24.0) -> CameraPath:
    """``frames`` frames from the start of the move to its end; of a loop, the frame after the last would be the first again.

    Raises `InputError` for no frames, and as `camera.trajectories.keyframes.through` for constant speed.
    """
    if frames < 1:
        raise InputError(f"A path needs at least one frame, got {frames}.")
    share = np.arange(frames) / max(frames - (0 if move.loop else 1), 1)
    return camera_at(move, share).with_fps(fps)


def camera_at(move: KeyedMove, share: NDArray[np.float64]) -> CameraPath:
    """The cameras after ``share`` (F,) of the clip, 0 to 1."""
    if len(move.keys) == 1:
        return move.cameras.sliced(slice(0, 1)).resampled(len(share))
    curved = _curve(move)
    if move.constant_speed:
        when = at_constant_speed(curved, track_times(move), overall_progress(move, share))
    else:
        when = track_position(move, overall_progress(move, share) * move.seconds)
    return CameraPath(*curved(when), move.width, move.height)


def times_of(move: KeyedMove, frames: int) -> NDArray[np.float64]:
    """(F,): where among the times of the keys each frame of `path_of` is, in seconds; a key is met where its time is."""
    share = np.arange(frames) / max(frames - (0 if move.loop else 1), 1)
    if move.constant_speed and len(move.keys) > 1:
        return at_constant_speed(_curve(move), track_times(move), overall_progress(move, share))
    return overall_progress(move, share) * move.seconds


def key_at(move: KeyedMove, seconds: float) -> Key:
    """A key with the camera that ``move`` has at ``seconds``."""
    return Key(camera_at(move, np.array([min(max(seconds / move.seconds, 0.0), 1.0)])), seconds)


def _curve(move: KeyedMove) -> Track:
    """The curve through all keys, in pieces where keys split it."""
    times, cameras = track_times(move), move.cameras
    splits = [index for index, key in enumerate(move.keys) if key.splits]
    if not move.loop:
        return _pieces(move, np.arange(len(cameras)), times, splits)
    if not splits:
        return track(cameras, times, move.curve, loop=True)
    first, period = splits[0], times[-1] - times[0]
    order = np.append(np.arange(first, len(cameras) + first), first) % len(cameras)
    rolled = np.concatenate([times[first:-1], times[: first + 1] + period])
    curved = _pieces(move, order, rolled, [(split - first) for split in splits])
    return lambda when: curved(np.where(when < rolled[0], when + period, when))


def _pieces(move: KeyedMove, order: NDArray, times: NDArray, splits: list[int]) -> Track:
    """Curves between neighbouring ``splits`` (places in ``order``), each a track of its own."""
    ends = sorted({0, *splits, len(order) - 1})
    cameras = move.cameras.sliced(order)  # type: ignore[arg-type]
    spans = [slice(a, b + 1) for a, b in pairwise(ends)]
    tracks = [track(cameras.sliced(span), times[span], move.curve, loop=False) for span in spans]
    if len(tracks) == 1:
        return tracks[0]

    def curved(when: NDArray) -> tuple[NDArray, NDArray]:
        owner = np.clip(np.searchsorted(times[ends], when, side="right") - 1, 0, len(tracks) - 1)
        poses, lenses = np.empty((len(when), 4, 4)), np.empty((len(when), 3, 3))
        for number in np.unique(owner):
            poses[owner == number], lenses[owner == number] = tracks[number](when[owner == number])
        return poses, lenses

    return curved
