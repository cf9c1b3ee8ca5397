"""Maps derived from rendered frames and cameras: flow, normals, tracks, grey-box. OpenCV axes, pixel centres at integers."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.path import CameraPath
from camera.render.painters import RenderedFrame
from camera.unproject import unproject

UNKNOWN_FLOW = 1e10
"""Middlebury's value for pixels without flow, in both components."""
_LIGHT = np.array([-0.35, -0.6, -0.72], np.float32)
"""Direction to the light, in the camera's axes: above, to the left, behind the camera."""
_AMBIENT = 0.3


def known_mask(image: RenderedFrame) -> NDArray[np.bool_]:
    """(H,W): pixels with known depth."""
    return ~image.holes & ~image.far & (image.depth > 0)


def project_points(points: NDArray, path: CameraPath, frame: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixels (...,2) and depth (...) of world points (...,3); NaN behind the camera."""
    camera = path.camera_from_world[frame]
    local = points @ camera[:3, :3].T + camera[:3, 3]
    depth = np.where(local[..., 2] > 1e-9, local[..., 2], np.nan)
    return (local @ path.intrinsics[frame].T)[..., :2] / depth[..., None], depth


def flow(image: RenderedFrame, path: CameraPath, frame: int) -> NDArray[np.float32]:
    """(H,W,2): flow in pixels from ``frame`` to the next one, assuming a static scene; `UNKNOWN_FLOW` without depth."""
    points = unproject(image.depth, path.intrinsics[frame], path.world_from_camera[frame]).astype(np.float64)
    pixels, depth = project_points(points, path, frame + 1)
    rows, columns = np.mgrid[: path.height, : path.width]
    moved = pixels - np.stack([columns, rows], axis=-1)
    there = known_mask(image) & np.isfinite(depth)
    return np.where(there[..., None], moved, UNKNOWN_FLOW).astype(np.float32)


def normals(image: RenderedFrame, path: CameraPath, frame: int) -> NDArray[np.float32]:
    """(H,W,3) unit normals in the camera's OpenCV axes, facing it; zeros at pixels without depth, or with a neighbour without
    depth on both sides."""
    points = unproject(image.depth, path.intrinsics[frame], np.eye(4)).astype(np.float32)
    points[~known_mask(image)] = np.nan
    across = _smaller_step(points, 1)
    down = _smaller_step(points, 0)
    found = np.cross(down, across)
    found = np.where((found * points).sum(axis=-1, keepdims=True) > 0, -found, found)
    length = np.linalg.norm(found, axis=-1, keepdims=True)
    return np.where(length > 0, found / np.maximum(length, 1e-20), 0).astype(np.float32)


def _smaller_step(points: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """(H,W,3): the step to the neighbour before or after, whichever is nearer in depth, so that edges keep their own surface."""
    step = np.diff(points, axis=axis)
    zero = [(0, 0)] * 3
    zero[axis] = (0, 1)
    after = np.pad(step, zero, mode="edge")
    zero[axis] = (1, 0)
    before = np.pad(step, zero, mode="edge")
    nearer = (np.abs(after[..., 2:]) <= np.abs(before[..., 2:])) | np.isnan(before[..., 2:])
    return np.where(nearer, after, before)


def normal_picture(found: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(H,W,3) RGB in the usual encoding: red right, green up, blue towards the viewer; black without depth."""
    shown = np.rint((found * [1, -1, -1] * 0.5 + 0.5) * 255).astype(np.uint8)
    return np.where(found.any(axis=-1, keepdims=True), shown, np.uint8(0))


def grey_box(found: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(H,W,3): the geometry in matt grey under one light."""
    shade = _AMBIENT + (1 - _AMBIENT) * np.clip(found @ (_LIGHT / np.linalg.norm(_LIGHT)), 0, 1)
    grey = np.where(found.any(axis=-1), np.rint(shade * 220), 0).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)


def track_points(image: RenderedFrame, path: CameraPath, spacing: int) -> NDArray[np.float64]:
    """(N,3) world points on a grid of the first frame, ``spacing`` pixels apart, where depth is known.

    Skips pixels beside a depth edge, which may belong to two surfaces.
    """
    depth = image.depth
    near, far = cv2.erode(depth, np.ones((3, 3), np.uint8)), cv2.dilate(depth, np.ones((3, 3), np.uint8))
    clear = known_mask(image) & (np.asarray(near) > 0) & (np.asarray(far) < 1.05 * np.asarray(near))
    points = unproject(depth, path.intrinsics[0], path.world_from_camera[0]).astype(np.float64)
    half = spacing // 2
    return points[half::spacing, half::spacing][clear[half::spacing, half::spacing]]


def project_visible(
    points: NDArray, image: RenderedFrame, path: CameraPath, frame: int
) -> tuple[NDArray, NDArray[np.bool_]]:
    """Pixels (N,2) of ``points`` (N,3) in ``frame``, and whether they are unoccluded."""
    pixels, depth = project_points(points, path, frame)
    inside = np.isfinite(depth) & (pixels >= 0).all(axis=1) & (pixels <= [path.width - 1, path.height - 1]).all(axis=1)
    column, row = np.rint(np.where(inside[:, None], pixels, 0)).astype(int).T
    shown = image.depth[row, column]
    return pixels, inside & ~image.holes[row, column] & (depth < 1.02 * shown)
