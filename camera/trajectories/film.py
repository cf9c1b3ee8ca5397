"""Film moves, as data for a picker and as geometry.

Distances are in distances to the subject (1.0 goes from the camera to the subject), angles in degrees, so a move has the same
effect in every scene. Coordinates are the first camera's: x right, y down, z forward, the subject at (0, 0, distance).

Simultaneous moves are the parts of one rig and need no order: the turntable (arc, arc-up) carries the track (dolly, truck,
pedestal, crane, eight), which carries the head (pan, tilt, roll), which carries the lens (zoom).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError

DISTANCES, DEGREES, TIMES = "× distance to the subject", "degrees", "× focal length"

NEAREST = 0.02
"""A dolly zoom must keep at least this distance from the subject, in distances to it."""


@dataclass(frozen=True)
class FilmMove:
    """One kind of move, as a picker shows it. ``positive`` and ``negative`` name the two directions of the amount."""

    label: str
    unit: str
    minimum: float
    maximum: float
    default: float
    help: str
    positive: str = ""
    negative: str = ""


MOVES: dict[str, FilmMove] = {
    "dolly": FilmMove("Dolly", DISTANCES, -5, 5, 0.4, "Along the view, towards the subject or back.", "in", "out"),
    "truck": FilmMove("Truck", DISTANCES, -5, 5, 0.3, "Sideways, without turning.", "right", "left"),
    "pedestal": FilmMove("Pedestal", DISTANCES, -5, 5, 0.2, "Straight up or down, without turning.", "up", "down"),
    "pan": FilmMove("Pan", DEGREES, -360, 360, 25, "Rotates in place about the vertical axis.", "right", "left"),
    "tilt": FilmMove("Tilt", DEGREES, -180, 180, 15, "Looks up or down in place.", "up", "down"),
    "roll": FilmMove("Roll", DEGREES, -360, 360, 15, "Rotates about the viewing axis.", "clockwise", "counterclockwise"),
    "arc": FilmMove("Arc", DEGREES, -720, 720, 30, "Around the subject on a level circle, facing it.", "right", "left"),
    "arc-up": FilmMove("Arc up", DEGREES, -180, 180, 20, "Over or under the subject, facing it.", "up", "down"),
    "crane": FilmMove("Crane", DISTANCES, -3, 3, 0.4, "Rises or sinks while the head keeps the subject in the middle.", "up", "down"),
    "dolly-zoom": FilmMove(
        "Dolly zoom", DISTANCES, -5, 0.95, 0.35,
        "Dollies while the lens keeps the subject at the same size: the background grows or shrinks.", "in", "out",
    ),
    "zoom": FilmMove("Zoom", TIMES, 0.1, 10, 1.5, "Changes only the lens; 2 shows half as much, 0.5 twice as much."),
    "eight": FilmMove(
        "Figure of eight", DISTANCES, -2, 2, 0.15,
        "A horizontal figure eight of this half-width in front of the subject, facing it; returns to its start.", "right", "left",
    ),
    "handheld": FilmMove("Handheld", DEGREES, 0, 10, 0.6, "The shake of a handheld camera; the seed selects the pattern."),
    "hold": FilmMove("Hold", "", 0, 0, 0, "Nothing moves."),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Stand:
    """The pose of the camera rig, at one time or at F times.

    ``rotation`` (...,3,3) and ``position`` (...,3): first-from-camera. ``lens`` (...): factor of the first focal length.
    """

    rotation: NDArray[np.float64]
    position: NDArray[np.float64]
    lens: NDArray[np.float64]

    def at(self, moment: int) -> Stand:
        return Stand(self.rotation[moment], self.position[moment], self.lens[moment])


START = Stand(np.eye(3), np.zeros(3), np.ones(()))


def move_rig(start: Stand, moves: Sequence[tuple[str, float, NDArray[np.float64]]], *, distance: float) -> Stand:
    """The rig's poses at F times while ``moves`` run simultaneously, starting from ``start`` (one time).

    ``moves``: at least one of name, amount and progress (F,) in 0..1. ``distance``: from the first camera to the subject,
    in scene units. Handheld motion is separate, see `handheld_sway`. Raises `InputError` if a dolly zoom would reach the subject.
    """
    from camera.rotation import about_axis

    total = {name: np.zeros(len(moves[0][2])) for name in MOVES}
    lens, eight = start.lens, np.zeros((len(moves[0][2]), 2))
    for name, amount, progress in moves:
        total[name] = total[name] + amount * progress
        lens = lens * (amount**progress if name == "zoom" else np.ones(len(progress)))
        eight += _eight(amount, progress) if name == "eight" else 0.0
    subject, up = np.array([0.0, 0.0, distance]), np.array([0.0, -1.0, 0.0])
    turntable = about_axis([0, 1, 0], -total["arc"]) @ about_axis(_level(start.rotation), -total["arc-up"])
    rotation = turntable @ start.rotation
    right, down, forward = np.moveaxis(rotation, -1, 0)
    orbited = subject + turntable @ (start.position - subject)
    facing = orbited + distance * (_along(up, total["crane"]) + _along(right, eight[:, 0]) - _along(down, eight[:, 1]))
    track = _along(forward, total["dolly"] + total["dolly-zoom"]) + _along(right, total["truck"])
    position = facing + distance * (track + _along(up, total["pedestal"]))
    if total["dolly-zoom"].any():
        before = (subject - start.position) @ start.rotation[:, 2]
        after = ((subject - position) * forward).sum(axis=1)
        if min(before, after.min()) < NEAREST * distance:
            raise InputError("The dolly zoom would reach or pass the subject; use a smaller amount.")
        lens = lens * after / before
    to_subject = np.swapaxes(rotation, 1, 2) @ (subject - facing)[..., None]
    reframing = _turns(start.rotation.T @ (subject - start.position), to_subject[..., 0])
    head = about_axis([1, 0, 0], total["tilt"]) @ about_axis([0, 0, 1], total["roll"])
    return Stand(about_axis([0, 1, 0], total["pan"]) @ rotation @ reframing @ head, position, lens)


def handheld_sway(seconds: NDArray[np.float64], degrees: NDArray[np.float64], *, seed: int, distance: float) -> NDArray:
    """Handheld motion (F,4,4), to be applied in the camera's own frame: smooth, seeded, the identity at time 0.

    ``seconds`` (F,) is the time, ``degrees`` (F,) the strength: the root mean square of pan and of tilt after the first
    half second. Roll has half that strength; the position sways by 0.4 % of ``distance`` per degree.
    """
    from camera.rotation import from_pan_tilt_roll
    from camera.trajectories.keyframes import ease

    noise = _smooth_noise(seconds, channels=6, seed=seed) * (degrees * ease(seconds / 0.5, "ease"))[:, None]
    poses = np.repeat(np.eye(4)[None], len(seconds), axis=0)
    poses[:, :3, :3] = from_pan_tilt_roll(noise[:, 0], noise[:, 1], noise[:, 2] / 2)
    poses[:, :3, 3] = noise[:, 3:] * 0.004 * distance
    return poses


def _along(direction: NDArray, length: NDArray) -> NDArray[np.float64]:
    """(F,3): ``direction`` (3,) or (F,3) times ``length`` (F,)."""
    return direction * length[:, None]


def _eight(amount: float, progress: NDArray) -> NDArray[np.float64]:
    """Offsets (F,2), right and up, on Gerono's lemniscate; it starts upwards and to the right for a positive ``amount``."""
    angle = 2 * np.pi * progress
    return np.stack([amount * np.sin(angle), abs(amount) * np.sin(2 * angle) / 2], axis=-1)


def _level(rotation: NDArray) -> NDArray[np.float64]:
    """The horizontal part of the camera's right axis (3,); the axis itself if the camera looks straight up or down."""
    level = np.cross([0.0, 1.0, 0.0], rotation[:, 2])
    length = np.linalg.norm(level)
    if length < 1e-9:
        return rotation[:, 0]
    return level / length * (1 if level @ rotation[:, 0] >= 0 else -1)


def _turns(first: NDArray, second: NDArray) -> NDArray[np.float64]:
    """(F,3,3): the smallest rotations from the direction ``first`` (3,) to the directions ``second`` (F,3)."""
    from scipy.spatial.transform import Rotation

    axis = np.cross(first, second)
    sine, cosine = np.linalg.norm(axis, axis=1), second @ first
    scale = np.arctan2(sine, cosine) / np.maximum(sine, 1e-300)
    return Rotation.from_rotvec(axis * scale[:, None]).as_matrix()


def _smooth_noise(seconds: NDArray, *, channels: int, seed: int) -> NDArray:
    """(F,C) with mean square 1: sines from 0.25 to 3.5 Hz, weaker at higher frequencies, as in footage of handheld cameras."""
    random = np.random.default_rng(seed)
    frequency = np.geomspace(0.25, 3.5, 12) * random.uniform(0.85, 1.15, size=(channels, 12))
    phase = random.uniform(0, 2 * np.pi, size=(channels, 12))
    weight = 1 / frequency
    weight *= np.sqrt(2 / (weight**2).sum(axis=1, keepdims=True))
    return (weight * np.sin(2 * np.pi * frequency * seconds[:, None, None] + phase)).sum(axis=2)
