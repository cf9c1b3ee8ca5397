"""Rotations: algebraic properties, and the signs that a camera operator expects."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from camera.errors import InputError
from camera.rotation import (
    about_axis,
    angle_degrees,
    from_pan_tilt_roll,
    from_quaternion,
    look_at,
    orthonormal,
    slerp,
    to_pan_tilt_roll,
    to_quaternion,
)

seeds = st.integers(0, 2**32 - 1)


def rotations(seed: int, count: int) -> np.ndarray:
    return Rotation.random(count, random_state=seed).as_matrix()


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_representations_round_trip(seed):
    matrices = rotations(seed, 6)
    for order in ("xyzw", "wxyz"):
        assert np.allclose(from_quaternion(to_quaternion(matrices, order=order), order=order), matrices, atol=1e-12)
    assert np.allclose(from_pan_tilt_roll(*to_pan_tilt_roll(matrices).T), matrices, atol=1e-9)
    assert np.allclose(orthonormal(matrices + 1e-4), matrices, atol=1e-3)


@given(seeds, st.floats(0, 1))
@settings(max_examples=25, deadline=None)
def test_slerp_splits_the_angle(seed, blend):
    start, end = rotations(seed, 2)[:, None]
    between = slerp(start, end, [blend])
    assert angle_degrees(start, between) == pytest.approx(blend * angle_degrees(start, end), abs=1e-6)
    assert angle_degrees(between, end) == pytest.approx((1 - blend) * angle_degrees(start, end), abs=1e-6)


@given(seeds, st.floats(-170, 170), st.floats(-170, 170))
@settings(max_examples=25, deadline=None)
def test_rotations_about_one_axis_add_up(seed, first, second):
    axis = rotations(seed, 1)[0, 0] * 3
    assert np.allclose(about_axis(axis, first) @ about_axis(axis, second), about_axis(axis, first + second))


def test_look_at_centres_the_target_and_stays_level():
    random = np.random.default_rng(0)
    centre, target = random.normal(size=(2, 50, 3))
    rotation = look_at(centre, target)
    projected = (np.swapaxes(rotation, 1, 2) @ (target - centre)[..., None])[..., 0]
    assert np.allclose(projected[:, :2], 0, atol=1e-12)
    assert (projected[:, 2] > 0).all()
    assert np.allclose(rotation[:, 1, 0], 0)  # the camera's right axis is horizontal
    assert (rotation[:, 1, 1] > 0).all()  # the camera's down axis points down
    assert np.allclose(np.linalg.det(rotation), 1)
    assert np.allclose(look_at([0, 0, 0], [0, 0, 5]), np.eye(3))


def test_look_at_refuses_undefined_directions():
    with pytest.raises(InputError, match="its own position"):
        look_at([1, 2, 3], [1, 2, 3])
    with pytest.raises(InputError, match="straight along"):
        look_at([0, 0, 0], [0, -4, 0])


def test_pan_tilt_roll_signs():
    forward = [0, 0, 1]
    assert (from_pan_tilt_roll(30, 0, 0) @ forward)[0] > 0  # pan: to the right
    assert (from_pan_tilt_roll(0, 30, 0) @ forward)[1] < 0  # tilt: up
    assert (from_pan_tilt_roll(0, 0, 30) @ [1, 0, 0])[1] > 0  # roll: the right side goes down


def test_quaternions_are_continuous_over_a_full_turn():
    turn = about_axis([0.3, 1, 0.2], np.linspace(0, 720, 60))
    quaternions = to_quaternion(turn, order="wxyz")
    assert (quaternions[1:] * quaternions[:-1]).sum(axis=1).min() > 0.9


def test_invalid_rotations_are_refused():
    for wrong in (np.diag([1, 1, -1.0]), np.eye(3) * 2, np.full((3, 3), np.nan)):
        with pytest.raises(InputError):
            orthonormal(wrong)
    with pytest.raises(InputError, match="length"):
        from_quaternion([0, 0, 0, 0], order="xyzw")
