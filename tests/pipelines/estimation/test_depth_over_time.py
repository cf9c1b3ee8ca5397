"""A clip's depth with random scale and offset per frame is restored; smoothing does not lag; remaining errors are reported."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.room import SPHERES, shot
from camera.errors import InputError
from camera.path import CameraPath, pinhole
from camera.rotation import from_pan_tilt_roll
from camera.view import Scene, View
from pipelines.estimation import depth_over_time
from pipelines.estimation.depth_over_time import steady_depth, steady_scene

COUNT, WIDTH, HEIGHT = 9, 160, 120


def clip(*, travel: float, turn: float) -> Scene:
    """The room with a sphere flying through it, filmed by a camera that slides and turns."""
    views = []
    for t in np.linspace(0, 1, COUNT):
        pose = np.eye(4)
        pose[:3, :3] = from_pan_tilt_roll(turn * t, 0, 0)
        pose[0, 3] = travel * t
        flying = ((-0.5 + 1.2 * t, -0.5, 2.0 + t), 0.3)
        path = CameraPath(pose[None], pinhole(WIDTH, HEIGHT, 60), WIDTH, HEIGHT)
        views.append(shot(path, (*SPHERES, flying)))
    return Scene(tuple(views), "clip", "metres", 12)


def flickering(scene: Scene) -> Scene:
    """Every frame has its own scale and offset of inverse depth, like the output of a depth model."""
    random, views = np.random.default_rng(0), []
    for view in scene.views:
        inverse = random.uniform(0.6, 1.6) / view.depth + random.uniform(0, 0.08)
        views.append(View.of(view.colour, 1 / inverse, view.intrinsics, view.world_from_camera))
    return replace(scene, views=tuple(views))


def off(found: Scene, truth: Scene) -> np.ndarray:
    """(F,): the median relative error of each frame's depth."""
    return np.array([np.median(np.abs(a.depth / b.depth - 1)) for a, b in zip(found.views, truth.views)])


def test_with_parallax_depth_comes_back_to_the_truth():
    truth = clip(travel=0.8, turn=6)
    given = flickering(truth)
    found, report = steady_scene(given)
    assert off(given, truth).max() > 0.15
    assert off(found, truth).max() < 0.04, (
        "4 % in the median of every frame, as followed points at this size tell the scale"
    )
    ratios = np.array([np.median(a.depth / b.depth) for a, b in zip(found.views, truth.views)])
    assert np.abs(ratios / ratios.mean() - 1).max() < 0.005, "0.5 % between frames"
    assert report.placed > 100 and "triangulated points" in report.sentence()
    assert np.nanmedian(report.after) < 0.2 * np.nanmedian(report.before) and np.nanmax(report.after) < 0.02
    assert found.kind == "clip" and "stabilised" in found.source and found.fps == truth.fps
    lines = report.table().splitlines()
    assert len(lines) == 1 + COUNT and lines[1].startswith("0,") and lines[0].endswith("residual_after")


def test_a_camera_that_turns_in_place_brings_all_frames_to_one_scale():
    """Without parallax the scale of the whole clip stays unknown, but it is the same for all frames."""
    truth = clip(travel=0, turn=12)
    given = flickering(truth)
    found, report = steady_scene(given)
    assert report.placed == 0 and "mean scale" in report.sentence()
    np.testing.assert_allclose(report.fits.mean(axis=0), (1, 0), atol=1e-3)
    inverse = [np.stack([1 / view.depth for view in scene.views]) for scene in (found, truth)]
    scale, offset = np.polyfit(inverse[1][:, ::7, ::7].ravel(), inverse[0][:, ::7, ::7].ravel(), 1)
    one = np.median(np.abs(inverse[0] / (scale * inverse[1] + offset) - 1), axis=(1, 2))
    assert one.max() < 0.02, "one scale and offset explain every frame to 2 %"


def test_smoothing_has_no_lag_and_takes_noise_away():
    """A wall that approaches at constant speed, with noise of 1 %: the mean of before and after is the present."""
    random = np.random.default_rng(0)
    wall = np.linspace(4.0, 3.85, COUNT)[:, None, None] * np.ones((1, 20, 30))
    noisy = (wall * random.normal(1, 0.005, wall.shape)).astype(np.float32)
    path = CameraPath(np.repeat(np.eye(4)[None], COUNT, axis=0), pinhole(30, 20, 60), 30, 20)
    found = depth_over_time._smoothed(noisy, path)
    inner = slice(2, -2)
    assert np.abs(found[inner].mean(axis=(1, 2)) / wall[inner, 0, 0] - 1).max() < 5e-4
    assert (found[inner] / wall[inner] - 1).std() < 0.65 * (noisy[inner] / wall[inner] - 1).std()
    plain = depth_over_time._smoothed(wall.astype(np.float32), path)
    np.testing.assert_allclose(plain, wall, rtol=1e-5)


def test_what_passes_before_a_wall_is_not_mixed_with_it():
    depth = np.full((5, 20, 30), 4, np.float32)
    depth[2, 5:10, 5:10] = 2
    path = CameraPath(np.repeat(np.eye(4)[None], 5, axis=0), pinhole(30, 20, 60), 30, 20)
    np.testing.assert_array_equal(depth_over_time._smoothed(depth, path), depth)


def test_what_cannot_be_steadied_is_said():
    truth = clip(travel=0.8, turn=6)
    with pytest.raises(InputError, match="this is a views of"):
        steady_scene(replace(truth, kind="views"))
    grey = np.full((3, HEIGHT, WIDTH, 3), 128, np.uint8)
    path = CameraPath(np.repeat(np.eye(4)[None], 3, axis=0), pinhole(WIDTH, HEIGHT, 60), WIDTH, HEIGHT)
    with pytest.raises(InputError, match="shares only 0 points"):
        steady_depth(grey, np.ones(grey.shape[:3], np.float32), path)
    with pytest.raises(InputError, match="a depth map each"):
        steady_depth(grey, np.ones((3, 4, 4), np.float32), path)
