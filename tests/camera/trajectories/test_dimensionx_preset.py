"""Nominal paths of DimensionX's directors: direction, amount and constant twist."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from camera.errors import InputError
from camera.path import CameraPath, pinhole
from camera.trajectories.dimensionx import DIRECTORS, nominal_path, sequence, transform_of_twist, twist_of_transform


@pytest.fixture
def start() -> CameraPath:
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xyz", [10, 40, -5], degrees=True).as_matrix()
    pose[:3, 3] = [1, -2, 3]
    return CameraPath(pose[None], pinhole(720, 480, 60), 720, 480)


def ends(start: CameraPath, director: str, **kwargs) -> np.ndarray:
    return nominal_path(start, [(director, 1.0)], **kwargs).relative_to_first().world_from_camera[-1]


def test_there_are_twelve_moves_five_orbits_and_a_still_camera():
    groups = [each.group for each in DIRECTORS.values()]
    assert groups.count("translation") == groups.count("rotation") == 6
    assert groups.count("orbit") == 5 and groups.count("time") == 1


@pytest.mark.parametrize(
    ("director", "axis", "sign"),
    [
        ("x_left", 0, -1),
        ("x_right", 0, 1),
        ("y_up", 1, -1),
        ("y_down", 1, 1),
        ("z_zoom_in", 2, 1),
        ("z_zoom_out", 2, -1),
    ],
)
def test_translations_move_along_their_axis_only(start, director, axis, sign):
    moved = ends(start, director, distance=5.0)
    expected = np.zeros(3)
    expected[axis] = sign * 0.3 * 5
    np.testing.assert_allclose(moved[:3, 3], expected, atol=1e-12)
    np.testing.assert_allclose(moved[:3, :3], np.eye(3), atol=1e-12)


@pytest.mark.parametrize(
    ("director", "looks"),
    [("pan_left", (-1, 0)), ("pan_right", (1, 0)), ("pan_up", (0, -1)), ("pan_down", (0, 1))],
)
def test_pans_and_tilts_rotate_in_place(start, director, looks):
    moved = ends(start, director)
    np.testing.assert_allclose(moved[:3, 3], 0, atol=1e-12)
    np.testing.assert_allclose(moved[:2, 2], np.array(looks) * np.sin(np.radians(30)), atol=1e-12)


@pytest.mark.parametrize(("director", "sign"), [("pan_rotation_left", -1), ("pan_rotation_right", 1)])
def test_rolls_lower_the_stated_side(start, director, sign):
    moved = ends(start, director)
    assert moved[1, 0] == pytest.approx(sign * 0.5)  # y is down: right side down is a roll to the right
    np.testing.assert_allclose(moved[:3, 2], [0, 0, 1], atol=1e-12)


@pytest.mark.parametrize(
    ("director", "axis", "sign"),
    [("orbit_left", 0, -1), ("orbit_right", 0, 1), ("orbit_up", 1, -1), ("orbit_down", 1, 1)],
)
def test_orbits_keep_the_subject_centred_at_constant_distance(start, director, axis, sign):
    path = nominal_path(start, [(director, 1.0)], distance=4.0)
    subject = start.world_from_camera[0] @ [0, 0, 4.0, 1]
    in_cameras = path.camera_from_world @ subject
    np.testing.assert_allclose(in_cameras[:, :3], np.tile([0, 0, 4.0], (len(path), 1)), atol=1e-9)
    moved = path.relative_to_first()
    assert np.sign(moved.centres[-1][axis]) == sign
    assert Rotation.from_matrix(moved.world_from_camera[-1, :3, :3]).magnitude() == pytest.approx(np.radians(45))


def test_full_turn_has_145_frames_and_closes(start):
    path = nominal_path(start, [("orbit_360", 1.0)], distance=2.0)
    assert len(path) == 145 and path.fps == 8
    np.testing.assert_allclose(path.world_from_camera[-1], path.world_from_camera[0], atol=1e-9)
    across = np.linalg.norm(path.centres[72] - path.centres[0])
    assert across == pytest.approx(4.0)


def test_t_director_is_static(start):
    path = nominal_path(start, [("t_director", 1.0)])
    np.testing.assert_allclose(path.world_from_camera, np.tile(start.world_from_camera, (49, 1, 1)), atol=1e-12)


def test_a_blend_is_the_sum_of_the_twists_of_each_step(start):
    path = nominal_path(start, [("pan_right", 1.0), ("z_zoom_in", 0.5)], frames=11, distance=2.0)
    step = twist_of_transform(np.linalg.inv(path.world_from_camera[0]) @ path.world_from_camera[1]) * 10
    np.testing.assert_allclose(step, [0, 0, 0.5 * 0.3 * 2, 0, np.radians(30), 0], atol=1e-9)


def test_amount_scales_the_move(start):
    half = nominal_path(start, [("orbit_up", 1.0)], amount=0.5, frames=25)
    whole = nominal_path(start, [("orbit_up", 1.0)], frames=49)
    np.testing.assert_allclose(half.world_from_camera[-1], whole.world_from_camera[24], atol=1e-12)


def test_sequences_continue_from_the_last_camera(start):
    parts = [nominal_path(start, [(id, 1.0)], frames=9) for id in ("x_left", "pan_up", "orbit_right")]
    joined = sequence(parts)
    assert len(joined) == 25
    np.testing.assert_allclose(
        joined.sliced(slice(8, 17)).relative_to_first().world_from_camera,
        parts[1].relative_to_first().world_from_camera,
        atol=1e-12,
    )


def test_exponential_and_logarithm_of_twists_are_inverse():
    rng = np.random.default_rng(3)
    twists = np.concatenate([rng.normal(size=(20, 6)) * 0.6, rng.normal(size=(20, 6)) * 1e-6, np.zeros((1, 6))])
    np.testing.assert_allclose(twist_of_transform(transform_of_twist(twists)), twists, atol=1e-9)


def test_invalid_names_and_distances_are_refused(start):
    with pytest.raises(InputError, match="no DimensionX director 'zoom'"):
        nominal_path(start, [("zoom", 1.0)])
    with pytest.raises(InputError, match="must be positive"):
        nominal_path(start, [("x_left", 1.0)], distance=0.0)
    with pytest.raises(InputError, match="at least one director"):
        nominal_path(start, [])
