"""Edit commands as plain dictionaries, as a timeline or a program sends them, and their names in the undo history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.editing import edits
from camera.editing.fit import fit_keys
from camera.editing.keys import Key, KeyedMove, key_every_frame
from camera.editing.numbers import KeyNumbers, numbers_of, with_numbers
from camera.editing.targets import along_stroke, follow_target, keep_framed, look_at_target, orbit_target
from camera.editing.track import key_at, overridden_stretches
from camera.errors import InputError, reading
from camera.path import CameraPath
from camera.rotation import UP, from_pan_tilt_roll

MOST_DEGREES = 3600.0
STROKE_FRAMES = 121
"""Cameras sampled along a drawn line, to which its keys are fitted."""
MOST_POINTS = 20_000
"""Maximum number of points of a drawn line."""
DEGREES_BETWEEN_KEYS = 15.0
"""Spacing of the keys of an orbit: the curve through them deviates from the circle by less than half a percent of its radius."""

Command = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class EditResult:
    """The ``move`` after an edit. ``name``: name of the edit, as in "Undo: retime key 3"; ``chosen``: keys to select now."""

    move: KeyedMove
    name: str
    chosen: tuple[int, ...] = ()


def apply_command(move: KeyedMove, command: Command, *, origin: CameraPath) -> EditResult:
    """Apply the edit that ``command`` names in "do". ``origin``: the picture's camera, to which typed numbers are relative.

    Names: add, append, overwrite, move, copy, delete, ease, tangent, hold, retime, rename, numbers, begin, shift, turn, stroke, look_at,
    size, orbit, follow, loop, speed, shape; and, for a move over a clip's camera, follow_clip, ends. A target is "point", or "way", one
    point for each chosen key. "chosen" has key indices from 0, times are seconds. Raises `InputError` for anything else.
    """
    name = command.get("do")
    if not isinstance(name, str) or name not in _EDITS:
        raise InputError(f"Unknown edit {name!r:.40}; the edits are {', '.join(_EDITS)}.")
    return _EDITS[name](move, command, origin)


def describe_move(move: KeyedMove, *, origin: CameraPath) -> dict[str, Any]:
    """A move as plain values for a timeline: curve and duration, and time, hold, easing, tangent, name and numbers of each key."""
    keys = [
        {
            "time": key.time,
            "hold": key.hold,
            "easing": key.easing,
            "tangent": key.tangent,
            "name": key.name,
            "follows": key.follows,
        }
        | vars(numbers_of(key.camera, origin.world_from_camera[0]))
        for key in move.keys
    ]
    whole = {"seconds": move.seconds, "loop": move.loop, "curve": move.curve, "easing": move.easing}
    speed = [list(point) for point in move.speed]
    if move.source is not None:
        ends = {"same_first": move.same_first, "same_last": move.same_last}
        whole |= ends | {"overridden": overridden_stretches(move), "clip_frames": len(move.source)}
    whole["over_clip"] = move.source is not None
    return {**whole, "constant_speed": move.constant_speed, "speed": speed, "keys": keys}


def read_camera(value: Any, like: CameraPath | None = None) -> CameraPath:
    """A camera (a path of one frame) from a message: {pose: 16 numbers, lens: 9 numbers, width, height}; fitted to the size of
    ``like`` if given. Raises `InputError` if the message is not a camera."""
    try:
        pose = np.array(value["pose"], np.float64).reshape(1, 4, 4)
        lens = np.array(value["lens"], np.float64).reshape(3, 3)
        width, height = int(value["width"]), int(value["height"])
    except (TypeError, KeyError, ValueError, OverflowError):
        raise InputError("The view for the new key came without a camera; try again.") from None
    camera = CameraPath(pose, lens, width, height)
    return camera if like is None else camera.fitted(like.width, like.height)


def write_camera(camera: CameraPath) -> dict[str, Any]:
    """A camera (a path of one frame) as a message that `read_camera` reads."""
    numbers = {"pose": camera.world_from_camera[0].ravel().tolist(), "lens": camera.intrinsics[0].ravel().tolist()}
    return {**numbers, "width": camera.width, "height": camera.height}


def _add(move: KeyedMove, command: Command, origin: CameraPath) -> EditResult:
    time = _read_number(command, "time")
    there = edits.index_at(move, time)
    camera = read_camera(command.get("camera"), origin) if command.get("camera") else key_at(move, time).camera
    if there is not None:
        return EditResult(edits.overwrite_key(move, there, camera), f"overwrite key {there + 1}", (there,))
    move = edits.add_key(move, Key(camera, time))
    number = edits.index_at(move, time) or 0
    return EditResult(move, f"add key {number + 1}", (number,))


def _append(move: KeyedMove, command: Command, origin: CameraPath) -> EditResult:
    """Append a camera after the last key. If that key is at the end of the move, all keys are compressed to keep the duration."""
    if move.source is not None:
        raise InputError("Over a clip's camera, keys must be at its frames; go to a frame and add the key there.")
    last, count = move.keys[-1], len(move.keys)
    camera = read_camera(command.get("camera"), origin)
    apart = (last.time - move.keys[0].time) / (count - 1) if count > 1 else move.seconds
    if not move.loop and last.leaves < move.seconds - 0.5 * apart:
        return EditResult(edits.add_key(move, Key(camera, move.seconds)), f"add key {count + 1}", (count,))
    longer = replace(move, seconds=move.seconds + apart)
    longer = edits.add_key(longer, Key(camera, last.leaves + apart))
    return EditResult(edits.retime(longer, move.seconds), f"add key {count + 1}", (count,))


def _overwrite(move: KeyedMove, command: Command, origin: CameraPath) -> EditResult:
    (number,) = _read_chosen(command)[:1]
    camera = read_camera(command.get("camera"), origin)
    return EditResult(edits.overwrite_key(move, number, camera), f"overwrite key {number + 1}", (number,))


def _move(move: KeyedMove, command: Command, origin: CameraPath) -> EditResult:
    chosen, by = _read_chosen(command), _read_number(command, "seconds")
    after = edits.move_keys(move, chosen, by, ripple=command.get("ripple") is True)
    return EditResult(after, f"retime {_keys(chosen)}", _shift_chosen(move, after, chosen, by))


def _copy(move: KeyedMove, command: Command, origin: CameraPath) -> EditResult:
    chosen, time = _read_chosen(command), _read_number(command, "time")
    after = edits.copy_keys(move, chosen, time)
    first = move.keys[min(chosen)].time
    return EditResult(after, f"copy {_keys(chosen)}", _shift_chosen(move, after, chosen, time - first))


def _delete(move: KeyedMove, command: Command, origin: CameraPath) -> EditResult:
    chosen = _read_chosen(command)
    return EditResult(edits.delete_keys(move, chosen, ripple=command.get("ripple") is True), f"delete {_keys(chosen)}")


def _ease(move: KeyedMove, command: Command, origin: CameraPath) -> EditResult:
    chosen = _read_chosen(command)
    return EditResult(edits.set_easing(move, chosen, str(command.get("easing"))), f"ease {_keys(chosen)}", chosen)


def _tangent(move: KeyedMove, command: Command, origin: CameraPath) -> EditResult:
    chosen = _read_chosen(command)
    after = edits.set_tangent(move, chosen, str(command.get("tangent")))  # type: ignore[arg-type]
    return EditResult(after, f"tangent of {_keys(chosen)}", chosen)


def _hold(move: KeyedMove, command: Command, origin: CameraPath) -> EditResult:
    (number,) = _read_chosen(command)[:1]
    after = edits.hold_key(move, number, _read_number(command, "seconds"), ripple=command.get("ripple") is not False)
    return EditResult(after, f"hold at key {number + 1}", (number,))


def _retime(move: KeyedMove, command: Command, origin: CameraPath) -> EditResult:
    return EditResult(edits.retime(move, _read_number(command, "seconds")), "duration")


def _rename(move: KeyedMove, command: Command, origin: CameraPath) -> EditResult:
    (number,) = _read_chosen(command)[:1]
    return EditResult(
        edits.rename_key(move, number, str(command.get("name", ""))), f"name of key {number + 1}", (number,)
    )


def _numbers(move: KeyedMove, command: Command, origin: CameraPath) -> EditResult:
    """Set the given numbers of a key; the others are unchanged."""
    (number,) = _read_chosen(command)[:1]
    edits.check_chosen(move, [number])
    known = vars(KeyNumbers())
    given = {name: _read_number(command, name) for name in known if name in command}
    if not given:
        raise InputError(f"A number of a key is one of {', '.join(known)}.")
    start = origin.world_from_camera[0]
    camera = move.keys[number].camera
    changed = with_numbers(camera, replace(numbers_of(camera, start), **given), start)
    return EditResult(edits.overwrite_key(move, number, changed), f"{', '.join(given)} of key {number + 1}", (number,))


def _begin(move: KeyedMove, command: Command, origin: CameraPath) -> EditResult:
    """Transform the whole move so that it begins at the picture's camera; over a clip's camera, make the first frame the clip's."""
    if move.source is not None:
        return EditResult(replace(move, same_first=True), "begin as the clip")
    cameras = move.cameras.moved_to(origin.world_from_camera[0])
    return EditResult(move.with_cameras(cameras), "begin at the picture")


def _follow_clip(move: KeyedMove, command: Command, origin: CameraPath) -> EditResult:
    """From "time" on, the move follows the clip's own camera again."""
    time = _read_number(command, "time")
    move = edits.follow_source(move, time)
    number = edits.index_at(move, time) or 0
    return EditResult(move, f"follow the clip at key {number + 1}", (number,))


def _ends(move: KeyedMove, command: Command, origin: CameraPath) -> EditResult:
    """Set whether the first and the last frame are the clip's own; only the given ones change."""
    given = {name: command[name] for name in ("same_first", "same_last") if isinstance(command.get(name), bool)}
    if not given or move.source is None:
        raise InputError("The edit needs same_first or same_last as true or false, and a clip's camera under the keys.")
    (name, same), *_ = given.items()
    return EditResult(replace(move, **given), f"{'same' if same else 'own'} {name.removeprefix('same_')} frame")


def _shift(move: KeyedMove, command: Command, origin: CameraPath) -> EditResult:
    """Move the chosen keys "by" (x, y, z) in scene units along the world axes, or with "own" along each camera's axes."""
    chosen, cameras = _cameras_of(move, command)
    poses = cameras.world_from_camera.copy()
    by = _read_three(command, "by")
    poses[:, :3, 3] += poses[:, :3, :3] @ by if command.get("own") is True else by
    return EditResult(_overwrite_keys(move, chosen, cameras.with_poses(poses)), f"move {_keys(chosen)}", chosen)


def _turn(move: KeyedMove, command: Command, origin: CameraPath) -> EditResult:
    """Turn the chosen keys "by" pan, tilt and roll in degrees about the world axes, or with "own" about their own."""
    chosen, cameras = _cameras_of(move, command)
    poses, turn = cameras.world_from_camera.copy(), from_pan_tilt_roll(*_read_three(command, "by"))
    poses[:, :3, :3] = poses[:, :3, :3] @ turn if command.get("own") is True else turn @ poses[:, :3, :3]
    return EditResult(_overwrite_keys(move, chosen, cameras.with_poses(poses)), f"turn {_keys(chosen)}", chosen)


def _stroke(move: KeyedMove, command: Command, origin: CameraPath) -> EditResult:
    """Replace all keys by a move along a line drawn from above ("points": x and z of the world). It starts with the first key's camera,
    which keeps its direction or, with "ahead", faces along the line."""
    with reading("A line from above is points of x and z; draw it again."):
        line = np.array(command["points"], np.float64)
        if len(line) > MOST_POINTS:
            raise ValueError("too long")
    path = along_stroke(move.keys[0].camera, line, STROKE_FRAMES, ahead=command.get("ahead") is True)
    drawn = edits.retime(fit_keys(path).move, move.seconds)
    return EditResult(drawn, "draw the move from above")


def _read_three(command: Command, name: str) -> NDArray[np.float64]:
    given = command.get(name)
    if not isinstance(given, list) or len(given) != 3:
        raise InputError(f"The edit needs {name} as three numbers, got {given!r:.40}.")
    return np.array([_read_number({name: value}, name) for value in given])


def _look_at(move: KeyedMove, command: Command, origin: CameraPath) -> EditResult:
    """Turn the chosen keys, or all, to look at a point of the world."""
    chosen, cameras = _cameras_of(move, command)
    return EditResult(
        _overwrite_keys(move, chosen, look_at_target(cameras, _read_point(command))),
        f"look at a point with {_keys(chosen)}",
        chosen,
    )


def _size(move: KeyedMove, command: Command, origin: CameraPath) -> EditResult:
    """Set the lenses of the chosen keys, or all, so that a point keeps its size in the first of them."""
    chosen, cameras = _cameras_of(move, command)
    return EditResult(
        _overwrite_keys(move, chosen, keep_framed(cameras, _read_point(command))),
        f"keep size in {_keys(chosen)}",
        chosen,
    )


def _orbit(move: KeyedMove, command: Command, origin: CameraPath) -> EditResult:
    """Replace all keys by an orbit of "degrees" about a point, from the first chosen key or the first of all."""
    degrees = _read_number(command, "degrees")
    if not 0 < abs(degrees) <= MOST_DEGREES:
        raise InputError(f"An orbit is limited to {MOST_DEGREES:g} degrees and cannot be 0, got {degrees:g}.")
    (number, *_), cameras = _cameras_of(move, command)
    turns = np.linspace(0, degrees, 1 + max(2, int(np.ceil(abs(degrees) / DEGREES_BETWEEN_KEYS))))
    point = np.atleast_2d(_read_point(command))[0]
    path = orbit_target(cameras.sliced(slice(0, 1)), point, turns, up=UP)
    return EditResult(key_every_frame(path, move.seconds), f"orbit {degrees:g} degrees from key {number + 1}")


def _follow(move: KeyedMove, command: Command, origin: CameraPath) -> EditResult:
    """Make the chosen keys, or all keys, follow a moving target."""
    (chosen, cameras), way = _cameras_of(move, command), _read_point(command)
    if way.ndim == 1 or np.ptp(way, axis=0).max() < 1e-9:
        raise InputError("That target does not move; pick a point on an object that moves.")
    return EditResult(
        _overwrite_keys(move, chosen, follow_target(cameras, way)), f"follow with {_keys(chosen)}", chosen
    )


def _cameras_of(move: KeyedMove, command: Command) -> tuple[tuple[int, ...], CameraPath]:
    """The chosen keys, or all keys that do not follow a clip, and their cameras."""
    own = tuple(number for number, key in enumerate(move.keys) if not key.follows)
    chosen = _read_chosen(command) if command.get("chosen") else own
    return chosen, move.cameras.sliced(edits.check_chosen(move, chosen))  # type: ignore[arg-type]


def _overwrite_keys(move: KeyedMove, chosen: tuple[int, ...], cameras: CameraPath) -> KeyedMove:
    for place, number in enumerate(chosen):
        move = edits.overwrite_key(move, number, cameras.sliced(slice(place, place + 1)))
    return move


def _read_point(command: Command) -> NDArray[np.float64]:
    if command.get("way") is not None:
        with reading("The way of a target is a list of points, three numbers each, one for every chosen key."):
            way = np.array(command["way"], dtype=np.float64)
            if way.ndim != 2 or way.shape[1] != 3 or not np.isfinite(way).all():
                raise ValueError("no points")
        return way
    given = command.get("point")
    point = [_read_number({"point": value}, "point") for value in (given if isinstance(given, list | str) else [])]
    if len(point) != 3:
        raise InputError("A target is a point, three numbers; pick one in the picture or in 3D first.")
    return np.array(point)


def _loop(move: KeyedMove, command: Command, origin: CameraPath) -> EditResult:
    return EditResult(edits.set_loop(move, command.get("loop") is True), "loop")


def _shape(move: KeyedMove, command: Command, origin: CameraPath) -> EditResult:
    """Set the curve, overall easing and constant speed of the move; only the given ones change."""
    kinds = {"curve": str, "easing": str, "constant_speed": bool}
    given = {name: command[name] for name in kinds if name in command}
    if not given or not all(isinstance(value, kinds[name]) for name, value in given.items()):
        raise InputError(f"The edit needs one of {', '.join(kinds)}.")
    return EditResult(replace(move, **given), " and ".join(name.replace("_", " ") for name in given))


def _speed(move: KeyedMove, command: Command, origin: CameraPath) -> EditResult:
    points = command.get("points") or []
    try:
        graph = tuple((float(share), float(speed)) for share, speed in points)
    except (TypeError, ValueError):
        raise InputError("A speed graph is a list of points: share of the time, relative speed.") from None
    return EditResult(replace(move, speed=graph), "speed graph")


_EDITS: dict[str, Callable[[KeyedMove, Command, CameraPath], EditResult]] = {
    "add": _add, "append": _append, "overwrite": _overwrite, "move": _move, "copy": _copy, "delete": _delete, "ease": _ease,
    "tangent": _tangent, "hold": _hold, "retime": _retime, "rename": _rename, "numbers": _numbers, "begin": _begin, "shift": _shift,
    "turn": _turn, "stroke": _stroke, "look_at": _look_at,
    "size": _size, "orbit": _orbit, "follow": _follow,
    "follow_clip": _follow_clip, "ends": _ends, "loop": _loop, "speed": _speed, "shape": _shape,
}  # fmt: skip


def _read_number(command: Command, name: str) -> float:
    value = command.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise InputError(f"The edit needs {name} as a number, got {value!r:.40}.")
    return float(value)


def _read_chosen(command: Command) -> tuple[int, ...]:
    chosen = command.get("chosen")
    if not isinstance(chosen, list) or not chosen or not all(type(each) is int for each in chosen):
        raise InputError("Choose a key first.")
    return tuple(sorted(set(chosen)))


def _shift_chosen(before: KeyedMove, after: KeyedMove, chosen: tuple[int, ...], by: float) -> tuple[int, ...]:
    """Indices of the chosen keys after they were moved ``by`` seconds."""
    found = (edits.index_at(after, max(before.keys[number].time + by, 0.0)) for number in chosen)
    return tuple(number for number in found if number is not None)


def _keys(chosen: tuple[int, ...]) -> str:
    numbers = ", ".join(str(number + 1) for number in chosen)
    return f"key{'s' * (len(chosen) > 1)} {numbers}"
