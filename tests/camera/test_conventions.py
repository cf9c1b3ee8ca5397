"""Cameras of other programs: every conversion round-trips, and points project as each program expects."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from camera import conventions as c
from camera.path import inverse, pinhole
from camera.rotation import look_at


def poses(seed: int, count: int = 4) -> np.ndarray:
    random = np.random.default_rng(seed)
    result = np.repeat(np.eye(4)[None], count, axis=0)
    result[:, :3, :3] = Rotation.random(count, random_state=seed).as_matrix()
    result[:, :3, 3] = random.normal(size=(count, 3))
    return result


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_pose_conversions_round_trip(seed):
    given_poses = poses(seed)
    assert np.allclose(c.opencv_from_opengl(c.opengl_from_opencv(given_poses)), given_poses)
    assert np.allclose(c.opencv_from_blender(c.blender_from_opencv(given_poses)), given_poses)
    assert np.allclose(c.opencv_from_pytorch3d(*c.pytorch3d_from_opencv(given_poses)), given_poses)
    for pose in (*c.blender_from_opencv(given_poses), *c.nerfstudio_from_opencv(given_poses)):
        assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)


def test_camera_axes_of_each_convention():
    pose = poses(3)[0]
    ours = np.array([0.4, -0.3, 2.0])  # right, up, ahead
    world = (pose @ [*ours, 1])[:3]
    opengl = inverse(c.opengl_from_opencv(pose)) @ [*world, 1]
    assert np.allclose(opengl[:3], [0.4, 0.3, -2.0])
    rotation, translation = c.pytorch3d_from_opencv(pose)
    assert np.allclose(world @ rotation + translation, [-0.4, 0.3, 2.0])


def test_up_becomes_z_in_blender():
    level = np.eye(4)
    level[:3, :3], level[:3, 3] = look_at([0, -1, 0], [0, -1, 5]), [0, -1, 0]
    blender = c.blender_from_opencv(level)
    assert np.allclose(blender[:3, 3], [0, 0, 1])  # one unit above the ground
    assert np.allclose(blender[:3, 1], [0, 0, 1])  # the camera's up
    assert np.allclose(-blender[:3, 2], [0, 1, 0])  # looks along y


def test_lens_conversions_round_trip_and_map_the_image_centre():
    lens = pinhole(64, 48, 70)
    assert np.allclose(c.integer_pixel_lens(c.half_pixel_lens(lens)), lens)
    assert np.allclose(c.half_pixel_lens(lens)[:2, 2], [32, 24])
    fractions = c.lens_fractions(lens, width=64, height=48)
    assert np.allclose(fractions[2:], 0.5)
    assert np.allclose(c.lens_from_fractions(fractions, width=64, height=48), lens)
    assert np.allclose(c.pytorch3d_lens(lens, width=64, height=48), [lens[0, 0] / 24, lens[1, 1] / 24, 0, 0])
    shifted = lens.copy()
    shifted[0, 2] += 6  # principal point to the right: PyTorch3D's x points left
    assert c.pytorch3d_lens(shifted, width=64, height=48)[2] == pytest.approx(-6 / 24)
