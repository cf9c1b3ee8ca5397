"""Tracked points are where the ground truth has them; a path that does not belong to the frames is detected."""

import numpy as np
import pytest

from camera.errors import InputError
from camera.evaluation import paths as metrics
from pipelines.estimation import sfm
from pipelines.estimation.tracking import match_tracks, track_points
from tests.scenes.rendered_clip import render


@pytest.fixture(scope="module")
def truth():
    return render(6, speed=0.06, travel=1.0)


def test_points_have_the_true_depth(truth):
    tracks = track_points(truth.frames, truth.path)
    assert tracks.followed > 500 and tracks.agreeing > 0.7 * tracks.wide
    for frame in (0, 5):
        pixels, depths = tracks.found.depths(frame)
        column, row = pixels.round().astype(int).T
        assert len(depths) > 200
        assert np.median(np.abs(depths / truth.depth[frame][row, column] - 1)) < 0.01


def test_what_moves_does_not_agree_and_can_be_masked(truth):
    pixels, _ = track_points(truth.frames, truth.path).found.depths(3)
    column, row = pixels.round().astype(int).T
    still = ~truth.moving[3][row, column]
    assert still.mean() > 0.95
    masked = track_points(truth.frames, truth.path, masks=truth.moving)
    assert masked.agreeing > 0.95 * masked.wide


def test_another_path_does_not_explain_the_frames(truth):
    poses = truth.path.world_from_camera.copy()
    poses[:, 0, 3] *= -1
    tracks = track_points(truth.frames, truth.path.with_poses(poses))
    assert tracks.agreeing < 0.05 * tracks.wide


def test_frames_without_texture_give_no_points(truth):
    tracks = track_points(np.full_like(truth.frames, 90), truth.path)
    assert (tracks.followed, tracks.wide, tracks.agreeing) == (0, 0, 0) and len(tracks.found.points) == 0


def test_frames_of_another_path_are_refused(truth):
    with pytest.raises(InputError, match="6 frames of 320 x 256"):
        track_points(truth.frames[:4], truth.path)


def test_followed_points_refine_cameras_in_place_of_descriptors(truth):
    poses = truth.path.world_from_camera.copy()
    poses[2:4, :3, 3] += [[0.05, -0.04, 0.03], [-0.04, 0.05, 0.0]]
    found = sfm.refine_cameras(truth.frames, truth.path.with_poses(poses), matcher=match_tracks)
    away = np.linalg.norm(metrics.align_path(found.path, truth.path).centres - truth.path.centres, axis=1)
    assert away.max() < 0.02 and found.frames == tuple(range(6)) and found.after_px < 0.3


def test_matches_of_a_point_are_the_same_point(truth):
    keypoints, matches = match_tracks(truth.frames, [(0, 1), (0, 5)])
    near, far = matches[0, 1], matches[0, 5]
    assert len(near) > len(far) > 100
    assert np.median(np.linalg.norm(keypoints[0][near[:, 0]] - keypoints[1][near[:, 1]], axis=1)) < 30
