"""Camera moves that film people know by name, each relative to where the camera is when it begins.

A move of progress ``u`` (F,) in 0..1 is where the camera has got to, seen from where it began, and by how much its
focal length has grown. Distances are in distances to the subject, which stands straight ahead; angles in degrees.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camera.rotation import from_pan_tilt_roll, look_at

DISTANCE, DEGREES, FACTOR = "subject distances", "degrees", "times"


@dataclass(frozen=True)
class Way:
    """``start_from_now`` (F,4,4) with lengths in subject distances, ``zoom`` (F,) factor of the focal length."""

    start_from_now: NDArray[np.float64]
    zoom: NDArray[np.float64]


@dataclass(frozen=True)
class FilmMove:
    """How a move is offered: ``way(u, amount, seed)`` draws it; positive amounts go the way that ``help`` says."""

    label: str
    unit: str
    default: float
    minimum: float
    maximum: float
    help: str
    way: Callable[[NDArray, float, int], Way]


def turned(yaw=0.0, pitch=0.0, roll=0.0) -> NDArray[np.float64]:
    return from_pan_tilt_roll(yaw, pitch, roll)


def _still(u: NDArray) -> NDArray[np.float64]:
    return np.repeat(np.eye(4)[None], len(u), axis=0)


def _placed(u: NDArray, right=0.0, down=0.0, forward=0.0, *, rotation=None, zoom=1.0) -> Way:
    poses = _still(u)
    for axis, values in enumerate((right, down, forward)):
        poses[:, axis, 3] = values
    if rotation is not None:
        poses[:, :3, :3] = rotation
    return Way(poses, np.broadcast_to(np.asarray(zoom, dtype=np.float64), u.shape))


def _around(yaw: NDArray, pitch: NDArray) -> Way:
    """On a sphere of radius 1 around the subject, facing it: ``yaw`` degrees to the right, ``pitch`` degrees up."""
    rotation = turned(-yaw, -pitch)
    back = rotation @ np.array([0.0, 0.0, -1.0])
    return _placed(yaw, right=back[:, 0], down=back[:, 1], forward=1 + back[:, 2], rotation=rotation)


def _facing(centres: NDArray) -> Way:
    """From ``centres`` (F,3), the subject at (0,0,1) in the middle."""
    return _placed(centres[:, 0], *centres.T, rotation=look_at(centres, [0, 0, 1.0]))


def _crane(u: NDArray, amount: float) -> Way:
    """Straight up while the subject stays in the middle."""
    centres = np.stack([0 * u, -amount * u, 0 * u], axis=-1)
    return _facing(centres)


def _dolly_zoom(u: NDArray, amount: float) -> Way:
    """Forward while the lens widens so that the subject keeps its size: f is proportional to its distance."""
    return _placed(u, forward=amount * u, zoom=1 - amount * u)


def _handheld(u: NDArray, amount: float, seed: int) -> Way:
    """A breathing hand: a few slow sines of random phase; begins and ends at rest.

    ``amount`` is the typical turn in degrees; the typical shift is a tenth of a percent of the distance per degree.
    """
    rng = np.random.default_rng(seed)
    cycles = np.array([1.0, 2.3, 4.1, 6.7])
    weights = (1 / cycles) / np.linalg.norm(1 / cycles) * np.sqrt(2)
    phases = rng.uniform(0, 2 * np.pi, (6, len(cycles)))
    waves = (weights * np.sin(2 * np.pi * cycles * u[:, None, None] + phases)).sum(axis=-1)  # (F,6)
    waves *= np.minimum(1, 8 * np.minimum(u, 1 - u))[:, None]
    shift = 0.001 * amount * waves[:, :3]
    rotation = turned(amount * waves[:, 3], amount * waves[:, 4], 0.5 * amount * waves[:, 5])
    return _placed(u, right=shift[:, 0], down=shift[:, 1], forward=shift[:, 2], rotation=rotation)


def _eight(u: NDArray, amount: float) -> Way:
    """A lying eight of half width ``amount``, facing the subject; returns to where it began."""
    phase = 2 * np.pi * u
    centres = np.stack([amount * np.sin(phase), -amount / 2 * np.sin(2 * phase), 0 * u], axis=-1)
    return _facing(centres)


MOVES: dict[str, FilmMove] = {
    "dolly": FilmMove(
        "Dolly", DISTANCE, 0.4, -3, 0.95, "Forward; 0.4 goes 40 % of the way to the subject.",
        lambda u, a, seed: _placed(u, forward=a * u),
    ),
    "truck": FilmMove(
        "Truck", DISTANCE, 0.3, -3, 3, "To the right, without turning.", lambda u, a, seed: _placed(u, right=a * u)
    ),
    "pedestal": FilmMove(
        "Pedestal", DISTANCE, 0.2, -3, 3, "Up, without turning.", lambda u, a, seed: _placed(u, down=-a * u)
    ),
    "pan": FilmMove(
        "Pan", DEGREES, 20, -360, 360, "Turns to the right.", lambda u, a, seed: _placed(u, rotation=turned(yaw=a * u))
    ),
    "tilt": FilmMove(
        "Tilt", DEGREES, 10, -89, 89, "Turns up.", lambda u, a, seed: _placed(u, rotation=turned(pitch=a * u))
    ),
    "roll": FilmMove(
        "Roll", DEGREES, 10, -360, 360, "Turns clockwise.", lambda u, a, seed: _placed(u, rotation=turned(roll=a * u))
    ),
    "arc": FilmMove(
        "Arc", DEGREES, 30, -360, 360, "Around the subject to the right, facing it; 360 is a full orbit.",
        lambda u, a, seed: _around(a * u, 0 * u),
    ),
    "arc-up": FilmMove(
        "Arc up", DEGREES, 20, -80, 80, "Around the subject upwards, facing it.",
        lambda u, a, seed: _around(0 * u, a * u),
    ),
    "crane": FilmMove(
        "Crane", DISTANCE, 0.4, -3, 3, "Up, while the subject stays in the middle.", lambda u, a, seed: _crane(u, a)
    ),
    "zoom": FilmMove(
        "Zoom", FACTOR, 1.5, 0.2, 5, "The lens only: 2 doubles the focal length.",
        lambda u, a, seed: _placed(u, zoom=np.power(a, u)),
    ),
    "dolly-zoom": FilmMove(
        "Dolly zoom", DISTANCE, 0.4, -3, 0.9, "Forward while the lens widens: the subject keeps its size.",
        lambda u, a, seed: _dolly_zoom(u, a),
    ),
    "handheld": FilmMove(
        "Handheld", DEGREES, 0.6, 0, 10, "A breathing hand; the amount is its typical turn.", _handheld
    ),
    "eight": FilmMove(
        "Figure of eight", DISTANCE, 0.15, -2, 2, "A lying eight around the start, facing the subject.",
        lambda u, a, seed: _eight(u, a),
    ),
    "hold": FilmMove("Hold", "", 0, 0, 0, "Stands still.", lambda u, a, seed: _placed(u)),
}  # fmt: skip
