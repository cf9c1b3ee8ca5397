"""I2V3D's moves around, over, towards, past and above the subject, and their camera files."""

import numpy as np
import pytest

from camera.errors import InputError
from camera.formats import read, write
from camera.path import CameraPath, pinhole
from camera.trajectories.i2v3d import poses

SUBJECT = np.array([0, 0, 1.0])


def subject_in_cameras(moved: np.ndarray) -> np.ndarray:
    """The subject's position (F,3) in every camera."""
    return np.einsum("fji,fj->fi", moved[:, :3, :3], SUBJECT - moved[:, :3, 3])


def test_every_move_starts_at_the_first_camera():
    moved = poses(16, around_degrees=30, over_degrees=10, approach=0.2, slide=0.1, lift=0.1)
    np.testing.assert_allclose(moved[0], np.eye(4), atol=1e-12)


@pytest.mark.parametrize(("around", "over"), [(40, 0), (-40, 0), (0, 30), (25, -20)])
def test_orbits_face_the_subject_at_constant_distance(around, over):
    moved = poses(16, around_degrees=around, over_degrees=over)
    np.testing.assert_allclose(subject_in_cameras(moved), [SUBJECT] * 16, atol=1e-12)
    right, down = moved[-1, :2, 3]
    assert np.sign(right) == np.sign(around) and np.sign(down) == -np.sign(over)


def test_an_approach_shortens_the_distance_by_its_fraction():
    np.testing.assert_allclose(
        subject_in_cameras(poses(16, around_degrees=30, approach=0.2))[-1], [0, 0, 0.8], atol=1e-12
    )
    np.testing.assert_allclose(subject_in_cameras(poses(16, approach=-1))[-1], [0, 0, 2], atol=1e-12)


def test_slides_do_not_rotate():
    moved = poses(16, slide=0.3, lift=0.2)
    np.testing.assert_allclose(moved[-1, :3], [[1, 0, 0, 0.3], [0, 1, 0, -0.2], [0, 0, 1, 0]], atol=1e-12)


def test_soft_pace_starts_and_stops_gently():
    steps = {
        pace: np.linalg.norm(np.diff(poses(31, slide=1, pace=pace)[:, :3, 3], axis=0), axis=1)
        for pace in ("even", "soft")
    }
    assert np.ptp(steps["even"]) < 1e-9
    assert max(steps["soft"][0], steps["soft"][-1]) < 0.2 * steps["soft"].max()


def test_a_move_round_trips_through_upstreams_camera_file():
    path = CameraPath(poses(16, around_degrees=50, over_degrees=20, approach=0.1), pinhole(512, 288, 80), 512, 288)
    np.testing.assert_allclose(
        read(*write("i2v3d", path), like=path).world_from_camera, path.world_from_camera, atol=1e-9
    )


def test_invalid_arguments_are_refused():
    for wrong, words in (({"approach": 1}, "through the subject"), ({"pace": "fast"}, "'fast'")):
        with pytest.raises(InputError, match=words):
            poses(16, **wrong)
    with pytest.raises(InputError, match="two frames"):
        poses(1)
