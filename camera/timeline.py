"""Film moves after one another and at the same time, in one line of text.

``arc 30 ease + pedestal 0.1; hold 1s; dolly 0.4 smooth 2s``

``;`` comes after, ``+`` at the same time (each next one in the frame that those before it have reached), then per move: name,
amount, and in any order an easing, a duration in seconds (``2s``, default 1s; only their proportions count) and
``seed 7`` for a handheld camera.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from camera.errors import InputError
from camera.interpolate import EASINGS, eased
from camera.path import CameraPath
from camera.presets.film import MOVES, Way
from camera.view import View

LONGEST = 64
"""Most moves that one timeline may hold."""


@dataclass(frozen=True)
class Step:
    """One move of a timeline; ``amount`` in the unit of `MOVES`."""

    name: str
    amount: float
    easing: str = "linear"
    seed: int = 0

    def __str__(self) -> str:
        words = [self.name] if self.name == "hold" else [self.name, f"{self.amount:g}"]
        if self.easing != "linear":
            words.append(self.easing)
        if self.seed:
            words.append(f"seed {self.seed}")
        return " ".join(words)


@dataclass(frozen=True)
class Beat:
    """Moves that happen at the same time, for ``seconds``."""

    steps: tuple[Step, ...]
    seconds: float = 1.0

    def __str__(self) -> str:
        text = " + ".join(map(str, self.steps))
        return text if self.seconds == 1 else f"{text} {self.seconds:g}s"


def written(beats: Sequence[Beat]) -> str:
    """The text that `parsed` reads back to the same beats."""
    return "; ".join(map(str, beats))


def parsed(text: str) -> tuple[Beat, ...]:
    """Beats of a line of text; raises `InputError` that names the word it does not know."""
    beats = tuple(_beat(part) for part in re.split(r"[;\n]", text) if part.strip())
    if not beats:
        raise InputError("Write at least one move, for example: arc 30 ease; dolly 0.4.")
    if sum(len(beat.steps) for beat in beats) > LONGEST:
        raise InputError(f"A timeline holds at most {LONGEST} moves; take some out.")
    return beats


def path_of(moves: str | Sequence[Beat], view: View, *, frames: int, fps: float = 24.0) -> CameraPath:
    """The path of ``frames`` frames that begins at ``view``; the subject stands ahead at the view's `focus_depth`.

    Positions and directions are continuous; a later beat takes the subject to be straight ahead, as far as it then is.
    """
    beats = parsed(moves) if isinstance(moves, str) else tuple(moves)
    subject = view.world_from_camera @ np.array([0, 0, view.focus_depth, 1.0])
    ends = np.cumsum([beat.seconds for beat in beats])
    clock = np.linspace(0, ends[-1], frames) if frames > 1 else np.zeros(1)
    owner = np.minimum(np.searchsorted(ends, clock, side="left"), len(beats) - 1)
    poses, zoom = np.zeros((frames, 4, 4)), np.zeros(frames)
    start, start_zoom = np.array(view.world_from_camera), 1.0
    for index, beat in enumerate(beats):
        mine = owner == index
        share = 1 - (ends[index] - clock[mine]) / beat.seconds
        distance = float(np.linalg.norm(subject[:3] - start[:3, 3]))
        way = _together(beat, np.append(share, 1.0), distance)
        world_from_now, zooms = start @ way.start_from_now, start_zoom * way.zoom
        poses[mine], zoom[mine] = world_from_now[:-1], zooms[:-1]
        start, start_zoom = world_from_now[-1], zooms[-1]
    lenses = np.repeat(view.intrinsics[None], frames, axis=0)
    lenses[:, :2, :2] *= zoom[:, None, None]
    return CameraPath(poses, lenses, view.width, view.height, fps)


def _together(beat: Beat, share: np.ndarray, distance: float) -> Way:
    poses, zoom = np.repeat(np.eye(4)[None], len(share), axis=0), np.ones(len(share))
    for step in beat.steps:
        way = MOVES[step.name].way(eased(share, step.easing), step.amount, step.seed)
        moved = way.start_from_now.copy()
        moved[:, :3, 3] *= distance
        poses, zoom = poses @ moved, zoom * way.zoom
    return Way(poses, zoom)


def _beat(text: str) -> Beat:
    seconds = 1.0
    steps = []
    for part in text.split("+"):
        step, lasts = _step(part)
        steps.append(step)
        seconds = lasts or seconds
    return Beat(tuple(steps), seconds)


def _step(text: str) -> tuple[Step, float | None]:
    name, *words = text.split() or [""]
    if name not in MOVES:
        raise InputError(f"There is no move {name!r}; known are {', '.join(MOVES)}.")
    move, amount, easing, seed, seconds = MOVES[name], None, "linear", 0, None
    words = iter(words)
    for word in words:
        if word in EASINGS:
            easing = word
        elif word == "seed":
            seed = int(_number(next(words, ""), 0, 2**31, text))
        elif re.fullmatch(r"[\d.]+s", word):
            seconds = _number(word[:-1], 0.01, 3600, text)
        elif amount is None and name != "hold":
            amount = _number(word, move.minimum, move.maximum, text)
        else:
            raise InputError(
                f"In {text.strip()!r} the word {word!r} is not an easing ({', '.join(EASINGS)}), nor a time like 2s."
            )
    return Step(name, move.default if amount is None else amount, easing, seed), seconds


def _number(word: str, low: float, high: float, text: str) -> float:
    try:
        value = float(word)
    except ValueError:
        raise InputError(f"In {text.strip()!r} a number was expected in place of {word!r}.") from None
    if not low <= value <= high:
        raise InputError(f"In {text.strip()!r} the number must lie between {low:g} and {high:g}; got {word}.")
    return value
