"""Test scenes for splats: a small room with smooth colours, as frames with cameras and points to fit; and a room made of splats."""

from __future__ import annotations

from functools import cache

import numpy as np

from bench.room import orbit, shot
from camera.cloud import cloud_of
from camera.path import CameraPath
from camera.view import Scene, View
from pipelines.splats.splats import SH_C0, Splats

HEIGHT, WIDTH, VIEWS = 24, 36, 5


@cache
def room():
    """Frames, path and points of an orbit of 16 degrees; the colours are smooth, as in a small picture of a room."""
    views = []
    for angle in np.linspace(-8, 8, VIEWS):
        view = shot(orbit(HEIGHT, WIDTH, float(angle)))
        x, y, z = np.moveaxis(points(view), -1, 0)
        smooth = 0.5 + 0.4 * np.stack([np.sin(2 * x + z), np.sin(2 * y + x), np.cos(1.5 * z)], axis=-1)
        views.append(View.of((255 * smooth).astype(np.uint8), view.depth, view.intrinsics, view.world_from_camera))
    path = CameraPath(np.array([v.world_from_camera for v in views]), views[0].intrinsics, WIDTH, HEIGHT)
    return np.stack([view.colour for view in views]), path, cloud_of(Scene(tuple(views), "views"), most=400)


def points(view: View):
    from camera.unproject import points_of

    return points_of(view)


FLOOR, WALL, RADIUS = 1.0, 6.0, 0.5
MIDDLE = np.array([0.3, FLOOR - RADIUS, 3.0])
"""Centre of the thing, which stands on the floor."""


def thing(*, shape: str = "ball", degree: int = 2, seed: int = 0) -> Splats:
    """A ball or a box about the origin, with an inside that no camera sees; red, with view-dependent colours."""
    random = np.random.default_rng(seed)
    count = 1800
    if shape == "ball":
        turn = np.arange(count) * np.pi * (3 - np.sqrt(5))
        y = np.linspace(-1, 1, count)
        means = RADIUS * np.stack([np.cos(turn) * np.sqrt(1 - y**2), y, np.sin(turn) * np.sqrt(1 - y**2)], axis=1)
    else:
        means = random.uniform(-RADIUS, RADIUS, (count, 3))
        means[np.arange(count), random.integers(0, 3, count)] = RADIUS * random.choice([-1, 1], count)
    means = np.concatenate([means, random.uniform(-0.5, 0.5, (60, 3)) * RADIUS])
    sh = random.normal(0, 0.08, (len(means), (degree + 1) ** 2, 3))
    sh[:, 0] = (np.array([0.8, 0.15, 0.15]) - 0.5) / SH_C0 + random.normal(0, 0.1, (len(means), 3))
    scales = np.log(random.uniform(0.02, 0.05, (len(means), 3)))
    return Splats(means, random.normal(size=(len(means), 4)), scales, np.full(len(means), 4.0), sh)


def floor_and_wall(degree: int = 2) -> Splats:
    """A green floor and a blue wall of flat Gaussians, in front of a camera at the origin."""
    x, z = (each.ravel() for each in np.meshgrid(np.arange(-5, 5, 0.07), np.arange(0.6, WALL, 0.07)))
    u, v = (each.ravel() for each in np.meshgrid(np.arange(-5, 5, 0.09), np.arange(-3.5, FLOOR, 0.09)))
    means = np.concatenate([np.stack([x, np.full_like(x, FLOOR), z], 1), np.stack([u, v, np.full_like(u, WALL)], 1)])
    on_floor = np.arange(len(means)) < len(x)
    thick = np.where(on_floor[:, None], [0.06, 0.004, 0.06], [0.07, 0.07, 0.004])
    colour = np.where(on_floor[:, None], [0.2, 0.55, 0.25], [0.25, 0.3, 0.7])
    sh = np.zeros((len(means), (degree + 1) ** 2, 3))
    sh[:, 0] = (colour - 0.5) / SH_C0 + 0.2 * np.sin(3 * means)
    return Splats(means, np.tile([1.0, 0, 0, 0], (len(means), 1)), np.log(thick), np.full(len(means), 4.0), sh)


def furnished(*things: Splats) -> Splats:
    """The floor and the wall, then the ``things`` at their positions."""
    whole = floor_and_wall()
    for each in things:
        whole = whole.joined(each)
    return whole
