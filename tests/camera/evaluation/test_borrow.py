"""A borrowed move keeps the clip's camera within the displayed tolerance, with few keys, at the scene's scale."""

import numpy as np
import pytest

from camera.editing import saved
from camera.editing.track import path_of
from camera.errors import InputError
from camera.evaluation.borrow import Tolerance, borrow_keys, place_move, scale_to_subject, smooth_path
from camera.evaluation.report import jitter_degrees
from camera.path import CameraPath, pinhole
from camera.rotation import from_pan_tilt_roll


def clip(frames: int = 49, *, shake: float = 0.0, zoom: float = 1.0) -> CameraPath:
    """An arc that slows down, with smooth positions and rotations."""
    share = np.linspace(0, 1, frames)
    ease = share * share * (3 - 2 * share)
    poses = np.repeat(np.eye(4)[None], frames, axis=0)
    rng = np.random.default_rng(0)
    poses[:, :3, :3] = from_pan_tilt_roll(
        -40 * ease + shake * rng.standard_normal(frames), 5 * np.sin(4 * share), 0 * share
    )
    poses[:, :3, 3] = np.stack([2 * np.sin(0.7 * ease), 0.1 * share, 2 - 2 * np.cos(0.7 * ease)], axis=1)
    lens = np.repeat(pinhole(640, 360, 60)[None], frames, axis=0)
    lens[:, [0, 1], [0, 1]] *= zoom ** share[:, None]
    return CameraPath(poses, lens, 640, 360)


def test_few_keys_stay_within_the_tolerance_and_report_it():
    found = borrow_keys(clip(zoom=1.5))
    assert 3 <= len(found.keys) <= 10
    assert found.degrees <= 0.5 and found.share <= 0.02 and found.lens <= 0.01
    assert f"{len(found.keys)} keys for 49 frames" in found.words
    assert [found.keys[0].time, found.keys[-1].time] == [0, 48]


def test_a_tighter_tolerance_takes_more_keys_and_none_is_redundant():
    few, many = borrow_keys(clip()), borrow_keys(clip(), Tolerance(0.05, 0.002, 0.01))
    assert len(many.keys) > len(few.keys)
    with pytest.raises(InputError, match="above zero"):
        Tolerance(0)


def test_a_still_camera_needs_two_keys():
    still = clip().with_poses(np.repeat(np.eye(4)[None], 49, axis=0))
    assert len(borrow_keys(still).keys) == 2


def test_smoothing_removes_shake_and_keeps_the_move():
    rough = clip(shake=0.3)
    soft = smooth_path(rough, 3)
    assert jitter_degrees(soft) < 0.25 * jitter_degrees(rough)
    middle = slice(8, -8)
    np.testing.assert_allclose(soft.centres[middle], clip().centres[middle], atol=0.02)
    assert len(borrow_keys(soft).keys) < len(borrow_keys(rough).keys)


def test_lengths_are_scaled_to_the_scene():
    assert np.linalg.norm(scale_to_subject(clip(), 5.0, 2.0).centres[-1]) == pytest.approx(
        2.5 * np.linalg.norm(clip().centres[-1])
    )
    with pytest.raises(InputError, match="two distances"):
        scale_to_subject(clip(), 5.0, float("nan"))


def test_the_key_editor_reproduces_the_path_from_the_keys():
    found = borrow_keys(clip(zoom=1.5))
    move = saved.read(saved.write(found.move))
    assert len(move.keys) == len(found.keys)
    made = path_of(move, frames=len(found.path), fps=found.path.fps)
    np.testing.assert_allclose(made.world_from_camera, found.path.world_from_camera, atol=1e-9)
    np.testing.assert_allclose(made.intrinsics, found.path.intrinsics, rtol=1e-9)
    again = path_of(move.with_cameras(scale_to_subject(move.cameras, 3.0, 1.5)), frames=len(found.path))
    np.testing.assert_allclose(again.centres, scale_to_subject(found.path, 3.0, 1.5).centres, atol=1e-9)


def test_a_move_starts_at_another_scenes_camera_with_the_clips_zoom():
    move = borrow_keys(clip(zoom=1.5)).move
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = from_pan_tilt_roll(90, 0, 0), [1, 2, 3]
    picture = CameraPath(pose[None], pinhole(400, 400, 40), 400, 400)
    placed = place_move(move, picture)
    np.testing.assert_allclose(placed.cameras.world_from_camera[0], pose, atol=1e-12)
    np.testing.assert_allclose(placed.cameras.intrinsics[0], picture.intrinsics[0])
    assert placed.cameras.intrinsics[-1, 0, 0] == pytest.approx(1.5 * picture.intrinsics[0, 0, 0])
    assert placed.cameras.intrinsics[-1, 0, 2] == picture.intrinsics[0, 0, 2] and (placed.width, placed.height) == (
        400,
        400,
    )
    relative = placed.cameras.relative_to_first().world_from_camera
    np.testing.assert_allclose(relative, move.cameras.relative_to_first().world_from_camera, atol=1e-9)
    own = place_move(move, picture, own_lens=True).cameras
    np.testing.assert_allclose(own.fov_degrees[:, 0], move.cameras.fov_degrees[:, 0], atol=1e-9)
