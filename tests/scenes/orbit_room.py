"""A camera that circles a ball in a box, both covered with noise that never repeats."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.path import CameraPath, pinhole
from camera.rotation import look_at
from camera.view import View

BALL, HALF = 0.8, 4.0
"""Radius of the ball about the origin, and half the side of the box."""


def orbit(frames: int, width: int, height: int, *, degrees: float = 360.0, radius: float = 2.4) -> CameraPath:
    """An orbit around the ball, from slightly above; the last camera is ``degrees`` after the first."""
    angle = np.radians(np.linspace(0, degrees, frames))
    centres = np.stack([-radius * np.sin(angle), np.full(frames, -0.6), -radius * np.cos(angle)], axis=1)
    poses = np.repeat(np.eye(4)[None], frames, axis=0)
    poses[:, :3, :3], poses[:, :3, 3] = look_at(centres, np.zeros(3)), centres
    return CameraPath(poses, pinhole(width, height, 70), width, height)


def shots(path: CameraPath) -> tuple[View, ...]:
    return tuple(_shot(path, frame) for frame in range(len(path)))


def _shot(path: CameraPath, frame: int) -> View:
    pose, lens = path.world_from_camera[frame], path.intrinsics[frame]
    y, x = np.mgrid[: path.height, : path.width]
    rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ (pose[:3, :3] @ np.linalg.inv(lens)).T
    centre = pose[:3, 3]
    with np.errstate(divide="ignore"):
        walls = ((np.sign(rays) * HALF - centre) / rays).min(axis=-1)
    a, b, c = (rays * rays).sum(axis=-1), rays @ centre, centre @ centre - BALL**2
    inside = b * b - a * c
    ball = np.where(inside > 0, (-b - np.sqrt(np.maximum(inside, 0))) / a, np.inf)
    depth = np.minimum(walls, ball)
    colour = _coloured(centre + rays * depth[..., None], ball < walls)
    return View.of(colour, depth.astype(np.float32), lens, pose)


def _coloured(points: NDArray, on_ball: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Noise by direction on the ball, by position on the walls: pictures unrolled over longitude and latitude, or one per wall."""
    side = np.abs(points).argmax(axis=-1)
    first, second = (np.take_along_axis(points, ((side + k) % 3)[..., None], -1)[..., 0] for k in (1, 2))
    wall = 2 * side + (np.take_along_axis(points, side[..., None], -1)[..., 0] > 0)
    across = np.where(on_ball, np.arctan2(points[..., 0], points[..., 2]) / np.pi, first / HALF)
    down = np.where(on_ball, points[..., 1] / BALL, second / HALF)
    noise = _noise()
    u, v = ((each + 1) / 2 * (noise.shape[2] - 1) for each in (across, down))
    layer = np.where(on_ball, 6, wall)
    colour = np.zeros((*layer.shape, 3), np.uint8)
    for number, picture in enumerate(noise):
        drawn = cv2.remap(
            picture, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        colour[layer == number] = drawn[layer == number]
    return colour


def _noise(side: int = 96) -> NDArray[np.uint8]:
    """(7,S,S,3): one picture for each wall and one for the ball."""
    random = np.random.default_rng(0)
    pictures = []
    for _ in range(7):
        fine = cv2.GaussianBlur(random.normal(size=(side, side, 3)), (0, 0), 1.2)
        coarse = cv2.GaussianBlur(random.normal(size=(side, side, 3)), (0, 0), 5)
        both = fine / fine.std() + coarse / coarse.std()
        pictures.append(np.clip(128 + 45 * both, 0, 255).astype(np.uint8))
    return np.stack(pictures)
