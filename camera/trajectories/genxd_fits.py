"""GenXD's trajectories for a few views: a spline through them, a spiral in front of them, an ellipse around them.

Functions take world_from_camera (N,4,4) and return (F,4,4), OpenCV axes. Internally they use the sources' axes
(x right, y up, z backward). ``shifts_*`` and ``multiples`` append shifted or scaled copies of the whole trajectory.
Sources: arXiv 2411.02319; ``tools/pose_traj_generate.py`` of the original code, after multinerf.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camera.errors import InputError

Array = NDArray[np.float64]
Y_AND_Z_TURNED = np.diag([1.0, -1.0, -1.0, 1.0])


def spline(
    world_from_camera: ArrayLike,
    frames: int,
    *,
    degree: int = 5,
    smoothing: float = 0.03,
    turn_weight: float = 0.1,
    shifts_x: Sequence[float] = (),
    shifts_z: Sequence[float] = (),
    multiples: Sequence[float] = (),
) -> Array:
    """A smooth path through the views, in their order; needs two or more.

    Each view becomes 9 numbers: its centre and the points ``turn_weight`` in front of and above it. ``degree`` is capped
    at views - 1. ``smoothing`` is scipy's ``s``: how far the B-spline may miss the views; 0 interpolates them. Shifts are
    in half-ranges of the views' positions; with ``multiples`` the positions are multiplied instead and shifts are ignored.
    """
    from scipy.interpolate import splev, splprep

    poses = _to_opengl(_check_poses(world_from_camera))
    centres, up, back = poses[:, :, 3], poses[:, :, 1], poses[:, :, 2]
    keys = np.concatenate([centres, centres - turn_weight * back, centres + turn_weight * up], axis=1)
    try:
        curve, _ = splprep(keys.T, k=min(degree, len(keys) - 1), s=smoothing)
    except ValueError as error:
        raise InputError(
            "No spline goes through these views: two neighbours are at the same place; remove one of them."
        ) from error
    points = np.stack(splev(np.arange(frames) / frames, curve), axis=1)
    position, ahead, above = points[:, :3], points[:, 3:6], points[:, 6:]
    path = _view(position - ahead, above - position, position)
    if multiples:
        copies = [_offset_copy(path, factor=m) for m in (1.0, *multiples)]
    else:
        reach = _half_range(centres)
        copies = [
            _offset_copy(path, (x * reach[0], 0, z * reach[2])) for x in (0.0, *shifts_x) for z in (0.0, *shifts_z)
        ]
    return _from_opengl(np.concatenate(copies))


def spiral(
    world_from_camera: ArrayLike,
    frames: int,
    *,
    percentile: float = 60,
    rotations: int = 1,
    depth_rate: float = 0.0,
    near_far: tuple[float, float] | None = None,
    shifts_z: Sequence[float] = (),
    shift_height: bool = False,
    multiples: Sequence[float] = (),
    with_centre: bool = False,
    original_centre: bool = False,
) -> Array:
    """A spiral around the average view; its radius is this ``percentile`` of the views' distances from the world's origin.

    It looks at the point nearest to the views' optical axes or, if ``near_far`` gives the nearest and farthest depth, at
    multinerf's focus depth between them. ``depth_rate``: oscillations in depth per rotation.
    ``shift_height`` applies the shifts to height instead of depth. ``with_centre`` prepends one pose at the centre; the
    original code puts it at the world's origin by mistake, which ``original_centre`` reproduces.
    """
    poses = _to_opengl(_check_poses(world_from_camera))
    centres = poses[:, :, 3]
    average = _view(poses[:, :, 2].mean(0), poses[:, :, 1].mean(0), centres.mean(0))
    reach = np.percentile(np.abs(centres), percentile, axis=0)
    angle = np.linspace(0, 2 * np.pi * rotations, frames, endpoint=False)
    offset = np.stack([np.cos(angle), -np.sin(angle), -np.sin(angle * depth_rate)], axis=1) * reach
    target = _focus_point(poses) if near_far is None else _apply(average, [0, 0, -_focus_depth(*near_far)])
    up = poses[:, :, 1].mean(0)
    position = _apply(average, offset)
    path = _view(position - target, up, position)
    if with_centre:
        middle = np.zeros(3) if original_centre else centres.mean(0)
        path = np.concatenate([_view(middle - target, up, middle)[None], path])
    return _from_opengl(_copies(path, centres, shifts_z, multiples, axis=1 if shift_height else 2))


def ellipse(
    world_from_camera: ArrayLike,
    frames: int,
    *,
    constant_speed: bool = True,
    height_variation: float = 0.0,
    height_phase: float = 0.0,
    shifts_z: Sequence[float] = (),
    shift_height: bool = False,
    multiples: Sequence[float] = (),
) -> Array:
    """An ellipse around the point that the views look at, in the x-y plane; the world must be z-up.

    Its height is midway between the 10th and 90th percentile of the views' heights. ``height_variation`` (0 to 1) is the
    fraction of that range over which it rises and sinks; ``height_phase`` is the starting phase in turns.
    """
    poses = _to_opengl(_check_poses(world_from_camera))
    centres = poses[:, :, 3]
    focus = _focus_point(poses)
    middle = np.array([focus[0], focus[1], 0])
    reach = np.percentile(np.abs(centres - middle), 90, axis=0)
    low, high = np.percentile(centres[:, 2], [10, 90])

    def at(angle: Array) -> Array:
        wave = 0.5 + 0.5 * height_variation * np.cos(angle + 2 * np.pi * height_phase)
        flat = middle[:2] + reach[:2] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return np.concatenate([flat, (low + (high - low) * wave)[:, None]], axis=1)

    angle = np.linspace(0, 2 * np.pi, frames + 1)
    if constant_speed:
        angle = _evenly_along(angle, at(angle))
    position = at(angle[:-1])
    path = _view(position - focus, _nearest_axis(poses[:, :, 1].mean(0)), position)
    return _from_opengl(_copies(path, centres, shifts_z, multiples, axis=1 if shift_height else 2))


def average_camera(world_from_camera: ArrayLike) -> Array:
    """(4,4): a camera at the mean position of the views (N,4,4) with their mean view direction, OpenCV axes."""
    poses = _check_poses(world_from_camera)
    down, forward = poses[:, :3, 1].mean(0), poses[:, :3, 2].mean(0)
    if min(np.linalg.norm(forward), np.linalg.norm(np.cross(down, forward))) < 1e-3:
        raise InputError("The views look in all directions, so they have no average; choose an ellipse.")
    return _from_opengl(_view(-forward, -down, poses[:, :3, 3].mean(0))[None])[0]


def levelled_world(world_from_camera: ArrayLike) -> Array:
    """(4,4): a world at the mean position of the views (N,4,4) with their mean up direction as z axis."""
    poses = _check_poses(world_from_camera)
    up = -poses[:, :3, 1].mean(0)
    if np.linalg.norm(up) < 1e-3:
        raise InputError("The views have no common 'up', so no level ellipse goes around them; choose a spline.")
    across = np.eye(3)[np.argmin(np.abs(up))]
    world = np.eye(4)
    world[:3, 2] = _unit(up)
    world[:3, 0] = _unit(across - world[:3, 2] * (world[:3, 2] @ across))
    world[:3, 1] = np.cross(world[:3, 2], world[:3, 0])
    world[:3, 3] = poses[:, :3, 3].mean(0)
    return world


def common_point(world_from_camera: ArrayLike) -> Array:
    """(3,): the point nearest to the optical axes of the views (N,4,4); may lie behind some of them."""
    return _focus_point(_to_opengl(_check_poses(world_from_camera)))


def _check_poses(world_from_camera: ArrayLike) -> Array:
    poses = np.asarray(world_from_camera, dtype=np.float64)
    if poses.ndim != 3 or poses.shape[1:] != (4, 4) or len(poses) < 2:
        raise InputError(
            f"Fitting a trajectory needs 2 or more views with cameras (N,4,4), got {poses.shape}; add views."
        )
    return poses


def _to_opengl(poses: Array) -> Array:
    """(N,3,4) with y up and z backward, from OpenCV (N,4,4)."""
    return (poses @ Y_AND_Z_TURNED)[:, :3]


def _from_opengl(poses: Array) -> Array:
    full = np.repeat(np.eye(4)[None], len(poses), axis=0)
    full[:, :3] = poses
    return full @ Y_AND_Z_TURNED


def _view(back: Array, up: Array, position: Array) -> Array:
    """(...,3,4): the OpenGL pose at ``position`` that looks along -``back``."""
    z = _unit(back)
    x = _unit(np.cross(up, z))
    y = _unit(np.cross(z, x))
    return np.stack([x, y, z, np.broadcast_to(position, x.shape)], axis=-1)


def _unit(vectors: Array) -> Array:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _apply(pose: Array, points: ArrayLike) -> Array:
    return np.asarray(points) @ pose[:, :3].T + pose[:, 3]


def _half_range(centres: Array) -> Array:
    low, high = np.percentile(centres, [10, 90], axis=0)
    return (high - low) / 2


def _offset_copy(path: Array, shift: ArrayLike = (0, 0, 0), *, factor: float = 1.0) -> Array:
    moved = path.copy()
    moved[:, :, 3] = (moved[:, :, 3] + np.asarray(shift)) * factor
    return moved


def _copies(path: Array, centres: Array, shifts: Sequence[float], multiples: Sequence[float], *, axis: int) -> Array:
    reach = _half_range(centres)[axis] * np.eye(3)[axis]
    return np.concatenate([_offset_copy(path, s * reach, factor=m) for m in (1.0, *multiples) for s in (0.0, *shifts)])


def _focus_point(poses: Array) -> Array:
    """(3,): the point nearest to all optical axes, by least squares."""
    back, centres = poses[:, :, 2:3], poses[:, :, 3:4]
    across = np.eye(3) - back @ back.transpose(0, 2, 1)
    squares = across.transpose(0, 2, 1) @ across
    try:
        return np.linalg.solve(squares.mean(0), (squares @ centres).mean(0))[:, 0]
    except np.linalg.LinAlgError as error:
        raise InputError(
            "All views look in the same direction, so they look at no common point; use a spline."
        ) from error


def _focus_depth(near: float, far: float) -> float:
    return 1 / (0.25 / (0.9 * near) + 0.75 / (5 * far))


def _nearest_axis(direction: Array) -> Array:
    axis = int(np.argmax(np.abs(direction)))
    return np.sign(direction[axis]) * np.eye(3)[axis]


def _evenly_along(angle: Array, points: Array) -> Array:
    """Angles (F+1,) at equal arc lengths along the polygon of ``points`` (F+1,3), whose angles are ``angle`` (F+1,)."""
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
    share = np.concatenate([[0.0], np.cumsum(lengths)[:-1] / lengths.sum(), [1.0]])
    return np.interp(np.linspace(0, 1 - np.finfo(np.float32).eps, len(angle)), share, angle)
