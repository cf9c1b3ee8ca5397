"""Fused points of a ray-traced room lie on its surfaces; points that contradict the others are dropped."""

from dataclasses import replace

import numpy as np
import pytest

from camera.errors import InputError
from camera.view import FAR, Scene, View
from pipelines.reconstruct.points import fuse_points
from tests.scenes.reconstruct_room import finished, room, to_surface


def test_points_lie_on_the_surfaces():
    cloud = finished(fuse_points(room()))
    assert len(cloud) > 10_000
    assert to_surface(cloud.points).max() < 1e-4


def test_a_view_that_contradicts_the_others_adds_nothing():
    views = room().views
    wrong = replace(views[2], depth=views[2].depth * np.float32(0.7))
    scene = replace(room(), views=(*views[:2], wrong, *views[3:]))
    off = np.mean(to_surface(finished(fuse_points(scene)).points) > 0.1)
    assert off < 0.01


def test_the_budget_is_kept_and_used():
    cloud = finished(fuse_points(room(), most_points=1000))
    assert 600 < len(cloud) <= 1000
    assert np.median(to_surface(cloud.points)) < 0.05


def test_sky_is_dropped():
    views = []
    for view in room().views:
        depth = view.depth.copy()
        depth[:20] = FAR
        views.append(View.of(view.colour, depth, view.intrinsics, view.world_from_camera))
    cloud = finished(fuse_points(Scene(tuple(views), "views")))
    assert cloud.points.max() < 10


def test_no_parallax_too_few_frames_and_wrong_cameras_are_said():
    views = room().views
    with pytest.raises(InputError, match="parallax"):
        finished(fuse_points(Scene((views[0],) * 4, "views")))
    with pytest.raises(InputError, match="at least 3 frames, got 2"):
        finished(fuse_points(Scene(views[:2], "views")))
    shuffled = tuple(replace(v, depth=v.depth * np.float32(f)) for v, f in zip(views, (0.3, 0.6, 1.2, 2.4, 4.8)))
    with pytest.raises(InputError, match="contradict"):
        finished(fuse_points(Scene(shuffled, "views")))
