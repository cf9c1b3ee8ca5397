"""Plain clips become scenes: flickering depth is brought to a common scale; cameras are found or reported as stationary."""

import numpy as np
import pytest

from camera.errors import InputError
from camera.path import CameraPath, pinhole
from pipelines.estimation.sfm import Reconstruction
from pipelines.inputs.video_scene import SparseDepth, posed_scene, scene_of_video

COUNT, WIDTH, HEIGHT = 6, 64, 48


@pytest.fixture(scope="module")
def truth():
    """A slanted floor filmed by a camera that slides right, its true depth, and sparse points."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    depth = np.repeat((2 + 3 * y / HEIGHT + x / WIDTH)[None], COUNT, axis=0).astype(np.float32)
    frames = np.repeat(np.stack([x * 3, y * 5, x + y], axis=-1).astype(np.uint8)[None], COUNT, axis=0)
    poses = np.repeat(np.eye(4)[None], COUNT, axis=0)
    poses[:, 0, 3] = np.linspace(0, 1, COUNT)
    path = CameraPath(poses, pinhole(WIDTH, HEIGHT, 60), WIDTH, HEIGHT, 12)
    return frames, depth, path


class _Flicker:
    """The true depth of one frame after another, each time with a different scale and offset of inverse depth."""

    def __init__(self, depth):
        self.depth, self.random, self.index = depth, np.random.default_rng(0), 0

    def __call__(self, picture):
        scale, offset = self.random.uniform(0.5, 3), self.random.uniform(0, 0.2)
        self.index += 1
        return (1 / (scale / self.depth[self.index - 1] + offset)).astype(np.float32)


def _sparse(depth, *, wrong=0):
    random = np.random.default_rng(1)
    pixels = random.uniform(0, [WIDTH - 1, HEIGHT - 1], (60, 2)).round()
    depths = depth[pixels[:, 1].astype(int), pixels[:, 0].astype(int)].astype(np.float64)
    depths[:wrong] *= 3
    return SparseDepth(pixels, depths)


def _reconstruction(depth, path, frames):
    points, seen = [], []
    for frame in frames:
        pixels, depths = _sparse(depth[frame])
        rays = np.append(pixels, np.ones((len(pixels), 1)), axis=1) @ np.linalg.inv(path.intrinsics[frame]).T
        placed = rays * depths[:, None] + path.centres[frame]
        seen.append((np.arange(len(points) * 60, len(points) * 60 + 60), pixels))
        points.append(placed)
    kept = list(frames)
    cameras = CameraPath(path.world_from_camera[kept], path.intrinsics[kept], WIDTH, HEIGHT, 12)
    colours = np.zeros((len(kept) * 60, 3), np.uint8)
    return Reconstruction(tuple(frames), cameras, np.concatenate(points), colours, tuple(seen), 0.1)


def test_depth_is_fitted_to_sparse_points_despite_outliers(truth):
    frames, depth, path = truth
    sparse = [_sparse(one, wrong=15) for one in depth]
    scene = posed_scene(frames, path, _Flicker(depth), sparse, kind="views")
    assert scene.kind == "views"
    for view, expected in zip(scene.views, depth):
        np.testing.assert_allclose(view.depth, expected, rtol=1e-3)


def test_without_points_depth_is_refused(truth):
    frames, depth, path = truth
    with pytest.raises(InputError, match="No picture has 8 sparse points"):
        posed_scene(frames, path, _Flicker(depth), [None] * COUNT, kind="views")


def test_a_moving_clip_gets_cameras_and_one_scale(truth):
    frames, depth, path = truth
    placed = [0, 1, 3, 4, 5]
    scene, words = scene_of_video(
        frames, 12, _Flicker(depth), reconstruct=lambda pictures, *, fps: _reconstruction(depth, path, placed)
    )
    assert words == "Cameras by structure from motion: 5 of 6 frames placed."
    assert scene.kind == "clip" and scene.fps == 12
    for index, view in enumerate(scene.views):
        np.testing.assert_allclose(view.world_from_camera[:3, 3], path.centres[index], atol=1e-6)
        np.testing.assert_allclose(view.depth, depth[index], rtol=1e-3)


def test_too_few_placed_frames_mean_a_standing_camera(truth):
    frames, depth, path = truth
    scene, words = scene_of_video(
        frames, 12, _Flicker(depth), reconstruct=lambda pictures, *, fps: _reconstruction(depth, path, [0, 1])
    )
    assert "placed only 2 of 6 frames" in words
    assert all((view.world_from_camera == np.eye(4)).all() for view in scene.views)


def test_a_standing_clip_has_one_scale_in_all_frames(truth):
    frames, depth, _ = truth

    def none(pictures, *, fps):
        raise InputError("No camera path was found.")

    moved = depth.copy()
    moved[3:, 10:20, 10:20] = 0.5  # something passes by
    pictures = frames.copy()
    pictures[3:, 10:20, 10:20] += 90
    scene, words = scene_of_video(pictures, 24, _Flicker(moved), fov_degrees=70, reconstruct=none)
    assert words == "The camera is assumed to be static: No camera path was found."
    first = scene.first
    assert first.intrinsics[0, 0] == pytest.approx(pinhole(WIDTH, HEIGHT, 70)[0, 0])
    for view in scene.views[1:]:
        same = np.abs(view.depth - first.depth) < 1e-2
        assert same[25:].all() and same[:, 30:].all()
