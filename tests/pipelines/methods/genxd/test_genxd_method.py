"""GenXD's record: moves become paths, paths become runs of 12 frames, and every change is reported."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from camera.errors import InputError
from camera.path import CameraPath, inverse, pinhole
from camera.trajectories.genxd import look_at_origin
from camera.view import Scene, View
from pipelines.inputs.posed_images import PosedPictures, add_truth
from pipelines.methods.genxd.groups_plan import FRAMES, model_scale, plan
from pipelines.methods.genxd.method import METHOD

SIZE = 64
Moves, Settings = METHOD.moves, METHOD.settings


def view(pose=None, depth=3.0):
    lens = pinhole(SIZE, SIZE, 50)
    return View.of(np.zeros((SIZE, SIZE, 3), np.uint8), np.full((SIZE, SIZE), depth), lens, pose)


@pytest.fixture(scope="module")
def still():
    turned = look_at_origin(20, 50, 3.0)[0]
    return Scene((view(turned),))


@pytest.fixture(scope="module")
def views():
    poses = look_at_origin(np.linspace(5, 12, 6), np.linspace(-40, 40, 6), 3.0)
    return Scene(tuple(view(pose) for pose in poses), "views")


def moves(**values):
    return Moves(width=SIZE, height=SIZE, **values)


@pytest.mark.parametrize("move", ["forward", "orbit"])
@pytest.mark.parametrize(("given", "frame"), [("first", 0), ("middle", 6), ("last", 11)])
def test_the_given_frame_stands_where_the_picture_was_taken(still, move, given, frame):
    path = METHOD.path(moves(move=move, given=given, elevation=10), still)
    np.testing.assert_allclose(path.world_from_camera[frame], still.first.world_from_camera, atol=1e-9)
    assert plan(still, path, Settings(given_frame=given)).runs[0].given == (frame,)
    if given != "first":
        with pytest.raises(InputError, match="elsewhere"):
            plan(still, path.scaled(1.5), Settings(given_frame=given))


def test_radius_two_circles_what_the_picture_is_about(still):
    path = METHOD.path(moves(move="orbit", azimuth_start=0, azimuth_end=180), still)
    subject = still.first.world_from_camera @ [0, 0, 3.0, 1]
    np.testing.assert_allclose(np.linalg.norm(path.centres - subject[:3], axis=1), 3.0)
    assert model_scale(still, Settings()) * 3.0 == pytest.approx(2.0)


def test_a_fit_follows_the_views_wherever_the_world_is(views):
    away = np.eye(4)
    away[:3, :3] = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    away[:3, :3] *= np.linalg.det(away[:3, :3])
    away[:3, 3] = [4, -7, 2]
    elsewhere = Scene(tuple(view(away @ v.world_from_camera) for v in views.views), "views")
    for move in ("spline", "spiral", "ellipse"):
        here, there = (METHOD.path(moves(move=move), scene) for scene in (views, elsewhere))
        np.testing.assert_allclose(there.centres.mean(0), (away @ [*here.centres.mean(0), 1])[:3], atol=1e-4)
        middle = views.first.world_from_camera[:3, 3] + 3 * views.first.world_from_camera[:3, 2]
        seen = here.camera_from_world @ [*middle, 1]
        assert (seen[:, 2] > 0).all(), f"{move} looks away from the subject"


def test_the_known_cameras_can_be_the_targets(views):
    path = METHOD.path(moves(move="given cameras"), views)
    np.testing.assert_allclose(path.world_from_camera, [v.world_from_camera for v in views.views])


def test_one_picture_has_no_given_cameras_to_shoot(still):
    with pytest.raises(InputError, match="several views"):
        METHOD.path(moves(move="given cameras"), still)


def test_the_orbit_of_consistent4d_can_be_had(still):
    turn = {"move": "orbit", "azimuth_start": 0, "azimuth_end": 360}
    plain, other = (METHOD.path(moves(**turn, consistent4d=on), still).centres for on in (False, True))
    np.testing.assert_allclose(other[1], other[0], atol=1e-9)
    assert np.linalg.norm(plain[1] - other[2]) > 1, "it must turn the other way"


def test_copies_are_read_and_refused(views):
    assert len(METHOD.path(moves(move="spline", frames=9, shifts_x="0.2, -0.4", shifts_z="0.1"), views)) == 54
    with pytest.raises(InputError, match="Copies shifted in depth"):
        METHOD.path(moves(move="spline", shifts_z="left"), views)


@pytest.mark.parametrize("given", ["first", "middle", "last"])
def test_any_path_becomes_twelve_frames_and_says_so(still, given):
    path = METHOD.path(moves(frames=49, given=given), still)
    planned = plan(still, path, Settings())
    (run,) = planned.runs
    assert len(planned.path) == FRAMES and "49 frames are resampled to the 12" in planned.notes[0]
    pose = planned.path.world_from_camera[run.given[0]]
    np.testing.assert_allclose(pose, still.first.world_from_camera, atol=1e-9)


@pytest.mark.parametrize(("move", "frames"), [("orbit", 81), ("forward", 72)])
def test_closed_moves_are_sampled_all_around_as_published(still, move, frames):
    """The original's 12 anchors are at twelfths of the loop; the last is not a repeat of the first."""
    angles = {"move": move, "azimuth_start": 0, "azimuth_end": 360} if move == "orbit" else {"move": move}
    anchors = METHOD.path(moves(**angles), still)
    first = plan(still, METHOD.path(moves(frames=frames, **angles), still), Settings(more_views=True)).runs[0]
    np.testing.assert_allclose(first.cameras.world_from_camera, anchors.world_from_camera, atol=5e-3)


def test_open_moves_are_sampled_to_their_end(still):
    path = METHOD.path(moves(move="orbit", frames=49), still)
    sampled = plan(still, path, Settings()).path
    np.testing.assert_allclose(sampled.world_from_camera[-1], path.world_from_camera[-1], atol=1e-12)


def test_a_path_that_misses_the_picture_gets_eleven_frames(still):
    path = METHOD.path(moves(), still).scaled(1.5)
    planned = plan(still, path, Settings())
    assert planned.runs[0].makes == (-1, *range(11)) and len(planned.path) == 11
    assert "does not pass" in planned.notes[0]


@pytest.mark.parametrize(("frames", "groups"), [(72, 8), (81, 9), (49, 6)])
def test_more_views_come_from_the_first_twelve(still, frames, groups):
    path = METHOD.path(moves(frames=frames), still)
    first, *more = plan(still, path, Settings(more_views=True)).runs
    assert len(more) == groups and first.makes == (-1,) * FRAMES
    assert {frame for run in more for frame in run.makes} - {-1} == set(range(frames))
    for run in more:
        assert run.source == "first run" and run.given == (0, 5, 11)
        made = [i for i in range(FRAMES) if run.makes[i] >= 0]
        centre = run.cameras.centres[made].mean(0)
        away = np.linalg.norm(first.cameras.centres - centre, axis=1)
        np.testing.assert_allclose(np.sort(away)[:3], away[list(run.pictures)])


def test_several_views_shoot_the_path_in_groups(views):
    path = METHOD.path(moves(move="spline", frames=20), views)
    planned = plan(views, path, Settings(contexts=2))
    assert [run.given for run in planned.runs] == [(0, 11)] * 2
    assert "2 groups of 10, each from the 2 nearest of 6" in planned.notes[0]
    for run in planned.runs:
        for frame, made in enumerate(run.makes):
            expected = path.world_from_camera[made] if made >= 0 else None
            if expected is not None:
                np.testing.assert_array_equal(run.cameras.world_from_camera[frame], expected)
        for frame, picture in zip(run.given, run.pictures):
            np.testing.assert_array_equal(run.cameras.world_from_camera[frame], views.views[picture].world_from_camera)


def test_published_grouping_leaves_views_out_and_says_so(views):
    path = METHOD.path(moves(move="spline", frames=20), views)
    planned = plan(views, path, Settings(cover=False))
    assert len(planned.path) == 18 and "2 of the path's frames" in planned.notes[1]


def posed(poses: np.ndarray) -> PosedPictures:
    cameras = CameraPath(poses, pinhole(SIZE, SIZE, 50), SIZE, SIZE)
    return PosedPictures(np.zeros((len(poses), SIZE, SIZE, 3), np.uint8), cameras, "x", "known")


def test_known_targets_keep_the_given_views_in_the_order_of_the_split():
    poses = look_at_origin(np.linspace(5, 12, 14), np.linspace(-40, 40, 14), 3.0)
    order = (9, 0, 4)  # the split file's order; the first is the origin, whether near or not
    targets = posed(poses[[i for i in range(14) if i not in order]])
    scene = add_truth(Scene(tuple(view(poses[i]) for i in order), "views"), targets)
    published = plan(scene, targets.path, Settings())
    assert [run.pictures for run in published.runs] == [(0, 1, 2)] * 2
    assert [[made for made in run.makes if made >= 0] for run in published.runs] == [
        [*range(9)],
        [9, 10, 0, 1, 2, 3, 4, 5, 6],
    ]
    origin = published.runs[0].cameras.world_from_camera[published.runs[0].given[0]]
    np.testing.assert_array_equal(origin, poses[9])
    nearest = plan(scene, targets.path, Settings(known_targets="as any path"))
    assert nearest.runs[0].pictures == (2, 0, 1), "the nearest view comes first"
    moved = plan(scene, targets.path.scaled(1.2), Settings())
    assert moved.runs[0].pictures == (2, 0, 1), "another path is grouped as any"


def test_trajectories_drop_what_fills_no_group_unless_asked(views):
    path = METHOD.path(moves(move="spline", frames=40), views)
    published = plan(views, path, Settings(per_trajectory=20))
    assert len(published.runs) == 4 and len(published.path) == 36 and "4 of the path's frames" in published.notes[1]
    covered = plan(views, path, Settings(per_trajectory=20, cover_trajectories=True))
    assert len(covered.runs) == 6 and len(covered.path) == 40


def test_one_lens_for_all_is_an_option(views):
    path = METHOD.path(moves(move="spline", focal=2.0), views)
    for one in (False, True):
        run = plan(views, path, Settings(original_lens=one)).runs[0]
        assert (len(np.unique(run.cameras.intrinsics[:, 0, 0])) == 1) is one


def test_what_cannot_be_shot_is_refused(still):
    path = METHOD.path(moves(), still)
    with pytest.raises(InputError, match="multiples of 64"):
        METHOD.check(still, path.resized(100, 100), Settings())
    with pytest.raises(InputError, match="fit one to the other"):
        METHOD.check(still, path.resized(128, 128), Settings())
    clip = Scene(still.views * 12, "clip")
    with pytest.raises(InputError, match="start of 12 frames"):
        METHOD.check(clip, path, Settings(start_strength=0.5, more_views=True))
    with pytest.raises(InputError, match="still scene"):
        METHOD.check(still, METHOD.path(moves(frames=49), still), Settings(more_views=True, mode="4D"))


def test_lines_say_what_a_person_should_know(still):
    path = METHOD.path(moves(), still)
    assert any("256 x 256" in line for line in METHOD.check(still, path, Settings()))
    assert any("path is not used" in line for line in METHOD.check(still, path, Settings(mode="video")))


def test_the_estimate_grows_with_the_groups(still):
    short, long = (METHOD.path(moves(frames=n), still) for n in (12, 81))
    settings = Settings(more_views=True)
    assert METHOD.estimate(long, settings).seconds == pytest.approx(10 * METHOD.estimate(short, settings).seconds)


@pytest.mark.parametrize("mode", ["3D", "4D"])
def test_every_memory_mode_is_computed_to_stay_below_twelve_gigabytes(mode):
    whole = Scene((view().fitted(256, 256),))
    needs = METHOD.estimate(METHOD.path(Moves(), whole), Settings(mode=mode)).gigabytes
    assert max(needs.values()) == needs["full"] < 12
    assert "Computed, not measured" in METHOD.estimate(METHOD.path(Moves(), whole), Settings()).basis


def test_the_record_is_light():
    code = "import sys, pipelines.methods.genxd.method; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_intrinsics_by_hand(still):
    path = METHOD.path(moves(focal=1.0938), still)
    np.testing.assert_allclose(path.intrinsics[0], [[1.0938 * SIZE, 0, 31.5], [0, 1.0938 * SIZE, 31.5], [0, 0, 1]])
    assert isinstance(path, CameraPath) and np.allclose(
        inverse(path.world_from_camera) @ path.world_from_camera, np.eye(4)
    )
