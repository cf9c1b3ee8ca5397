"""Targets, fits of paths to few keys, limits of a scene, coverage."""

from __future__ import annotations

import numpy as np
import pytest

from camera.editing import targets
from camera.editing.coverage import coverage
from camera.editing.fit import Residual, fit_keys, resample_walk, residual_of
from camera.editing.limits import Limits, fit_to_limits, measure_path
from camera.editing.track import path_of
from camera.errors import InputError
from camera.path import CameraPath, pinhole
from camera.rotation import from_pan_tilt_roll
from camera.trajectories import film_script
from camera.view import Scene, View

TARGET = np.array([0.4, -0.3, 3.0])


@pytest.fixture(scope="module")
def scene() -> Scene:
    """A wall at depth 4 with a box in front of it at depth 2; a moving camera uncovers the wall behind the box."""
    depth = np.full((90, 160), 4.0, np.float32)
    depth[30:60, 60:100] = 2.0
    random = np.random.default_rng(0)
    return Scene((View.of(random.integers(0, 255, (90, 160, 3), dtype=np.uint8), depth, pinhole(160, 90, 60)),))


def walk(frames: int = 9) -> CameraPath:
    poses = np.repeat(np.eye(4)[None], frames, axis=0)
    poses[:, :3, 3] = np.linspace([0, 0, 0], [0.8, -0.2, 0.5], frames)
    poses[:, :3, :3] = from_pan_tilt_roll(np.linspace(0, 12, frames), np.zeros(frames), np.linspace(0, 8, frames))
    return CameraPath(poses, pinhole(160, 90, 60), 160, 90)


def project(path: CameraPath, point) -> np.ndarray:
    """Pixels (F,2) of a world point."""
    local = path.camera_from_world @ [*point, 1.0]
    pixel = np.einsum("fij,fj->fi", path.intrinsics, local[:, :3])
    return pixel[:, :2] / pixel[:, 2:]


def test_target_is_placed_in_frame_at_constant_size_or_distance():
    looked = targets.look_at_target(walk(), TARGET)
    np.testing.assert_allclose(project(looked, TARGET), np.tile([79.5, 44.5], (9, 1)), atol=1e-6)
    third = targets.look_at_target(walk(), TARGET, at=(1 / 3, 0.5))
    np.testing.assert_allclose(project(third, TARGET)[:, 0], 160 / 3 - 0.5, atol=1e-6)
    again = targets.look_at_target(looked, TARGET)
    np.testing.assert_allclose(again.world_from_camera, looked.world_from_camera, atol=1e-9)

    framed = targets.keep_framed(looked, TARGET)
    size = framed.intrinsics[:, 0, 0] / targets.depths_of(framed, TARGET)
    np.testing.assert_allclose(size, size[0], rtol=1e-9)
    at_distance = targets.keep_distance(looked, TARGET)
    np.testing.assert_allclose(np.linalg.norm(at_distance.centres - TARGET, axis=1), np.linalg.norm(TARGET), rtol=1e-9)
    with pytest.raises(InputError, match="behind the camera"):
        targets.keep_framed(walk(), TARGET - [0, 0, 2.6])
    with pytest.raises(InputError, match="is at the target"):
        targets.look_at_target(walk(), walk().centres[4])


def test_cameras_follow_moving_targets_and_orbit_static_ones():
    moving = TARGET + np.linspace([0, 0, 0], [1, 0, 0.5], 9)
    still = CameraPath(np.repeat(np.eye(4)[None], 9, axis=0), pinhole(160, 90, 60), 160, 90)
    followed = targets.follow_target(still, moving)
    places = [project(followed.sliced(slice(i, i + 1)), moving[i])[0] for i in range(9)]
    np.testing.assert_allclose(places, np.tile(places[0], (9, 1)), atol=1e-9)
    orbit = targets.orbit_target(still.sliced(slice(0, 1)), TARGET, np.linspace(0, 90, 5), up=(0, -1, 0))
    np.testing.assert_allclose(project(orbit, TARGET), np.tile(project(orbit, TARGET)[0], (5, 1)), atol=1e-6)
    assert orbit.centres[1, 0] > 0.5  # to the target's right
    np.testing.assert_allclose(np.linalg.norm(orbit.centres - TARGET, axis=1), np.linalg.norm(TARGET))


def test_film_moves_become_few_keys_with_a_small_residual(scene):
    path = film_script.path_of("arc 40 ease + zoom 1.3; hold 0.5s", scene.first, frames=97)
    tolerance = Residual(0.02, 0.3, 0.01)
    fit = fit_keys(path, tolerance)
    assert fit.residual.within(tolerance) and 4 <= len(fit.move.keys) <= 12
    again = residual_of(path_of(fit.move, frames=97, fps=path.fps), path)
    assert again == fit.residual and "degrees" in again.words
    few = fit_keys(path, tolerance, most=3)
    assert len(few.move.keys) <= 3 and not few.residual.within(tolerance)
    straight = fit_keys(film_script.path_of("truck 0.4", scene.first, frames=49))
    assert len(straight.move.keys) == 2


def test_a_move_is_reduced_just_enough_to_keep_the_limits(scene):
    path = film_script.path_of("truck 0.6", scene.first, frames=13)
    before = measure_path(scene, path)
    assert before.new[0] == 0 and before.new.max() > 0.2 and before.nearest.min() == pytest.approx(2, abs=0.05)
    made = fit_to_limits(scene, path, Limits(new_share=0.12))
    after = measure_path(scene, made.path)
    assert 0.05 < after.new.max() <= 0.125 and "what is new" in made.words
    np.testing.assert_allclose(made.path.world_from_camera[0], path.world_from_camera[0])
    assert np.abs(np.diff(np.linalg.norm(made.path.centres, axis=1), n=2)).max() < 0.12  # no jerk

    dolly = film_script.path_of("dolly 0.4", scene.first, frames=7)
    nearer = fit_to_limits(scene, dolly, Limits(new_share=None, nearest=1.5))
    assert 1.45 <= measure_path(scene, nearer.path).nearest.min() < 1.75 and "nearness" in nearer.words
    pan = film_script.path_of("pan 20", scene.first, frames=11)
    slow = fit_to_limits(scene, pan, Limits(new_share=None, degrees_per_frame=1.0))
    assert 0.9 < measure_path(scene, slow.path).turns.max() <= 1.0 + 1e-6 and "speed" in slow.words
    same = fit_to_limits(scene, pan, Limits(new_share=None, turn_degrees=30, travel=1))
    assert "nothing was changed" in same.words and (same.kept == 1).all()
    with pytest.raises(InputError, match="nearer than 3"):
        fit_to_limits(scene, dolly, Limits(nearest=3))


def test_coverage_finds_the_wall_behind_the_box_and_the_frame_that_shows_most_of_it(scene):
    path = film_script.path_of("truck 0.4", scene.first, frames=9)
    found = coverage(scene, path, looks=9)
    inside = (np.abs(found.points[:, 0] - 0.0) < 1.2) & (np.abs(found.points[:, 2] - 4) < 0.01)
    assert inside.sum() > 20 and found.best >= 5 and 0.3 < found.best_share <= 1
    assert f"frame {found.best + 1}" in found.words
    still = coverage(scene, scene.first.camera)
    assert len(still.points) == 0 and "nothing" in still.words


def test_a_recorded_walk_is_smoothed_and_keeps_its_ends():
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.01, 0.06, 80))
    poses = np.repeat(np.eye(4)[None], 80, axis=0)
    poses[:, 2, 3] = times - times[0]
    poses[1:-1, 0, 3] = 0.02 * rng.standard_normal(78)
    walked = CameraPath(poses, pinhole(160, 90, 60), 160, 90)
    path = resample_walk(walked, times, smooth_seconds=0.25)
    assert len(path) == round((times[-1] - times[0]) * 24) + 1
    np.testing.assert_allclose(path.centres[[0, -1]], walked.centres[[0, -1]], atol=1e-6)
    np.testing.assert_allclose(path.centres[:, 2], np.linspace(0, times[-1] - times[0], len(path)), atol=1e-6)
    assert path.centres[:, 0].std() < 0.5 * resample_walk(walked, times, smooth_seconds=0).centres[:, 0].std()
    with pytest.raises(InputError, match="longer"):
        resample_walk(walked, times[::-1])


def test_a_camera_follows_a_path_drawn_from_above():
    camera = CameraPath(np.eye(4)[None], pinhole(160, 90, 60), 160, 90)
    line = [[0, 0], [0, 3], [1, 3]]
    kept = targets.along_stroke(camera, line, 9)
    np.testing.assert_allclose(kept.centres[[0, 6, 8]], [[0, 0, 0], [0, 0, 3], [1, 0, 3]], atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(np.diff(kept.centres, axis=0), axis=1), 0.5)
    np.testing.assert_array_equal(kept.world_from_camera[5, :3, :3], np.eye(3))
    ahead = targets.along_stroke(camera, line, 9, ahead=True)
    np.testing.assert_allclose(ahead.world_from_camera[[0, 8], :3, 2], [[0, 0, 1], [1, 0, 0]], atol=1e-9)
    for wrong in ([[0, 0]], [[0, 0], [0, 0]], [[0, 0, 0], [1, 1, 1]]):
        with pytest.raises(InputError, match="line"):
            targets.along_stroke(camera, wrong, 9)
