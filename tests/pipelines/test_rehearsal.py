"""The rehearsal: a real video of the real cache, with new areas counted, shown or mapped; cancelling leaves nothing behind."""

from typing import Any, cast

import numpy as np
import pytest
import trimesh

from camera.objects.model import read_model
from camera.objects.scene import Key, Placement, SceneObject, stage_objects
from camera.path import CameraPath, pinhole
from camera.view import Scene, View
from pipelines.media.video import probe, read_video
from pipelines.rehearsal import HOLE_COLOUR, Viewfinder, rehearse, warm_up


@pytest.fixture(scope="module")
def scene() -> Scene:
    """A bright square in front of a wall."""
    rows, columns = np.indices((72, 128))
    near = (abs(rows - 36) < 18) & (abs(columns - 64) < 18)
    colour = np.where(near[..., None], np.uint8([250, 200, 60]), np.uint8([40, 90, 120])).astype(np.uint8)
    return Scene((View.of(colour, np.where(near, 1.0, 3.0), pinhole(128, 72, 60)),))


@pytest.fixture(scope="module")
def path(scene) -> CameraPath:
    poses = np.repeat(np.eye(4)[None], 9, axis=0)
    poses[:, 0, 3] = np.linspace(0, 0.3, 9)
    return CameraPath(poses, scene.first.intrinsics, 128, 72, 8)


@pytest.mark.parametrize("renderer", ["mesh", "splat", "zbuffer"])
def test_the_video_has_every_frame_and_new_parts_grow(scene, path, tmp_path, renderer):
    *progress, done = rehearse(scene, path, tmp_path / "r.mp4", renderer=renderer)
    assert [step.step for step in progress] == list(range(1, 10))
    assert probe(done.video).frames == 9
    assert done.holes[0] < 0.02 < done.holes[-1] and "most in frame 9" in done.summary


def test_holes_are_shown_mapped_or_filled(scene, path, tmp_path):
    last = {}
    for holes in ("shown", "map", "filled"):
        *_, done = rehearse(scene, path, tmp_path / f"{holes}.mp4", holes=holes)
        last[holes] = read_video(done.video)[0][-1].astype(int)
    new = last["map"].mean(axis=2) > 200
    assert new.mean() == pytest.approx(done.holes[-1], abs=0.03)
    assert np.abs(last["shown"][new] - HOLE_COLOUR).mean() < 40
    assert np.abs(last["filled"][new] - [40, 90, 120]).mean() < 30, "filled from the wall, not from the square"


def test_cancelling_leaves_no_file(scene, path, tmp_path):
    steps = rehearse(scene, path, tmp_path / "r.mp4")
    next(steps)
    steps.close()
    assert list(tmp_path.iterdir()) == []


def test_rehearsals_take_turns_and_those_of_one_folder_are_one_visitors(scene, path, tmp_path):
    files = [tmp_path / "a" / "0.mp4", tmp_path / "a" / "1.mp4", tmp_path / "b" / "0.mp4"]
    first, second, other = (cast(Any, rehearse(scene, path, file)) for file in files)
    for folder in "ab":
        (tmp_path / folder).mkdir()
    assert next(first).phase == "Rehearsing"
    assert next(second).note == "1 before this one" and "Waiting" in next(other).phase
    first.close()
    assert next(second).note == "1 before this one", "the other visitor has had nothing yet"
    assert [step.step for step in list(other)[:-1]] == list(range(1, 10))
    assert next(second).phase == "Rehearsing"
    second.close()


def test_leaving_the_scene_is_said(scene, path, tmp_path):
    away = path.with_poses(path.world_from_camera @ np.diag([-1.0, 1, -1, 1]))
    *_, done = rehearse(scene, away, tmp_path / "r.mp4")
    assert "leaves the scene behind" in done.summary


def test_the_viewfinder_sees_what_the_path_sees(scene, path):
    finder = Viewfinder(scene, path)
    picture, holes = finder.see(path.sliced(slice(0, 1)))
    assert picture.shape == (72, 128, 3) and holes < 0.05
    assert np.abs(picture.astype(int) - scene.first.colour).mean() < 8


def test_the_viewfinder_sees_what_moves_where_it_is_by_then(scene, path):
    ball = read_model(trimesh.creation.icosphere(2).export(file_type="ply"), "ball.ply")
    way = (Key(0, Placement(-0.3, -0.1, 0.6, size=0.2)), Key(1, Placement(0.3, -0.1, 0.6, size=0.2)))
    finder, last = Viewfinder(stage_objects(scene, [SceneObject(ball, way)]), path), len(path) - 1
    empty = Viewfinder(scene, path).see(path.sliced(slice(0, 1)))[0].astype(int)
    seen = [finder.see(path.sliced(slice(0, 1)), frame=frame)[0] for frame in (0, last, 10**6)]
    columns = [np.nonzero(np.abs(picture - empty).max(axis=2) > 30)[1].mean() for picture in seen]
    assert columns[0] + 20 < columns[1] == columns[2]


def test_warming_up_leaves_nothing_to_compile(scene, path, tmp_path):
    from pipelines.media import yuv

    warm_up()
    before = len(yuv.fill_planes.signatures)
    list(rehearse(scene, path, tmp_path / "r.mp4"))
    assert before == len(yuv.fill_planes.signatures) > 0
