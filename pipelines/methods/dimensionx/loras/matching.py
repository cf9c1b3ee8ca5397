"""Approximates a free camera path by DimensionX's directors: which are nearest, and how far they deviate from the path.

Directors are constant twists (see `camera.trajectories.dimensionx`), so a path is compared step by step: translation and rotation
of every step, in the camera's own axes, translation divided by the distance to the subject. A rotation of one radian and a
translation of one distance then move the middle of the picture by the same amount (one focal length), so both have equal
weight. Speed does not count, because a director's speed cannot be controlled.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from camera.path import CameraPath, inverse
from camera.rotation import scipy_rotation
from camera.trajectories.dimensionx import DIRECTORS, nominal_path, sequence, twist_of_transform

STILL = 0.02
"""Below this length (radians or distances to the subject) a path counts as still."""
WORTH = 0.04
"""A blend or a further clip is proposed only when it raises the similarity by at least this much ..."""
EXACT = 1 - 1e-6
"""... or when it matches the path exactly, so that a blend that the user has drawn is found again."""
ORBIT_FROM_DEGREES = 180.0
"""From this turn on, an orbit is shot by the 360 degree model rather than by a 45 degree director."""
WEIGHT_STEP = 0.05
"""Step size of the controls for a blend's second weight and for the nominal amount."""
ZOOM = 1.02
"""Changes of the focal length up to this factor are ignored."""
MOVING = tuple(id for id, each in DIRECTORS.items() if each.group != "time" and id != "orbit_360")


@dataclass(frozen=True)
class Part:
    """One clip of a match: directors with weights (the first has 1), and the share of the move that it should perform.

    ``extent``: requested amount over the directors' nominal amount, 1 if they agree; negative if the path turns in the
    opposite direction of the 360 degree model. ``share``: part of the path, 0..1.
    """

    directors: tuple[tuple[str, float], ...]
    extent: float
    share: float

    @property
    def title(self) -> str:
        first, *rest = self.directors
        return " + ".join(
            [DIRECTORS[first[0]].title, *(f"{weight:.2f} x {DIRECTORS[id].title}" for id, weight in rest)]
        )

    @property
    def amount(self) -> str:
        turned = ", in the opposite direction" if self.extent < 0 else ""
        return f"{abs(self.extent):.2f} times its nominal amount{turned}"

    @property
    def loss(self) -> str:
        """One sentence on an amount or direction that the directors do not follow; empty if they follow it."""
        if self.extent < 0:
            return f"{self.title} turns left, as we read its name, and this path turns right."
        if 0.8 <= self.extent <= 1.25:
            return ""
        return f"The path needs {self.extent:.2f} times the nominal amount of {self.title}; the amount of a director cannot be set."


@dataclass(frozen=True, eq=False)
class Match:
    """The directors that replace a path.

    ``similarity``: 1 if every step has the directors' direction, 0 if all are orthogonal to it, weighted by length.
    ``turn_lost_degrees``, ``travel_lost``: mean difference between the requested path and the directors' move scaled to
    it, at equal parts of the path; travel in distances to the subject. ``zoom_lost``: largest change of focal length
    over the path as a factor (1 is none); directors never zoom.
    """

    parts: tuple[Part, ...]
    similarity: float
    turn_lost_degrees: float
    travel_lost: float
    zoom_lost: float

    @property
    def title(self) -> str:
        return ", then ".join(part.title for part in self.parts)

    @property
    def summary(self) -> str:
        """The directors used for the path and their deviation from it, in numbers."""
        parts = [part.title for part in self.parts]
        amounts = [part.amount for part in self.parts]
        if len(parts) > 1:
            shares = [f"{part.share:.0%} of the path" for part in self.parts]
            parts = [f"{title} ({share}, {amount})" for title, share, amount in zip(parts, shares, amounts)]
            amounts = [f"{len(parts)} clips, each from the last frame of the previous one"]
        zoom = f"a zoom of {self.zoom_lost:.2f}" if self.zoom_lost > ZOOM else "no zoom"
        return (
            f"**Nearest: {', then '.join(parts)}.** Similarity {self.similarity:.2f}; mean deviation "
            f"{self.turn_lost_degrees:.1f} degrees, {self.travel_lost:.2f} of the distance to the subject and {zoom}; "
            f"{amounts[0]}."
        )

    @cached_property
    def losses(self) -> tuple[str, ...]:
        """One sentence for each property of the path that the directors cannot follow."""
        sentences = []
        if self.similarity < 0.995:
            sentences.append(
                f"{self.title} has a similarity of {self.similarity:.2f} to this path: on average it is off by "
                f"{self.turn_lost_degrees:.1f} degrees and {self.travel_lost:.2f} of the distance to the subject."
            )
        sentences += [part.loss for part in self.parts if part.loss]
        if self.zoom_lost > ZOOM:
            sentences.append(
                f"The path zooms by a factor of {self.zoom_lost:.2f}; the directors do not zoom, so this is lost."
            )
        return tuple(sentences)


def match(path: CameraPath, *, distance: float = 1.0, clips: int = 3) -> Match:
    """The single director, blend of two, or sequence of up to ``clips`` clips nearest to ``path``.

    ``distance``: from the first camera to the subject, scene units. The simplest answer wins unless a more complex one is
    better by `WORTH` or exact. For a still path it is the T-Director.
    """
    twists = path_twists(path, distance)
    lengths = np.linalg.norm(twists, axis=1)
    zoom = _zoom(path)
    if lengths.sum() < STILL:
        return Match((Part((("t_director", 1.0),), 1.0, 1.0),), 1.0, 0.0, 0.0, zoom)
    best = _nearest(twists, lengths, clips)
    parts = tuple(_part(piece, lengths) for piece in best)
    turn, travel = _mean_loss(path, parts, lengths, distance)
    return Match(parts, _similarity(best, lengths), turn, travel, zoom)


def single_directors(path: CameraPath, *, distance: float = 1.0) -> list[tuple[str, float]]:
    """Every moving director with its similarity to ``path`` when used alone, nearest first."""
    twists = path_twists(path, distance)
    total = np.linalg.norm(twists, axis=1).sum()
    if total < STILL:
        return []
    gains = np.clip((twists @ _directions().T).sum(axis=0) / total, 0.0, 1.0)
    return sorted(zip(MOVING, gains.tolist()), key=lambda pair: -pair[1])


def matched_path(found: Match, start: CameraPath, *, distance: float = 1.0, scaled: bool = False) -> CameraPath:
    """The nominal path of a match, clip by clip; ``scaled`` stretches each clip to the requested amount."""
    return sequence(
        [
            nominal_path(start, part.directors, distance=distance, amount=part.extent if scaled else 1.0)
            for part in found.parts
        ]
    )


def path_twists(path: CameraPath, distance: float) -> NDArray[np.float64]:
    """(F-1,6): translation divided by ``distance`` and rotation in radians of every step, in the axes of its starting camera."""
    twists = twist_of_transform(inverse(path.world_from_camera[:-1]) @ path.world_from_camera[1:])
    twists[:, :3] /= distance
    return twists


def typical_distance(path: CameraPath) -> float:
    """A guess for paths without a scene: the distance at which the path's translation would be an orbit of its rotation, otherwise 1."""
    travel, turn = (np.linalg.norm(half, axis=1).sum() for half in np.split(path_twists(path, 1.0), 2, axis=1))
    return float(travel / turn) if travel > 1e-6 and turn > 1e-6 else 1.0


@dataclass(frozen=True)
class _Piece:
    """Steps ``start``..``end`` shot by one clip; ``gain``: path length in the directors' direction."""

    start: int
    end: int
    weights: tuple[tuple[str, float], ...]
    gain: float


def _directions() -> NDArray[np.float64]:
    """(D,6): unit twist of every moving director."""
    twists = np.stack([DIRECTORS[id].twist for id in MOVING])
    return twists / np.linalg.norm(twists, axis=1, keepdims=True)


def _similarity(pieces: list[_Piece], lengths: NDArray) -> float:
    return float(np.clip(sum(piece.gain for piece in pieces) / lengths.sum(), 0.0, 1.0))


def _nearest(twists: NDArray, lengths: NDArray, clips: int) -> list[_Piece]:
    best = _sequence(twists, 1)
    for richer in (_blend(twists), *(_sequence(twists, count) for count in range(2, clips + 1))):
        now, then = _similarity(best, lengths), _similarity(richer, lengths)
        if now < EXACT and (then >= now + WORTH or then >= EXACT):
            best = richer
    return best


def _blend(twists: NDArray) -> list[_Piece]:
    """Two directors whose weighted sum has the direction nearest to the whole move; weights from non-negative least squares.

    Several pairs may make the same move (an orbit is a turn and a translation); then the pair with the roundest numbers wins,
    which is the one that the user has drawn.
    """
    from scipy.optimize import nnls

    whole = twists.sum(axis=0)
    found: list[tuple[_Piece, float]] = []
    for a, b in combinations(MOVING, 2):
        basis = np.stack([DIRECTORS[a].twist, DIRECTORS[b].twist], axis=1)
        weights, _ = nnls(basis, whole)
        direction = basis @ weights
        size = np.linalg.norm(direction)
        if size > 0 and weights.min() > 0:
            (first, large), (second, small) = sorted(((a, weights[0]), (b, weights[1])), key=lambda pair: -pair[1])
            piece = _Piece(
                0, len(twists), ((first, 1.0), (second, float(small / large))), float(whole @ direction / size)
            )
            found.append((piece, _roughness(large) + _roughness(small / large)))
    if not found:
        return [_Piece(0, len(twists), ((MOVING[0], 1.0),), -np.inf)]
    best = max(piece.gain for piece, _ in found)
    return [min((pair for pair in found if pair[0].gain >= best * EXACT), key=lambda pair: pair[1])[0]]


def _roughness(number: float) -> float:
    """Distance of a number from a multiple of the step size of the controls for weights and amounts."""
    return abs(number / WEIGHT_STEP - round(number / WEIGHT_STEP))


def _sequence(twists: NDArray, count: int) -> list[_Piece]:
    """Exactly ``count`` clips (or one per step) of one director each, split where they fit best; dynamic programming."""
    steps = len(twists)
    count = min(count, steps)
    gains = twists @ _directions().T  # (steps, D)
    summed = np.concatenate([np.zeros((1, gains.shape[1])), np.cumsum(gains, axis=0)])
    best = np.full((count + 1, steps + 1), -np.inf)
    best[0, 0] = 0.0
    cut = np.zeros((count + 1, steps + 1), dtype=int)
    for clip in range(1, count + 1):
        for end in range(clip, steps + 1):
            value = best[clip - 1, :end] + (summed[end] - summed[:end]).max(axis=1)
            cut[clip, end] = int(np.argmax(value))
            best[clip, end] = value[cut[clip, end]]
    pieces: list[_Piece] = []
    end = steps
    for clip in range(count, 0, -1):
        start = int(cut[clip, end])
        gain = summed[end] - summed[start]
        chosen = int(np.argmax(gain))
        pieces.insert(0, _Piece(start, end, ((MOVING[chosen], 1.0),), float(gain[chosen])))
        end = start
    return pieces


def _part(piece: _Piece, lengths: NDArray) -> Part:
    nominal = np.linalg.norm(sum(weight * DIRECTORS[id].twist for id, weight in piece.weights))
    weights, extent = piece.weights, piece.gain / nominal
    if len(weights) == 1 and weights[0][0] in ("orbit_left", "orbit_right"):
        degrees = extent * np.linalg.norm(DIRECTORS[weights[0][0]].turn)
        if degrees >= ORBIT_FROM_DEGREES:
            turned = degrees if weights[0][0] == "orbit_left" else -degrees
            weights, extent = (("orbit_360", 1.0),), turned / 360
    share = lengths[piece.start : piece.end].sum() / lengths.sum()
    return Part(weights, float(extent), float(share))


def _mean_loss(path: CameraPath, parts: tuple[Part, ...], lengths: NDArray, distance: float) -> tuple[float, float]:
    """Mean difference in degrees and in distances to the subject, at equal parts of the path."""
    asked = path.relative_to_first()
    ours = matched_path(Match(parts, 0, 0, 0, 1), asked.sliced(slice(0, 1)), distance=distance, scaled=True)
    reached = np.cumsum(np.linalg.norm(path_twists(ours, distance), axis=1))
    reached = np.concatenate([[0.0], reached / reached[-1]])
    along = np.concatenate([[0.0], np.cumsum(lengths) / lengths.sum()])
    nearest = np.abs(along[:, None] - reached[None]).argmin(axis=1)
    apart = inverse(ours.world_from_camera[nearest]) @ asked.world_from_camera
    degrees = np.degrees(scipy_rotation().from_matrix(apart[:, :3, :3]).magnitude())
    return float(degrees.mean()), float(np.linalg.norm(apart[:, :3, 3], axis=1).mean() / distance)


def _zoom(path: CameraPath) -> float:
    focal = path.intrinsics[:, 0, 0]
    return float(focal.max() / focal.min())
