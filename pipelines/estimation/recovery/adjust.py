"""Bundle adjustment of a whole clip: Levenberg-Marquardt with the points eliminated (Schur complement).

One solver handles every kind of camera: a matrix maps the free parameters to seven per frame (rotation, translation and
logarithm of the focal length), so that the lens can be fixed, constant or a curve, and a tripod's position stays fixed. The
loss is robust (Cauchy), because objects move and the frames of a generated video do not agree exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.path import CameraPath
from camera.rotation import scipy_rotation
from pipelines.estimation.recovery.follow import Observations
from pipelines.estimation.recovery.normal_equations import (
    add_normal_equations,
    back_substitute,
    eliminate_points,
    fill_residuals,
)

LOSS_PX = 0.7
"""Scale of the Cauchy loss, in pixels of the scaled-down frames."""


@dataclass(frozen=True, eq=False)
class Cameras:
    """``rotation`` (F,3,3) and ``translation`` (F,3): camera from world; ``focal`` (F,) and principal point ``middle`` (2,) in pixels."""

    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]
    focal: NDArray[np.float64]
    middle: NDArray[np.float64]

    def path(self, width: int, height: int, fps: float) -> CameraPath:
        """The cameras as a path for pictures of this size."""
        poses = np.repeat(np.eye(4)[None], len(self.rotation), axis=0)
        poses[:, :3, :3] = np.swapaxes(self.rotation, 1, 2)
        poses[:, :3, 3] = -(poses[:, :3, :3] @ self.translation[:, :, None])[:, :, 0]
        lenses = np.repeat(np.eye(3)[None], len(self.rotation), axis=0)
        lenses[:, 0, 0] = lenses[:, 1, 1] = self.focal
        lenses[:, :2, 2] = self.middle
        return CameraPath(poses, lenses, width, height, fps)

    @staticmethod
    def of(path: CameraPath) -> Cameras:
        view = path.camera_from_world
        focal = path.intrinsics[:, [0, 1], [0, 1]].mean(axis=1)
        return Cameras(view[:, :3, :3], view[:, :3, 3], focal, path.intrinsics[0, :2, 2])

    def moved(self, step: NDArray[np.float64]) -> Cameras:
        """The cameras after a small ``step`` (F,7): rotation vector, translation, logarithm of the focal length."""
        small = scipy_rotation().from_rotvec(step[:, :3]).as_matrix()
        return Cameras(
            small @ self.rotation,
            (small @ self.translation[:, :, None])[:, :, 0] + step[:, 3:6],
            self.focal * np.exp(step[:, 6]),
            self.middle,
        )


@dataclass(frozen=True, eq=False)
class BundleResult:
    """Adjusted cameras and points (P,3).

    ``error_px`` (N,): reprojection error of every observation; ``cost``: robust cost; ``system``: the normal equations there.
    """

    cameras: Cameras
    points: NDArray[np.float64]
    error_px: NDArray[np.float64]
    cost: float
    system: _NormalEquations


def free_parameters(
    frames: int, *, positions: bool = True, rotations: bool = True, lens: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """(7F, K): maps the free parameters to seven per frame. The first frame's pose is fixed.

    ``lens`` (F,L): basis of the logarithm of the focal length; ones (F,1) for a constant lens, None for a fixed one.
    """
    columns = []
    for part, wanted in ((0, rotations), (3, positions)):
        if wanted:
            block = np.zeros((frames, 7, frames - 1, 3))
            for axis in range(3):
                block[np.arange(1, frames), part + axis, np.arange(frames - 1), axis] = 1
            columns.append(block.reshape(7 * frames, -1))
    if lens is not None:
        block = np.zeros((frames, 7, lens.shape[1]))
        block[:, 6] = lens
        columns.append(block.reshape(7 * frames, -1))
    return np.concatenate(columns, axis=1)


def curves(frames: int, knots: int) -> NDArray[np.float64]:
    """(F,K): hat functions over the clip, which add up to one (a linear spline)."""
    where = np.linspace(0, knots - 1, frames)
    return np.maximum(0, 1 - np.abs(where[:, None] - np.arange(knots)))


def adjust(
    cameras: Cameras, points: NDArray[np.float64], seen: Observations, free: NDArray[np.float64], *, rounds: int = 12
) -> BundleResult:
    """Cameras and points (P,3) that minimise the robust reprojection error; ``free``: result of `free_parameters`."""
    order = np.argsort(seen.point, kind="stable")
    seen = Observations(seen.point[order], seen.frame[order], seen.pixel[order])
    damping, cost = 1e-4, _cost(reprojection_errors(cameras, points, seen))
    for _ in range(rounds):
        system = _system(cameras, points, seen, free)
        for _ in range(6):
            step, point_step = system.solve(damping)
            trial = cameras.moved(step)
            moved = points + point_step
            new = _cost(reprojection_errors(trial, moved, seen))
            if new < cost:
                break
            damping *= 8
        else:
            break
        gain, cost, cameras, points, damping = cost - new, new, trial, moved, max(damping / 5, 1e-9)
        if gain < 1e-4 * cost:
            break
    miss = np.linalg.norm(reprojection_errors(cameras, points, seen), axis=1)
    back = np.empty_like(miss)
    back[order] = miss
    return BundleResult(cameras, points, back, cost, _system(cameras, points, seen, free))


@dataclass(frozen=True, eq=False)
class _NormalEquations:
    """The normal equations, see `normal_equations`; ``first`` (P+1,): index of each point's first observation."""

    seen: Observations
    free: NDArray[np.float64]
    U: NDArray[np.float64]
    g: NDArray[np.float64]
    V: NDArray[np.float64]
    h: NDArray[np.float64]
    W: NDArray[np.float64]
    first: NDArray[np.int64]

    def reduce(self, damping: float) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """(K,K) and (K,) for the free parameters alone, and the inverse (P,3,3) of the points' block."""
        spread = np.trace(self.V, axis1=1, axis2=2)[:, None, None]
        inverse = np.linalg.inv(self.V + ((damping + 1e-9) * spread + 1e-12) * np.eye(3))
        frames = len(self.U)
        S, b = np.zeros((frames, frames, 7, 7)), self.g.copy()
        each = np.arange(frames)
        S[each, each] = self.U / 2
        eliminate_points(self.first, self.seen.frame, inverse, self.h, self.W, S, b)
        half = S.transpose(0, 2, 1, 3).reshape(7 * frames, -1)
        left = self.free.T @ (self.free.T @ (half + half.T)).T
        diagonal = (self.free.T**2 * self.U[:, range(7), range(7)].ravel()).sum(axis=1)
        return left + np.diag(damping * diagonal + 1e-9), b.ravel() @ self.free, inverse

    def solve(self, damping: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Steps (F,7) of the cameras and (P,3) of the points."""
        from scipy.linalg import LinAlgError, cho_factor, cho_solve

        left, right, inverse = self.reduce(damping)
        try:
            step = cho_solve(cho_factor(left), right)
        except LinAlgError:
            step = np.linalg.lstsq(left, right, rcond=None)[0]
        step, rest = (self.free @ step).reshape(-1, 7), self.h.copy()
        back_substitute(self.seen.point, self.seen.frame, self.W, step, rest)
        return step, (inverse @ rest[:, :, None])[:, :, 0]


def reprojection_errors(cameras: Cameras, points: NDArray, seen: Observations) -> NDArray[np.float64]:
    """(N,2) pixels: projected minus observed; a large constant for points behind a camera."""
    miss = np.empty((len(seen.point), 2))
    fill_residuals(*_arrays(cameras, points, seen), miss)
    return miss


def _arrays(cameras: Cameras, points: NDArray, seen: Observations) -> tuple[NDArray, ...]:
    floats = (cameras.rotation, cameras.translation, cameras.focal, cameras.middle, points)
    whole = (seen.point, seen.frame)
    return (
        *(np.ascontiguousarray(a, np.float64) for a in floats),
        *(np.ascontiguousarray(a, np.int64) for a in whole),
        np.ascontiguousarray(seen.pixel, np.float64),
    )


def _cost(miss: NDArray) -> float:
    return float(np.log1p((miss**2).sum(axis=1) / LOSS_PX**2).sum())


def _system(
    cameras: Cameras, points: NDArray, seen: Observations, free: NDArray, loss: float = LOSS_PX
) -> _NormalEquations:
    frames, count = len(cameras.focal), len(points)
    U, g = np.zeros((frames, 7, 7)), np.zeros((frames, 7))
    V, h, W = np.zeros((count, 3, 3)), np.zeros((count, 3)), np.zeros((len(seen.point), 7, 3))
    add_normal_equations(*_arrays(cameras, points, seen), loss, U, g, V, h, W)
    return _NormalEquations(seen, free, U, g, V, h, W, np.searchsorted(seen.point, np.arange(count + 1)))


def triangulate(cameras: Cameras, seen: Observations) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points (P,3) nearest to all their rays, and the widest angle (P,) in degrees between a point's first ray and any other."""
    back = np.swapaxes(cameras.rotation, 1, 2)
    centres = -(back @ cameras.translation[:, :, None])[:, :, 0]
    rays = np.append((seen.pixel - cameras.middle) / cameras.focal[seen.frame, None], np.ones((len(seen.point), 1)), 1)
    rays = (back[seen.frame] @ rays[:, :, None])[:, :, 0]
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    across = np.eye(3) - rays[:, :, None] * rays[:, None, :]
    matrix, goal = np.zeros((seen.count, 3, 3)), np.zeros((seen.count, 3))
    np.add.at(matrix, seen.point, across)
    np.add.at(goal, seen.point, (across @ centres[seen.frame][:, :, None])[:, :, 0])
    points = np.linalg.solve(matrix + 1e-9 * np.eye(3), goal[:, :, None])[:, :, 0]
    first = np.zeros((seen.count, 3))
    first[seen.point[::-1]] = rays[::-1]
    widest = np.zeros(seen.count)
    np.maximum.at(widest, seen.point, np.degrees(np.arccos(np.clip((rays * first[seen.point]).sum(axis=1), -1, 1))))
    return np.asarray(points, np.float64), widest


def resect(cameras: Cameras, points: NDArray, seen: Observations, *, rounds: int = 8) -> Cameras:
    """Each camera's pose refined alone on the fixed ``points``; lenses stay fixed too."""
    for _ in range(rounds):
        system = _system(cameras, points, seen, np.zeros((0, 0)), 3 * LOSS_PX)
        U, g = system.U[:, :6, :6], system.g[:, :6]
        U = U + 1e-6 * (np.trace(U, axis1=1, axis2=2)[:, None, None] + 1e-9) * np.eye(6)
        step = np.zeros((len(U), 7))
        step[:, :6] = np.linalg.solve(U, g[:, :, None])[:, :, 0]
        cameras = cameras.moved(step)
        if np.abs(step[:, :3]).max() < 1e-7:
            break
    return cameras


def pnp(points: NDArray, pixels: NDArray, focal: float, middle: NDArray) -> tuple[NDArray, NDArray, int] | None:
    """Rotation (3,3), translation (3,) and the number of inliers, by RANSAC; None if there are too few."""
    if len(points) < 8:
        return None
    lens = np.array([[focal, 0, middle[0]], [0, focal, middle[1]], [0, 0, 1]])
    done, turn, shift, good = cv2.solvePnPRansac(
        points, pixels, lens, np.zeros(4), reprojectionError=2.0, iterationsCount=200, confidence=0.999
    )
    if not done or good is None or len(good) < 8:
        return None
    return cv2.Rodrigues(turn)[0], shift.ravel(), len(good)
