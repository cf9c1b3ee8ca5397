"""Sequences and combinations of film moves, and the short text that describes them.

``dolly 0.4 ease; arc 30 + pedestal -0.1; hold`` has three parts: a dolly, an arc with a simultaneous pedestal, a hold.
A move is a name of `camera.trajectories.film.MOVES`, its amount (a number, or a direction word and a number: ``truck left 0.3``),
and any of: an easing, a duration (``2s``), a speed (``at 10``: units per second), a share of the free time (``share 2``),
a hold before or after it (``wait 0.5s``, ``rest 0.5s``), a ``seed 3`` for handheld.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import CameraPath
from camera.trajectories.film import MOVES, START, Stand, handheld_sway, move_rig
from camera.trajectories.keyframes import EASINGS, ease
from camera.view import View

LONGEST_TEXT, MOST_PARTS = 4000, 100
FADE_SECONDS = 0.4
"""Duration over which handheld motion fades in and out between parts with and without it."""


@dataclass(frozen=True)
class Move:
    """One move of a part. ``amount`` is in the unit of its kind.

    At most one of ``seconds`` and ``speed`` (units per second) sets its duration; otherwise it fills its part. Parts without
    a fixed duration divide the free time of the clip by ``share``. ``wait`` and ``rest`` are holds before and after, in seconds.
    """

    kind: str
    amount: float = 0.0
    easing: str = "linear"
    seconds: float | None = None
    speed: float | None = None
    share: float = 1.0
    wait: float = 0.0
    rest: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        known = MOVES.get(self.kind)
        if known is None:
            raise InputError(f"Unknown move {self.kind!r}; the moves are {', '.join(MOVES)}.")
        if not known.minimum <= self.amount <= known.maximum:
            raise InputError(
                f"{self.kind} must lie between {known.minimum:g} and {known.maximum:g} {known.unit}; got {self.amount:g}."
            )
        if self.easing not in EASINGS:
            raise InputError(f"Unknown easing {self.easing!r} of {self.kind}; choose one of {', '.join(EASINGS)}.")
        if self.seconds is not None and self.speed is not None:
            raise InputError(f"{self.kind} has a duration and a speed; give one of them.")
        if self.speed is not None and (known.unit == "" or self.kind in ("handheld", "zoom", "eight")):
            raise InputError(f"{self.kind} has no speed; give its duration, like '2s'.")
        for name, value in (("duration", self.seconds), ("speed", self.speed), ("share", self.share)):
            if value is not None and not 0.01 <= value <= 10_000:
                raise InputError(f"The {name} of {self.kind} must lie between 0.01 and 10000; got {value:g}.")
        for name, value in (("wait", self.wait), ("rest", self.rest)):
            if not 0 <= value <= 10_000:
                raise InputError(f"The {name} of {self.kind} must lie between 0 and 10000 seconds; got {value:g}.")

    @property
    def fixed_seconds(self) -> float | None:
        """The move's own duration, if it is fixed."""
        return abs(self.amount) / self.speed if self.speed else self.seconds


Part = tuple[Move, ...]
"""Simultaneous moves."""


def path_of(moves: str | Sequence[Part], view: View, *, frames: int, fps: float = 24.0) -> CameraPath:
    """The path of these moves from the camera of ``view``, with ``frames`` frames; the last part ends at the last frame.

    Distances are in units of the view's `focus_depth`, the depth of the subject. Time left over by fixed durations is a hold
    at the end. Raises `InputError` for invalid text, and if fixed durations exceed the clip.
    """
    parts = parse_moves(moves) if isinstance(moves, str) else tuple(tuple(part) for part in moves)
    if frames < 1 or not fps > 0:
        raise InputError(f"A path needs at least one frame and a positive rate, got {frames} at {fps:g} per second.")
    distance = view.focus_depth
    seconds = np.arange(frames) / fps
    lengths = _lengths(parts, (frames - 1) / fps)
    rig = _rig(parts, lengths, seconds, distance)
    poses = np.repeat(np.eye(4)[None], frames, axis=0)
    poses[:, :3, :3], poses[:, :3, 3] = rig.rotation, rig.position
    for seed, degrees in _handheld(parts, lengths, seconds).items():
        poses = poses @ handheld_sway(seconds, degrees, seed=seed, distance=distance)
    lens = np.repeat(view.intrinsics[None], frames, axis=0)
    lens[:, :2, :2] *= rig.lens[:, None, None]
    return CameraPath(view.world_from_camera @ poses, lens, view.width, view.height, fps)


def parse_moves(text: str) -> tuple[Part, ...]:
    """The parts that a text describes; raises `InputError` that names the word it cannot use."""
    if len(text) > LONGEST_TEXT:
        raise InputError(f"The moves are {len(text)} characters long; the limit is {LONGEST_TEXT}.")
    parts = [part for part in re.split(r"[;\n]", text.lower()) if part.strip()]
    if not parts:
        raise InputError("Write at least one move, for example 'dolly 0.4 ease; arc 30'.")
    if len(parts) > MOST_PARTS:
        raise InputError(f"There are {len(parts)} parts; at most {MOST_PARTS} are possible.")
    # A plus joins moves where a space follows it; "+5" is a number.
    return tuple(tuple(_move(words.split()) for words in re.split(r"\+(?=\s|$|[a-z])", part)) for part in parts)


def write_moves(parts: Sequence[Part]) -> str:
    """The text that `parse_moves` reads back as the same parts."""
    return "; ".join(" + ".join(_words(move) for move in part) for part in parts)


def _words(move: Move) -> str:
    words = [move.kind]
    if MOVES[move.kind].unit:
        words.append(f"{move.amount!r}".removesuffix(".0"))
    if move.easing != "linear":
        words.append(move.easing)
    if move.seconds is not None:
        words.append(f"{move.seconds!r}s")
    for name, value, unset, unit in (
        ("at", move.speed, None, ""), ("share", move.share, 1.0, ""), ("wait", move.wait, 0.0, "s"),
        ("rest", move.rest, 0.0, "s"), ("seed", move.seed, 0, ""),
    ):  # fmt: skip
        if value != unset:
            words.append(f"{name} {value!r}{unit}")
    return " ".join(words)


_OPTIONS = {"at": "speed", "share": "share", "wait": "wait", "rest": "rest", "seed": "seed"}


def _move(words: list[str]) -> Move:
    if not words:
        raise InputError("A move is missing beside ';' or '+'; write one there or remove the sign.")
    kind, rest = words[0], words[1:]
    if kind not in MOVES:
        raise InputError(f"Unknown move {kind!r}; the moves are {', '.join(MOVES)}.")
    amount, rest = _amount(kind, rest)
    given: dict[str, str | float] = {}
    while rest:
        name, value, rest = _option(kind, rest)
        if name in given:
            raise InputError(f"{kind} has its {name} twice; remove one.")
        given[name] = value
    return Move(kind, amount, **given)  # type: ignore[arg-type]


def _option(kind: str, words: list[str]) -> tuple[str, str | float, list[str]]:
    """The field of `Move` and its value from the next words, and the remaining words."""
    word, rest = words[0], words[1:]
    if word in EASINGS:
        return "easing", word, rest
    if re.fullmatch(r"[0-9.]+s", word):
        return "seconds", _number(word[:-1], f"after {kind}"), rest
    if word not in _OPTIONS:
        raise InputError(
            f"{word!r} after {kind} is not understood; an easing ({', '.join(EASINGS)}), a duration like 2s, "
            f"or one of {', '.join(_OPTIONS)} is expected there."
        )
    if not rest:
        raise InputError(f"{word!r} after {kind} needs a number, like '{word} 2'.")
    value = _number(rest[0].removesuffix("s"), f"after {word!r}")
    if word == "seed":
        if value != int(value) or not 0 <= value < 2**32:
            raise InputError(f"The seed of {kind} must be a whole number from 0 to 4294967295, got {rest[0]}.")
        value = int(value)
    return _OPTIONS[word], value, rest[1:]


def _amount(kind: str, words: list[str]) -> tuple[float, list[str]]:
    """The signed amount of a move, and the remaining words."""
    move = MOVES[kind]
    if not move.unit:
        if words and re.fullmatch(r"[-+.0-9]+", words[0]) and words[0] != "0":
            raise InputError(f"{kind} has no amount, got {words[0]!r}; give a duration, like '{kind} 2s'.")
        return 0.0, words[1:] if words and words[0] == "0" else words
    sign = 1.0
    if words and words[0] in (move.positive, move.negative):
        sign, words = (1.0 if words[0] == move.positive else -1.0), words[1:]
    if not words or not re.match(r"[-+.0-9]", words[0]) or words[0].endswith("s"):
        return sign * move.default, words
    return sign * _number(words[0].removesuffix("°"), f"after {kind}"), words[1:]


def _number(word: str, where: str) -> float:
    if not re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", word):
        raise InputError(f"A number was expected {where}, got {word!r}.")
    return float(word)


def _fixed_seconds(part: Part) -> float | None:
    """The duration of a part in seconds, if the duration or speed of one of its moves fixes it."""
    fixed = [move.wait + seconds + move.rest for move in part if (seconds := move.fixed_seconds) is not None]
    return max(fixed) if fixed else None


def _lengths(parts: Sequence[Part], total: float) -> NDArray[np.float64]:
    """(P,) seconds of every part."""
    fixed = [_fixed_seconds(part) for part in parts]
    fixed_total = sum(seconds for seconds in fixed if seconds is not None)
    free = total - fixed_total
    shares = sum(max(move.share for move in part) for part, seconds in zip(parts, fixed) if seconds is None)
    if total > 0 and (free < -1e-6 * total or (shares and free <= 1e-6 * total)):
        raise InputError(
            f"The durations of the moves add up to {fixed_total:.4g} s, but the clip lasts {total:.4g} s; shorten them, "
            "or take more frames or fewer frames per second."
        )
    lengths = [
        seconds if seconds is not None else max(free, 0) * max(move.share for move in part) / shares
        for part, seconds in zip(parts, fixed)
    ]
    for part, length in zip(parts, lengths):
        short = [move for move in part if total > 0 and move.wait + move.rest >= length]
        if short:
            raise InputError(
                f"{short[0].kind} waits and rests for {short[0].wait + short[0].rest:.4g} s, but its part lasts only "
                f"{length:.4g} s; shorten the holds or give the part more time."
            )
    return np.array(lengths)


def _progress(move: Move, length: float, elapsed: NDArray) -> NDArray[np.float64]:
    """Eased progress (F,) of a move ``elapsed`` (F,) seconds into its part."""
    lasts = move.fixed_seconds
    lasts = length - move.wait - move.rest if lasts is None else lasts
    return ease((elapsed - move.wait) / lasts if lasts > 0 else np.ones(len(elapsed)), move.easing)


def _rig(parts: Sequence[Part], lengths: NDArray, seconds: NDArray, distance: float) -> Stand:
    """The rig at every frame. A frame on the border of two parts belongs to the first; frames after the end belong to the last part."""
    ends = np.cumsum(lengths)
    owner = np.minimum(np.searchsorted(ends, seconds - 1e-9), len(parts) - 1)
    start, poses = START, []
    for index, (part, length) in enumerate(zip(parts, lengths)):
        elapsed = np.append(seconds[owner == index] - (ends[index] - length), length)
        moves = [(move.kind, move.amount, _progress(move, length, elapsed)) for move in part]
        rig = move_rig(start, moves, distance=distance)
        poses.append(rig)
        start = rig.at(-1)
    return Stand(
        np.concatenate([rig.rotation[:-1] for rig in poses]),
        np.concatenate([rig.position[:-1] for rig in poses]),
        np.concatenate([rig.lens[:-1] for rig in poses]),
    )


def _handheld(parts: Sequence[Part], lengths: NDArray, seconds: NDArray) -> dict[int, NDArray]:
    """Strength in degrees (F,) by seed; changes between parts are spread over `FADE_SECONDS`."""
    strength: dict[int, NDArray] = {}
    joints = np.cumsum(lengths)[:-1]
    reach = FADE_SECONDS / 2
    for part, start, end in zip(parts, [-np.inf, *joints], [*joints, np.inf]):
        overlap = np.minimum(seconds + reach, end) - np.maximum(seconds - reach, start)
        inside = np.clip(overlap, 0, None) / FADE_SECONDS
        for move in part:
            if move.kind == "handheld":
                before = strength.get(move.seed, np.zeros(len(seconds)))
                strength[move.seed] = before + move.amount * inside
    return strength
