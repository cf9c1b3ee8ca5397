"""DimensionX's directors as nominal camera moves.

A director is a LoRA and receives no poses. The paths here are what its name promises, not exactly what it will do (the authors
advise measuring the result). Names are upstream's; axis signs and angles follow from the names (``orbit_up_45``,
``pan_right_30``), distances are our own choice.

Every director is one constant twist, a translation and rotation per frame in the camera's own axes, so a free path can be
compared with a combination of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camera.errors import InputError
from camera.path import CameraPath
from camera.rotation import scipy_rotation

TRAVEL = 0.3
"""Nominal travel of the straight directors, as a fraction of the distance to the subject (ours; upstream gives none)."""
FRAMES, ORBIT_FRAMES = 49, 145
FPS = 8.0


@dataclass(frozen=True)
class Director:
    """One released camera LoRA.

    ``travel`` is in distances to the subject, ``turn`` in degrees about the camera's own axes (OpenCV), both over the
    whole clip. For an orbit, `twist` derives the travel that keeps the subject in place.
    """

    id: str
    title: str
    group: Literal["translation", "rotation", "orbit", "time"]
    travel: tuple[float, float, float] = (0.0, 0.0, 0.0)
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0)
    frames: int = FRAMES

    @property
    def orbits(self) -> bool:
        return self.group == "orbit"

    @property
    def twist(self) -> NDArray[np.float64]:
        """(6,): translation (in distances to the subject) and rotation (radians) over the whole clip, in camera axes."""
        turn = np.radians(self.turn)
        travel = np.cross(turn, [0.0, 0.0, -1.0]) if self.orbits else np.asarray(self.travel)
        return np.concatenate([travel, turn])


def _straight(id: str, title: str, x: float = 0, y: float = 0, z: float = 0) -> Director:
    return Director(id, title, "translation", travel=(x * TRAVEL, y * TRAVEL, z * TRAVEL))


DIRECTORS: dict[str, Director] = {
    director.id: director
    for director in (
        _straight("x_left", "Truck left", x=-1),
        _straight("x_right", "Truck right", x=1),
        _straight("y_up", "Pedestal up", y=-1),
        _straight("y_down", "Pedestal down", y=1),
        _straight("z_zoom_in", "Dolly in", z=1),
        _straight("z_zoom_out", "Dolly out", z=-1),
        Director("pan_left", "Pan left", "rotation", turn=(0, -30, 0)),
        Director("pan_right", "Pan right", "rotation", turn=(0, 30, 0)),
        Director("pan_up", "Tilt up", "rotation", turn=(30, 0, 0)),
        Director("pan_down", "Tilt down", "rotation", turn=(-30, 0, 0)),
        Director("pan_rotation_left", "Roll left", "rotation", turn=(0, 0, -30)),
        Director("pan_rotation_right", "Roll right", "rotation", turn=(0, 0, 30)),
        Director("orbit_left", "Orbit left", "orbit", turn=(0, 45, 0)),
        Director("orbit_right", "Orbit right", "orbit", turn=(0, -45, 0)),
        Director("orbit_up", "Orbit up", "orbit", turn=(-45, 0, 0)),
        Director("orbit_down", "Orbit down", "orbit", turn=(45, 0, 0)),
        Director("orbit_360", "Orbit all around (145 frames)", "orbit", turn=(0, 360, 0), frames=ORBIT_FRAMES),
        Director("t_director", "Still camera, scene moves (T-Director)", "time"),
    )
}


def director(id: str) -> Director:
    """The director named ``id``; raises `InputError` for an unknown one."""
    if id not in DIRECTORS:
        raise InputError(f"There is no DimensionX director {id!r}; choose one of {', '.join(DIRECTORS)}.")
    return DIRECTORS[id]


def independent(first: Director, second: Director) -> bool:
    """Whether two directors are linearly independent; a director and its opposite are not."""
    return bool(np.linalg.matrix_rank(np.stack([first.twist, second.twist])) == 2)


def nominal_path(
    start: CameraPath,
    parts: Sequence[tuple[str, float]],
    *,
    frames: int | None = None,
    fps: float = FPS,
    distance: float = 1.0,
    amount: float = 1.0,
) -> CameraPath:
    """The nominal move of the directors, at constant speed, from the first camera of ``start`` with its lens.

    ``parts``: director and weight. Several directors are added like their LoRAs: the travel and turn of each step add up.
    ``frames``: default is the longest clip length of the directors. ``distance``: to the subject, scene units, > 0.
    ``amount``: 1 is the nominal extent. Source of names and amounts: DimensionX README and batch scripts.
    """
    if not parts:
        raise InputError("A DimensionX move needs at least one director.")
    if not distance > 0:
        raise InputError(f"The distance to the subject must be positive, got {distance}.")
    count = frames if frames is not None else max(director(id).frames for id, _ in parts)
    along = np.linspace(0.0, amount, count) if count > 1 else np.zeros(1)
    twist = np.sum([weight * director(id).twist for id, weight in parts], axis=0)
    moved = transform_of_twist(along[:, None] * twist)
    moved[:, :3, 3] *= distance
    lens = np.repeat(start.intrinsics[:1], count, axis=0)
    return CameraPath(start.world_from_camera[0] @ moved, lens, start.width, start.height, fps)


def sequence(paths: Sequence[CameraPath]) -> CameraPath:
    """Consecutive clips: each starts at the last camera of the previous one and repeats that frame."""
    joined = paths[0]
    for path in paths[1:]:
        tail = path.moved_to(joined.world_from_camera[-1]).sliced(slice(1, None))
        poses = np.concatenate([joined.world_from_camera, tail.world_from_camera])
        lenses = np.concatenate([joined.intrinsics, tail.intrinsics])
        joined = CameraPath(poses, lenses, joined.width, joined.height, joined.fps)
    return joined


def transform_of_twist(twist: ArrayLike) -> NDArray[np.float64]:
    """(...,4,4): the pose of a camera after it translates by ``twist[..., :3]`` and rotates by ``twist[..., 3:]`` (radians)
    simultaneously at constant speed, both in its own axes: the exponential map of SE(3)."""
    twist = np.asarray(twist, dtype=np.float64)
    travel, turn = twist[..., :3], twist[..., 3:]
    moved = np.zeros((*twist.shape[:-1], 4, 4))
    moved[..., :3, :3], bend = _turn_and_bend(turn)
    moved[..., :3, 3] = (bend @ travel[..., None])[..., 0]
    moved[..., 3, 3] = 1
    return moved


def twist_of_transform(transform: ArrayLike) -> NDArray[np.float64]:
    """(...,6): the inverse of `transform_of_twist`, for rotations below 180 degrees."""
    transform = np.asarray(transform, dtype=np.float64)
    turn = (
        scipy_rotation()
        .from_matrix(transform[..., :3, :3].reshape(-1, 3, 3))
        .as_rotvec()
        .reshape(*transform.shape[:-2], 3)
    )
    travel = np.linalg.solve(_turn_and_bend(turn)[1], transform[..., :3, 3:])[..., 0]
    return np.concatenate([travel, turn], axis=-1, dtype=np.float64)


def _turn_and_bend(turn: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both (...,3,3): the rotation (Rodrigues' formula) and the left Jacobian of SO(3), which maps the straight translation to the
    curved one; Taylor series near zero. Without scipy, because the first page draws with it."""
    angle = np.linalg.norm(turn, axis=-1)[..., None, None]
    small = angle < 1e-4
    safe = np.where(small, 1.0, angle)
    straight = np.where(small, 1 - angle**2 / 6, np.sin(safe) / safe)
    first = np.where(small, 0.5 - angle**2 / 24, (1 - np.cos(safe)) / safe**2)
    second = np.where(small, 1 / 6 - angle**2 / 120, (safe - np.sin(safe)) / safe**3)
    x, y, z = np.moveaxis(turn, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*turn.shape, 3)
    square = cross @ cross
    return np.eye(3) + straight * cross + first * square, np.eye(3) + first * cross + second * square
