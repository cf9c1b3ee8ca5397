"""Converts a keyed move to a `CameraPath`. For plain keys, the result equals `camera.trajectories.keyframes.through`.

Over a source camera, a key is an offset from the source at its time: position and rotation in the source camera's own axes, and the
ratio of focal lengths. Offsets are interpolated like cameras. They are zero, and come to rest, at keys that follow the source and at
the ends that must be the source's. A frame's camera is the source's with the offset at that time, so between two keys without offset
it is the source's own. A hold keeps the offset constant, so the camera moves with the source.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from camera.editing.keys import SAME_TIME, Key, KeyedMove
from camera.editing.timing import overall_progress, track_position, track_times
from camera.errors import InputError
from camera.path import CameraPath
from camera.trajectories.keyframes import Track, at_constant_speed, track


def path_of(move: KeyedMove, *, frames: int, fps: float = 24.0) -> CameraPath:
    """``frames`` frames from the start of the move to its end; for a loop, the frame after the last would be the first again.
    Over a source camera they are the source's first frames; after its last frame the camera is static.

    Raises `InputError` for no frames, and for constant speed as `camera.trajectories.keyframes.through` does.
    """
    if frames < 1:
        raise InputError(f"A path needs at least one frame, got {frames}.")
    return camera_at(move, _shares(move, frames)).with_fps(fps)


def _shares(move: KeyedMove, frames: int) -> NDArray[np.float64]:
    """(F,): the time of each frame of `path_of`, as a share of the clip."""
    if move.source is not None:
        last = len(move.source) - 1
        return np.minimum(np.arange(frames), last) / max(last, 1)
    return np.arange(frames) / max(frames - (0 if move.loop else 1), 1)


def camera_at(move: KeyedMove, share: NDArray[np.float64]) -> CameraPath:
    """The cameras after ``share`` (F,) of the clip, 0 to 1."""
    if move.source is not None:
        return _over_source(move, share)
    if len(move.keys) == 1:
        return move.cameras.sliced(slice(0, 1)).resampled(len(share))
    curved = _curve(move)
    if move.constant_speed:
        when = at_constant_speed(curved, track_times(move), overall_progress(move, share))
    else:
        when = track_position(move, overall_progress(move, share) * move.seconds)
    return CameraPath(*curved(when), move.width, move.height)


def times_of(move: KeyedMove, frames: int) -> NDArray[np.float64]:
    """(F,): the time of each frame of `path_of` on the keys' time axis, in seconds."""
    share = _shares(move, frames)
    if move.constant_speed and len(move.keys) > 1:
        return at_constant_speed(_curve(move), track_times(move), overall_progress(move, share))
    return overall_progress(move, share) * move.seconds


def key_at(move: KeyedMove, seconds: float) -> Key:
    """A key with the camera that ``move`` has at ``seconds``."""
    return Key(camera_at(move, np.array([min(max(seconds / move.seconds, 0.0), 1.0)])), seconds)


def _over_source(move: KeyedMove, share: NDArray[np.float64]) -> CameraPath:
    source, offset = move.source_at(share * move.seconds), camera_at(offsets(move), share)
    lenses = source.intrinsics + offset.intrinsics - np.eye(3)
    lenses[:, [0, 1], [0, 1]] = source.intrinsics[:, [0, 1], [0, 1]] * offset.intrinsics[:, [0, 1], [0, 1]]
    return CameraPath(source.world_from_camera @ offset.world_from_camera, lenses, move.width, move.height)


def offsets(move: KeyedMove) -> KeyedMove:
    """The keys of a move over a source as offsets from it: poses in the source camera's axes, lenses as focal length ratios and
    shifts in pixels. Ends that must be the source's get a key without offset."""
    source, none = move.source_at(np.array([key.time for key in move.keys])), _no_offset(move)
    poses = source.camera_from_world @ move.cameras.world_from_camera
    lenses = move.cameras.intrinsics - source.intrinsics + np.eye(3)
    lenses[:, [0, 1], [0, 1]] = move.cameras.intrinsics[:, [0, 1], [0, 1]] / source.intrinsics[:, [0, 1], [0, 1]]
    cameras = [CameraPath(pose[None], lens, move.width, move.height) for pose, lens in zip(poses, lenses)]
    keys = [
        _resting(replace(key, camera=none)) if key.follows else replace(key, camera=camera)
        for key, camera in zip(move.keys, cameras)
    ]
    if move.same_first and keys[0].time > SAME_TIME:
        keys.insert(0, Key(none, 0.0, tangent="rest"))
    if move.same_last and keys[-1].leaves < move.seconds - SAME_TIME:
        keys.append(Key(none, move.seconds, tangent="rest"))
    return KeyedMove(tuple(keys), move.seconds, curve=move.curve)


def _no_offset(move: KeyedMove) -> CameraPath:
    return CameraPath(np.eye(4)[None], np.eye(3), move.width, move.height)


def _resting(key: Key) -> Key:
    """A key without offset, at which the curve ends; a corner only if the user chose one."""
    return replace(key, follows=False, tangent="corner" if key.tangent == "corner" else "rest")


def overridden_stretches(move: KeyedMove) -> list[tuple[float, float]]:
    """Intervals of a move over a source, start and end in seconds, in which its keys override the source."""
    intervals: list[tuple[float, float]] = []
    for number, key in enumerate(move.keys):
        if key.follows:
            continue
        begins = move.keys[number - 1].leaves if number else 0.0
        ends = move.keys[number + 1].time if number + 1 < len(move.keys) else move.seconds
        if intervals and intervals[-1][1] >= begins:
            begins = intervals.pop()[0]
        intervals.append((begins, ends))
    return intervals


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
    """A piecewise curve: one track between neighbouring ``splits`` (indices into ``order``)."""
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
