"""Membrane interpolation in holes, and depth edges: surfaces do not mix, low-weight rims are ignored, floors give no edges."""

import numpy as np
import pytest

from camera.completion.edges import beyond_borders, edges_from
from camera.completion.membrane import stretch_membrane
from camera.path import CameraPath, pinhole
from camera.view import Scene, View

RED, BLUE = np.float32([200, 40, 40]), np.float32([30, 60, 220])


@pytest.fixture
def halves():
    """Red and near on the left, blue and far on the right, and a hole over both."""
    left = np.arange(96)[None] < 48
    colour = np.where(left[..., None], RED, BLUE) * np.ones((64, 1, 1), np.float32)
    inverse = np.where(left, np.float32(1), np.float32(0.2)) * np.ones((64, 1), np.float32)
    holes = np.zeros((64, 96), bool)
    holes[16:48, 24:72] = True
    return colour, inverse, holes


def test_two_surfaces_do_not_mix(halves):
    colour, inverse, holes = halves
    blank = np.where(holes[..., None], np.float32(0), colour)
    made = stretch_membrane(blank, np.ones_like(inverse), inverse, holes)
    assert np.abs(made[32, 26:42] - RED).max() < 20 and np.abs(made[32, 54:70] - BLUE).max() < 20
    np.testing.assert_array_equal(made[~holes], blank[~holes])
    mixed = stretch_membrane(blank, np.ones_like(inverse), np.ones_like(inverse), holes)
    assert np.abs(mixed[32, 46] - RED).max() > 40, "without depth it is one surface"


def test_low_weight_rim_is_ignored(halves):
    colour, inverse, holes = halves
    weights = np.where(np.arange(96)[None] < 48, np.float32(0.01), np.float32(1)) * np.ones((64, 1), np.float32)
    made = stretch_membrane(colour, weights, np.ones_like(inverse), holes)
    assert np.abs(made[32, 36:72] - BLUE).max() < 60
    assert (stretch_membrane(colour, np.zeros_like(inverse), inverse, holes) == colour).all(), "nothing is known"


def test_beyond_reach_the_hole_takes_the_global_colour(halves):
    """A white rim of two pixels around a hole in red: beyond ``reach``, the hole is closer to red."""
    colour, inverse, holes = halves
    colour = np.ones_like(colour) * RED
    colour[14:50, 22:74] = 255
    near, far = (
        stretch_membrane(colour, np.ones_like(inverse), np.ones_like(inverse), holes, reach=r) for r in (0.05, 5.0)
    )
    assert near[32, 48, 1] < near[17, 48, 1] - 30 and near[32, 48, 1] < far[32, 48, 1] - 30


def view_of(depth: np.ndarray) -> View:
    return View.of(np.full((*depth.shape, 3), 90, np.uint8), depth, pinhole(depth.shape[1], depth.shape[0], 60))


def depth_edges(depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    view = view_of(depth.astype(np.float32))
    return edges_from(Scene((view,)), view.camera, 0, np.zeros(depth.shape, bool))


def test_a_square_has_depth_edges_and_a_grazing_floor_has_none():
    rows, columns = np.indices((64, 96))
    square = np.where((abs(rows - 32) < 12) & (abs(columns - 48) < 12), 1.0, 3.0)
    hiding, mixed = depth_edges(square)
    assert hiding[32, 38] and not hiding[32, 48] and not hiding[32, 33]
    assert mixed[32, 36] and not mixed[32, 30]
    floor = np.where(rows > 20, 12.0 / np.maximum(rows - 20.0, 1), 12.0)
    hiding, _ = depth_edges(floor)
    assert not hiding[30:58].any()
    thin = np.where(abs(columns - 48) < 2, 1.0, 3.0)
    assert depth_edges(thin)[0][32, 48]


def test_beyond_borders_marks_pixels_outside_every_image():
    view = view_of(np.full((64, 96), 2.0, np.float32))
    scene, inverse = Scene((view,)), np.full((64, 96), 0.5, np.float32)
    assert not beyond_borders(scene, view.camera, 0, inverse)[1:-1, 1:-1].any()
    pose = np.eye(4)
    pose[0, 3] = 0.5  # a quarter of the depth: 21 pixels with this lens for the wall, none for the sky
    sideways = CameraPath(pose[None], view.intrinsics[None], 96, 64, 8)
    assert not beyond_borders(scene, sideways, 0, inverse)[1:-1, 1:-1].any(), "sky there would be in the picture"
    turn = np.deg2rad(15)
    pose[:3, :3] = [[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]]
    found = beyond_borders(scene, CameraPath(pose[None], view.intrinsics[None], 96, 64, 8), 0, inverse)
    assert found[:, -10:].all() and not found[8:-8, 5:60].any()
