"""Keyed moves: the same numbers as the API's path, and every edit changes only what it should."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from camera.editing import edits
from camera.editing.keys import Key, KeyedMove, key_every_frame
from camera.editing.numbers import KeyNumbers, numbers_of, with_numbers
from camera.editing.saved import read, write
from camera.editing.timing import progress_of, slow_in_out
from camera.editing.track import key_at, path_of
from camera.errors import InputError
from camera.path import CameraPath, pinhole
from camera.rotation import angle_degrees, from_pan_tilt_roll
from camera.trajectories.keyframes import Keyframe, through

SECONDS = 4.0


def cameras(count: int = 5) -> CameraPath:
    random = np.random.default_rng(7)
    poses = np.repeat(np.eye(4)[None], count, axis=0)
    poses[:, :3, :3] = from_pan_tilt_roll(*(random.uniform(-25, 25, count) for _ in range(3)))
    poses[:, :3, 3] = np.cumsum(random.uniform(-0.2, 0.6, (count, 3)), axis=0)
    return CameraPath(poses, np.stack([pinhole(640, 352, fov) for fov in random.uniform(30, 80, count)]), 640, 352)


@pytest.fixture
def move() -> KeyedMove:
    return key_every_frame(cameras(), SECONDS)


def through_keys(move: KeyedMove, frames: int, **options) -> CameraPath:
    keys = [Keyframe(key.camera.world_from_camera[0], key.camera.intrinsics[0], key.time) for key in move.keys]
    return through(keys, frames=frames, width=640, height=352, **options)


def same(a: CameraPath, b: CameraPath, tolerance: float = 1e-6) -> None:
    np.testing.assert_allclose(a.world_from_camera, b.world_from_camera, atol=tolerance)
    np.testing.assert_allclose(a.intrinsics, b.intrinsics, rtol=tolerance)


@pytest.mark.parametrize(
    "options",
    [
        {}, {"curve": "tight"}, {"curve": "straight", "easing": "ease"}, {"constant_speed": True},
        {"loop": True}, {"loop": True, "constant_speed": True, "easing": "ease-in"},
    ],
)  # fmt: skip
def test_plain_keys_give_the_same_path_as_the_api(options):
    move = key_every_frame(cameras(), SECONDS, loop=options.get("loop", False))
    same(path_of(replace(move, **options), frames=49), through_keys(move, 49, **options))


def test_edits_and_the_api_give_the_same_path(move):
    edited = edits.move_keys(move, [2], -0.35)
    edited = edits.add_key(edited, replace(move.keys[1], time=3.5))
    edited = edits.delete_keys(edited, [0])
    edited = edits.retime(edits.move_keys(edited, [0], -1.0), 5.0)
    edited = read(json.loads(json.dumps(write(edited))))
    frames = path_of(edited, frames=121)
    times = np.array([key.time for key in edited.keys])
    same(frames, through_keys(edited, 121))
    np.testing.assert_allclose(times, np.array([0, 1.65, 3, 3.5, 4]) * 5 / 4, atol=1e-12)
    same(frames.sliced(slice(-1, None)), move.keys[-1].camera)


def test_a_hold_stops_the_camera_and_shifts_later_keys(move):
    edited = edits.hold_key(move, 2, 1.0)
    assert [key.time for key in edited.keys] == [0, 1, 2, 4, 5] and edited.seconds == 5
    path = path_of(edited, frames=51)  # 10 fps
    same(path.sliced(slice(20, 31)), move.keys[2].camera.resampled(11))
    steps = np.linalg.norm(np.diff(path.centres, axis=0), axis=1)
    middle = steps[24]
    assert middle < 1e-12 and steps[19] < 0.35 * steps[15] and steps[30] < 0.35 * steps[35]
    assert edits.hold_key(edited, 2, 0.0).keys[3].time == 3


def test_tangents_rest_or_corner_at_a_key(move):
    rest, corner = (path_of(edits.set_tangent(move, [2], kind), frames=401) for kind in ("rest", "corner"))
    smooth = path_of(move, frames=401)

    def speeds(path):
        return np.linalg.norm(np.diff(path.centres, axis=0), axis=1)

    def bend(path):
        before, after = path.centres[200] - path.centres[199], path.centres[201] - path.centres[200]
        return np.degrees(np.arccos(before @ after / np.linalg.norm(before) / np.linalg.norm(after)))

    assert speeds(rest)[[199, 200]].max() < 0.03 * speeds(rest).max() < speeds(smooth)[[199, 200]].min()
    assert bend(corner) > 10 > 2 > bend(smooth)
    for path in (rest, corner):
        same(path.sliced(slice(200, 201)), move.keys[2].camera)


def test_easing_applies_to_one_segment(move):
    eased, plain = path_of(edits.set_easing(move, [1], "ease"), frames=401), path_of(move, frames=401)
    same(eased.sliced(slice(0, 101)), plain.sliced(slice(0, 101)))
    same(eased.sliced(slice(200, 401)), plain.sliced(slice(200, 401)))
    at = 1 + (0.25**2 * (3 - 0.5))
    same(eased.sliced(slice(125, 126)), key_at(move, at).camera)


def test_a_loop_with_a_stop_is_smooth_everywhere_else():
    move = edits.hold_key(key_every_frame(cameras(), 5.0, loop=True), 2, 0.5)
    path = path_of(move, frames=1100)
    around = np.concatenate([path.centres[-3:], path.centres[:3]])
    jumps = np.linalg.norm(np.diff(around, n=2, axis=0), axis=1)
    assert jumps.max() < 2 * jumps.min()  # continuous acceleration: no corner between the last frame and the first
    same(path.sliced(slice(400, 501)), move.keys[2].camera.resampled(101))


def test_speed_graphs_keep_the_ends_and_set_the_speed(move):
    graph = slow_in_out(0.25)
    share = np.linspace(0, 1, 1001)
    progress = progress_of(graph, share)
    assert progress[0] == 0 and progress[-1] == pytest.approx(1) and (np.diff(progress) >= 0).all()
    speed = np.diff(progress) * 1000
    assert speed[0] < 0.01 and speed[500] == pytest.approx(1 / 0.75, rel=1e-6) and speed[-1] < 0.01
    path = path_of(replace(move, speed=graph), frames=101)
    same(path.sliced(slice(0, 1)), move.keys[0].camera)
    same(path.sliced(slice(100, 101)), move.keys[-1].camera)
    with pytest.raises(InputError, match="share 0 to share 1"):
        replace(move, speed=((0.1, 1.0), (1.0, 1.0)))


def test_keys_move_in_time_past_others_or_as_a_ripple_edit(move):
    past = edits.move_keys(move, [1], 1.5)
    np.testing.assert_array_equal([key.time for key in past.keys], [0, 2, 2.5, 3, 4])
    same(past.keys[2].camera, move.keys[1].camera)
    ripple = edits.move_keys(move, [2], 0.5, ripple=True)
    assert [key.time for key in ripple.keys] == [0, 1, 2.5, 3.5, 4.5] and ripple.seconds == 4.5
    with pytest.raises(InputError, match="must come after"):
        edits.move_keys(move, [1], 1.0)
    with pytest.raises(InputError, match="before the start"):
        edits.move_keys(move, [1], -1.5)
    closed = edits.delete_keys(move, [1, 2], ripple=True)
    assert [key.time for key in closed.keys] == [0, 1, 2] and closed.seconds == 2
    copies = edits.copy_keys(move, [1, 3], 4.5)
    assert [key.time for key in copies.keys] == [0, 1, 2, 3, 4, 4.5, 6.5] and copies.seconds == 6.5
    same(copies.keys[-1].camera, move.keys[3].camera)
    with pytest.raises(InputError, match="already at"):
        edits.add_key(move, move.keys[1])
    with pytest.raises(InputError, match="at least one key"):
        edits.delete_keys(move, range(5))


def test_numbers_describe_a_key_and_restore_it(move):
    origin = move.keys[0].camera.world_from_camera[0]
    for key in move.keys:
        numbers = numbers_of(key.camera, origin)
        same(with_numbers(key.camera, numbers, origin), key.camera, 1e-9)
    turned = with_numbers(move.keys[0].camera, KeyNumbers(up=2.0, pan=90.0, focal_mm=36.0), np.eye(4))
    np.testing.assert_allclose(turned.world_from_camera[0][:3, [2, 3]], [[1, 0], [0, -2], [0, 0]], atol=1e-12)
    assert turned.fov_degrees[0, 0] == pytest.approx(KeyNumbers(focal_mm=36.0).fov_degrees)
    assert KeyNumbers().with_fov(60).fov_degrees == pytest.approx(60)
    overwritten = edits.overwrite_key(move, 1, turned)
    assert (
        overwritten.keys[1].time == 1
        and angle_degrees(overwritten.keys[1].camera.world_from_camera[0, :3, :3], np.eye(3)) > 89
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 3}, "version 3"), ({"seconds": "4"}, "must be a number"), ({"keys": 3}, "must be a list"),
        ({"extra": 1}, "unknown extra"), ({"width": -1}, "whole number"), ({"keys": []}, "1 to 500 keys"),
        ({"speed": [[0, 1]]}, "two points"), ({"curve": "loose"}, "Unknown curve"), ({"curve": None}, "short text"),
    ],
)  # fmt: skip
def test_invalid_saved_moves_are_refused_with_a_reason(move, change, words):
    with pytest.raises(InputError, match=words):
        read({**write(move), **change})


def test_invalid_saved_keys_are_refused_with_a_reason(move):
    for change, words in (
        ({"time": float("nan")}, "between 0 and"), ({"world_from_camera": [[1, 2]]}, "numbers in 4 columns"),
        ({"easing": "bouncy"}, "Unknown easing"), ({"tangent": "soft"}, "Unknown tangent"),
    ):  # fmt: skip
        data = write(move)
        data["keys"][1] = {**data["keys"][1], **change}
        with pytest.raises(InputError, match=words):
            read(data)
    with pytest.raises(InputError, match="should be a key"):
        read({**write(move), "keys": ["key"]})


def test_constant_speed_refuses_holds(move):
    with pytest.raises(InputError, match="own holds"):
        replace(edits.hold_key(move, 1, 0.5), constant_speed=True)


def test_a_move_with_one_key_is_static(move):
    path = path_of(KeyedMove((Key(move.keys[0].camera, 0.0),), 2.0), frames=5)
    same(path, move.keys[0].camera.resampled(5))
