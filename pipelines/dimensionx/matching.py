"""A free camera path in terms of DimensionX's directors: which come nearest, and what of the path they lose.

Directors are constant twists (see `camera.presets.dimensionx`), so a path is compared step by step: the travel and turn of
every step, in the camera's own axes, travel divided by the distance to the subject. A turn of one radian and a travel
of one distance then move the middle of the picture by the same amount (one focal length), which is why they are added
up as equals. Speed does not count: nobody can tell a director how fast to go.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.spatial.transform import Rotation

from camera.path import CameraPath, inverse
from camera.presets.dimensionx import DIRECTORS, nominal_path, sequence, twist_of_transform

STILL = 0.02
"""Below this length (radians or distances to the subject) a path counts as standing still."""
WORTH = 0.04
"""A blend or a further clip is proposed only when it raises the similarity by at least this much ..."""
EXACT = 1 - 1e-6
"""... or when it explains the path completely: that is how a blend drawn on purpose is found again."""
ORBIT_FROM_DEGREES = 180.0
"""From this turn on, an orbit is shot by the 360 degree model rather than by a 45 degree director."""
MOVING = tuple(id for id, each in DIRECTORS.items() if each.group != "time" and id != "orbit_360")


@dataclass(frozen=True)
class Part:
    """One clip of a match: directors with weights (the first has 1), and how much of the move it is asked to do.

    ``extent``: asked amount over the directors' nominal amount, 1 when they agree. ``share``: part of the path, 0..1.
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


@dataclass(frozen=True, eq=False)
class Match:
    """What stands in for a path.

    ``similarity``: 1 when every step goes the directors' way, 0 when all are across it, weighted by length.
    ``turn_lost_degrees``, ``travel_lost``: mean difference between the asked path and the directors' move scaled to
    it, at equal parts of the way; travel in distances to the subject. ``zoom_lost``: largest change of focal length
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

    @cached_property
    def losses(self) -> tuple[str, ...]:
        """One sentence for each thing that the directors cannot follow."""
        said = []
        if self.similarity < 0.995:
            said.append(
                f"{self.title} has a similarity of {self.similarity:.2f} to this path: on average it is off by "
                f"{self.turn_lost_degrees:.1f} degrees and {self.travel_lost:.2f} of the distance to the subject."
            )
        for part in self.parts:
            if not 0.8 <= part.extent <= 1.25:
                said.append(
                    f"The path asks {part.extent:.2f} times the nominal amount of {part.title}; a director cannot be "
                    "told how far to go."
                )
        if self.zoom_lost > 1.02:
            said.append(
                f"The path zooms by a factor of {self.zoom_lost:.2f}; the directors keep the lens, so this is lost."
            )
        return tuple(said)


def match(path: CameraPath, *, distance: float = 1.0, clips: int = 3) -> Match:
    """The single director, blend of two, or sequence of up to ``clips`` clips nearest to ``path``.

    ``distance``: from the first camera to the subject, scene units. The simplest answer wins unless a richer one is
    better by `WORTH` or exact. A path that stands still is the T-Director's.
    """
    twists = path_twists(path, distance)
    lengths = np.linalg.norm(twists, axis=1)
    zoom = _zoom(path)
    if lengths.sum() < STILL:
        return Match((Part((("t_director", 1.0),), 1.0, 1.0),), 1.0, 0.0, 0.0, zoom)
    best = _nearest(twists, lengths, clips)
    parts = tuple(_part(piece, lengths) for piece in best)
    turn, travel = _lost(path, parts, lengths, distance)
    return Match(parts, _similarity(best, lengths), turn, travel, zoom)


def matched_path(found: Match, start: CameraPath, *, distance: float = 1.0, scaled: bool = False) -> CameraPath:
    """The nominal path of a match, clip after clip; ``scaled`` stretches each clip to what the path asked for."""
    return sequence(
        [
            nominal_path(start, part.directors, distance=distance, amount=part.extent if scaled else 1.0)
            for part in found.parts
        ]
    )


def path_twists(path: CameraPath, distance: float) -> NDArray[np.float64]:
    """(F-1,6): travel over ``distance`` and turn in radians of every step, in the axes of the camera it starts from."""
    twists = twist_of_transform(inverse(path.world_from_camera[:-1]) @ path.world_from_camera[1:])
    twists[:, :3] /= distance
    return twists


def typical_distance(path: CameraPath) -> float:
    """A guess where no scene is at hand: the distance at which the path's travel would orbit by its turn, else 1."""
    travel, turn = (np.linalg.norm(half, axis=1).sum() for half in np.split(path_twists(path, 1.0), 2, axis=1))
    return float(travel / turn) if travel > 1e-6 and turn > 1e-6 else 1.0


@dataclass(frozen=True)
class _Piece:
    """Steps ``start``..``end`` shot by one clip; ``gain``: path length along the directors' way."""

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
    """Two directors whose weighted sum points nearest to the whole move; weights from non-negative least squares."""
    whole = twists.sum(axis=0)
    best = _Piece(0, len(twists), ((MOVING[0], 1.0),), -np.inf)
    for a, b in combinations(MOVING, 2):
        basis = np.stack([DIRECTORS[a].twist, DIRECTORS[b].twist], axis=1)
        weights, _ = nnls(basis, whole)
        direction = basis @ weights
        size = np.linalg.norm(direction)
        gain = float(whole @ direction / size) if size > 0 else -np.inf
        if gain > best.gain + 1e-9 and weights.min() > 0:
            ordered = sorted(((a, weights[0]), (b, weights[1])), key=lambda pair: -pair[1])
            best = _Piece(0, len(twists), tuple((id, float(w / ordered[0][1])) for id, w in ordered), gain)
    return [best]


def _sequence(twists: NDArray, count: int) -> list[_Piece]:
    """Exactly ``count`` clips (or one per step) of one director each, cut where they fit best; dynamic programming."""
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
            weights, extent = (("orbit_360", 1.0),), degrees / 360
    share = lengths[piece.start : piece.end].sum() / lengths.sum()
    return Part(weights, float(extent), float(share))


def _lost(path: CameraPath, parts: tuple[Part, ...], lengths: NDArray, distance: float) -> tuple[float, float]:
    """Mean difference, degrees and distances to the subject, at equal parts of the way."""
    asked = path.relative_to_first()
    ours = matched_path(Match(parts, 0, 0, 0, 1), asked.sliced(slice(0, 1)), distance=distance, scaled=True)
    reached = np.cumsum(np.linalg.norm(path_twists(ours, distance), axis=1))
    reached = np.concatenate([[0.0], reached / reached[-1]])
    along = np.concatenate([[0.0], np.cumsum(lengths) / lengths.sum()])
    nearest = np.abs(along[:, None] - reached[None]).argmin(axis=1)
    apart = inverse(ours.world_from_camera[nearest]) @ asked.world_from_camera
    degrees = np.degrees(Rotation.from_matrix(apart[:, :3, :3]).magnitude())
    return float(degrees.mean()), float(np.linalg.norm(apart[:, :3, 3], axis=1).mean() / distance)


def _zoom(path: CameraPath) -> float:
    focal = path.intrinsics[:, 0, 0]
    return float(focal.max() / focal.min())
