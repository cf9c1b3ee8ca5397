"""Refined cameras are closer to the truth than the given ones and stay in their world; what cannot be refined is reported."""

import cv2
import numpy as np
import pytest

from camera.errors import InputError
from camera.evaluation import paths as metrics
from camera.path import CameraPath, pinhole
from camera.rotation import about_axis
from pipelines.estimation import sfm
from tests.scenes.rendered_clip import render


@pytest.fixture(scope="module")
def truth():
    return render(6, speed=0, travel=1.0)


@pytest.fixture(scope="module")
def given(truth):
    """The true path in a different world, three times as large, with every camera but the first slightly off."""
    rng = np.random.default_rng(0)
    poses = truth.path.world_from_camera.copy()
    for camera in poses[1:]:
        camera[:3, :3] = camera[:3, :3] @ cv2.Rodrigues(rng.normal(0, np.radians(0.7), 3))[0]
        camera[:3, 3] += rng.normal(0, 0.04, 3)
    return truth.path.with_poses(poses).scaled(3)


@pytest.fixture(scope="module")
def found(truth, given):
    return sfm.refine_cameras(truth.frames, given)


def test_refined_cameras_are_nearer_to_the_truth(found, given, truth):
    def away(path):
        return np.linalg.norm(metrics.align_path(path, truth.path).centres - truth.path.centres, axis=1).max()

    assert found.frames == tuple(range(6))
    assert away(found.path) < 0.3 * away(given)
    before = metrics.rotation_error_degrees(given, truth.path).max()
    assert metrics.rotation_error_degrees(found.path, truth.path).max() < 0.3 * before
    assert found.after_px < 0.5 < found.before_px
    assert "6 of 6 frames" in found.words


def test_the_given_world_is_kept(found, given, truth):
    similarity = sfm.fit_gauge(found.path, given)
    assert similarity.scale == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(similarity.translation, 0, atol=1e-6)
    pixels, depths = found.found.depths(3)
    column, row = pixels.round().astype(int).T
    np.testing.assert_allclose(np.median(depths / truth.depth[3][row, column]), 3, rtol=0.03)


def test_a_path_that_contradicts_the_frames_is_refused(truth):
    poses = np.repeat(np.eye(4)[None], 6, axis=0)
    poses[:, 1, 3] = np.linspace(0, 8, 6)
    for camera, degrees in zip(poses, (0, 50, -40, 80, -70, 30)):
        camera[:3, :3] = cv2.Rodrigues(np.array([0, np.radians(degrees), 0]))[0]
    with pytest.raises(InputError, match=r"Only \d of 6 frames"):
        sfm.refine_cameras(truth.frames, truth.path.with_poses(poses))


def test_what_cannot_be_refined_is_said(truth):
    with pytest.raises(InputError, match="is static"):
        sfm.refine_cameras(truth.frames, truth.path.with_poses(np.repeat(np.eye(4)[None], 6, axis=0)))
    with pytest.raises(InputError, match="3 frames or more, got 2"):
        sfm.refine_cameras(truth.frames[:2], truth.path.sliced(slice(2)))
    with pytest.raises(InputError, match="6 of 320 x 256 are needed, got 5"):
        sfm.refine_cameras(truth.frames[:5], truth.path)


def test_a_gauge_is_found_for_centres_on_one_line():
    poses = np.repeat(np.eye(4)[None], 4, axis=0)
    poses[:, 0, 3] = [0, 1, 2, 3]
    path = CameraPath(poses, pinhole(8, 6, 60), 8, 6)
    turn = np.eye(4)
    turn[:3, :3] = cv2.Rodrigues(np.array([0.3, -1.0, 0.5]))[0]
    turn[:3, 3] = [4, 5, 6]
    other = path.scaled(2.5)
    other = other.with_poses(turn @ other.world_from_camera)
    np.testing.assert_allclose(
        sfm.fit_gauge(path, other).of_path(path).world_from_camera, other.world_from_camera, atol=1e-9
    )


def test_pairs_of_a_closed_path_close_it():
    assert len(sfm.choose_pairs(5, "exhaustive")) == 10 == len(sfm.choose_pairs(5))
    open_pairs, closed = sfm.choose_pairs(100, "sequential"), sfm.choose_pairs(100, "closed")
    assert (0, 99) in closed and (0, 99) not in open_pairs and set(open_pairs) < set(closed)
    with pytest.raises(InputError, match="exhaustive"):
        sfm.choose_pairs(5, "all")  # type: ignore[arg-type]


def test_one_video_of_a_camera_that_goes_straight_ahead_is_placed():
    """Points at known positions with exact observations: without matching errors, only the forward motion is difficult."""
    random, size = np.random.default_rng(0), (320, 176)
    lens = pinhole(*size, 60)
    points = random.uniform((-3, -2, 3), (3, 2, 12), (700, 3))
    poses = np.repeat(np.eye(4)[None], 8, axis=0)
    poses[:, 2, 3] = np.linspace(0, 1.6, 8)
    poses[:, :3, :3] = about_axis([0, 1, 0], np.linspace(0, 10, 8))
    path = CameraPath(poses, lens, *size)
    shown = (points[None] - path.centres[:, None]) @ poses[:, :3, :3] @ lens.T
    pixels = shown[..., :2] / shown[..., 2:]
    inside = ((pixels >= 0) & (pixels < np.array(size) - 1)).all(axis=2) & (shown[..., 2] > 0.5)

    def matcher(pictures, wanted):
        common = {(i, j): np.flatnonzero(inside[i] & inside[j]) for i, j in wanted}
        return list(pixels.astype(np.float32)), {pair: np.stack([one, one], axis=1) for pair, one in common.items()}

    frames = np.zeros((8, size[1], size[0], 3), np.uint8)
    found = sfm.reconstruct(frames, matcher=matcher, focal_px=float(lens[0, 0]), one_video=True)
    assert found.frames == tuple(range(8))
    assert np.nanmedian(metrics.translation_direction_degrees(found.path, path)) < 0.5
