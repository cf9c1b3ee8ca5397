"""Measures how much objects in a clip move, independent of camera motion.

A point of an object is lifted to 3D with its depth and projected into the next frame as if it were static; its motion is the
distance of the tracked point from there, as a share of the picture. Source: arXiv 2411.02319, section 3, which finds objects
with Mask2Former and tracks points with a network; here, without weights, objects are the parts that do not fit the camera's
motion, and points are tracked by optical flow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.path import CameraPath
from pipelines.estimation.sfm import Reconstruction
from pipelines.estimation.sparse_depth import Pixels, align_depth, spread_depth

Labels = NDArray[np.int32]
"""(F,H,W): 0 where nothing moves, else the number of the object."""

WINDOW = 21
"""Side of the square window for tracking a point, pixels."""
GRID = 6
"""Spacing of the points that are tracked to find moving objects, pixels."""
EPIPOLAR_PX = 1.0
"""A point farther than this from its epipolar line moves."""
FEWEST = 8
"""Minimum number of points of an object; fewer are treated as errors."""


def follow(before: NDArray[np.uint8], after: NDArray[np.uint8], points: Pixels) -> tuple[Pixels, NDArray[np.bool_]]:
    """Track ``points`` (N,2) from one picture (H,W,3) to the next; also returns which of them pass a forward-backward check."""
    if len(points) == 0:
        return points, np.zeros(0, bool)
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (before, after)]
    start = points.astype(np.float32)[:, None]
    there, found = _flow(grey[0], grey[1], start)
    back, found_back = _flow(grey[1], grey[0], there)
    good = (found[:, 0] > 0) & (found_back[:, 0] > 0) & (np.linalg.norm(back - start, axis=2)[:, 0] < 0.5)
    return there[:, 0].astype(np.float64), good


def _flow(before: NDArray, after: NDArray, points: NDArray) -> tuple[NDArray, NDArray]:
    flow: Any = cv2.calcOpticalFlowPyrLK
    there, found, _ = flow(before, after, points, None, winSize=(WINDOW, WINDOW), maxLevel=4)
    return there, found


def moving_things(frames: NDArray[np.uint8], path: CameraPath) -> Labels:
    """Objects that move in ``frames`` (F,H,W,3) of a known path: points that leave their epipolar line.

    Motion along the epipolar line is not detected; false positives are accepted, as in the source.
    """
    count, height, width = frames.shape[:3]
    masks = np.zeros((count, height, width), bool)
    y, x = np.mgrid[GRID // 2 : height : GRID, GRID // 2 : width : GRID]
    grid = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float64)
    for i in range(count - 1):
        there, good = follow(frames[i], frames[i + 1], grid)
        odd = _line_distance(path, i, grid[good], there[good]) > EPIPOLAR_PX
        masks[i] |= _area(grid[good][odd], height, width)
        masks[i + 1] |= _area(there[good][odd], height, width)
    return link_masks(frames, masks)


def link_masks(frames: NDArray[np.uint8], masks: NDArray[np.bool_]) -> Labels:
    """Number the connected areas of ``masks`` (F,H,W) so that an object keeps its number from frame to frame."""
    labels = np.zeros(masks.shape, np.int32)
    used = 0
    for i in range(len(frames)):
        areas, parts = cv2.connectedComponents(masks[i].astype(np.uint8))
        for part in range(1, areas):
            inside = parts == part
            number = _number_before(frames, labels, i, inside)
            if number == 0:
                used += 1
                number = used
            labels[i][inside] = number
    return labels


def motion_field(path: CameraPath, frame: int, depth: NDArray, points: Pixels, followed: Pixels) -> Pixels:
    """(N,2): positions of the ``points`` of ``frame`` in the next frame, minus where static points would be.

    In shares of width and height. ``depth`` (H,W) of the frame, in the unit of the path.
    """
    column, row = points.round().astype(int).T
    rays = np.linalg.inv(path.intrinsics[frame]) @ np.append(points, np.ones((len(points), 1)), axis=1).T
    lifted = rays * depth[row.clip(0, path.height - 1), column.clip(0, path.width - 1)]
    next_from_this = path.camera_from_world[frame + 1] @ path.world_from_camera[frame]
    projected = path.intrinsics[frame + 1] @ (next_from_this[:3, :3] @ lifted + next_from_this[:3, 3:])
    still = (projected[:2] / projected[2]).T
    return (followed - still) / [path.width, path.height]


def motion_of_things(
    frames: NDArray[np.uint8], labels: Labels, path: CameraPath, depths: Sequence[NDArray]
) -> dict[int, float]:
    """Mean length of the motion field per object over all neighbouring frames, as a share of the picture."""
    lengths: dict[int, list[NDArray]] = {}
    for i in range(len(frames) - 1):
        grey = cv2.cvtColor(frames[i], cv2.COLOR_RGB2GRAY)
        for number in np.unique(labels[i])[1:] if labels[i].any() else ():
            corners = cv2.goodFeaturesToTrack(grey, 200, 0.01, 3, mask=_inner_part(labels[i] == number))
            if corners is None:
                continue
            points = corners[:, 0].astype(np.float64)
            there, good = follow(frames[i], frames[i + 1], points)
            field = motion_field(path, i, depths[i], points[good], there[good])
            lengths.setdefault(int(number), []).append(np.linalg.norm(field, axis=1))
    pooled = {number: np.concatenate(parts) for number, parts in lengths.items()}
    return {number: float(values.mean()) for number, values in pooled.items() if len(values) >= FEWEST}


def motion_strength(motion: dict[int, float]) -> float:
    """The model's motion strength: 100 times the motion of the object that moves most; 0 if nothing moves."""
    return 100 * max(motion.values(), default=0.0)


def depths_of(
    reconstruction: Reconstruction, relative: Sequence[NDArray] | None, height: int, width: int
) -> list[NDArray[np.float64]]:
    """Depth (H,W) of every frame of the path: relative depth aligned with the sparse points, or the sparse points spread out."""
    result = []
    for frame in range(len(reconstruction.path)):
        pixels, depths = reconstruction.depths(frame)
        if relative is None:
            result.append(spread_depth(pixels, depths, height, width))
        else:
            result.append(align_depth(relative[frame], pixels, depths))
    return result


def _inner_part(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """``mask`` without its edge, where points may belong to both sides; the whole mask if nothing would be left."""
    whole = mask.astype(np.uint8)
    inner = np.asarray(cv2.erode(whole, np.ones((WINDOW // 2,) * 2, np.uint8)), np.uint8)
    return inner if inner.any() else whole


def _line_distance(path: CameraPath, frame: int, points: Pixels, there: Pixels) -> NDArray[np.float64]:
    """(N,): distance in pixels of the tracked points from their epipolar line in the next frame (Sampson)."""
    next_from_this = path.camera_from_world[frame + 1] @ path.world_from_camera[frame]
    x, y, z = next_from_this[:3, 3]
    essential = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ next_from_this[:3, :3]
    this_lens, next_lens = (np.linalg.inv(path.intrinsics[i]) for i in (frame, frame + 1))
    fundamental = next_lens.T @ essential @ this_lens
    a, b = (np.append(p, np.ones((len(p), 1)), axis=1) for p in (points, there))
    line_b, line_a = a @ fundamental.T, b @ fundamental
    slope = np.sqrt((line_b[:, :2] ** 2).sum(1) + (line_a[:, :2] ** 2).sum(1))
    return np.abs((b * line_b).sum(1)) / np.maximum(slope, 1e-12)


def _area(points: Pixels, height: int, width: int) -> NDArray[np.bool_]:
    """(H,W): the area between neighbouring grid points; groups of fewer than `FEWEST` points are left out."""
    dots = np.zeros((height, width), np.uint8)
    column, row = points.round().astype(int).T
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    dots[row[inside], column[inside]] = 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * GRID + 1,) * 2)
    area = cv2.erode(cv2.dilate(dots, kernel), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (GRID + 1,) * 2))
    count, found = cv2.connectedComponents(area)
    parts = np.asarray(found, np.int64)
    points_in = np.bincount(parts[dots > 0], minlength=count)
    points_in[0] = 0
    return (points_in >= FEWEST)[parts]


def _number_before(frames: NDArray[np.uint8], labels: Labels, frame: int, inside: NDArray[np.bool_]) -> int:
    """The number that most points of an area had in the previous frame, or 0."""
    if frame == 0:
        return 0
    y, x = np.nonzero(inside)
    chosen = np.linspace(0, len(x) - 1, min(len(x), 200)).round().astype(int)
    points = np.stack([x[chosen], y[chosen]], axis=1).astype(np.float64)
    there, good = follow(frames[frame], frames[frame - 1], points)
    column, row = there[good].round().astype(int).T
    height, width = inside.shape
    within = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    numbers = labels[frame - 1][row[within], column[within]]
    return int(np.bincount(numbers[numbers > 0]).argmax()) if (numbers > 0).any() else 0
