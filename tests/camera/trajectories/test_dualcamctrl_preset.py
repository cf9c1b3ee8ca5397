"""DualCamCtrl's moves: the corrected form by its expected motion, the demo app's form against golden arrays."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from camera.errors import InputError
from camera.path import inverse
from camera.trajectories import dualcamctrl

GOLDEN = Path(__file__).parents[2] / "golden" / "dualcamctrl" / "cameras.safetensors"
SUBJECT = np.array([0, 0, 1, 1.0])


@pytest.fixture(scope="module")
def golden():
    return load_file(GOLDEN)


@pytest.mark.parametrize("frames", [17, 29])
@pytest.mark.parametrize("name", ["spiral", "push_in", "circle", "pan"])
def test_upstream_form_equals_the_demo_app(golden, name, frames):
    stored = dualcamctrl.upstream_poses(name.replace("_", "-"), frames)
    np.testing.assert_allclose(stored, golden[f"gradio.{name}.{frames}.c2w"], atol=1e-12)
    relative = inverse(stored[0]) @ stored
    np.testing.assert_allclose(relative, golden[f"gradio.{name}.{frames}.rel_c2w"], atol=1e-6)


def test_push_in_moves_forward_and_upstream_moves_backward():
    corrected = dualcamctrl.poses("push-in", 9, travel=0.5)
    np.testing.assert_allclose(corrected[-1, :3, 3], [0, 0, 0.5], atol=1e-12)
    assert (np.diff(corrected[:, 2, 3]) > 0).all()
    stored = dualcamctrl.upstream_poses("push-in", 9)
    assert (inverse(stored[0]) @ stored)[-1, 2, 3] < 0


@pytest.mark.parametrize("name", dualcamctrl.SHAPES)
def test_shapes_start_at_the_identity_and_keep_the_subject_centred(name):
    moved = dualcamctrl.poses(name, 13)
    np.testing.assert_allclose(moved[0], np.eye(4), atol=1e-12)
    subject = (inverse(moved) @ SUBJECT)[:, :3]
    np.testing.assert_allclose(subject[:, :2], 0, atol=1e-12)
    assert (subject[:, 2] > 0).all()
    np.testing.assert_allclose(np.linalg.det(moved[:, :3, :3]), 1)


def test_a_positive_turn_moves_right_by_that_angle():
    moved = dualcamctrl.poses("circle", 5, turn_degrees=40)
    assert moved[-1, 0, 3] > 0
    np.testing.assert_allclose(moved[-1, :3, :3].trace(), 1 + 2 * np.cos(np.radians(40)))
    np.testing.assert_allclose(np.linalg.norm(moved[:, :3, 3] - SUBJECT[:3], axis=1), 1)


def test_a_spiral_rises_and_approaches():
    moved = dualcamctrl.poses("spiral", 5, turn_degrees=0, rise=0.2, approach=0.4)
    np.testing.assert_allclose(moved[-1, :3, 3], [0, -0.2, 0.4], atol=1e-12)


def test_a_pan_ends_at_its_initial_subject_distance():
    moved = dualcamctrl.poses("pan", 7, travel=1.0)
    distance = np.linalg.norm(moved[:, :3, 3] - SUBJECT[:3], axis=1)
    np.testing.assert_allclose(distance[[0, -1]], 1)
    assert distance[3] < 0.95 and moved[-1, 0, 3] > 0


@pytest.mark.parametrize("name", dualcamctrl.SLIDES)
def test_slides_do_not_rotate(name):
    moved = dualcamctrl.poses(name, 3, travel=0.5)
    np.testing.assert_allclose(moved[:, :3, :3], np.eye(3)[None].repeat(3, 0))
    np.testing.assert_allclose(np.linalg.norm(moved[-1, :3, 3]), 0.5)
    assert ("left" in name) == (moved[-1, 0, 3] < 0) and ("up" in name) == (moved[-1, 1, 3] < 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"preset": "zoom", "frames": 5},
        {"preset": "pan", "frames": 0},
        {"preset": "push-in", "frames": 5, "travel": 1.0},
    ],
)
def test_invalid_arguments_are_refused(wrong):
    with pytest.raises(InputError):
        dualcamctrl.poses(wrong.pop("preset"), wrong.pop("frames"), **wrong)
