"""Errors between two camera paths: rotation, translation and CamMC errors, and alignment by Sim(3).

Papers use these names for different things, so every docstring names its convention.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camera.errors import InputError
from camera.path import CameraPath
from camera.rotation import angle_degrees

Scale = Literal["rel", "abs", "none"]
"""Unit of lengths: "rel" divides each path by its own largest distance from the first camera, "abs" both by the reference's;
"none" keeps the path's unit."""


def rotation_error_radians_sum(path: CameraPath, reference: CameraPath) -> float:
    """RotErr as in CameraCtrl and CamI2V: angles between rotations relative to the first camera, summed over the frames."""
    return float(np.radians(rotation_error_degrees(path, reference)).sum())


def rotation_error_degrees(path: CameraPath, reference: CameraPath) -> NDArray[np.float64]:
    """(F,): angle between both paths' rotations relative to their first cameras, at every frame."""
    ours, theirs = _relative(path, reference, "none")
    return angle_degrees(ours[:, :3, :3], theirs[:, :3, :3])


def translation_error_sum(path: CameraPath, reference: CameraPath, *, scale: Scale) -> float:
    """TransErr as in CamI2V: distances between camera centres relative to the first camera, summed over the frames."""
    ours, theirs = _relative(path, reference, scale)
    return float(np.linalg.norm(ours[:, :3, 3] - theirs[:, :3, 3], axis=1).sum())


def cammc_sum(path: CameraPath, reference: CameraPath, *, scale: Scale) -> float:
    """CamMC as in MotionCtrl and CamI2V: Frobenius norms of the differences of the 3x4 world-from-camera matrices, summed."""
    ours, theirs = _relative(path, reference, scale)
    return float(np.linalg.norm((ours - theirs)[:, :3].reshape(len(ours), 12), axis=1).sum())


def translation_direction_degrees(path: CameraPath, reference: CameraPath) -> NDArray[np.float64]:
    """(F-1,): angle between both paths' displacements from the first camera; NaN where a camera has not moved."""
    ours, theirs = _relative(path, reference, "none")
    a, b = ours[1:, :3, 3], theirs[1:, :3, 3]
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosine = np.divide((a * b).sum(axis=1), lengths, out=np.full(len(a), np.nan), where=lengths > 1e-18)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


@dataclass(frozen=True, eq=False)
class Similarity:
    """``y = scale * rotation @ x + translation``: (3,3), (3,), and a positive number."""

    scale: float
    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]

    def __call__(self, points: ArrayLike) -> NDArray[np.float64]:
        """Transformed points (...,3)."""
        return self.scale * np.asarray(points) @ self.rotation.T + self.translation

    def of_path(self, path: CameraPath) -> CameraPath:
        """The transformed path: centres by the full similarity, rotations by its rotation."""
        poses = path.world_from_camera.copy()
        poses[:, :3, :3] = self.rotation @ poses[:, :3, :3]
        poses[:, :3, 3] = self(path.centres)
        return path.with_poses(poses)


def fit_similarity(points: ArrayLike, reference: ArrayLike, *, with_scale: bool = True) -> Similarity:
    """The similarity that maps ``points`` (N,3) to ``reference`` (N,3) with the least squared error (Umeyama 1991).

    Raises `InputError` if the shapes differ, or if the points are on one line or coincide, which leaves the rotation undetermined.
    """
    points, reference = np.asarray(points, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if points.shape != reference.shape or points.ndim != 2 or points.shape[1] != 3:
        raise InputError(f"Alignment needs two equal lists of points (N,3), got {points.shape} and {reference.shape}.")
    middle, goal = points.mean(axis=0), reference.mean(axis=0)
    centred = points - middle
    left, spread, right = np.linalg.svd((reference - goal).T @ centred / len(points))
    if spread[1] <= 1e-9 * max(spread[0], 1e-300):
        raise InputError("The camera positions are on one line or coincide, so the best alignment is not unique.")
    mirror = np.array([1, 1, np.sign(np.linalg.det(left @ right))])
    rotation = left * mirror @ right
    scale = float((spread * mirror).sum() / centred.var(axis=0).sum()) if with_scale else 1.0
    return Similarity(scale, rotation, goal - scale * rotation @ middle)


def align_path(path: CameraPath, reference: CameraPath, *, with_scale: bool = True) -> CameraPath:
    """``path`` aligned with ``reference`` by the best similarity of their camera centres."""
    _check(path, reference)
    return fit_similarity(path.centres, reference.centres, with_scale=with_scale).of_path(path)


def _relative(path: CameraPath, reference: CameraPath, scale: Scale) -> tuple[NDArray, NDArray]:
    """Both paths' poses (F,4,4) relative to their first camera, in the unit given by ``scale``."""
    _check(path, reference)
    pair = [each.relative_to_first().world_from_camera.copy() for each in (path, reference)]
    sizes = [float(np.linalg.norm(poses[:, :3, 3], axis=1).max()) for poses in pair]
    if scale not in ("rel", "abs", "none"):
        raise InputError(f"The scale of lengths must be rel, abs or none; got {scale!r}.")
    if scale == "abs":
        sizes[0] = sizes[1]
    for poses, size in zip(pair, sizes):
        if scale != "none" and size > 0:
            poses[:, :3, 3] /= size
    return pair[0], pair[1]


def _check(path: CameraPath, reference: CameraPath) -> None:
    if len(path) != len(reference):
        raise InputError(f"Paths of {len(path)} and {len(reference)} frames cannot be compared; resample one of them.")
