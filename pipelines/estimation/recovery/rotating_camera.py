"""A camera that only rotates and zooms: every frame is the first one under a homography K R K0^-1."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.rotation import angle_degrees, slerp
from pipelines.estimation.recovery.adjust import Cameras, adjust, curves, free_parameters
from pipelines.estimation.recovery.follow import Observations
from pipelines.estimation.recovery.uncertainty import lens_uncertainty

FOCALS = (0.45, 0.55, 0.7, 0.85, 1.0, 1.25, 1.6, 2.1, 3.0)
"""Initial guesses of the focal length, in picture widths: 96 to 19 degrees."""
USUAL = 0.96
"""The focal length assumed if the frames do not determine it: 55 degrees across."""
MOST_POINTS = 700
BETTER = 0.9
"""A changing lens is accepted if its cost is below this share of a constant lens's cost."""


@dataclass(frozen=True, eq=False)
class RotatingCameraFit:
    """``cameras`` of all frames, at one position. ``fits``: share of the observations with less than a pixel of error.

    ``error_px``: median reprojection error. ``zooms``: whether the lens changes. ``lens_uncertainty``: relative standard
    deviation of the focal length, infinite if it was given.
    """

    cameras: Cameras
    fits: float
    error_px: float
    zooms: bool
    lens_uncertainty: float

    @property
    def turn_degrees(self) -> float:
        """The largest rotation relative to the first frame."""
        return float(angle_degrees(self.cameras.rotation[:1], self.cameras.rotation).max())

    @property
    def zoom(self) -> float:
        """The longest focal length over the shortest."""
        return float(self.cameras.focal.max() / self.cameras.focal.min())

    def interpolated(self, chosen: NDArray[np.int64], frames: int) -> RotatingCameraFit:
        """The fit for all ``frames``: the ``chosen`` ones were fitted, the others are interpolated."""
        where = np.interp(np.arange(frames), chosen, np.arange(len(chosen)))
        before = np.floor(where).astype(int)
        after = np.minimum(before + 1, len(chosen) - 1)
        turn = slerp(self.cameras.rotation[before], self.cameras.rotation[after], where - before)
        focal = np.interp(np.arange(frames), chosen, self.cameras.focal)
        return replace(self, cameras=Cameras(turn, np.zeros((frames, 3)), focal, self.cameras.middle))


def recover_rotating(seen: Observations, frames: int, size: tuple[int, int], focal: float | None) -> RotatingCameraFit:
    """The rotating camera that fits ``seen`` best; ``size``: width and height; ``focal``: of the first frame, if known."""
    seen, middle = seen.longest(MOST_POINTS), (np.array(size) - 1) / 2
    scales = _scales(seen, frames)
    guesses = [focal] if focal else [size[0] * share for share in FOCALS]
    starts = [_start(seen, frames, middle, guess * scales) for guess in guesses]
    best = min(starts, key=lambda cameras: _robust_cost(cameras, seen))
    shared = None if focal else np.ones((frames, 1))
    one = _fit(best, seen, frames, shared, even=True)
    knots = min(max(2, frames // 5), 12)
    bent = curves(frames, knots)[:, 1:] if focal else curves(frames, knots)
    many = _fit(best, seen, frames, bent, even=False)
    zooms = many[1] < BETTER * one[1] and np.ptp(np.log(many[0].focal)) > 0.015
    cameras, _, error, uncertainty = many if zooms else one
    fits, middle_error = (float((error < 1).mean()), float(np.median(error))) if len(error) else (0.0, float("nan"))
    return RotatingCameraFit(cameras, fits, middle_error, bool(zooms), float("inf") if focal else uncertainty)


def _fit(start: Cameras, seen: Observations, frames: int, lens: NDArray | None, *, even: bool):
    if even:
        start = Cameras(start.rotation, start.translation, np.full(frames, np.exp(np.log(start.focal).mean())) if lens is not None else np.full(frames, start.focal[0]), start.middle)  # fmt: skip
    free = free_parameters(frames, positions=False, lens=lens)
    done = adjust(start, _directions(start, seen), seen, free, rounds=8)
    uncertainty = float(lens_uncertainty(done, lens.shape[1]).min()) if lens is not None else float("inf")
    return done.cameras, done.cost, done.error_px, uncertainty


def _scales(seen: Observations, frames: int) -> NDArray[np.float64]:
    """(F,): scale of each frame relative to the first."""
    steps = np.ones(frames)
    for i in range(1, frames):
        a, b = seen.shared(i - 1, i)
        if len(a) >= 8:
            matrix, _ = cv2.estimateAffinePartial2D(a, b, ransacReprojThreshold=1.5)
            if matrix is not None:
                steps[i] = np.clip(np.hypot(matrix[0, 0], matrix[1, 0]), 0.7, 1.4)
    return np.asarray(np.cumprod(steps), np.float64)


def _start(seen: Observations, frames: int, middle: NDArray, focal: NDArray[np.float64]) -> Cameras:
    """Initial rotations, chained from frame to frame by Kabsch alignment of rays."""
    turns = [np.eye(3)]
    for i in range(1, frames):
        a, b = seen.shared(i - 1, i)
        rays = [_rays(pixel, middle, f) for pixel, f in ((a, focal[i - 1]), (b, focal[i]))]
        turns.append(_kabsch(*rays) @ turns[-1])
    return Cameras(np.stack(turns), np.zeros((frames, 3)), np.asarray(focal, float), middle)


def _rays(pixel: NDArray, middle: NDArray, focal: float) -> NDArray[np.float64]:
    rays = np.append((pixel - middle) / focal, np.ones((len(pixel), 1)), axis=1)
    return np.asarray(rays / np.linalg.norm(rays, axis=1, keepdims=True), np.float64)


def _kabsch(a: NDArray, b: NDArray) -> NDArray[np.float64]:
    """(3,3) that rotates rays ``a`` onto ``b``: three least-squares fits, the last two without the worse half of the rays."""
    turn = np.eye(3)
    kept = np.ones(len(a), bool)
    for _ in range(3):
        if kept.sum() < 3:
            return turn
        left, _, right = np.linalg.svd(b[kept].T @ a[kept])
        turn = left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right
        miss = np.linalg.norm(a @ turn.T - b, axis=1)
        kept = miss <= np.median(miss)
    return turn


def _directions(cameras: Cameras, seen: Observations) -> NDArray[np.float64]:
    """(P,3): unit direction of each point, the mean of its rays."""
    back = np.swapaxes(cameras.rotation, 1, 2)[seen.frame]
    rays = np.append((seen.pixel - cameras.middle) / cameras.focal[seen.frame, None], np.ones((len(seen.point), 1)), 1)
    rays = (back @ (rays / np.linalg.norm(rays, axis=1, keepdims=True))[:, :, None])[:, :, 0]
    total = np.zeros((seen.count, 3))
    np.add.at(total, seen.point, rays)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


def _robust_cost(cameras: Cameras, seen: Observations) -> float:
    points = _directions(cameras, seen)
    local = (cameras.rotation[seen.frame] @ points[seen.point][:, :, None])[:, :, 0]
    depth = np.maximum(local[:, 2], 1e-3)
    shown = cameras.focal[seen.frame, None] * local[:, :2] / depth[:, None] + cameras.middle
    return float(np.log1p(((shown - seen.pixel) ** 2).sum(axis=1)).sum())
