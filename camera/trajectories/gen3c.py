"""GEN3C's eight camera trajectories with three rotation modes (upstream: camera_utils.generate_camera_trajectory)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import inverse

SLIDES: dict[str, tuple[int, int, int]] = {
    "left": (-1, 0, 0),
    "right": (1, 0, 0),
    "up": (0, -1, 0),
    "down": (0, 1, 0),
    "zoom_in": (0, 0, 1),
    "zoom_out": (0, 0, -1),
}
"""Directions along the first camera's x (right), y (down), z (forward)."""

CIRCLES: dict[str, int] = {"clockwise": 1, "counterclockwise": -1}
"""Full circles parallel to the picture; the sign puts the circle's centre to the left (clockwise) or right."""

TRAJECTORIES: tuple[str, ...] = (*SLIDES, *CIRCLES)

ROTATIONS: dict[str, int] = {"center_facing": 0, "no_rotation": 1, "trajectory_aligned": 2}
"""Multiple of the offset that is added to the target point: 0 keeps facing it, 1 never turns, 2 turns away from it."""


def offsets(trajectory: str, frames: int, distance: float) -> NDArray[np.float64]:
    """(F,3): camera positions in the first camera's frame; straight moves end at ``distance * (F-1)/F``, circles close."""
    if frames < 1:
        raise InputError(f"A trajectory needs at least one frame, got {frames}.")
    if trajectory in SLIDES:
        return np.outer(np.arange(frames) * distance / frames, SLIDES[trajectory])
    if trajectory not in CIRCLES:
        raise InputError(f"Unknown trajectory {trajectory!r}; choose one of {', '.join(TRAJECTORIES)}.")
    angle = 2 * np.pi * np.arange(frames) / max(frames - 1, 1)
    x = CIRCLES[trajectory] * (np.cos(angle) - 1)
    return distance * np.stack([x, np.sin(angle), np.zeros(frames)], axis=1)


def poses(
    trajectory: str,
    frames: int,
    *,
    rotation: str = "center_facing",
    distance: float = 0.3,
    centre_depth: float = 1.0,
    upstream: bool = False,
) -> NDArray[np.float64]:
    """first_from_camera (F,4,4): the camera is at its offset and looks at a point ``centre_depth`` ahead of the start.

    ``distance`` is in centre depths. With ``upstream`` the offset is written unrotated into the translation column of the
    camera-from-world matrix, as upstream does, so the camera is really at R^T offset: a facing slide of 0.3 ends at
    (-0.285, 0, 0.085) instead of (-0.298, 0, 0).
    """
    if rotation not in ROTATIONS:
        raise InputError(f"Unknown rotation {rotation!r}; choose one of {', '.join(ROTATIONS)}.")
    moved = offsets(trajectory, frames, distance * centre_depth)
    target = np.array([0, 0, centre_depth]) + ROTATIONS[rotation] * moved
    camera_from_first = np.repeat(np.eye(4)[None], frames, axis=0)
    camera_from_first[:, :3, :3] = turn = _looking_along(target - moved)
    camera_from_first[:, :3, 3] = -moved if upstream else -np.einsum("fij,fj->fi", turn, moved)
    return inverse(camera_from_first)


def _looking_along(direction: NDArray) -> NDArray[np.float64]:
    """camera_from_world rotations (F,3,3) whose rows are right, down and ``direction`` (F,3), without roll."""
    length = np.linalg.norm(direction, axis=1, keepdims=True)
    if (np.hypot(direction[:, 0], direction[:, 2]) < 1e-6 * length[:, 0]).any() or (length == 0).any():
        raise InputError(
            "The camera would pass through the point it looks at, or look straight up; shorten the distance."
        )
    forward = direction / length
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    return np.stack([right, np.cross(forward, right), forward], axis=1)
