"""A ray-traced scene with ground truth for every camera: three spheres in a patterned room."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from camera.path import CameraPath, pinhole
from camera.view import View

SPHERES = (((-0.6, 0.2, 3.0), 0.5), ((0.7, 0.0, 3.8), 0.6), ((0.1, 0.5, 2.3), 0.25))
WALLS = ((0, -3.0), (0, 3.0), (1, -2.0), (1, 1.2), (2, -6.0), (2, 6.0))
CENTRE = (0.0, 0.0, 3.3)


def shot(path: CameraPath, spheres=SPHERES) -> View:
    """Render from the first camera of ``path``: colour and exact depth. ``spheres``: (centre, radius) each, in the room's units."""
    pose, lens = path.world_from_camera[0], path.intrinsics[0]
    y, x = np.mgrid[: path.height, : path.width]
    rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ (pose[:3, :3] @ np.linalg.inv(lens)).T
    depth = _walls(pose[:3, 3], rays)
    for centre, radius in spheres:
        depth = np.minimum(depth, _sphere(pose[:3, 3] - np.array(centre), rays, radius))
    return View.of(_pattern(pose[:3, 3] + rays * depth[..., None]), depth, lens, pose)


@cache
def front(height: int, width: int) -> View:
    return shot(CameraPath(np.eye(4)[None], pinhole(width, height, 60), width, height))


def orbit(height: int, width: int, degrees: float = 10) -> CameraPath:
    """One camera, rotated about the centre of the room."""
    angle = np.radians(degrees)
    pose = np.eye(4)
    pose[:3, :3] = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    pose[:3, 3] = np.array(CENTRE) - pose[:3, :3] @ CENTRE
    return CameraPath(pose[None], pinhole(width, height, 60), width, height)


@cache
def side(height: int, width: int) -> View:
    """Ground truth from the camera of `orbit`."""
    return shot(orbit(height, width))


def _walls(origin: NDArray, rays: NDArray) -> NDArray:
    depth = np.full(rays.shape[:2], np.inf)
    for axis, place in WALLS:
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = (place - origin[axis]) / rays[..., axis]
        depth = np.where((distance > 1e-6) & (distance < depth), distance, depth)
    return depth


def _sphere(offset: NDArray, rays: NDArray, radius: float) -> NDArray:
    a, b, c = (rays * rays).sum(axis=-1), (rays * offset).sum(axis=-1), (offset * offset).sum() - radius**2
    under = b * b - a * c
    distance = (-b - np.sqrt(np.maximum(under, 0))) / a
    return np.where((under > 0) & (distance > 1e-6), distance, np.inf)


def _pattern(points: NDArray) -> NDArray[np.uint8]:
    x, y, z = np.moveaxis(points, -1, 0)
    waves = np.sin(9 * x) * np.sin(11 * y + 1) * np.sin(7 * z)
    red = 0.5 + 0.35 * waves + 0.1 * np.sin(40 * x)
    green = 0.5 + 0.3 * np.sin(13 * y + 5 * z)
    blue = 0.5 + 0.35 * np.cos(6 * x - 8 * z)
    return (255 * np.clip(np.stack([red, green, blue], axis=-1), 0, 1)).astype(np.uint8)
