"""Rotations as (...,3,3) matrices; columns are the camera's axes (right, down, forward) in the world."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camera.errors import InputError

if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation

UP = (0.0, -1.0, 0.0)
"""The default up direction of the world: OpenCV's y points down."""

QuaternionOrder = Literal["xyzw", "wxyz"]


def scipy_rotation() -> type[Rotation]:
    """scipy's Rotation class, imported on first use because the import takes a quarter of a second and 25 MB."""
    from scipy.spatial.transform import Rotation

    return Rotation


def slerp(start: ArrayLike, end: ArrayLike, blend: ArrayLike) -> NDArray[np.float64]:
    """Interpolate from ``start`` (F,3,3) to ``end`` (F,3,3) along the shortest arc; ``blend`` (F,) is 0 at the start."""
    first = scipy_rotation().from_matrix(np.asarray(start))
    step = (first.inv() * scipy_rotation().from_matrix(np.asarray(end))).as_rotvec()
    return (first * scipy_rotation().from_rotvec(np.asarray(blend)[..., None] * step)).as_matrix()


def look_at(centre: ArrayLike, target: ArrayLike, *, up: ArrayLike = UP) -> NDArray[np.float64]:
    """(...,3,3): a camera at ``centre`` (...,3) that looks at ``target`` (...,3), with its x axis perpendicular to ``up``.

    Raises `InputError` if the target is at the centre, or straight above or below it.
    """
    forward = np.asarray(target, dtype=np.float64) - np.asarray(centre, dtype=np.float64)
    right = np.cross(forward, np.broadcast_to(np.asarray(up, dtype=np.float64), forward.shape))
    distance, width = (np.linalg.norm(axis, axis=-1, keepdims=True) for axis in (forward, right))
    if not (distance > 1e-12).all():
        raise InputError("A camera cannot look at its own position; move the camera or the target.")
    if not (width > 1e-9 * distance * np.linalg.norm(up)).all():
        raise InputError("A camera cannot look straight along its up direction; move it a little or give another up.")
    forward, right = forward / distance, right / width
    return np.stack([right, np.cross(forward, right), forward], axis=-1)


def about_axis(axis: ArrayLike, degrees: ArrayLike) -> NDArray[np.float64]:
    """(...,3,3): right-handed rotations by ``degrees`` (...) about one ``axis`` (3,) of any length."""
    axis = np.asarray(axis, dtype=np.float64)
    turn = np.radians(np.asarray(degrees, dtype=np.float64))[..., None] * (axis / np.linalg.norm(axis))
    return scipy_rotation().from_rotvec(turn).as_matrix()


def from_pan_tilt_roll(pan: ArrayLike, tilt: ArrayLike, roll: ArrayLike) -> NDArray[np.float64]:
    """(...,3,3) from degrees (...): pan to the right about the vertical, then tilt up, then roll clockwise."""
    angles = np.stack(np.broadcast_arrays(pan, tilt, roll), axis=-1).astype(np.float64)
    return scipy_rotation().from_euler("YXZ", angles.reshape(-1, 3), degrees=True).as_matrix().reshape(*angles.shape, 3)


def to_pan_tilt_roll(rotation: ArrayLike) -> NDArray[np.float64]:
    """(...,3) degrees, the inverse of `from_pan_tilt_roll`; tilt lies in -90..90."""
    rotation = np.asarray(rotation, dtype=np.float64)
    angles = scipy_rotation().from_matrix(rotation.reshape(-1, 3, 3)).as_euler("YXZ", degrees=True)
    return angles.reshape(*rotation.shape[:-2], 3)


def from_quaternion(quaternion: ArrayLike, *, order: QuaternionOrder) -> NDArray[np.float64]:
    """(...,3,3) from quaternions (...,4) of any positive length; raises `InputError` if a length is zero or not finite."""
    quaternion = np.asarray(quaternion, dtype=np.float64)
    length = np.linalg.norm(quaternion, axis=-1)
    if not (np.isfinite(length) & (length > 1e-9)).all():
        raise InputError("A quaternion must have a finite length above zero; one here does not.")
    xyzw = quaternion if order == "xyzw" else np.roll(quaternion, -1, axis=-1)
    return scipy_rotation().from_quat(xyzw.reshape(-1, 4)).as_matrix().reshape(*quaternion.shape[:-1], 3, 3)


def to_quaternion(rotation: ArrayLike, *, order: QuaternionOrder) -> NDArray[np.float64]:
    """(F,4) unit quaternions from rotations (F,3,3); the first has w >= 0, each later one has the sign closer to its predecessor."""
    quaternion = scipy_rotation().from_matrix(np.asarray(rotation)).as_quat(canonical=True)
    flips = (quaternion[1:] * quaternion[:-1]).sum(axis=1) < 0
    quaternion[1:][np.cumsum(flips) % 2 == 1] *= -1
    return quaternion if order == "xyzw" else np.roll(quaternion, 1, axis=-1)


def angle_degrees(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """(...): the angle between two rotations (...,3,3), 0 to 180 degrees; accurate for small angles too."""
    between = np.swapaxes(np.asarray(first), -1, -2) @ np.asarray(second)
    turn = scipy_rotation().from_matrix(between.reshape(-1, 3, 3)).magnitude().reshape(between.shape[:-2])
    return np.degrees(turn)


def orthonormal(rotation: ArrayLike) -> NDArray[np.float64]:
    """(...,3,3): the nearest rotations to matrices (...,3,3), for example to values that were rounded in a file.

    Raises `InputError` if a matrix is not a rotation (scaled or sheared by more than 1 %, or mirrored).
    """
    rotation = np.asarray(rotation, dtype=np.float64)
    if not np.isfinite(rotation).all():
        raise InputError("A rotation matrix holds a value that is not a finite number.")
    left, stretch, right = np.linalg.svd(rotation)
    if (np.abs(stretch - 1) > 0.01).any() or (np.linalg.det(rotation) < 0).any():
        raise InputError("A rotation matrix is scaled, sheared or mirrored; its columns must be three unit axes.")
    return left @ right
