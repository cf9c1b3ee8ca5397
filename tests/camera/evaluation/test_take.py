"""A shot compared with its move: injected faults are found in numbers and words."""

from dataclasses import replace

import numpy as np
import pytest

from camera.errors import InputError
from camera.evaluation.take import compare_paths
from camera.path import CameraPath, pinhole
from camera.rotation import about_axis


def chosen(path: CameraPath, frames: list[int]) -> CameraPath:
    return replace(path, world_from_camera=path.world_from_camera[frames], intrinsics=path.intrinsics[frames])


def orbit(turn: float = 1.0, frames: int = 37, focal: float = 1.0) -> CameraPath:
    """A full circle of radius 2 around the origin; ``turn`` multiplies the camera's rotation, not its position."""
    angles = np.linspace(0, 360, frames)
    poses = np.repeat(np.eye(4)[None], frames, axis=0)
    poses[:, :3, :3] = about_axis([0, 1, 0], turn * angles)
    poses[:, :3, 3] = about_axis([0, 1, 0], angles) @ np.array([0, 0, -2.0])
    lens = pinhole(64, 48, 60)
    lens[[0, 1], [0, 1]] *= focal
    return CameraPath(poses, lens, 64, 48)


def test_a_shot_that_follows_is_reported_as_such():
    found = compare_paths(orbit(), orbit(), unit="metres")
    assert found.words.startswith("Turns as far as asked") and found.words.endswith("the lens holds.")
    assert found.distance == pytest.approx(np.zeros(37)) and found.unplaced == 0


@pytest.mark.parametrize("gain", [0.8, 1.04])
def test_gain_of_a_full_circle(gain):
    assert compare_paths(orbit(gain), orbit()).turn_gain == pytest.approx(gain)


def test_faults_are_described_in_words():
    achieved = orbit(1.04, focal=1.1)
    centres = achieved.world_from_camera.copy()
    centres[-1, 0, 3] -= 0.11
    found = compare_paths(achieved.with_poses(centres), orbit(), unit="metres", fit_scale=False)
    assert found.words == "Turns 4 % too far, ends 11 cm left of where it should, the lens is 10 % too long."


def test_lens_is_compared_at_the_same_image_size():
    assert compare_paths(orbit().resized(32, 24), orbit()).lens == pytest.approx(np.ones(37))


def test_unknown_scale_is_fitted():
    smaller = orbit().world_from_camera.copy()
    smaller[:, :3, 3] *= 0.25
    found = compare_paths(orbit().with_poses(smaller), orbit())
    assert found.scale == pytest.approx(4) and found.distance == pytest.approx(np.zeros(37), abs=1e-9)


def test_unplaced_frames_are_counted():
    placed = [i for i in range(37) if i not in (5, 6, 20)]
    found = compare_paths(chosen(orbit(), placed), orbit(), frames=placed)
    assert found.unplaced == 3 and "3 of 37 frames could not be placed" in found.words
    assert found.turn_gain == pytest.approx(1)


def test_roll_counts_as_rotation_error():
    rolled = orbit().world_from_camera.copy()
    rolled[1:, :3, :3] = rolled[1:, :3, :3] @ about_axis([0, 0, 1], 3)
    assert compare_paths(replace(orbit(), world_from_camera=rolled), orbit()).turn_degrees[1:] == pytest.approx(3)


def eased(gain: float = 1.0, lag: float = 0.0, frames: int = 49) -> CameraPath:
    """An arc of 24 degrees with easing, ``lag`` frames late."""
    share = np.clip((np.arange(frames) - lag) / (frames - 1), 0, 1)
    angles = 24 * gain * share**2 * (3 - 2 * share)
    poses = np.repeat(np.eye(4)[None], frames, axis=0)
    poses[:, :3, :3] = about_axis([0, 1, 0], angles)
    poses[:, :3, 3] = poses[:, :3, :3] @ np.array([0, 0, -2.0])
    return CameraPath(poses, pinhole(64, 48, 60), 64, 48)


@pytest.mark.parametrize(("gain", "lag"), [(0.8, 0), (1, 6), (0.8, 6), (1, 0)])
def test_gain_and_lag_are_distinguished(gain, lag):
    found = compare_paths(eased(gain, lag), eased())
    assert found.lag == pytest.approx(lag, abs=0.5)
    assert found.turn_gain == pytest.approx(gain, abs=0.02)
    assert ("frames late" in found.words) == bool(lag)


def test_noise_is_not_reported_as_lag():
    noisy = eased().world_from_camera.copy()
    noisy[:, :3, 3] += np.random.default_rng(3).normal(0, 0.01, (49, 3))
    assert compare_paths(eased().with_poses(noisy), eased()).lag == 0


def test_roll_is_reported_with_its_direction():
    rolled = eased().world_from_camera.copy()
    rolled[:, :3, :3] = rolled[:, :3, :3] @ about_axis([0, 0, 1], 3 * np.linspace(0, 1, 49))
    found = compare_paths(eased().with_poses(rolled), eased())
    assert found.roll_degrees == pytest.approx(3, abs=0.01) and "ends rolled 3.0 degrees clockwise" in found.words


def test_paths_that_cannot_be_compared_are_refused():
    with pytest.raises(InputError, match="2 placed frames"):
        compare_paths(chosen(orbit(), [0]), orbit(), frames=[0])
    with pytest.raises(InputError, match="37 cameras with 3"):
        compare_paths(orbit(), orbit(), frames=[0, 1, 2])
    with pytest.raises(InputError, match="ascend"):
        compare_paths(chosen(orbit(), [0, 1]), orbit(), frames=[1, 0])
