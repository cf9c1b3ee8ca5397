"""Film moves go where their names say, join without jumps, and their text reads back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camera.errors import InputError
from camera.interpolate import EASINGS
from camera.path import pinhole
from camera.presets.film import MOVES
from camera.rotation import angle_degrees, look_at
from camera.timeline import Beat, Step, parsed, path_of, written
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
        ("truck 0.5; dolly 0.5", [2, 0, np.hypot(2, 4) / 2]),
    ],
)  # fmt: skip
def test_a_move_ends_where_its_name_says(view, text, end):
    path = path_of(text, view, frames=25)
    np.testing.assert_allclose(in_first_camera(path)[-1, :3, 3], end, atol=1e-9)
    np.testing.assert_allclose(path.world_from_camera[0], view.world_from_camera, atol=1e-9)


@pytest.mark.parametrize(("text", "forward"), [("pan 30", [0.5, 0, 0.866]), ("tilt 30", [0, -0.5, 0.866])])
def test_pan_turns_right_and_tilt_turns_up(view, text, forward):
    np.testing.assert_allclose(in_first_camera(path_of(text, view, frames=9))[-1, :3, 2], forward, atol=1e-3)


@pytest.mark.parametrize("text", ["arc 50", "arc-up -30", "crane 0.7", "eight 0.3", "dolly 0.5", "dolly-zoom 0.5"])
def test_the_subject_stays_in_the_middle(view, text):
    path = path_of(text, view, frames=13)
    for frame in range(13):
        np.testing.assert_allclose(subject_pixel(view, path, frame), [31.5, 23.5], atol=1e-6)


def test_dolly_zoom_keeps_the_subjects_size(view):
    path = path_of("dolly-zoom 0.6", view, frames=11)
    distance = np.linalg.norm(path.centres - (view.world_from_camera @ [0, 0, DEPTH, 1])[:3], axis=1)
    size = path.intrinsics[:, 0, 0] / distance
    np.testing.assert_allclose(size, size[0], rtol=1e-9)


def test_holds_and_durations_share_the_frames(view):
    path = path_of("hold 1s; truck 0.5 2s; hold 1s", view, frames=41)
    moving = np.linalg.norm(np.diff(path.centres, axis=0), axis=1) > 1e-9
    assert moving[:10].sum() == 0 and moving[30:].sum() == 0 and moving[10:30].all()


def test_a_handheld_camera_repeats_by_its_seed_and_comes_to_rest(view):
    first, again, other = (path_of(f"handheld 1 seed {seed}", view, frames=48) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.world_from_camera, again.world_from_camera)
    assert angle_degrees(first.world_from_camera[20, :3, :3], other.world_from_camera[20, :3, :3]) > 0.05
    np.testing.assert_allclose(first.world_from_camera[[0, -1]], np.stack([view.world_from_camera] * 2), atol=1e-9)
    turns = angle_degrees(first.world_from_camera[:, :3, :3], view.world_from_camera[:3, :3])
    assert 0.3 < np.sqrt((turns**2).mean()) < 3


steps = st.builds(
    lambda name, share, easing, seed: Step(
        name,
        0.0 if name == "hold" else float(f"{MOVES[name].minimum + (0.1 + 0.8 * share) * (MOVES[name].maximum - MOVES[name].minimum):g}"),
        easing,
        seed,
    ),
    st.sampled_from(sorted(MOVES)), st.floats(0, 1), st.sampled_from(sorted(EASINGS)), st.integers(0, 99),
)  # fmt: skip
timelines = st.lists(
    st.builds(Beat, st.lists(steps, min_size=1, max_size=3).map(tuple), st.sampled_from([0.5, 1.0, 2.5])),
    min_size=1,
    max_size=4,
)


@given(timelines)
def test_text_reads_back(beats):
    assert parsed(written(beats)) == tuple(beats)


@settings(max_examples=30)
@given(timelines)
def test_beats_join_without_jumps(view, beats):
    frames = 400
    path = path_of(beats, view, frames=frames)
    jump = np.linalg.norm(np.diff(path.centres, axis=0), axis=1)
    far = np.linalg.norm(path.centres - path.centres[0], axis=1).max()
    assert jump.max() < 0.5 * max(far, DEPTH)
    turn = angle_degrees(path.world_from_camera[:-1, :3, :3], path.world_from_camera[1:, :3, :3])
    assert turn.max() < 60


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "at least one move"),
        ("fly 3", "'fly'"),
        ("arc x", "'x'"),
        ("arc 30 soon", "'soon'"),
        ("dolly 9", "0.95"),
        ("arc nan", "nan"),
    ],
)
def test_what_is_not_understood_is_named(text, words):
    with pytest.raises(InputError, match=words):
        parsed(text)
