"""Parts of a splat scene: selected as in pictures, including hidden Gaussians; removed, moved, turned and duplicated exactly."""

from __future__ import annotations

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest
from exchanged_splats import covariances

from camera.errors import InputError
from camera.path import CameraPath, pinhole
from camera.render.painters import PartMotion
from camera.render.scene import render
from camera.rotation import about_axis, look_at
from camera.scene_parts.choose import part_at, part_in_box, view_to_choose_in
from camera.scene_parts.edit import Shift, change_part, distance_of
from camera.view import Scene
from pipelines.media.image_metrics import psnr
from pipelines.splats.scene import SplatScene, scene_of_splats
from pipelines.splats.splats import Splats
from tests.scenes.splat_room import MIDDLE, WALL, furnished, thing

WIDTH, HEIGHT = 320, 240
CAMERA = CameraPath(np.eye(4)[None], pinhole(WIDTH, HEIGHT, 70), WIDTH, HEIGHT)
PLACES = {"ball": MIDDLE, "box": MIDDLE + np.array([-0.6, 0, 1]), "ball by the wall": MIDDLE + np.array([0.2, 0, 2.3])}


def placed(shape: str, middle: np.ndarray) -> Splats:
    made = thing(shape=shape.split()[0])
    return replace(made, means=made.means + middle)


def scene_of(splats: Splats) -> SplatScene:
    return scene_of_splats(splats, camera=CAMERA)[0]


def clicked(scene: SplatScene, middle: np.ndarray) -> np.ndarray:
    pixel = CAMERA.intrinsics[0] @ middle / middle[2]
    return part_at(view_to_choose_in(scene), pixel[0], pixel[1])


@pytest.fixture(scope="module")
def ball() -> SplatScene:
    return scene_of(furnished(placed("ball", MIDDLE)))


@pytest.fixture(scope="module")
def mask(ball) -> np.ndarray:
    return clicked(ball, MIDDLE)


def same(one: Splats, other: Splats) -> None:
    for each in fields(Splats):
        np.testing.assert_array_equal(getattr(one, each.name), getattr(other, each.name))


def picture(scene: Scene, pose: np.ndarray | None = None) -> np.ndarray:
    path = CAMERA if pose is None else CAMERA.with_poses(pose[None])
    return render(scene, path).colour


def from_behind() -> np.ndarray:
    pose = np.eye(4)
    pose[:3, 3] = [-2.5, -0.8, 5.2]
    pose[:3, :3] = look_at(pose[:3, 3], MIDDLE)
    return pose


@pytest.mark.parametrize("place", PLACES)
def test_a_click_takes_all_gaussians_of_a_thing_and_no_others(place):
    """Including its back, inside and underside, which no pixel shows; the floor under it stays."""
    scene = scene_of(furnished(placed(place, PLACES[place])))
    made = change_part(scene, clicked(scene, PLACES[place])[None], "remove")
    same(made.scene.splats, furnished())
    np.testing.assert_array_equal(made.scene.first.colour, scene_of(furnished()).first.colour)
    assert "1,860 Gaussians was removed" in made.note and "empty" not in made.note
    assert made.scene.source == "drawn from splats, edited by parts"


def test_a_box_and_a_loose_mask_take_the_same(ball, mask):
    rows, columns = np.nonzero(mask)
    view = view_to_choose_in(ball)
    boxed = part_in_box(view, (columns.min() - 5, rows.min() - 5, columns.max() + 5, rows.max() + 5))
    loose = cv2.dilate(mask.view(np.uint8), np.ones((13, 13), np.uint8)) > 0
    for each in (boxed, loose):
        same(change_part(ball, each[None], "remove").scene.splats, furnished())


def test_depth_edges_are_sharp_where_parts_are_chosen(ball):
    """The rendered depth changes from ball to wall over several pixels, with intermediate values where there is nothing."""
    sharp, drawn = view_to_choose_in(ball).depth, ball.first.depth
    row = round(float(CAMERA.intrinsics[0, 1, 2]) + 20)
    between = [((depth[row] > 3.4) & (depth[row] < 5.4)).sum() for depth in (sharp, drawn)]
    assert between[0] == 0 and between[1] > 3
    assert (sharp == drawn).mean() > 0.95


def test_what_is_removed_is_not_seen_from_behind_either(ball, mask):
    made = change_part(ball, mask[None], "remove").scene
    red = [
        (shown[..., 0] > 150) & (shown[..., 1] < 110)
        for shown in (picture(ball, from_behind()), picture(made, from_behind()))
    ]
    assert red[0].sum() > 500 and red[1].sum() == 0


def test_a_part_stands_where_it_is_moved_to(ball, mask):
    """It looks as if the scene had been built with it there, from the front and from behind; nothing else changes."""
    made = change_part(ball, mask[None], "move", Shift(right=-0.3, ahead=0.2)).scene
    away = distance_of(view_to_choose_in(ball), mask)
    assert 2.5 < away < 2.75
    built = scene_of(furnished(placed("ball", MIDDLE + np.array([-0.3, 0, 0.2]) * away)))
    others = len(furnished())
    same(made.splats.chosen(np.arange(others)), furnished())
    np.testing.assert_allclose(made.splats.means, built.splats.means, atol=0.01)
    for pose in (None, from_behind()):
        assert psnr(picture(made, pose), picture(built, pose)) > 35
    assert psnr(picture(made), picture(ball)) < 20


def test_a_turn_turns_shapes_and_colours_too(ball, mask):
    """A camera that turns with the part sees no change, so harmonics of all degrees were turned with it."""
    turn, shift = about_axis([0, -1, 0], 50), np.array([-0.6, 0.0, 0.4])
    made, _ = ball.with_part_changed(mask[None], "move", PartMotion(turn, shift))
    assert isinstance(made, SplatScene)
    chosen = np.arange(len(ball.splats)) >= len(furnished())
    before, after = ball.splats.chosen(chosen), made.splats.chosen(chosen)
    middle = np.average(before.means.astype(np.float64), axis=0, weights=before.opacities)
    np.testing.assert_allclose(after.means, (before.means - middle) @ turn.T + middle + shift, atol=1e-6)
    np.testing.assert_allclose(covariances(after), turn @ covariances(before) @ turn.T, atol=1e-6)
    moving = np.eye(4)
    moving[:3, :3], moving[:3, 3] = turn, middle + shift - turn @ middle
    alone = [scene_of(before), SplatScene(ball.views, splats=after)]
    assert psnr(picture(alone[0], np.eye(4)), picture(alone[1], moving)) > 60
    plain = replace(after, sh=before.sh)
    assert psnr(picture(alone[0], np.eye(4)), picture(replace(alone[1], splats=plain), moving)) < 45
    turned = change_part(ball, mask[None], "move", Shift(turn_degrees=50)).scene.splats.chosen(chosen)
    np.testing.assert_allclose(turned.means, after.means - shift, atol=0.01)


def test_a_duplicate_leaves_the_first_where_it_is(ball, mask):
    made = change_part(ball, mask[None], "duplicate", Shift(right=0.5)).scene
    same(made.splats.chosen(np.arange(len(ball.splats))), ball.splats)
    assert len(made.splats) == len(ball.splats) + 1860
    two = [(shown[..., 0] > 150) & (shown[..., 1] < 110) for shown in (ball.first.colour, made.first.colour)]
    assert two[1].sum() > 1.5 * two[0].sum() and two[1][two[0]].mean() > 0.95


def test_what_stands_before_nothing_leaves_a_hole_and_the_note_says_so():
    room = furnished()
    floor = room.chosen(room.means[:, 2] < WALL)
    scene = scene_of(floor.joined(placed("ball", MIDDLE)))
    mask = clicked(scene, MIDDLE)
    made = change_part(scene, mask[None], "remove")
    same(made.scene.splats, floor)
    empty = (~made.scene.first.known)[mask].mean()
    assert 0.2 < empty < 0.8 and f"{empty:.0%} of the area is empty now" in made.note


def test_what_cannot_be_done_is_refused_in_a_sentence(ball, mask):
    with pytest.raises(InputError, match="not be visible at its new position"):
        change_part(ball, mask[None], "move", Shift(right=9.0))
    with pytest.raises(InputError, match="from one side, so it cannot be turned"):
        change_part(Scene(ball.views), mask[None], "move", Shift(turn_degrees=20))
    with pytest.raises(InputError, match="at most 360"):
        Shift(turn_degrees=1e4)
    with pytest.raises(InputError, match="large surface"):
        part_at(view_to_choose_in(ball), 40, 40)
    alone = scene_of(placed("ball", MIDDLE))
    with pytest.raises(InputError, match=r"Nothing would remain|would show nothing"):
        change_part(alone, alone.first.known[None], "remove")
