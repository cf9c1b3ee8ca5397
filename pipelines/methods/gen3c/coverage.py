"""Estimates how much of each frame the scene's points cover, in milliseconds and without rendering."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from camera.path import CameraPath
from camera.view import Scene, View

_COLUMNS, _ROWS = 16, 9
_POINTS_PER_SIDE = 96
_known: WeakKeyDictionary[Scene, WeakKeyDictionary[CameraPath, tuple[list[int], NDArray[np.float64]]]] = (
    WeakKeyDictionary()
)


def seen_share(scene: Scene, path: CameraPath, frames: NDArray[np.int64]) -> NDArray[np.float64]:
    """(len(frames),): share of the cells of a 16 x 9 grid over each frame that contain a point of the scene; cached, because
    page, forecast and shot ask for the same.

    Points are thinned to about 96 x 96 per view, so that a camera that comes ten times closer still fills its cells. Over a
    clip, frame f uses only its own view, like the clip's cache.
    """
    of_scene = _known.setdefault(scene, WeakKeyDictionary())
    asked, shares = of_scene.get(path, ([], np.zeros(0)))
    if asked != frames.tolist():
        shares = _seen_share(scene, path, frames)
        shares.flags.writeable = False
        of_scene[path] = frames.tolist(), shares
    return shares


def _seen_share(scene: Scene, path: CameraPath, frames: NDArray[np.int64]) -> NDArray[np.float64]:
    clouds = [_points(view) for view in scene.views] if scene.kind != "clip" else []
    cloud = np.ascontiguousarray(np.concatenate(clouds).T) if clouds else None
    cameras, size = path.camera_from_world, (path.width, path.height)
    shares = []
    for frame in map(int, frames):
        points = _points(scene.views[min(frame, len(scene.views) - 1)]).T if cloud is None else cloud
        shares.append(_share(points, cameras[frame], path.intrinsics[frame], size))
    return np.array(shares)


def _points(view: View) -> NDArray[np.float64]:
    """(N,3) world points of a thinned view, including the sky, because it is splatted too."""
    step_y, step_x = (max(1, side // _POINTS_PER_SIDE) for side in view.depth.shape)
    y, x = np.mgrid[step_y // 2 : view.height : step_y, step_x // 2 : view.width : step_x]
    depth = view.depth[y, x].reshape(-1, 1).astype(np.float64)
    pixels = np.stack([x.ravel(), y.ravel(), np.ones(x.size)], axis=1)
    rays = pixels @ np.linalg.inv(view.intrinsics).T
    pose = view.world_from_camera
    return (rays * depth) @ pose[:3, :3].T + pose[:3, 3]


def _share(points: NDArray, camera_from_world: NDArray, lens: NDArray, size: tuple[int, int]) -> float:
    """The share of one camera; ``points`` (3,N), ``size`` of its picture in pixels."""
    inside = camera_from_world[:3, :3] @ points + camera_from_world[:3, 3:]
    x, y, z = lens @ inside[:, inside[2] > 1e-6]
    column = np.floor((x / z + 0.5) * (_COLUMNS / size[0]))
    row = np.floor((y / z + 0.5) * (_ROWS / size[1]))
    in_grid = (column >= 0) & (column < _COLUMNS) & (row >= 0) & (row < _ROWS)
    covered = np.zeros((_COLUMNS, _ROWS), bool)
    covered[column[in_grid].astype(int), row[in_grid].astype(int)] = True
    return float(covered.mean())
