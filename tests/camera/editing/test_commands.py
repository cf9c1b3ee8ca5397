"""Edit commands as messages: what a timeline sends, and the answers to wrong messages."""

from __future__ import annotations

import numpy as np
import pytest

from camera.editing.commands import apply_command, describe_move, read_camera, write_camera
from camera.editing.keys import KeyedMove, key_every_frame
from camera.editing.targets import depths_of
from camera.editing.track import path_of, times_of
from camera.errors import InputError
from camera.path import CameraPath, pinhole


def straight(count: int) -> CameraPath:
    poses = np.repeat(np.eye(4)[None], count, axis=0)
    poses[:, 0, 3] = np.arange(count)
    return CameraPath(poses, pinhole(320, 180, 60), 320, 180)


ORIGIN = straight(1)


@pytest.fixture
def move() -> KeyedMove:
    return key_every_frame(straight(4), 3.0)


def run_command(move: KeyedMove, **asked):
    return apply_command(move, asked, origin=ORIGIN)


def test_messages_edit_the_move_and_name_the_undo_step(move):
    message = {
        "pose": np.eye(4).ravel().tolist(),
        "lens": pinhole(640, 360, 60).ravel().tolist(),
        "width": 640,
        "height": 360,
    }
    added = run_command(move, do="add", time=1.5, camera=message)
    assert (added.name, added.chosen) == ("add key 3", (2,)) and len(added.move.keys) == 5
    np.testing.assert_allclose(added.move.keys[2].camera.intrinsics[0], pinhole(320, 180, 60), atol=1e-9)
    there = run_command(move, do="add", time=2.0, camera=message)
    assert there.name == "overwrite key 3" and len(there.move.keys) == 4
    between = run_command(move, do="add", time=0.5)  # on the existing path
    assert between.move.keys[1].camera.centres[0, 0] == pytest.approx(0.5)

    retimed = run_command(move, do="move", chosen=[1, 2], seconds=0.25)
    assert (retimed.name, retimed.chosen) == ("retime keys 2, 3", (1, 2)) and retimed.move.keys[1].time == 1.25
    copied = run_command(move, do="copy", chosen=[0, 1], time=4.0)
    assert copied.chosen == (4, 5) and copied.move.seconds == 5.0
    assert run_command(move, do="delete", chosen=[3]).move.seconds == 3.0
    assert run_command(move, do="hold", chosen=[1], seconds=1).move.seconds == 4.0
    assert run_command(move, do="ease", chosen=[0], easing="ease").move.keys[0].easing == "ease"
    assert run_command(move, do="tangent", chosen=[1], tangent="rest").move.keys[1].tangent == "rest"
    assert run_command(move, do="retime", seconds=6).move.keys[1].time == 2.0
    assert run_command(move, do="rename", chosen=[1], name=" door ").move.keys[1].name == "door"
    assert run_command(move, do="loop", loop=True).move.seconds == 4.0
    graph = run_command(move, do="speed", points=[[0, 0], [0.5, 1], [1, 0]])
    assert path_of(graph.move, frames=5).centres[1, 0] < 0.5


def test_numbers_and_targets_change_only_the_given_values(move):
    lens = run_command(move, do="numbers", chosen=[2], focal_mm=50)
    description = describe_move(lens.move, origin=ORIGIN)["keys"]
    assert (
        lens.name == "focal_mm of key 3"
        and description[2]["focal_mm"] == pytest.approx(50)
        and description[2]["right"] == 2
    )
    assert description[1]["focal_mm"] == pytest.approx(36 / 2 / np.tan(np.radians(30)))
    aimed = run_command(move, do="look_at", point=[1.0, 0.0, 2.0], chosen=[0, 3])
    pans = [key["pan"] for key in describe_move(aimed.move, origin=ORIGIN)["keys"]]
    np.testing.assert_allclose(pans, [np.degrees(np.arctan2(1, 2)), 0, 0, -45], atol=1e-9)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "Unknown edit"), ({"do": "explode"}, "Unknown edit"), ({"do": "delete", "chosen": []}, "Choose a key"),
        ({"do": "delete", "chosen": [7]}, "no key 8"), ({"do": "delete", "chosen": ["1"]}, "Choose a key"),
        ({"do": "move", "chosen": [1], "seconds": "soon"}, "as a number"), ({"do": "add", "time": None}, "as a number"),
        ({"do": "move", "chosen": [1], "seconds": float("nan")}, "as a number"),
        ({"do": "overwrite", "chosen": [1], "camera": {"pose": [1]}}, "came without a camera"),
        ({"do": "numbers", "chosen": [9], "pan": 1}, "no key 10"), ({"do": "numbers", "chosen": [1]}, "is one of"),
        ({"do": "look_at", "point": "there"}, "as a number"), ({"do": "look_at"}, "target is a point"),
        ({"do": "speed", "points": [1, 2]}, "list of points"), ({"do": "ease", "chosen": [0]}, "Unknown easing"),
        ({"do": "tangent", "chosen": [0], "tangent": "odd"}, "Unknown tangent"),
    ],
)  # fmt: skip
def test_wrong_messages_are_refused_with_a_reason(move, asked, words):
    with pytest.raises(InputError, match=words):
        apply_command(move, asked, origin=ORIGIN)


def test_camera_message_must_hold_a_valid_pose():
    with pytest.raises(InputError, match="not a rotation"):
        read_camera(
            {"pose": [2.0] * 12 + [0, 0, 0, 1], "lens": pinhole(4, 4, 60).ravel(), "width": 4, "height": 4}, ORIGIN
        )


def test_appended_key_goes_to_the_end_and_the_others_are_respaced(move):
    message = {
        "pose": np.eye(4).ravel().tolist(),
        "lens": ORIGIN.intrinsics[0].ravel().tolist(),
        "width": 320,
        "height": 180,
    }
    alone = KeyedMove(move.keys[:1], 3.0)
    two = run_command(alone, do="append", camera=message)
    assert [key.time for key in two.move.keys] == [0, 3] and (two.name, two.chosen) == ("add key 2", (1,))
    three = run_command(two.move, do="append", camera=message).move
    assert [key.time for key in three.keys] == [0, 1.5, 3] and three.seconds == 3
    round_again = run_command(run_command(move, do="loop", loop=True).move, do="append", camera=message).move
    np.testing.assert_allclose([key.time for key in round_again.keys], 4 * np.arange(5) / 5)


def test_shape_sets_curve_easing_and_constant_speed(move):
    shaped = run_command(move, do="shape", curve="straight", easing="ease-in")
    assert (shaped.move.curve, shaped.move.easing, shaped.name) == ("straight", "ease-in", "curve and easing")
    assert run_command(move, do="shape", constant_speed=True).move.constant_speed
    assert describe_move(shaped.move, origin=ORIGIN)["curve"] == "straight"
    for wrong in ({}, {"curve": 3}, {"constant_speed": "yes"}, {"curve": "wild"}):
        with pytest.raises(InputError):
            run_command(move, do="shape", **wrong)


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_camera_of_the_fitted_frame_converts_back_to_the_image_exactly(fit):
    whole = straight(3)
    framed = whole.fitted(704, 480, fit)
    back = framed.unfitted(whole, fit)
    assert (back.width, back.height) == (320, 180)
    np.testing.assert_allclose(back.intrinsics, whole.intrinsics, rtol=1e-12)
    assert read_camera(write_camera(back.sliced(slice(0, 1)))).width == 320


def test_frame_times_match_key_times(move):
    eased = run_command(move, do="shape", easing="ease").move
    for each in (
        move,
        eased,
        run_command(move, do="shape", constant_speed=True).move,
        run_command(move, do="hold", chosen=[1], seconds=1).move,
    ):
        times, path = times_of(each, 25), path_of(each, frames=25)
        for key in each.keys:
            nearest = int(np.argmin(np.abs(times - key.time)))
            if abs(times[nearest] - key.time) < 1e-9:
                np.testing.assert_allclose(path.centres[nearest], key.camera.centres[0], atol=1e-6)


def test_targets_are_looked_at_framed_and_orbited(move):
    point = [1.5, 0.0, 4.0]
    looking = run_command(move, do="look_at", point=point).move
    sized = run_command(looking, do="size", point=point)
    assert sized.name == "keep size in keys 1, 2, 3, 4"
    depths = depths_of(sized.move.cameras, point)
    np.testing.assert_allclose(
        sized.move.cameras.intrinsics[:, 0, 0] / depths, 1 / (depths[0] / move.cameras.intrinsics[0, 0, 0])
    )
    round_it = run_command(looking, do="orbit", chosen=[1], degrees=90, point=point)
    path = path_of(round_it.move, frames=50)
    away = np.linalg.norm(path.centres - point, axis=1)
    np.testing.assert_allclose(away, away[0], rtol=5e-3)
    np.testing.assert_allclose(path.centres[0], looking.keys[1].camera.centres[0], atol=1e-9)
    assert (
        round_it.name == "orbit 90 degrees from key 2" and len(round_it.move.keys) == 7 and round_it.move.seconds == 3
    )
    for wrong in ({"do": "size", "point": [1, 2]}, {"do": "orbit", "point": point, "degrees": 0}, {"do": "look_at"}):
        with pytest.raises(InputError):
            run_command(move, **wrong)


def test_keys_are_shifted_and_turned_in_world_or_own_axes(move):
    turned = run_command(move, do="turn", chosen=[1], by=[90, 0, 0])
    assert turned.name == "turn key 2"
    np.testing.assert_allclose(turned.move.keys[1].camera.world_from_camera[0, :3, 2], [1, 0, 0], atol=1e-9)
    ahead = run_command(turned.move, do="shift", chosen=[1], by=[0, 0, 2], own=True).move
    np.testing.assert_allclose(ahead.keys[1].camera.centres[0], [3, 0, 0], atol=1e-9)
    shifted = run_command(turned.move, do="shift", chosen=[1, 2], by=[0, 0, 2]).move
    np.testing.assert_allclose(shifted.cameras.centres, [[0, 0, 0], [1, 0, 2], [2, 0, 2], [3, 0, 0]], atol=1e-9)
    rolled = run_command(turned.move, do="turn", chosen=[1], by=[0, 30, 0], own=True).move.keys[1].camera
    assert rolled.world_from_camera[0, 1, 2] == pytest.approx(-0.5)  # about the key's own right axis
    with pytest.raises(InputError, match="three numbers"):
        run_command(move, do="shift", chosen=[1], by=[1, 2])
    drawn = run_command(move, do="stroke", points=[[0, 0], [0, 2], [2, 2]], ahead=True)
    assert drawn.name == "draw the move from above" and drawn.move.seconds == 3
    np.testing.assert_allclose(drawn.move.cameras.centres[[0, -1]], [[0, 0, 0], [2, 0, 2]], atol=1e-9)
    with pytest.raises(InputError, match="draw it again"):
        run_command(move, do="stroke")


def test_begin_moves_the_whole_path_to_the_first_camera(move):
    away = run_command(run_command(move, do="turn", by=[90, 0, 0]).move, do="shift", by=[0, 5, 0]).move
    begun = run_command(away, do="begin")
    np.testing.assert_allclose(begun.move.cameras.world_from_camera[0], ORIGIN.world_from_camera[0], atol=1e-9)
    before, after = (np.linalg.norm(np.diff(each.cameras.centres, axis=0), axis=1) for each in (away, begun.move))
    np.testing.assert_allclose(after, before)
    assert begun.name == "begin at the picture"
