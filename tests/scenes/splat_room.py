"""A small room with smooth colours, in frames with cameras and points: what tests fit splats to."""

from __future__ import annotations

from functools import cache

import numpy as np

from bench.room import orbit, shot
from camera.cloud import cloud_of
from camera.path import CameraPath
from camera.view import Scene, View

HEIGHT, WIDTH, VIEWS = 24, 36, 5


@cache
def room():
    """Frames, path and points of an orbit by 16 degrees; the colours are smooth, as a small picture of a room is."""
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
