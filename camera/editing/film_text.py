"""Conversion of a path to film text, with the residual that the text does not express."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from camera.editing.fit import Residual, residual_of, tolerance_for
from camera.path import CameraPath
from camera.rotation import angle_degrees, scipy_rotation
from camera.trajectories.film import MOVES
from camera.trajectories.film_script import Move, Part, path_of, write_moves
from camera.trajectories.keyframes import EASINGS
from camera.view import View

RIGS = (
    ("arc", "arc-up", "zoom"),
    ("arc", "pedestal", "dolly", "zoom"),
    ("dolly", "truck", "pedestal", "pan", "tilt", "roll", "zoom"),
)
"""Combinations of moves to try, simplest first; a later one must be clearly better (`BETTER`)."""
BETTER = 0.8
STILL = 1e-4
"""Motion per frame below this counts as none, in distances to the subject and in radians."""
SHORTEST_HOLD = 3
"""Minimum length of a hold, in frames."""
SMALLEST = {"degrees": 0.05, "× focal length": 0.003}
"""Smaller amounts are left out, by unit; 0.001 for distances."""


@dataclass(frozen=True)
class FilmText:
    """Film ``text`` for `camera.trajectories.film_script.path_of`. ``residual``: deviation of its path from the given one."""

    text: str
    residual: Residual

    @property
    def words(self) -> str:
        """The text and its residual, for the user."""
        return f"{self.text} ({self.residual.words})"


def film_text(path: CameraPath, view: View) -> FilmText:
    """Film moves that approximate ``path`` when they start at the camera of ``view``, where ``path`` begins.

    Between holds, the best-fitting combination of moves and easing is used. Motion that film moves cannot express (a curved flight, a
    change of direction without a stop) remains in the residual.
    """
    path = path.fitted(view.width, view.height)
    parts: list[Part] = []
    for start, end, moves in _spans(path, view.focus_depth):
        seconds = (end - start) / path.fps
        part = _part(path, view, parts, start, end) if moves else ()
        parts.append(part or (Move("hold", seconds=seconds),))
    text = write_moves(parts)
    return FilmText(text, residual_of(path_of(text, view, frames=len(path), fps=path.fps), path))


def _spans(path: CameraPath, distance: float) -> list[tuple[int, int, bool]]:
    """First frame, last frame and whether the camera moves between them, of every part."""
    if len(path) < 2:
        return [(0, 1, False)]
    place = np.linalg.norm(np.diff(path.centres, axis=0), axis=1) / distance
    rotations = path.world_from_camera[:, :3, :3]
    turn = np.radians(angle_degrees(rotations[:-1], rotations[1:]))
    lens = np.abs(np.diff(np.log(path.intrinsics[:, 0, 0])))
    moves = np.maximum.reduce([place, turn, lens]) > STILL
    borders = [0, *(np.flatnonzero(np.diff(moves.astype(int))) + 1).tolist(), len(moves)]
    spans = [(a, b, bool(moves[a])) for a, b in zip(borders, borders[1:])]  # noqa: RUF007
    joined: list[tuple[int, int, bool]] = []
    for start, end, moving in spans:
        moving = moving or end - start < SHORTEST_HOLD
        if joined and joined[-1][2] == moving:
            joined[-1] = (joined[-1][0], end, moving)
        else:
            joined.append((start, end, moving))
    return joined


def _part(path: CameraPath, view: View, before: list[Part], start: int, end: int) -> Part:
    """The moves from frame ``start`` to ``end``, after the parts ``before``; none if the camera hardly moves."""
    seconds, best, off = (end - start) / path.fps, (), np.inf
    for rig in RIGS:
        part = _amounts(path, view, before, rig, end, seconds)
        for easing in EASINGS if part else ():
            eased = tuple(replace(move, easing=easing) for move in part)
            deviation = _worst_deviation(_draw_path(path, view, [*before, eased], end), path, start, end)
            if deviation < (BETTER if best and len(eased) > len(best) else 1) * off:
                best, off = eased, deviation
    return best


def _amounts(path: CameraPath, view: View, before: list[Part], rig: tuple[str, ...], end: int, seconds: float) -> Part:
    """The amounts at which the moves of ``rig`` end nearest to frame ``end``."""
    from scipy.optimize import least_squares

    def moves_of(amounts: NDArray) -> Part:
        return tuple(Move(kind, float(amount), seconds=seconds) for kind, amount in zip(rig, amounts))

    def residuals(amounts: NDArray) -> NDArray[np.float64]:
        last = _draw_path(path, view, [*before, moves_of(amounts)], end).sliced(slice(-1, None))
        return _difference(last, path.sliced(slice(end, end + 1)), view.focus_depth)

    none = np.array([_nothing(kind) for kind in rig])
    bounds = ([MOVES[kind].minimum for kind in rig], [MOVES[kind].maximum for kind in rig])
    scale = [10.0 if MOVES[kind].unit == "degrees" else 0.3 for kind in rig]
    fitted = least_squares(residuals, none, bounds=bounds, x_scale=scale, max_nfev=60).x
    return tuple(_round_amount(move) for move in moves_of(fitted) if _matters(move))


def _draw_path(path: CameraPath, view: View, parts: list[Part], end: int) -> CameraPath:
    return path_of(parts, view, frames=end + 1, fps=path.fps)


def _difference(fitted: CameraPath, target: CameraPath, distance: float) -> NDArray[np.float64]:
    """(7,): differences in position, rotation and lens between two frames."""
    between = fitted.world_from_camera[0, :3, :3].T @ target.world_from_camera[0, :3, :3]
    turn = scipy_rotation().from_matrix(between).as_rotvec()
    lens = np.log(fitted.intrinsics[0, 0, 0] / target.intrinsics[0, 0, 0])
    return np.array([*(fitted.centres[0] - target.centres[0]) / distance, *turn, lens])


def _worst_deviation(fitted: CameraPath, path: CameraPath, start: int, end: int) -> float:
    """The largest deviation within a part, in tolerances of the whole path."""
    span, tolerance = slice(start, end + 1), tolerance_for(path)
    residual = residual_of(fitted.sliced(span), path.sliced(span))
    return max(residual.place / tolerance.place, residual.degrees / tolerance.degrees, residual.lens / tolerance.lens)


def _nothing(kind: str) -> float:
    return 1.0 if kind == "zoom" else 0.0


def _matters(move: Move) -> bool:
    return abs(move.amount - _nothing(move.kind)) >= SMALLEST.get(MOVES[move.kind].unit, 0.001)


def _round_amount(move: Move) -> Move:
    return replace(move, amount=float(f"{move.amount:.4g}"))
