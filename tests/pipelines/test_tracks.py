"""Followed points stand where the truth has them; a path that is not the frames' own is found out."""

import numpy as np
import pytest
from rendered_clip import render

from camera.errors import InputError
from pipelines.tracks import tracked


@pytest.fixture(scope="module")
def truth():
    return render(6, speed=0.06, travel=1.0)


def test_points_have_the_true_depth(truth):
    tracks = tracked(truth.frames, truth.path)
    assert tracks.followed > 500 and tracks.agreeing > 0.7 * tracks.wide
    for frame in (0, 5):
        pixels, depths = tracks.found.depths(frame)
        column, row = pixels.round().astype(int).T
        assert len(depths) > 200
        assert np.median(np.abs(depths / truth.depth[frame][row, column] - 1)) < 0.01


def test_what_moves_does_not_agree_and_can_be_masked(truth):
    pixels, _ = tracked(truth.frames, truth.path).found.depths(3)
    column, row = pixels.round().astype(int).T
    still = ~truth.moving[3][row, column]
    assert still.mean() > 0.95
    masked = tracked(truth.frames, truth.path, masks=truth.moving)
    assert masked.agreeing > 0.95 * masked.wide


def test_another_path_does_not_explain_the_frames(truth):
    poses = truth.path.world_from_camera.copy()
    poses[:, 0, 3] *= -1
    tracks = tracked(truth.frames, truth.path.with_poses(poses))
    assert tracks.agreeing < 0.05 * tracks.wide


def test_frames_without_texture_give_no_points(truth):
    tracks = tracked(np.full_like(truth.frames, 90), truth.path)
    assert (tracks.followed, tracks.wide, tracks.agreeing) == (0, 0, 0) and len(tracks.found.points) == 0


def test_frames_of_another_path_are_refused(truth):
    with pytest.raises(InputError, match="6 frames of 320 x 256"):
        tracked(truth.frames[:4], truth.path)
