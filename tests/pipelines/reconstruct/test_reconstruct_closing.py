"""An orbit of 360 degrees: the drift found at its end is distributed, and orbits that do not close are reported."""

import cv2
import numpy as np
import pytest

from camera.cloud import PointCloud
from camera.errors import InputError
from camera.evaluation.paths import align_path, rotation_error_degrees
from camera.path import CameraPath, inverse
from pipelines.estimation.tracking import track_points
from pipelines.reconstruct.loop_closure import close_loop, join_ends
from pipelines.reconstruct.pipeline import Reconstruction, Shots, make
from pipelines.reconstruct.scene import scene_from_frames
from tests.scenes.orbit_room import orbit, shots
from tests.scenes.reconstruct_room import finished

FRAMES, WIDTH, HEIGHT = 36, 144, 96


@pytest.fixture(scope="module")
def truth():
    path = orbit(FRAMES, WIDTH, HEIGHT)
    views = shots(path)
    return path, np.stack([view.colour for view in views]), np.stack([view.depth for view in views])


@pytest.fixture(scope="module")
def drifted(truth):
    """Every step turns a little too far, and each is slightly longer than the one before."""
    path, random = truth[0], np.random.default_rng(0)
    poses = [path.world_from_camera[0]]
    for number, step in enumerate(inverse(path.world_from_camera[:-1]) @ path.world_from_camera[1:]):
        step = step.copy()
        step[:3, :3] = step[:3, :3] @ cv2.Rodrigues(np.radians(random.normal([0.12, 0.1, 0.04], 0.04)))[0]
        step[:3, 3] *= 1.0005**number
        poses.append(poses[-1] @ step)
    return path.with_poses(np.array(poses))


def turn_off(path: CameraPath, truth: CameraPath) -> float:
    return float(rotation_error_degrees(path, truth).max())


def place_off(path: CameraPath, truth: CameraPath) -> float:
    """Largest position error in the world of the common first camera."""
    return float(np.linalg.norm(path.centres - truth.centres, axis=1).max())


def shape_off(path: CameraPath, truth: CameraPath) -> float:
    """Largest position error after the best-fitting similarity."""
    return float(np.linalg.norm(align_path(path, truth).centres - truth.centres, axis=1).max())


def test_what_was_drifted_is_distributed(truth, drifted):
    path, frames, _ = truth
    found = close_loop(frames, drifted)
    assert turn_off(drifted, path) > 3 and turn_off(found.path, path) < 0.45 * turn_off(drifted, path)
    assert place_off(found.path, path) < 0.4 * place_off(drifted, path)
    np.testing.assert_allclose(found.path.world_from_camera[0], drifted.world_from_camera[0], atol=1e-12)
    away = np.linalg.norm(found.path.centres[-1] - found.path.centres[0])
    assert away < 0.15 * np.linalg.norm(drifted.centres[-1] - drifted.centres[0])
    assert found.gap_degrees == pytest.approx(turn_off(drifted, path), abs=1) and "distributed" in found.words


@pytest.mark.parametrize("nominal", [340, 375])
def test_a_nominal_orbit_is_bent_to_the_one_that_the_video_shows(truth, nominal):
    path, frames, _ = truth
    told = orbit(FRAMES, WIDTH, HEIGHT, degrees=nominal)
    found = close_loop(frames, told)
    assert turn_off(found.path, path) < 0.1 * turn_off(told, path)
    assert shape_off(found.path, path) < 0.15 * shape_off(told, path)
    assert np.linalg.norm(found.path.centres[-1] - found.path.centres[0]) < 0.03


def test_a_path_that_closes_stays_as_it_is(truth):
    path, frames, _ = truth
    found = close_loop(frames, path)
    assert turn_off(found.path, path) < 0.5 and place_off(found.path, path) < 0.05 and found.gap_degrees < 0.5


def test_points_of_a_closed_orbit_are_of_one_ball(truth, drifted):
    """The points of its surface, seen from all sides, form a thin layer again."""
    _, frames, depth = truth
    shots = Shots(frames, drifted, "orbit", depth, aligned=True)
    made = {}
    for choice in (False, True):
        made[choice] = [step for step in make(shots, "points", closed=choice) if isinstance(step, Reconstruction)][-1]
    assert "closed: the end missed the beginning by" in made[True].notes[0]

    def thickness(cloud: PointCloud) -> float:
        ball = cloud.points[np.linalg.norm(cloud.points, axis=1) < 1.1]
        columns = np.concatenate([ball, np.ones((len(ball), 1))], axis=1)
        middle = np.linalg.lstsq(2 * columns, (ball**2).sum(axis=1), rcond=None)[0][:3]
        return float(np.linalg.norm(ball - middle, axis=1).std())

    assert thickness(made[True].cloud) < 0.7 * thickness(made[False].cloud)


def test_bundle_adjustment_of_a_closed_path_knows_that_it_closes(truth, drifted):
    path, frames, _ = truth
    found = finished(scene_from_frames(frames, drifted, depth=truth[2], cameras="refined", closed=True))
    poses = np.array([view.world_from_camera for view in found.views])
    assert turn_off(path.with_poses(poses), path) < 0.3 and "cameras refined" in found.source


def test_estimated_cameras_whose_ends_no_match_joined_are_brought_together(truth, drifted):
    path, frames, _ = truth
    apart = track_points(frames, drifted).found
    found, words = join_ends(frames, apart)
    assert len(found.frames) > 0.9 * FRAMES and "distributed over all frames" in words
    here = list(found.frames)
    assert shape_off(found.path, path.sliced(here)) < 0.3 * shape_off(drifted, path)
    kept, words = join_ends(frames, track_points(frames, path).found)
    assert kept.path.world_from_camera is path.world_from_camera and "meets the beginning" in words


def test_an_end_that_does_not_show_the_beginning_is_said(truth):
    path, frames, _ = truth
    half = slice(0, FRAMES // 2)
    with pytest.raises(InputError, match="do not show what its first frames show"):
        close_loop(frames[half], path.sliced(half))
    with pytest.raises(InputError, match="at least 10 frames, got 6"):
        close_loop(frames[:6], path.sliced(slice(6)))
