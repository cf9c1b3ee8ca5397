"""Rendering of a scene from one camera: `render` gives the picture and its exact depth."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import CameraPath
from camera.view import View
from examples.render.light import Light, develop
from examples.render.march import renderer
from examples.render.scenes import SCENES, Setting

_CHUNK = 4096
"""Picture points per task of a thread."""


def setting_of(name: str) -> Setting:
    """The scene of that name; raises `InputError` for an unknown one."""
    if name not in SCENES:
        raise InputError(f"Unknown scene {name!r}; known are {', '.join(SCENES)}.")
    return SCENES[name]()


def render(scene_name: str, path: CameraPath, frame: int = 0, *, time: float | None = None, samples: int = 3) -> View:
    """Frame ``frame`` of ``path``: the ground truth for previews.

    ``time``: seconds on the scene's clock, default ``frame / path.fps``. ``samples``: pixels with visible edges are rendered with
    ``samples`` x ``samples`` rays; 1 is a quick draft. Depth (metres, along z) is that of the pixel's centre; sky is unknown.
    Deterministic.
    """
    scene = setting_of(scene_name)
    _, _, shafts = _kernels(scene_name)
    seconds = frame / path.fps if time is None else time
    camera, lens = path.world_from_camera[frame].copy(), path.intrinsics[frame].copy()
    width, height = path.width, path.height
    sample = _sampler(scene_name, camera, lens, seconds)
    points = pixel_points(width, height)
    linear, depth = sample(points, 1 / lens[0, 0])
    linear = linear.reshape(height, width, 3)
    if samples > 1:
        uneven = _uneven(develop(linear, scene.light), depth.reshape(height, width))
        inside = _rays_within(points.reshape(height, width, 2)[uneven], samples)
        fine, _ = sample(inside, 1 / lens[0, 0] / samples)
        linear[uneven] = np.minimum(fine, 12.0).reshape(-1, samples**2, 3).mean(axis=1)
    if scene.light.shafts > 0:
        linear += _lit_air(shafts, camera, lens, depth.reshape(height, width), seconds, scene.light)
    colour = develop(linear, scene.light)
    return View.of(colour, depth.reshape(height, width).astype(np.float32), lens, camera)


def render_within(
    scene_name: str,
    path: CameraPath,
    where: NDArray[np.bool_],
    frame: int = 0,
    *,
    time: float | None = None,
    samples: int = 2,
) -> View:
    """Like `render`, for scoring only the pixels ``where`` (H,W): only these are rendered in full, which is faster.

    Each of them gets ``samples`` x ``samples`` rays. The others are a rough draft with a sixteenth of the rays, sufficient for the
    light that bright spots and lit air scatter onto their neighbours.
    """
    scene = setting_of(scene_name)
    _, _, shafts = _kernels(scene_name)
    seconds = frame / path.fps if time is None else time
    camera, lens = path.world_from_camera[frame].copy(), path.intrinsics[frame].copy()
    sample = _sampler(scene_name, camera, lens, seconds)
    rows, columns = np.arange(path.height) // 4, np.arange(path.width) // 4
    places = np.stack(np.meshgrid(4 * np.unique(columns) + 1.5, 4 * np.unique(rows) + 1.5), -1)
    rough, rough_depth = sample(places.reshape(-1, 2).astype(np.float64), 4 / lens[0, 0])
    linear = rough.reshape(*places.shape[:2], 3)[rows][:, columns]
    depth = rough_depth.reshape(places.shape[:2])[rows][:, columns]
    y, x = np.nonzero(where)
    if len(x):
        middles = np.stack([x, y], axis=1).astype(np.float64)
        fine, _ = sample(_rays_within(middles, samples), 1 / lens[0, 0] / samples)
        linear[where] = np.minimum(fine, 12.0).reshape(len(x), -1, 3).mean(axis=1)
        depth[where] = depth_at(scene_name, path, middles, frame, time=seconds)
    if scene.light.shafts > 0:
        linear += _lit_air(shafts, camera, lens, depth, seconds, scene.light)
    return View.of(develop(linear, scene.light), depth.astype(np.float32), lens, camera)


def _sampler(
    scene_name: str, camera: NDArray, lens: NDArray, seconds: float
) -> Callable[[NDArray[np.float64], float], tuple[NDArray, NDArray]]:
    """A function of picture points (N,2) and the angular size of a ray that returns linear colour (N,3) and depth (N,)."""
    light, (_, colours, _) = setting_of(scene_name).light, _kernels(scene_name)

    def sample(points: NDArray[np.float64], angle: float) -> tuple[NDArray, NDArray]:
        linear, depth = np.zeros((len(points), 3)), np.zeros(len(points))
        _threaded(
            len(points),
            lambda part: colours(camera, lens, points[part], seconds, light, angle, linear[part], depth[part]),
        )
        return linear, depth

    return sample


def _rays_within(middles: NDArray[np.float64], samples: int) -> NDArray[np.float64]:
    """(N*samples*samples,2): points evenly spread over the pixels centred at ``middles`` (N,2)."""
    offsets = (np.arange(samples) + 0.5) / samples - 0.5
    grid = np.stack(np.meshgrid(offsets, offsets), -1).reshape(1, -1, 2)
    return (middles[:, None] + grid).reshape(-1, 2)


def depth_at(scene_name: str, path: CameraPath, points: NDArray, frame: int = 0, *, time: float | None = None):
    """Depth (N,) float64 in metres at picture points (N,2); 0 for sky."""
    depths, _, _ = _kernels(scene_name)
    points = np.ascontiguousarray(points, dtype=np.float64)
    result = np.zeros(len(points))
    seconds = frame / path.fps if time is None else time
    camera, lens = path.world_from_camera[frame].copy(), path.intrinsics[frame].copy()
    far = setting_of(scene_name).light.far
    _threaded(len(points), lambda part: depths(camera, lens, points[part], seconds, far, result[part]))
    return result


def pixel_points(width: int, height: int) -> NDArray[np.float64]:
    """(H*W,2): x and y of every pixel's centre, row by row."""
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).reshape(-1, 2).astype(np.float64)


@lru_cache(maxsize=16)
def _kernels(name: str) -> tuple[Any, Any, Any]:
    scene = setting_of(name)
    return renderer(scene.distance, scene.surface, scene.sky)


def _threaded(count: int, work: Callable[[slice], None]) -> None:
    parts = [slice(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)]
    work(slice(0, 1))  # compile once, before the threads start
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(work, parts))


def _uneven(colour: NDArray[np.uint8], depth: NDArray) -> NDArray[np.bool_]:
    """(H,W): pixels that differ visibly from a neighbour at a depth edge, or strongly anywhere."""
    kernel = np.ones((3, 3), np.uint8)
    spread = (cv2.dilate(colour, kernel) - cv2.erode(colour, kernel)).max(axis=2)
    near = np.where(depth > 0, 1 / np.maximum(depth, 1e-6), 0)
    edge = cv2.dilate(near, kernel) - cv2.erode(near, kernel) > 0.05 * near
    return (spread > 14) | (edge & (spread > 5))


def _lit_air(kernel: Any, camera: NDArray, lens: NDArray, depth: NDArray, time: float, light: Light) -> NDArray:
    """(H,W,3): in-scattered light of sunlit air, computed at a quarter of the resolution and smoothed."""
    height, width = depth.shape
    points = np.stack(np.meshgrid(np.arange(1.5, width, 4), np.arange(1.5, height, 4)), -1)
    reach = np.where(depth > 0, depth, 30.0)[2::4, 2::4]
    rows, columns = min(points.shape[0], reach.shape[0]), min(points.shape[1], reach.shape[1])
    points, reach = points[:rows, :columns].reshape(-1, 2), reach[:rows, :columns].reshape(-1)
    metres = np.zeros(len(points))
    _threaded(len(points), lambda part: kernel(camera, lens, points[part], time, light, reach[part], metres[part]))
    smooth = cv2.GaussianBlur(metres.reshape(rows, columns), (0, 0), 1.5)
    full = cv2.resize(smooth, (width, height), interpolation=cv2.INTER_CUBIC)
    return light.shafts * np.maximum(full, 0)[..., None] * np.array(light.sun_colour)
