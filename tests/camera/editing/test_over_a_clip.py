"""Keys over a clip's own camera: the clip's camera applies until a key overrides it; numbers worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from camera.editing import edits, saved
from camera.editing.commands import apply_command, describe_move, write_camera
from camera.editing.keys import Key, KeyedMove
from camera.editing.track import overridden_stretches, path_of, times_of
from camera.errors import InputError
from camera.path import CameraPath, pinhole
from camera.rotation import from_pan_tilt_roll

FRAMES, FPS = 41, 10.0
"""Four seconds."""


def clip() -> CameraPath:
    """Moves along x by 0.1 and pans right by one degree per frame while it zooms in."""
    poses = np.repeat(np.eye(4)[None], FRAMES, axis=0)
    poses[:, 0, 3] = 0.1 * np.arange(FRAMES)
    poses[:, :3, :3] = from_pan_tilt_roll(np.arange(FRAMES), 0, 0)
    return CameraPath(poses, np.stack([pinhole(320, 180, 60 - 0.5 * f) for f in range(FRAMES)]), 320, 180, FPS)


CLIP = clip()


def frame(number: int) -> CameraPath:
    return CLIP.sliced(slice(number, number + 1))


def beside(number: int, right: float, down: float = 0.0, pan: float = 0.0, zoom: float = 1.0) -> CameraPath:
    """The clip's camera of a frame, shifted along its own axes, rotated, and with ``zoom`` times the focal length."""
    step = np.eye(4)
    step[:3, :3] = from_pan_tilt_roll(pan, 0, 0)
    step[:2, 3] = right, down
    lens = frame(number).intrinsics[0].copy()
    lens[[0, 1], [0, 1]] *= zoom
    return CameraPath(frame(number).world_from_camera @ step, lens, 320, 180, FPS)


@pytest.fixture
def follows() -> KeyedMove:
    """A move that follows the clip's camera without overrides."""
    return KeyedMove((Key(frame(0), 0.0, follows=True),), 4.0, source=CLIP)


@pytest.fixture
def one(follows) -> KeyedMove:
    """One key at two seconds: 0.5 to the right, turned by 8 degrees, zoomed in twice."""
    return edits.add_key(follows, Key(beside(20, 0.5, pan=8, zoom=2), 2.0))


def run_command(move: KeyedMove, **asked):
    return apply_command(move, asked, origin=frame(0))


def same(a: CameraPath, b: CameraPath, tolerance: float = 1e-9) -> None:
    np.testing.assert_allclose(a.world_from_camera, b.world_from_camera, atol=tolerance)
    np.testing.assert_allclose(a.intrinsics, b.intrinsics, rtol=tolerance, atol=1e-9)


def test_without_own_keys_the_move_is_the_clip_camera(follows):
    same(path_of(follows, frames=FRAMES, fps=FPS), CLIP)
    same(path_of(follows, frames=11), CLIP.sliced(slice(0, 11)))  # a method that takes fewer frames
    longer = path_of(follows, frames=50)
    same(longer.sliced(slice(40, 50)), frame(40).resampled(10))
    np.testing.assert_allclose(times_of(follows, 50)[[0, 7, 40, 49]], [0, 0.7, 4, 4], atol=1e-12)
    assert overridden_stretches(follows) == []


def test_a_key_is_matched_exactly_and_its_offset_fades_to_zero_at_both_ends(one):
    """Starting from rest, the offset at fraction t of the segment is t^2 (2 - t), see `camera.editing.timing`."""
    path = path_of(one, frames=FRAMES)
    same(path.sliced(slice(20, 21)), one.keys[1].camera)
    same(path.sliced(slice(0, 1)), frame(0))
    same(path.sliced(slice(40, 41)), frame(40))
    straight = path_of(replace(one, curve="straight"), frames=FRAMES)
    for number, part in ((5, 0.25), (10, 0.5), (15, 0.75)):
        share = part * part * (2 - part)
        same(
            straight.sliced(slice(number, number + 1)), beside(number, 0.5 * share, pan=8 * share, zoom=2**share), 1e-4
        )
    assert overridden_stretches(one) == [(0.0, 4.0)]


def test_the_clip_camera_takes_over_between_keys_that_follow_it(one):
    followed = edits.follow_source(edits.follow_source(edits.follow_source(one, 1.0), 3.0), 3.5)
    path = path_of(followed, frames=FRAMES)
    same(path.sliced(slice(0, 11)), CLIP.sliced(slice(0, 11)))
    same(path.sliced(slice(30, 41)), CLIP.sliced(slice(30, 41)))
    same(path.sliced(slice(20, 21)), one.keys[1].camera)
    assert np.abs(path.centres - CLIP.centres).max(axis=1)[11:30].min() > 0.001
    assert overridden_stretches(followed) == [(1.0, 3.0)]
    # the speed is continuous where the source takes over
    offset = np.linalg.norm(path.centres - CLIP.centres, axis=1)
    assert offset[11] < 0.1 * offset.max() and offset[29] < 0.1 * offset.max()


def test_a_hold_keeps_the_offset_while_the_clip_camera_moves(one):
    path = path_of(edits.hold_key(one, 1, 1.0), frames=FRAMES)
    for number in (20, 24, 30):
        same(path.sliced(slice(number, number + 1)), beside(number, 0.5, pan=8, zoom=2))


def test_first_and_last_frame_match_the_clip_by_option(one, follows):
    free = replace(one, same_first=False, same_last=False)
    path = path_of(free, frames=FRAMES)
    same(path.sliced(slice(0, 1)), frame(0))  # the key at the start follows the clip
    same(path.sliced(slice(40, 41)), beside(40, 0.5, pan=8, zoom=2))
    alone = edits.delete_keys(free, [0])
    same(path_of(alone, frames=FRAMES).sliced(slice(0, 1)), beside(0, 0.5, pan=8, zoom=2))
    assert overridden_stretches(alone) == [(0.0, 4.0)]
    with pytest.raises(InputError, match="first frame is set to be the clip's own"):
        edits.overwrite_key(follows, 0, beside(0, 0.1))
    at_start = edits.overwrite_key(replace(follows, same_first=False), 0, beside(0, 0.1))
    assert not at_start.keys[0].follows
    with pytest.raises(InputError, match="last frame is set to be the clip's own"):
        edits.add_key(follows, Key(beside(40, 0.1), 4.0))


def test_a_following_key_still_follows_after_a_move_in_time(one):
    later = edits.move_keys(edits.follow_source(one, 3.0), [2], 0.5)
    same(later.keys[2].camera, frame(35))
    other = later.fitted(640, 360)
    assert (other.source.width, other.keys[2].camera.height) == (640, 360)
    same(path_of(other, frames=FRAMES), path_of(later, frames=FRAMES).resized(640, 360), 1e-6)


def test_moves_over_a_clip_cannot_loop_ease_or_change_length(one):
    for change, words in (
        ({"loop": True}, "own loop"), ({"easing": "ease"}, "own loop"), ({"speed": ((0, 1), (1, 1))}, "own loop"),
        ({"seconds": 5.0}, "as long as the clip, 4 s"), ({"source": CLIP.resized(160, 90)}, "same picture size"),
        ({"source": None}, "only in a move that has one"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=words):
            replace(one, **change)
    assert edits.move_keys(one, [1], 0.5, ripple=True).seconds == 4.0


def test_plain_keys_keep_their_cameras_when_placed_over_a_clip():
    plain = KeyedMove((Key(frame(0), 0.0), Key(beside(10, 0.3), 1.0), Key(beside(40, 0.2), 4.0)), 4.0)
    over = edits.over_source(plain, CLIP)
    assert [key.follows for key in over.keys] == [True, False, False]
    assert over.same_first and not over.same_last, "another key stands at the end"
    path = path_of(over, frames=FRAMES)
    for number, key in zip((0, 10, 40), plain.keys):
        same(path.sliced(slice(number, number + 1)), key.camera)
    assert edits.over_source(replace(plain, seconds=8.0, loop=True), CLIP).keys[1].time == 0.5


def test_commands_edit_a_move_over_a_clip_and_name_the_undo_step(one):
    followed = run_command(one, do="follow_clip", time=3.0)
    assert (followed.name, followed.chosen) == ("follow the clip at key 3", (2,))
    assert run_command(followed.move, do="follow_clip", time=2.0).move.keys[1].follows
    added = run_command(followed.move, do="add", time=3.0, camera=write_camera(beside(30, -0.2)))
    assert added.name == "overwrite key 3" and not added.move.keys[2].follows
    assert run_command(one, do="ends", same_last=False).name == "own last frame"
    assert run_command(replace(one, same_first=False), do="begin").move.same_first
    shifted = run_command(one, do="shift", by=[0, 0, 1.0])
    assert shifted.name == "move key 2", "the key that follows the clip stays"
    description = describe_move(followed.move, origin=frame(0))
    assert description["over_clip"] and description["overridden"] == [(0.0, 3.0)] and description["keys"][2]["follows"]
    for asked, words in (
        ({"do": "append", "camera": write_camera(frame(3))}, "go to a frame"), ({"do": "loop", "loop": True}, "own loop"),
        ({"do": "ends"}, "same_first or same_last"), ({"do": "retime", "seconds": 9}, "as long as the clip"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=words):
            run_command(one, **asked)
    plain = KeyedMove((Key(frame(0), 0.0),), 4.0)
    for asked in ({"do": "follow_clip", "time": 1}, {"do": "ends", "same_first": True}):
        with pytest.raises(InputError, match="clip's camera"):
            run_command(plain, **asked)


def test_saving_round_trips_and_other_moves_are_saved_as_before(one):
    followed = replace(edits.follow_source(one, 3.0), same_last=False)
    again = saved.read(json.loads(json.dumps(saved.write(followed))))
    assert [key.follows for key in again.keys] == [True, False, True] and (again.same_first, again.same_last) == (
        True,
        False,
    )
    np.testing.assert_array_equal(
        path_of(again, frames=FRAMES).world_from_camera, path_of(followed, frames=FRAMES).world_from_camera
    )
    assert saved.write(replace(KeyedMove((Key(frame(0), 0.0),), 4.0)))["version"] == 1
    written = saved.write(followed)
    assert written["version"] == 2
    for change, words in (
        ({"version": 1}, "unknown"), ({"source": {}}, "misses"), ({"version": 3}, "version 3"),
        ({"source": {**written["source"], "intrinsics": [1]}}, "lenses of the clip"),
        ({"source": {**written["source"], "world_from_camera": [[[float("nan")]]]}}, "cameras of the clip"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=words):
            saved.read({**written, **change})
