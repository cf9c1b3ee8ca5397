"""Camera moves of DualCamCtrl's demo app: spiral, push-in, circle and pan, and slides in eight directions.

The moves are positions around a subject at the origin, one unit away at the first frame, with y up; a look-at rotation makes
them OpenCV cameras. The demo app (gradio/app.py) builds the same positions but stores an OpenGL look-at with rows and
columns exchanged, so its rays move out where they should move in; `upstream_poses` reproduces that.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import inverse
from camera.rotation import look_at

Shape = Literal["spiral", "push-in", "circle", "pan"]
SHAPES: tuple[str, ...] = ("spiral", "push-in", "circle", "pan")

SLIDES: dict[str, tuple[int, int]] = {
    "left": (-1, 0),
    "right": (1, 0),
    "up": (0, -1),
    "down": (0, 1),
    "left-up": (-1, -1),
    "left-down": (-1, 1),
    "right-up": (1, -1),
    "right-down": (1, 1),
}
"""Slide names and their direction along the camera's x (right) and y (down)."""

PRESETS: tuple[str, ...] = (*SHAPES, *SLIDES)

_UPSTREAM_DISTANCE: dict[str, float] = {"spiral": 2.0, "push-in": 3.0, "circle": 2.0, "pan": 2.0}
"""Distance to the subject of the demo app's shapes, in its units."""


def poses(
    preset: str,
    frames: int,
    *,
    turn_degrees: float = 30.0,
    travel: float = 0.4,
    rise: float = 0.1,
    approach: float = 0.3,
) -> NDArray[np.float64]:
    """World-from-camera (F,4,4) of a corrected move; the first pose is the identity, the subject is at (0,0,1).

    ``turn_degrees``: angle of circle and spiral around the subject, positive to the camera's right.
    ``travel``: length of push-in, pan and slides; ``rise`` and ``approach``: how much a spiral climbs and comes closer;
    all three as fractions of the distance to the subject. The last frame completes the move.

    The demo app's own amounts are a turn of -360 degrees, travel 2/3 (push-in) and 1 (pan), rise 0.5, approach 0.3.
    Slides keep the view direction; the base model's presets of the same names shear the picture instead.
    """
    _check(preset, frames, PRESETS)
    along = np.linspace(0, 1, frames)
    if preset in SLIDES:
        direction = np.array([*SLIDES[preset], 0.0])
        moved = np.repeat(np.eye(4)[None], frames, axis=0)
        moved[:, :3, 3] = along[:, None] * travel * direction / np.linalg.norm(direction)
        return moved
    if preset == "push-in" and travel >= 1:
        raise InputError(f"A push-in of {travel} times the distance runs through the subject; keep travel below 1.")
    if preset == "spiral" and approach >= 1:
        raise InputError(
            f"A spiral that comes {approach} of the way closer reaches its subject; keep approach below 1."
        )
    up_positions = _positions(preset, along, turn_degrees=-turn_degrees, travel=travel, rise=rise, approach=approach)
    positions = up_positions * [1, -1, -1]  # y points down in OpenCV's world
    placed = np.repeat(np.eye(4)[None], frames, axis=0)
    placed[:, :3, :3] = look_at(positions, np.zeros(3))
    placed[:, :3, 3] = positions
    moved = inverse(placed[0]) @ placed
    moved[:, :3, 3] /= np.linalg.norm(positions[0])
    return moved


def upstream_poses(preset: str, frames: int) -> NDArray[np.float64]:
    """World-from-camera (F,4,4) exactly as the demo app stores it, in its units and with its errors.

    The rotation has right, up and backward as rows (they should be columns) and is then read with OpenCV axes.
    Frame i is at i/F of the move, so the end is never reached.
    """
    _check(preset, frames, SHAPES)
    along = np.arange(frames) / frames
    travel = 2 / 3 if preset == "push-in" else 1.0
    positions = _positions(preset, along, turn_degrees=360, travel=travel, rise=0.5, approach=0.3)
    positions = positions * _UPSTREAM_DISTANCE[preset]
    forward = -positions / np.linalg.norm(positions, axis=1, keepdims=True)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    stored = np.repeat(np.eye(4)[None], frames, axis=0)
    stored[:, :3, :3] = np.stack([right, np.cross(right, forward), -forward], axis=1)
    stored[:, :3, 3] = positions
    return stored


def _positions(
    preset: str, along: NDArray, *, turn_degrees: float, travel: float, rise: float, approach: float
) -> NDArray[np.float64]:
    """(F,3) with y up, around a subject at the origin about one unit away; ``along`` (F,) runs from 0 to 1."""
    zero, one = np.zeros_like(along), np.ones_like(along)
    angle = np.radians(turn_degrees) * along
    if preset == "push-in":
        x, y, z = zero, zero, 1 - travel * along
    elif preset == "pan":
        x, y, z = travel * (along - 0.5), zero, one
    elif preset == "circle":
        x, y, z = np.cos(angle), zero, np.sin(angle)
    else:
        radius = 1 - approach * along
        x, y, z = radius * np.cos(angle), rise * along, radius * np.sin(angle)
    return np.stack([x, y, z], axis=1)


def _check(preset: str, frames: int, known: tuple[str, ...]) -> None:
    if preset not in known:
        raise InputError(f"Unknown move {preset!r}; choose one of {', '.join(known)}.")
    if frames < 1:
        raise InputError(f"A move needs at least one frame, got {frames}.")
