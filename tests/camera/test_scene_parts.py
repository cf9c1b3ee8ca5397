"""Scene parts: selected by a click or box, removed with inpainting of the background, moved with correct perspective, duplicated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from camera.errors import InputError
from camera.path import CameraPath, pinhole
from camera.render.scene import render
from camera.scene_parts.choose import part_at, part_in_box, spread
from camera.scene_parts.edit import Shift, change_part, ground_axes
from camera.scene_parts.planes import find_planes
from camera.view import Scene, View

WIDTH, HEIGHT = 192, 128
LENS = pinhole(WIDTH, HEIGHT, 60)
FLOOR, WALL = 1.0, 6.0
BOX = (np.array([-0.4, 0.4, 3.0]), np.array([0.4, 1.0, 3.0]))
"""Two corners of a red board that stands upright on the floor, at constant depth."""
AWAY = 3.0
"""The board's distance, the unit of its shift; the depth in the image centre differs."""


def view_from(x: float = 0.0, *, board: bool = True, shift: tuple[float, float, float] = (0, 0, 0)) -> View:
    """A blue wall, a green floor and a board, from a camera ``x`` to the right; ``shift`` moves the board."""
    columns, rows = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    across, down = (columns - LENS[0, 2]) / LENS[0, 0], (rows - LENS[1, 2]) / LENS[1, 1]
    with np.errstate(divide="ignore"):
        floor = np.where(down > 0, FLOOR / down, np.inf)
    depth, colour = np.minimum(floor, WALL), np.where((floor < WALL)[..., None], (40, 160, 60), (50, 60, 180))
    if board:
        low, high = BOX[0] + shift, BOX[1] + shift
        z = low[2]
        on = (across * z + x > low[0]) & (across * z + x < high[0]) & (down * z > low[1]) & (down * z <= high[1])
        on &= z < depth + 1e-6
        depth, colour = np.where(on, z, depth), np.where(on[..., None], (200, 40, 40), colour)
    pose = np.eye(4)
    pose[0, 3] = x
    return View.of(colour.astype(np.uint8), depth.astype(np.float32), LENS, pose)


def red(view: View) -> np.ndarray:
    return (view.colour[..., 0] > 150) & (view.colour[..., 1] < 80)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene((view_from(),), unit="metres")


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return (one & other).sum() / (one | other).sum()


def test_floor_and_wall_are_found_and_the_floor_is_marked_as_ground(scene):
    planes = find_planes(scene.first)
    assert len(planes) == 2 and [plane.is_ground for plane in planes].count(True) == 1
    ground = next(plane for plane in planes if plane.is_ground)
    np.testing.assert_allclose(ground.normal, [0, -1, 0], atol=1e-4)


def test_a_click_and_a_box_select_the_board_without_the_floor(scene):
    truth = red(scene.first)
    rows, columns = np.nonzero(truth)
    assert overlap(part_at(scene.first, columns.mean(), rows.mean()), truth) > 0.95
    box = (columns.min() - 4, rows.min() - 4, columns.max() + 4, rows.max() + 4)
    assert overlap(part_in_box(scene.first, box), truth) > 0.95
    with pytest.raises(InputError, match="inside the picture"):
        part_at(scene.first, 500, 5)


def test_large_images_are_searched_at_lower_resolution(scene):
    large = scene.first.resized(WIDTH * 10, HEIGHT * 10)
    mask = part_at(large, WIDTH * 5, HEIGHT * 7)
    assert mask.shape == large.known.shape and 0.9 < mask.sum() / (100 * red(scene.first).sum()) < 1.1


def test_a_mask_spreads_to_another_view():
    views = Scene((view_from(), view_from(0.5)), "views", "metres")
    masks = spread(views, 0, red(views.first))
    assert overlap(masks[1], red(views.views[1])) > 0.9


def test_a_removed_part_is_replaced_by_wall_and_floor(scene):
    made = change_part(scene, red(scene.first)[None], "remove")
    truth, was = view_from(board=False), red(scene.first)
    assert not red(made.scene.first).any() and "invented" in made.note and made.scene.source.endswith("edited by parts")
    off = np.abs(made.scene.first.depth / truth.depth - 1)[was]
    assert np.median(off) < 0.02 and (off < 0.1).mean() > 0.9
    assert (made.scene.first.colour[~was] == scene.first.colour[~was]).mean() > 0.9


def test_the_background_is_taken_from_another_view():
    views = Scene((view_from(), view_from(1.2)), "views", "metres")
    made = change_part(views, np.stack([red(view) for view in views.views]), "remove").scene
    truth, was = view_from(board=False), red(views.first)
    assert np.abs(made.first.depth / truth.depth - 1)[was].mean() < 0.02
    assert np.abs(made.first.colour.astype(int) - truth.colour)[was].mean() < 12


@pytest.mark.parametrize("ahead", [1.0, -0.8])
def test_a_part_moved_along_the_ground_is_scaled_by_perspective(scene, ahead):
    shift = Shift(right=0.5 / AWAY, ahead=ahead / AWAY)
    made = change_part(scene, red(scene.first)[None], "move", shift).scene
    truth = view_from(shift=(0.5, 0, ahead))
    assert overlap(red(made.first), red(truth)) > 0.85
    assert abs(np.median(made.first.depth[red(made.first)]) - (3 + ahead)) < 0.05


def test_the_occluded_background_is_kept_as_a_hidden_layer(scene):
    made = change_part(scene, red(scene.first)[None], "move", Shift(right=0.8 / AWAY)).scene
    pose = np.eye(4)
    pose[0, 3] = 0.7
    path = CameraPath(pose[None], LENS, WIDTH, HEIGHT)
    with_layer, without = render(made, path), render(replace(made, others=()), path)
    behind = without.holes & ~with_layer.holes
    assert behind.sum() > 300
    truth = view_from(0.7, board=False)
    assert np.abs(with_layer.depth / truth.depth - 1)[behind].mean() < 0.05


def test_a_duplicate_leaves_the_original_in_place(scene):
    made = change_part(scene, red(scene.first)[None], "duplicate", Shift(right=1.2 / AWAY)).scene
    before, after = red(scene.first), red(made.first)
    assert after[before].all() and overlap(after, before | red(view_from(shift=(1.2, 0, 0)))) > 0.85


def test_ground_axes_come_from_the_floor_below_the_part():
    axes, words = ground_axes(view_from(), red(view_from()))
    np.testing.assert_allclose(axes, [[1, 0, 0], [0, -1, 0], [0, 0, 1]], atol=1e-3)
    assert words == ""


def test_wrong_mask_shapes_and_empty_parts_are_refused(scene):
    with pytest.raises(InputError, match="scene's shape"):
        change_part(scene, np.ones((2, 3, 3), bool), "remove")
    with pytest.raises(InputError, match="known depth"):
        change_part(scene, np.zeros((1, HEIGHT, WIDTH), bool), "remove")
    with pytest.raises(InputError, match="at most 100"):
        Shift(right=float("nan"))


@pytest.mark.parametrize("change, shift", [("move", Shift(right=5.0)), ("duplicate", Shift(ahead=-4.0))])
def test_a_shift_out_of_view_is_refused(scene, change, shift):
    with pytest.raises(InputError, match=r"move it less far. It is 3 metres away"):
        change_part(scene, red(scene.first)[None], change, shift)
