"""Edits of a keyed move. Each returns a new move; keys are counted from 0."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from camera.editing.keys import SAME_TIME, Key, KeyedMove, Tangent, seconds_of
from camera.errors import InputError
from camera.path import CameraPath


def add_key(move: KeyedMove, key: Key) -> KeyedMove:
    """Add a key; the move becomes longer if the key is after its end. Raises `InputError` if there is a key at that time."""
    there = index_at(move, key.time)
    if there is not None:
        raise InputError(f"Key {there + 1} is already at {key.time:.4g} s; overwrite it or choose another time.")
    return _with_keys(move, (*move.keys, key))


def overwrite_key(move: KeyedMove, index: int, camera: CameraPath) -> KeyedMove:
    """Replace the camera of key ``index``, which then no longer follows the source; its time, easing, tangent and hold stay."""
    return _change(move, index, camera=camera.fitted(move.width, move.height), follows=False)


def move_keys(move: KeyedMove, chosen: Collection[int], seconds: float, *, ripple: bool = False) -> KeyedMove:
    """Move the ``chosen`` keys later by ``seconds`` (earlier if negative), past other keys too. ``ripple``: all keys after the first
    of them move along, and the duration changes by as much. Raises `InputError` if two keys would coincide or one come before 0."""
    indices = check_chosen(move, chosen)
    along = range(min(indices), len(move.keys)) if ripple else indices
    earliest = min(move.keys[index].time for index in along) + seconds
    if earliest < -SAME_TIME:
        raise InputError(f"A key cannot come before the start of the move; it would be at {earliest:.4g} s.")
    keys = [
        replace(key, time=max(key.time + seconds, 0.0)) if index in along else key
        for index, key in enumerate(move.keys)
    ]
    return _with_keys(move, keys, seconds=move.seconds + seconds if ripple else move.seconds)


def copy_keys(move: KeyedMove, chosen: Collection[int], at: float) -> KeyedMove:
    """Copy the ``chosen`` keys; the earliest copy is at ``at`` seconds, the others keep their distances to it."""
    copies = [move.keys[index] for index in check_chosen(move, chosen)]
    for key in copies:
        move = add_key(move, replace(key, time=key.time - copies[0].time + at))
    return move


def delete_keys(move: KeyedMove, chosen: Collection[int], *, ripple: bool = False) -> KeyedMove:
    """Remove the ``chosen`` keys. ``ripple`` closes the gap: later keys move up by the time from the first removed key to the next
    remaining one. Raises `InputError` if no key would be left."""
    indices = check_chosen(move, chosen)
    remaining = [key for index, key in enumerate(move.keys) if index not in indices]
    if not remaining:
        raise InputError("A move keeps at least one key; add another one first.")
    if not ripple:
        return replace(move, keys=tuple(remaining))
    start = move.keys[indices[0]].time
    after = [key.time for key in remaining if key.time > start]
    gap = after[0] - start if after else 0.0
    keys = [replace(key, time=key.time - gap) if key.time > start else key for key in remaining]
    return _with_keys(move, keys, seconds=move.seconds - gap)


def set_easing(move: KeyedMove, chosen: Collection[int], easing: str) -> KeyedMove:
    """Set the easing from each ``chosen`` key to the next."""
    return _each(move, chosen, easing=easing)


def set_tangent(move: KeyedMove, chosen: Collection[int], tangent: Tangent) -> KeyedMove:
    return _each(move, chosen, tangent=tangent)


def hold_key(move: KeyedMove, index: int, seconds: float, *, ripple: bool = True) -> KeyedMove:
    """Hold the camera at key ``index`` for ``seconds``. ``ripple``: later keys keep their distance from the end of the hold."""
    (index,) = check_chosen(move, [index])
    more = seconds - move.keys[index].hold
    keys = [
        replace(key, hold=seconds) if number == index
        else replace(key, time=key.time + more) if ripple and number > index else key
        for number, key in enumerate(move.keys)
    ]  # fmt: skip
    return _with_keys(move, keys, seconds=move.seconds + more if ripple else move.seconds)


def retime(move: KeyedMove, seconds: float) -> KeyedMove:
    """Stretch the whole move to ``seconds``, both times and holds."""
    factor = seconds / move.seconds
    keys = tuple(replace(key, time=key.time * factor, hold=key.hold * factor) for key in move.keys)
    return replace(move, keys=keys, seconds=seconds)


def rename_key(move: KeyedMove, index: int, name: str) -> KeyedMove:
    return _change(move, index, name=name.strip()[:80])


def set_loop(move: KeyedMove, loop: bool) -> KeyedMove:
    """Make the move return to its first key, or not. A move that ends at its last key grows by the mean time between keys."""
    last = move.keys[-1].leaves
    if loop and not move.loop and last >= move.seconds - SAME_TIME:
        mean = (last - move.keys[0].time) / max(len(move.keys) - 1, 1)
        return replace(move, loop=True, seconds=move.seconds + (mean or move.seconds))
    return replace(move, loop=loop)


def over_source(move: KeyedMove, source: CameraPath) -> KeyedMove:
    """Lay the keys over a clip's camera, each at its own time. A move longer than the clip is compressed to fit.

    A key that is the source's own camera follows it. An end with another key on it is not the source's frame.
    Shape, speed and loop of the whole move are then the source's.
    """
    source, length = source.fitted(move.width, move.height), seconds_of(source)
    if move.seconds > length:
        move = retime(replace(move, loop=False, source=None), length)
    at = [source.between([key.time * source.fps]) for key in move.keys]
    keys = tuple(replace(key, follows=_is_same(key.camera, own)) for key, own in zip(move.keys, at))
    first, last = keys[0], keys[-1]
    return KeyedMove(
        keys, length, curve=move.curve, source=source, same_first=first.follows or first.time > SAME_TIME,
        same_last=last.follows or last.leaves < length - SAME_TIME,
    )  # fmt: skip


def follow_source(move: KeyedMove, seconds: float) -> KeyedMove:
    """Let the source take over again at ``seconds``: a key at that time follows it; if there is none, one is added."""
    if move.source is None:
        raise InputError("This move has no clip's camera to return to.")
    there = index_at(move, seconds)
    if there is not None:
        return _change(move, there, follows=True)
    return add_key(move, Key(move.source.sliced(slice(0, 1)), seconds, tangent="rest", follows=True))


def _is_same(one: CameraPath, other: CameraPath) -> bool:
    same = np.allclose(one.world_from_camera, other.world_from_camera, atol=1e-9)
    return bool(same and np.allclose(one.intrinsics, other.intrinsics, rtol=1e-9))


def index_at(move: KeyedMove, seconds: float) -> int | None:
    """Index of the key at a time, or None."""
    return next((i for i, key in enumerate(move.keys) if abs(key.time - seconds) <= SAME_TIME), None)


def _with_keys(move: KeyedMove, keys: Collection[Key], seconds: float | None = None) -> KeyedMove:
    ordered = tuple(sorted(keys, key=lambda key: key.time))
    if move.source is not None:
        return replace(move, keys=ordered)
    seconds = max(move.seconds if seconds is None else seconds, ordered[-1].leaves)
    return replace(move, keys=ordered, seconds=seconds)


def _each(move: KeyedMove, chosen: Collection[int], **changes) -> KeyedMove:
    indices = check_chosen(move, chosen)
    keys = tuple(replace(key, **changes) if index in indices else key for index, key in enumerate(move.keys))
    return replace(move, keys=keys)


def _change(move: KeyedMove, index: int, **changes) -> KeyedMove:
    return _each(move, [index], **changes)


def check_chosen(move: KeyedMove, chosen: Collection[int]) -> list[int]:
    """The chosen indices in ascending order; raises `InputError` for none, or for an index without a key."""
    indices = sorted(set(chosen))
    if not indices:
        raise InputError("Choose a key first.")
    if indices[0] < 0 or indices[-1] >= len(move.keys):
        raise InputError(f"The move has keys 1 to {len(move.keys)}; there is no key {indices[-1] + 1}.")
    return indices
