"""Coverage of a move: what it shows that no input picture does, and where one more picture would help most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camera.editing.limits import SIDE
from camera.path import CameraPath, inverse, spread_indices
from camera.render.painters import RenderedFrame
from camera.render.scene import render
from camera.view import Scene

CELLS_ACROSS = 48
"""Grid cells of space per distance to the subject: uncovered points of different frames in one cell count as the same point."""
EVERY = 4
"""Sampling step in pixels, in x and y."""


@dataclass(frozen=True, eq=False)
class Coverage:
    """``points`` (N,3): uncovered points of the world, i.e. visible along the move but occluded in every view; ``frames`` (N,): in how
    many of the sampled frames each is visible. ``best``: frame of the path from which one more picture would cover most of them;
    ``best_share``: the fraction covered, 0 to 1."""

    points: NDArray[np.float64]
    frames: NDArray[np.int64]
    best: int
    best_share: float

    @property
    def words(self) -> str:
        """The coverage as a sentence for the user."""
        if not len(self.points):
            return "The move shows nothing that the pictures do not show."
        return (
            f"One more picture from frame {self.best + 1} would show {self.best_share:.0%} of what the move shows "
            "and no picture saw."
        )


def coverage(scene: Scene, path: CameraPath, *, looks: int = 25) -> Coverage:
    """Coverage of ``path``, sampled at ``looks`` evenly spread frames. A hole's depth is unknown and estimated as that of the
    background beside it, so ``points`` are where a method would most likely generate content."""
    scale = min(1.0, SIDE / max(path.width, path.height))
    width, height = max(2, round(path.width * scale)), max(2, round(path.height * scale))
    small, moving = scene.fitted(width, height, "stretch"), path.resized(width, height)
    frames = spread_indices(len(path), looks)
    uncovered = [_uncovered_points(render(small, moving, frame=int(frame)), moving, int(frame)) for frame in frames]
    cell = small.first.focus_depth / CELLS_ACROSS
    owner = np.repeat(np.arange(len(frames)), [len(points) for points in uncovered])
    points = np.concatenate(uncovered)
    if not len(points):
        return Coverage(points, np.zeros(0, np.int64), int(frames[0]), 0.0)
    _, first, place = np.unique(
        np.floor(points / cell).astype(np.int64), axis=0, return_index=True, return_inverse=True
    )
    visible = np.zeros((len(frames), len(first)), bool)
    visible[owner, place.ravel()] = True
    counts = visible.sum(axis=0)
    shares = (visible * counts).sum(axis=1) / counts.sum()
    best = int(np.argmax(shares))
    return Coverage(points[first], counts, int(frames[best]), float(shares[best]))


def _uncovered_points(image: RenderedFrame, path: CameraPath, frame: int) -> NDArray[np.float64]:
    """(N,3): world points of a frame's holes, placed at the depth of the background beside them."""
    known = np.where(image.holes | image.far, 0, image.depth)
    if not known.any() or not image.holes.any():
        return np.zeros((0, 3))
    depth = _background(known)
    y, x = np.nonzero(image.holes[::EVERY, ::EVERY])
    y, x = y * EVERY, x * EVERY
    rays = np.linalg.inv(path.intrinsics[frame]) @ np.stack([x, y, np.ones(len(x))])
    local = (rays * depth[y, x]).T
    pose = inverse(path.camera_from_world[frame])
    return local @ pose[:3, :3].T + pose[:3, 3]


def _background(depth: NDArray[np.float32]) -> NDArray[np.float64]:
    """``depth`` (H,W) with its holes (0) filled along the rows from the farther of both sides."""
    height, width = depth.shape
    columns = np.arange(width)
    left = np.maximum.accumulate(np.where(depth > 0, columns, -1), axis=1)
    right = np.minimum.accumulate(np.where(depth > 0, columns, width)[:, ::-1], axis=1)[:, ::-1]
    rows = np.arange(height)[:, None]
    before = np.where(left >= 0, depth[rows, np.maximum(left, 0)], 0)
    after = np.where(right < width, depth[rows, np.minimum(right, width - 1)], 0)
    filled = np.maximum(before, after)
    return np.where(filled > 0, filled, np.median(depth[depth > 0]))
