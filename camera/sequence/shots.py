"""Sequences of shots over one scene, and continuity checks of their cuts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camera.errors import InputError
from camera.path import CameraPath
from camera.rotation import UP

CUT_DEGREES = 30.0
"""A cut between two views of a subject that differ by less looks like a mistake, unless the subject's size differs much."""
SIZE_RATIO = 1.5
"""Ratio below which two sizes of the subject count as equal."""
JUMP_DEGREES = 10.0
MOST_SHOTS = 60
"""Maximum number of shots in a sequence."""


@dataclass(frozen=True, eq=False)
class Shot:
    """One shot of the sequence."""

    name: str
    path: CameraPath


@dataclass(frozen=True)
class CutWarning:
    """``cut``: number of the cut, from 0; ``words``: what is wrong and what helps."""

    cut: int
    words: str


def join_shots(shots: tuple[Shot, ...]) -> CameraPath:
    """Join all shots into one path for an animatic.

    Raises `InputError` for none, or for shots of different size or rate.
    """
    if not shots:
        raise InputError("A sequence needs at least one shot; add one first.")
    kinds = {(shot.path.width, shot.path.height, shot.path.fps) for shot in shots}
    if len(kinds) > 1:
        raise InputError("All shots of a sequence need the same size and rate; fit or resample them first.")
    (width, height, fps) = kinds.pop()
    return CameraPath(
        np.concatenate([shot.path.world_from_camera for shot in shots]),
        np.concatenate([shot.path.intrinsics for shot in shots]), width, height, fps,
    )  # fmt: skip


def first_frames(shots: tuple[Shot, ...]) -> list[int]:
    """Frame of the sequence at which each shot begins."""
    return np.concatenate([[0], np.cumsum([len(shot.path) for shot in shots])])[:-1].astype(int).tolist()


def check_cuts(shots: tuple[Shot, ...], subject: ArrayLike, *, line: ArrayLike | None = None) -> tuple[CutWarning, ...]:
    """Find problems at the cuts: jump cuts, changes of less than 30 degrees, crossed lines of action.

    ``subject`` (3,): the point of interest. ``line`` (3,): the direction of action through it (from one person to the other, or
    along a motion); without it the line is not checked.
    """
    point = np.asarray(subject, dtype=np.float64)
    warnings = []
    for cut, (before, after) in enumerate(pairwise(shots)):
        words = _check_cut(before.path, after.path, point)
        warnings += [CutWarning(cut, words)] if words else []
        if line is not None and _crosses_line(before.path, after.path, point, np.asarray(line, dtype=np.float64)):
            warnings.append(
                CutWarning(
                    cut, f"{before.name} to {after.name} crosses the line of action: left and right change places."
                )
            )
    return tuple(warnings)


def _check_cut(before: CameraPath, after: CameraPath, subject: NDArray) -> str:
    directions = [subject - path.centres[frame] for path, frame in ((before, -1), (after, 0))]
    apart = _degrees_between(*directions)
    sizes = [
        path.intrinsics[frame, 0, 0] / path.width / max(float(np.linalg.norm(direction)), 1e-9)
        for path, frame, direction in ((before, -1, directions[0]), (after, 0, directions[1]))
    ]
    ratio = max(sizes) / min(sizes)
    if ratio >= SIZE_RATIO or apart >= CUT_DEGREES:
        return ""
    if apart < JUMP_DEGREES:
        return f"A jump cut: only {apart:.0f} degrees and {ratio:.1f} times in size; move 30 degrees around, or much closer."
    return f"The cut changes the view by {apart:.0f} degrees; under 30 it looks like a mistake."


def _crosses_line(before: CameraPath, after: CameraPath, subject: NDArray, line: NDArray) -> bool:
    """Whether the cameras on either side of a cut are on different sides of the line, seen from above."""
    across = np.cross(line, UP)
    sides = [float((path.centres[frame] - subject) @ across) for path, frame in ((before, -1), (after, 0))]
    return sides[0] * sides[1] < 0


def _degrees_between(first: NDArray, second: NDArray) -> float:
    lengths = max(float(np.linalg.norm(first) * np.linalg.norm(second)), 1e-18)
    return float(np.degrees(np.arccos(np.clip(first @ second / lengths, -1, 1))))
