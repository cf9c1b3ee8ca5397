"""A keyed move as plain JSON values, and back; input is validated."""

from __future__ import annotations

from typing import Any

import numpy as np

from camera.editing.keys import Key, KeyedMove
from camera.errors import InputError, json_kind, reading
from camera.path import CameraPath

VERSION = 2
"""Version of a move over a clip's camera; any other is written as version 1, which older programs read."""
_MOVE = {"version", "width", "height", "seconds", "curve", "easing", "constant_speed", "loop", "speed", "keys"}
_KEY = {"world_from_camera", "intrinsics", "time", "easing", "tangent", "hold", "name"}
_SOURCE = {"source", "same_first", "same_last"}
_FOLLOWS = {"follows"}


def write(move: KeyedMove) -> dict[str, Any]:
    """The whole move as plain values. Numbers have full precision, so `read` restores the same move."""
    source = {} if move.source is None else _write_source(move, move.source)
    return {
        "version": VERSION if source else 1,
        "width": move.width,
        "height": move.height,
        "seconds": move.seconds,
        "curve": move.curve,
        "easing": move.easing,
        "constant_speed": move.constant_speed,
        "loop": move.loop,
        "speed": [list(point) for point in move.speed],
        "keys": [_write_key(key) | ({"follows": key.follows} if source else {}) for key in move.keys],
        **source,
    }


def _write_source(move: KeyedMove, source: CameraPath) -> dict[str, Any]:
    cameras = {
        "world_from_camera": source.world_from_camera.tolist(),
        "intrinsics": source.intrinsics.tolist(),
        "fps": source.fps,
    }
    return {"source": cameras, "same_first": move.same_first, "same_last": move.same_last}


def _write_key(key: Key) -> dict[str, Any]:
    return {
        "world_from_camera": key.camera.world_from_camera[0].tolist(),
        "intrinsics": key.camera.intrinsics[0].tolist(),
        "time": key.time,
        "easing": key.easing,
        "tangent": key.tangent,
        "hold": key.hold,
        "name": key.name,
    }


def read(data: Any) -> KeyedMove:
    """The move that `write` wrote; raises `InputError` for anything else and for newer versions."""
    version = data.get("version", 1) if isinstance(data, dict) else 1
    if version not in (1, VERSION):
        raise InputError(f"The move is of version {version!r}; this version of Reshoot reads 1 to {VERSION}.")
    over = version == VERSION
    fields = _fields(data, _MOVE | _SOURCE if over else _MOVE, "a move")
    width, height = _whole(fields["width"], "width"), _whole(fields["height"], "height")
    if not isinstance(fields["keys"], list):
        raise InputError("The keys of a move must be a list.")
    keys = tuple(_read_key(key, width, height, over) for key in fields["keys"])
    speed = tuple((point[0], point[1]) for point in _numbers(fields["speed"], (-1, 2), "speed graph").tolist())
    return KeyedMove(
        keys, _number(fields["seconds"], "duration"), curve=_word(fields["curve"], "curve"),  # type: ignore[arg-type]
        easing=_word(fields["easing"], "easing"), constant_speed=fields["constant_speed"] is True,
        loop=fields["loop"] is True, speed=speed,
        **(_read_source(fields, width, height) if over else {}),
    )  # fmt: skip


def _read_source(fields: dict[str, Any], width: int, height: int) -> dict[str, Any]:
    source = _fields(fields["source"], {"world_from_camera", "intrinsics", "fps"}, "the clip's camera")
    poses, lenses = (
        _several(source[name], what)
        for name, what in (("world_from_camera", "cameras of the clip"), ("intrinsics", "lenses of the clip"))
    )
    path = CameraPath(poses, lenses, width, height, _number(source["fps"], "rate of the clip"))
    return {"source": path, **{name: fields[name] is True for name in ("same_first", "same_last")}}


def _read_key(data: Any, width: int, height: int, over: bool) -> Key:
    fields = _fields(data, _KEY | _FOLLOWS if over else _KEY, "a key")
    pose = _numbers(fields["world_from_camera"], (4, 4), "camera of a key")
    lens = _numbers(fields["intrinsics"], (3, 3), "lens of a key")
    return Key(
        CameraPath(pose[None], lens, width, height), _number(fields["time"], "time of a key"),
        _word(fields["easing"], "easing"), _word(fields["tangent"], "tangent"),  # type: ignore[arg-type]
        _number(fields["hold"], "hold of a key"), _word(fields["name"], "name of a key"), fields.get("follows") is True,
    )  # fmt: skip


def _fields(data: Any, names: set[str], what: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise InputError(f"There should be {what} with its fields, got {json_kind(data)}.")
    missing, strange = names - data.keys(), data.keys() - names
    if missing or strange:
        wrong = (
            f"misses {', '.join(sorted(missing))}" if missing else f"has unknown {', '.join(sorted(map(str, strange)))}"
        )
        raise InputError(f"The record of {what} {wrong}.")
    return data


def _numbers(value: Any, shape: tuple[int, int], what: str) -> np.ndarray:
    with reading(f"The {what} must be numbers in {shape[1]} columns."):
        array = np.array(value, dtype=np.float64).reshape(shape if value or shape[0] > 0 else (0, shape[1]))
    if not np.isfinite(array).all():
        raise InputError(f"The {what} holds a value that is not a finite number.")
    return array


def _several(value: Any, what: str) -> np.ndarray:
    """Matrices (N,rows,columns) of finite numbers; `CameraPath` checks their number and size."""
    with reading(f"The {what} must be matrices of numbers."):
        array = np.array(value, dtype=np.float64)
    if array.ndim != 3 or not np.isfinite(array).all():
        raise InputError(f"The {what} must be matrices of finite numbers.")
    return array


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"The {what} must be a number, got {value!r:.40}.")
    return float(value)


def _whole(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 100_000:
        raise InputError(f"The {what} must be a whole number of pixels, got {value!r:.40}.")
    return value


def _word(value: Any, what: str) -> str:
    if not isinstance(value, str) or len(value) > 200:
        raise InputError(f"The {what} must be a short text, got {value!r:.40}.")
    return value
