"""WBench's NavScore for first-person moves made of actions: does each action go in the right direction, and consistently?

After WBench's published evaluation (src/metrics/interaction/navigation_trajectory.py): amounts are taken from the shot itself, only
directions are judged. Its script was read, not run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import CameraPath
from camera.rotation import about_axis, angle_degrees, scipy_rotation, slerp

GOES = {"W": (0, 0, 1), "S": (0, 0, -1), "A": (-1, 0, 0), "D": (1, 0, 0)}
"""Translation of an action in camera axes; two at once go diagonally."""
TURNS = {"left": (0, -1, 0), "right": (0, 1, 0), "up": (1, 0, 0), "down": (-1, 0, 0)}
"""Rotation axis of an action."""
OPPOSITE = {"W": "S", "A": "D", "left": "right", "up": "down"}
MIRRORED = {"W": 2, "A": 0, "left": 0, "up": 1}
"""Camera axis whose reflection turns an action into its opposite."""
LEAST_WAY, LEAST_DEGREES = 0.5, 10.0
"""Minimum travel and rotation by which errors are divided."""
MIN_TRAVEL, MIN_DEGREES, MIN_ARC_DEGREES = 0.1, 3.0, 5.0
"""Minimum travel and degrees for a turn's shape to be used, and minimum degrees of an arc."""
USUAL_WAY, USUAL_DEGREES, SAMPLES = 1.0, 30.0, 20


@dataclass(frozen=True)
class Turn:
    """Frames ``start`` to ``end`` (exclusive) of one ``action``: W, S, A, D, left, right, up, down, joined by +."""

    start: int
    end: int
    action: str

    @property
    def parts(self) -> tuple[str, ...]:
        parts = tuple(part.strip() for part in self.action.split("+"))
        if not parts or any(part not in GOES and part not in TURNS for part in parts):
            raise InputError(f"An action is made of {', '.join((*GOES, *TURNS))}, joined by +; got {self.action!r}.")
        return parts


@dataclass(frozen=True)
class Navigation:
    """``accuracy`` and ``consistency`` in 0..1. ``consistency`` and ``score``, the mean of both, are None without two comparable turns."""

    accuracy: float
    consistency: float | None

    @property
    def score(self) -> float | None:
        return None if self.consistency is None else (self.accuracy + self.consistency) / 2


def navigation(path: CameraPath, turns: Sequence[Turn]) -> Navigation:
    """NavScore of ``path``, which should perform these ``turns`` in order.

    Raises `InputError` for turns outside the path or of fewer than two frames.
    """
    if not turns or any(turn.start < 0 or turn.end > len(path) or turn.end - turn.start < 2 for turn in turns):
        raise InputError(f"Every turn needs 2 frames or more within the path's {len(path)}; these do not.")
    poses = path.world_from_camera
    heading, place = poses[turns[0].start, :3, :3], poses[turns[0].start, :3, 3]
    references, measured = [], []
    for turn in turns:
        own = poses[turn.start : turn.end]
        reference = _reference(own, turn, heading)
        reference[:, :3, 3] += place - reference[0, :3, 3]
        place = reference[-1, :3, 3]
        if any(part in TURNS for part in turn.parts):
            heading = reference[-1, :3, :3]
        references.append(_by_arc(reference))
        measured.append(_by_arc(own))
    whole = poses[turns[0].start : turns[-1].end]
    away, turned = _difference(np.concatenate(references), np.concatenate(measured), (whole,))
    return Navigation(1 - (away + turned) / 2, _consistency(poses, turns))


def _reference(own: NDArray, turn: Turn, heading: NDArray) -> NDArray[np.float64]:
    """(F,4,4): ideal poses of the action, with the distance and rotation of the shot itself."""
    goes = np.sum([GOES[part] for part in turn.parts if part in GOES] or [np.zeros(3)], axis=0).astype(float)
    axis = np.sum([TURNS[part] for part in turn.parts if part in TURNS] or [np.zeros(3)], axis=0).astype(float)
    goes = goes / max(np.linalg.norm(goes), 1e-12)
    share = np.linspace(0, 1, len(own))
    poses = np.repeat(np.eye(4)[None], len(own), axis=0)
    if not axis.any():
        far = float(np.linalg.norm(own[-1, :3, 3] - own[0, :3, 3]))
        poses[:, :3, :3] = heading
        poses[:, :3, 3] = own[0, :3, 3] + share[:, None] * (far if far > MIN_TRAVEL else USUAL_WAY) * (heading @ goes)
        return poses
    degrees = _total_degrees(own)
    amount = max(degrees, USUAL_DEGREES) if degrees >= MIN_ARC_DEGREES else USUAL_DEGREES
    local = about_axis(axis, amount * share)
    steps = (local[1:] @ goes) / max(len(own) - 1, 1)
    places = np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])
    reach, wanted = (float(np.linalg.norm(p, axis=1).mean()) for p in (own[:, :3, 3] - own[0, :3, 3], places))
    scale = reach / wanted if wanted > 1e-9 and degrees >= MIN_DEGREES and reach >= MIN_TRAVEL else 1.0
    poses[:, :3, :3] = own[0, :3, :3] @ local
    poses[:, :3, 3] = own[0, :3, 3] + scale * places @ own[0, :3, :3].T
    return poses


def _consistency(poses: NDArray, turns: Sequence[Turn]) -> float | None:
    """Mean similarity of turns of the same action, or of an action and its mirrored opposite; None without such a pair."""
    errors = []
    for a, b in combinations(turns, 2):
        mirrors = _mirrors(a, b)
        if mirrors is None:
            continue
        first, second = (_from_its_start(poses[turn.start : turn.end]) for turn in (a, b))
        flip = np.diag([-1.0 if axis in mirrors else 1.0 for axis in range(3)])
        second[:, :3, :3] = flip @ second[:, :3, :3] @ flip
        second[:, :3, 3] = second[:, :3, 3] @ flip
        count = min(len(first), len(second))
        pair = [each[np.linspace(0, len(each) - 1, count).astype(int)] for each in (first, second)]
        errors.append(np.mean(_difference(pair[0], pair[1], tuple(pair))))
    return float(1 - np.mean(errors)) if errors else None


def _mirrors(a: Turn, b: Turn) -> set[int] | None:
    """Axes to mirror; None if the two actions are not comparable."""
    kinds = [{_kind(part): part for part in turn.parts} for turn in (a, b)]
    if set(kinds[0]) != set(kinds[1]):
        return None
    return {MIRRORED[kind] for kind in kinds[0] if kinds[0][kind] != kinds[1][kind]}


def _kind(part: str) -> str:
    return next((one for one, other in OPPOSITE.items() if part in (one, other)), part)


def _difference(reference: NDArray, own: NDArray, measured: tuple[NDArray, ...]) -> tuple[float, float]:
    """Mean differences in position and rotation, as shares of the mean travel and rotation of the ``measured`` poses, at most 1."""
    way = float(np.mean([np.linalg.norm(np.diff(each[:, :3, 3], axis=0), axis=1).sum() for each in measured]))
    turn = float(np.mean([_total_degrees(each) for each in measured]))
    away = float(np.linalg.norm(reference[:, :3, 3] - own[:, :3, 3], axis=1).mean())
    turned = float(angle_degrees(reference[:, :3, :3], own[:, :3, :3]).mean())
    return min(away / max(way, LEAST_WAY), 1.0), min(turned / max(turn, LEAST_DEGREES), 1.0)


def _total_degrees(poses: NDArray) -> float:
    return float(angle_degrees(poses[:-1, :3, :3], poses[1:, :3, :3]).sum())


def _from_its_start(poses: NDArray) -> NDArray[np.float64]:
    return np.linalg.inv(poses[0]) @ poses


def _by_arc(poses: NDArray) -> NDArray[np.float64]:
    """(S,4,4): `SAMPLES` poses at equal arc length, or at equal frames if the camera does not travel."""
    way = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1))])
    if len(poses) <= 2 or way[-1] < 1e-8:
        return poses[np.linspace(0, len(poses) - 1, SAMPLES if len(poses) > 2 else len(poses)).astype(int)]
    where = np.interp(np.linspace(0, way[-1], SAMPLES), way + np.arange(len(way)) * 1e-12, np.arange(len(way)))
    before = np.minimum(where.astype(int), len(poses) - 2)
    samples = np.repeat(np.eye(4)[None], SAMPLES, axis=0)
    blend = where - before
    samples[:, :3, :3] = slerp(poses[before, :3, :3], poses[before + 1, :3, :3], blend)
    samples[:, :3, 3] = poses[before, :3, 3] * (1 - blend[:, None]) + poses[before + 1, :3, 3] * blend[:, None]
    return samples


def turns_of(path: CameraPath, lengths: Sequence[int], actions: Sequence[str]) -> list[Turn]:
    """Consecutive turns with the given numbers of frames."""
    if len(lengths) != len(actions) or sum(lengths) > len(path):
        raise InputError(f"Each of {len(actions)} actions needs a length, at most {len(path)} frames in total.")
    ends = np.cumsum(lengths).tolist()
    return [Turn(end - length, end, action) for end, length, action in zip(ends, lengths, actions)]


STEP_SHARE, PURE, FEWEST_STEPS = 0.05, 0.38, 4
"""A step is still below this share of the longest step; a component belongs to an action above this cosine with its direction (the
sine of 22.5 degrees); a turn has at least this many steps of one action."""


def turns_in(path: CameraPath) -> list[Turn]:
    """The turns of a path, detected from its steps: horizontal translations, and rotations about the camera's x or y axis. Each starts
    with the last frame of the previous one.

    Empty if a part of the path is not an action, such as a roll or a vertical translation.
    """
    steps = np.linalg.inv(path.world_from_camera[:-1]) @ path.world_from_camera[1:]
    turned = scipy_rotation().from_matrix(steps[:, :3, :3]).as_rotvec()
    ways, angles = (np.linalg.norm(each, axis=1) for each in (steps[:, :3, 3], turned))
    moves = ways > STEP_SHARE * max(float(ways.max()), 1e-9)
    turns = angles > max(STEP_SHARE * float(angles.max()), np.radians(0.02))
    actions = [
        _action(step / max(way, 1e-12) if goes else None, turn / max(angle, 1e-12) if turning else None)
        for step, way, goes, turn, angle, turning in zip(steps[:, :3, 3], ways, moves, turned, angles, turns)
    ]
    starts = [0, *(i for i in range(1, len(actions)) if actions[i] != actions[i - 1]), len(actions)]
    runs = [(a, b, actions[a]) for a, b in pairwise(starts) if b - a >= FEWEST_STEPS and actions[a] != ""]
    if not runs or any(action is None for _, _, action in runs):
        return []
    return [Turn(a, b + 1, action) for a, b, action in runs if action]


def _action(way: NDArray | None, turn: NDArray | None) -> str | None:
    """The action of a step; "" for no motion, None if the step is not an action."""
    parts: list[str] = []
    for direction, known in ((way, GOES), (turn, TURNS)):
        if direction is None:
            continue
        found = [name for name, axis in known.items() if float(np.dot(direction, axis)) > PURE]
        left = direction - sum((np.dot(direction, known[name]) * np.array(known[name]) for name in found), np.zeros(3))
        if not found or float(np.linalg.norm(left)) > PURE:
            return None
        parts += found
    return "+".join(parts)
