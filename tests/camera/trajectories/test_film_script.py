"""Film moves end as their names say, join without jumps, and their text round-trips."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camera.errors import InputError
from camera.path import pinhole
from camera.rotation import angle_degrees, look_at
from camera.trajectories.film import MOVES
from camera.trajectories.film_script import Move, parse_moves, path_of, write_moves
from camera.trajectories.keyframes import EASINGS
from camera.view import View

DEPTH = 4.0


@pytest.fixture(scope="module")
def view() -> View:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = look_at([1.0, 2.0, 3.0], [4.0, 2.5, 9.0]), [1, 2, 3]
    return View.of(np.zeros((48, 64, 3), np.uint8), np.full((48, 64), DEPTH), pinhole(64, 48, 60), pose)


def in_first_camera(path) -> np.ndarray:
    return path.relative_to_first().world_from_camera


def subject_pixel(view, path, frame: int) -> np.ndarray:
    subject = view.world_from_camera @ [0, 0, DEPTH, 1]
    local = path.intrinsics[frame] @ (path.camera_from_world[frame] @ subject)[:3]
    return local[:2] / local[2]


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("dolly 0.5", [0, 0, 2]), ("truck 0.5", [2, 0, 0]), ("pedestal 0.5", [0, -2, 0]), ("pan 30", [0, 0, 0]),
        ("arc 90", [4, 0, 4]), ("arc-up 30", [0, -2, 4 - 4 * np.cos(np.pi / 6)]), ("crane 0.5", [0, -2, 0]),
        ("eight 0.2", [0, 0, 0]), ("hold", [0, 0, 0]), ("arc 90 + dolly 0.5", [2, 0, 4]),
        ("truck 0.5; dolly 0.5", [2, 0, 2]),
    ],
)  # fmt: skip
def test_a_move_ends_in_its_named_direction(view, text, end):
    path = path_of(text, view, frames=25)
    np.testing.assert_allclose(in_first_camera(path)[-1, :3, 3], end, atol=1e-9)
    np.testing.assert_allclose(path.world_from_camera[0], view.world_from_camera, atol=1e-9)


@pytest.mark.parametrize(("text", "forward"), [("pan 30", [0.5, 0, 0.866]), ("tilt 30", [0, -0.5, 0.866])])
def test_pan_turns_right_and_tilt_turns_up(view, text, forward):
    np.testing.assert_allclose(in_first_camera(path_of(text, view, frames=9))[-1, :3, 2], forward, atol=1e-3)


@pytest.mark.parametrize("text", ["arc 50", "arc-up -30", "crane 0.7", "eight 0.3", "dolly 0.5", "dolly-zoom 0.5"])
def test_the_subject_stays_centred(view, text):
    path = path_of(text, view, frames=13)
    for frame in range(13):
        np.testing.assert_allclose(subject_pixel(view, path, frame), [31.5, 23.5], atol=1e-6)


@pytest.mark.parametrize(
    "text", ["dolly-zoom 0.6", "dolly-zoom out 2", "dolly-zoom 0.3 + truck 0.2", "dolly-zoom 0.3 + arc 40"]
)
def test_dolly_zoom_keeps_the_subject_size(view, text):
    path = path_of(text, view, frames=11)
    subject = view.world_from_camera @ [0, 0, DEPTH, 1]
    depth = (path.camera_from_world @ subject)[:, 2]
    size = path.intrinsics[:, 0, 0] / depth
    assert np.ptp(depth) > 0.3
    np.testing.assert_allclose(size, size[0], rtol=1e-9)


def test_zoom_changes_only_the_lens(view):
    path = path_of("zoom 2; zoom 0.5", view, frames=5)
    np.testing.assert_allclose(path.intrinsics[:, 0, 0] / view.intrinsics[0, 0], [1, 2**0.5, 2, 2**0.5, 1], rtol=1e-9)
    np.testing.assert_allclose(path.centres, [view.world_from_camera[:3, 3]] * 5)


def test_a_level_camera_stays_level(view):
    for text in ("tilt -20; pan 50", "arc-up 30; arc 70", "crane 0.5; pan 20", "pan 40; pedestal 0.3; arc 20"):
        assert abs(in_first_camera(path_of(text, view, frames=5))[:, 1, 0]).max() < 1e-9, text


def test_simultaneous_moves_commute(view):
    one = path_of("arc 30 + dolly 0.2 + pan 10 + pedestal 0.1 + roll 5", view, frames=7)
    other = path_of("roll 5 + pedestal 0.1 + pan 10 + arc 30 + dolly 0.2", view, frames=7)
    np.testing.assert_allclose(one.world_from_camera, other.world_from_camera, atol=1e-12)


def test_an_arc_after_a_pan_still_orbits_the_subject(view):
    path = path_of("pan 20; arc 60", view, frames=11)
    pixels = np.array([subject_pixel(view, path, frame) for frame in range(5, 11)])
    np.testing.assert_allclose(pixels, pixels[:1].repeat(6, axis=0), atol=1e-6)
    assert abs(pixels[0, 0] - 31.5) > 5


def test_parts_share_the_free_time(view):
    path = path_of("hold; truck 0.5 share 2; hold", view, frames=41)
    moving = np.linalg.norm(np.diff(path.centres, axis=0), axis=1) > 1e-9
    assert moving[:10].sum() == 0 and moving[30:].sum() == 0 and moving[10:30].all()


def test_seconds_speed_and_holds_are_kept(view):
    path = path_of("truck 0.5 1s wait 0.5s rest 0.25s; truck -0.5 at 1; dolly 0.3 wait 0.5s", view, frames=49, fps=10)
    moving = np.linalg.norm(np.diff(path.centres, axis=0), axis=1) > 1e-9
    expected = np.zeros(48, bool)
    expected[5:15] = True  # one second, after the wait of half a second
    expected[17:23] = True  # 0.5 distances at 1 per second, from 1.75 s to 2.25 s
    expected[27:] = True  # from 2.75 s to the end
    np.testing.assert_array_equal(moving, expected)
    rest = path_of("truck 0.5 1s", view, frames=49, fps=10)
    np.testing.assert_allclose(rest.centres[10:], rest.centres[-1:].repeat(39, axis=0))


def test_durations_beyond_the_clip_are_refused(view):
    with pytest.raises(InputError, match=r"add up to 5 s, but the clip lasts 1 s"):
        path_of("truck 0.5 5s", view, frames=25)
    with pytest.raises(InputError, match=r"waits and rests for 2 s"):
        path_of("truck 0.5 wait 2s", view, frames=25)


def test_a_handheld_camera_is_reproducible_by_its_seed(view):
    first, again, other = (path_of(f"handheld 1 seed {seed}", view, frames=96) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.world_from_camera, again.world_from_camera)
    assert angle_degrees(first.world_from_camera[20, :3, :3], other.world_from_camera[20, :3, :3]) > 0.05
    np.testing.assert_allclose(first.world_from_camera[0], view.world_from_camera, atol=1e-9)


def test_handheld_sway_has_the_stated_strength_and_is_smooth(view):
    path = path_of("handheld 1", view, frames=24 * 60)
    turns = angle_degrees(path.world_from_camera[:, :3, :3], view.world_from_camera[:3, :3])
    assert 1.2 < np.sqrt((turns**2).mean()) < 1.8  # pan 1, tilt 1, roll 1/2 together: 1.5
    steps = angle_degrees(path.world_from_camera[1:, :3, :3], path.world_from_camera[:-1, :3, :3])
    assert steps.max() < 0.6


def test_handheld_continues_across_parts(view):
    through = path_of("truck 0.1 + handheld 1; truck 0.1 + handheld 1", view, frames=97)
    whole = path_of("truck 0.2 + handheld 1", view, frames=97)
    np.testing.assert_allclose(through.world_from_camera, whole.world_from_camera, atol=1e-9)
    calm = path_of("hold + handheld 1; hold", view, frames=97)
    np.testing.assert_allclose(calm.world_from_camera[60:], view.world_from_camera[None].repeat(37, axis=0), atol=1e-9)


def _moves(kind: str, share: float, easing: str, wait: float, seed: int, seconds: float | None) -> Move:
    known = MOVES[kind]
    amount = 0.0 if not known.unit else round(known.minimum + share * (known.maximum - known.minimum), 3)
    return Move(kind, amount, easing, seconds=seconds, wait=wait, seed=seed)


moves = st.builds(
    _moves, st.sampled_from(sorted(MOVES)), st.floats(0, 1), st.sampled_from(sorted(EASINGS)),
    st.sampled_from([0.0, 0.25]), st.integers(0, 99), st.sampled_from([None, 1.5]),
)  # fmt: skip
timelines = st.lists(st.lists(moves, min_size=1, max_size=3).map(tuple), min_size=1, max_size=4)


@given(timelines)
def test_text_round_trips(parts):
    assert parse_moves(write_moves(parts)) == tuple(parts)


@settings(max_examples=30, deadline=None)
@given(timelines)
def test_parts_join_without_jumps(view, parts):
    try:
        coarse, fine = (path_of(parts, view, frames=20 * step + 1, fps=step) for step in (60, 240))
    except InputError as error:
        assert "reach or pass the subject" in str(error)
        return
    longest = [np.linalg.norm(np.diff(path.centres, axis=0), axis=1).max() for path in (coarse, fine)]
    assert longest[1] < 0.5 * longest[0] + 1e-2  # four times as many frames: each step is much shorter
    turns = [
        angle_degrees(p.world_from_camera[:-1, :3, :3], p.world_from_camera[1:, :3, :3]).max() for p in (coarse, fine)
    ]
    assert turns[1] < 0.5 * turns[0] + 0.5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "at least one move"), ("fly 3", "'fly'"), ("arc x", "'x'"), ("arc 30 soon", "'soon'"), ("dolly 9", "5"),
        ("arc nan", "nan"), ("arc 30 seed -1", "seed"), ("arc 30 ease linear", "easing twice"), ("arc 3 +", "missing"),
        ("hold at 2", "no speed"), ("hold 2", "'hold 2s'"), ("arc 30 at", "'at 2'"), ("arc 1s 2s", "twice"), ("arc 30 2s at 3", "one of them"),
        ("zoom -1", "0.1"), ("pan 1e9", "360"), ("dolly 1;" * 200, "at most 100"), ("dolly 1" + " " * 5000, "4000"),
    ],
)  # fmt: skip
def test_invalid_text_is_named(text, words):
    with pytest.raises(InputError, match=words):
        parse_moves(text)


def test_directions_may_be_words():
    assert parse_moves("Truck LEFT 0.3; pan right 20°; tilt down; dolly +0.2+arc 5") == (
        (Move("truck", -0.3),), (Move("pan", 20.0),), (Move("tilt", -MOVES["tilt"].default),),
        (Move("dolly", 0.2), Move("arc", 5.0)),
    )  # fmt: skip
