"""Cameras relative to a target: look at it, keep its size or distance, follow it, orbit it.

A target is a point of the world, or one point per frame if it moves.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camera.errors import InputError
from camera.path import CameraPath
from camera.rotation import about_axis, look_at

SHORTEST, LONGEST = 0.2, 20.0
"""Minimum and maximum factor by which a focal length may change to keep a target's size."""


def depths_of(path: CameraPath, target: ArrayLike) -> NDArray[np.float64]:
    """(F,): depth of the target in scene units, for a focus that follows it."""
    points = _expand_target(path, target)
    return ((points - path.centres) * path.world_from_camera[:, :3, 2]).sum(axis=1)


def look_at_target(path: CameraPath, target: ArrayLike, *, at: tuple[float, float] = (0.5, 0.5)) -> CameraPath:
    """The same positions; every camera is rotated by the smallest angle that brings ``target`` (3,) or (F,3) to the picture position
    ``at``, in fractions of width and height. Raises `InputError` if a camera is at the target."""
    points, poses = _expand_target(path, target), path.world_from_camera.copy()
    goal = _rays(path, at)
    to_target = np.einsum("fji,fj->fi", poses[:, :3, :3], points - path.centres)
    distance = np.linalg.norm(to_target, axis=1)
    if (distance < 1e-9).any():
        frame = int(np.argmin(distance))
        raise InputError(f"In frame {frame + 1} the camera is at the target; move one of them.")
    poses[:, :3, :3] = poses[:, :3, :3] @ _least_turns(goal, to_target / distance[:, None])
    return path.with_poses(poses)


def keep_framed(path: CameraPath, target: ArrayLike) -> CameraPath:
    """The same cameras with lenses that keep ``target`` at its size in the first frame (dolly zoom).

    Raises `InputError` if the target is not in front of the camera, or if the focal length would have to change by a factor
    outside `SHORTEST` to `LONGEST`.
    """
    depths = depths_of(path, target)
    if (depths <= 0).any():
        frame = int(np.argmax(depths <= 0))
        raise InputError(f"In frame {frame + 1} the target is behind the camera; look at it first.")
    longer = depths / depths[0]
    if longer.min() < SHORTEST or longer.max() > LONGEST:
        raise InputError(
            f"To keep the target's size the focal length would change by factors of {longer.min():.2g} to {longer.max():.2g}; "
            f"{SHORTEST:g} to {LONGEST:g} are possible. Vary the camera's distance less."
        )
    lenses = path.intrinsics.copy()
    lenses[:, :2, :2] *= longer[:, None, None]
    return replace(path, intrinsics=lenses)


def keep_distance(path: CameraPath, target: ArrayLike, distance: float | None = None) -> CameraPath:
    """Move every camera along its line to the target to ``distance`` from it, directions unchanged; None keeps the first camera's distance."""
    points = _expand_target(path, target)
    away = path.centres - points
    length = np.linalg.norm(away, axis=1, keepdims=True)
    if (length < 1e-9).any():
        raise InputError(f"In frame {int(np.argmin(length)) + 1} the camera is at the target; move it away first.")
    poses = path.world_from_camera.copy()
    poses[:, :3, 3] = points + away / length * (length[0] if distance is None else distance)
    return path.with_poses(poses)


def follow_target(path: CameraPath, target: ArrayLike) -> CameraPath:
    """Follow a target (F,3): every camera is moved by the target's displacement from its first position."""
    points = _expand_target(path, target)
    poses = path.world_from_camera.copy()
    poses[:, :3, 3] += points - points[0]
    return path.with_poses(poses)


def orbit_target(camera: CameraPath, target: ArrayLike, degrees: ArrayLike, *, up: ArrayLike) -> CameraPath:
    """Rotate a camera (a path of one frame) rigidly about the axis ``up`` (3,) through ``target`` (3,) by ``degrees`` (F,), positive to
    its right; the target keeps its position and size in the picture."""
    turns = about_axis(up, np.atleast_1d(np.asarray(degrees, dtype=np.float64)))
    point = np.asarray(target, dtype=np.float64)
    poses = np.repeat(camera.world_from_camera, len(turns), axis=0)
    poses[:, :3, :3] = turns @ poses[:, :3, :3]
    poses[:, :3, 3] = point + np.einsum("fij,j->fi", turns, camera.centres[0] - point)
    return CameraPath(poses, camera.intrinsics[0], camera.width, camera.height, camera.fps)


def along_stroke(camera: CameraPath, stroke: ArrayLike, frames: int, *, ahead: bool = False) -> CameraPath:
    """Move a camera (a path of one frame) along a line drawn from above, at constant height and speed.

    ``stroke`` (N,2): x and z in the world. The camera keeps its direction or, with ``ahead``, faces along the line. Raises `InputError`
    for a line without length.
    """
    line = np.asarray(stroke, dtype=np.float64)
    if line.ndim != 2 or line.shape[1:] != (2,) or len(line) < 2 or not np.isfinite(line).all():
        raise InputError(f"A line from above needs at least two points of x and z, got {line.shape}.")
    done = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    if done[-1] <= 1e-9:
        raise InputError("The line has no length; draw a longer one.")
    at = np.linspace(0, done[-1], frames)
    x, z = (np.interp(at, done, column) for column in line.T)
    poses = np.repeat(camera.world_from_camera, frames, axis=0)
    poses[:, 0, 3], poses[:, 2, 3] = x, z
    if ahead:
        way = np.stack([np.gradient(x), np.zeros(frames), np.gradient(z)], axis=1)
        poses[:, :3, :3] = np.stack([look_at(place, place + step) for place, step in zip(poses[:, :3, 3], way)])
    return CameraPath(poses, camera.intrinsics[0], camera.width, camera.height, camera.fps)


def _expand_target(path: CameraPath, target: ArrayLike) -> NDArray[np.float64]:
    """(F,3): the target at every frame."""
    points = np.asarray(target, dtype=np.float64)
    if points.shape not in ((3,), (len(path), 3)) or not np.isfinite(points).all():
        raise InputError(f"A target must be a point (3,) or one for each of {len(path)} frames, got {points.shape}.")
    return np.broadcast_to(points, (len(path), 3))


def _rays(path: CameraPath, at: tuple[float, float]) -> NDArray[np.float64]:
    """(F,3): unit directions, in camera axes, towards an image position given as a fraction of the image size."""
    pixel = np.array([at[0] * path.width - 0.5, at[1] * path.height - 0.5, 1.0])
    rays = np.linalg.solve(path.intrinsics, np.broadcast_to(pixel[:, None], (len(path), 3, 1)))[..., 0]
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)


def _least_turns(first: NDArray, second: NDArray) -> NDArray[np.float64]:
    """(F,3,3): the smallest rotations from unit directions ``first`` (F,3) to ``second`` (F,3)."""
    from camera.rotation import scipy_rotation

    axis = np.cross(first, second)
    sine, cosine = np.linalg.norm(axis, axis=1), (first * second).sum(axis=1)
    sideways = np.cross(first, np.eye(3)[np.argmin(np.abs(first), axis=1)])
    axis = np.where((sine < 1e-12)[:, None] & (cosine < 0)[:, None], sideways, axis)
    length = np.maximum(np.linalg.norm(axis, axis=1), 1e-300)
    return scipy_rotation().from_rotvec(axis / length[:, None] * np.arctan2(sine, cosine)[:, None]).as_matrix()
