"""Coarse renders with objects: occlusion, foreground masks, cutouts, light, normals, views all round."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh

from camera.errors import InputError
from camera.objects.model import read_model
from camera.objects.scene import Key, Placement, SceneObject, stage_objects
from camera.path import CameraPath, pinhole
from camera.view import FAR, Scene, View
from pipelines.methods.i2v3d.method import BESIDE_CAMERA, CUT_OUT, NO_PICTURE, I2V3DSettings
from pipelines.methods.i2v3d.scene.coarse import CoarseFrame, CoarseRenders, render_frames, render_path
from pipelines.methods.i2v3d.subject.data import render_views

WIDTH, HEIGHT = 96, 64
FOX = Path(__file__).parents[4] / "examples" / "fox" / "fox.glb"


@pytest.fixture(scope="module")
def cube():
    """A red cube of size 1."""
    box = trimesh.creation.box()
    box.visual = trimesh.visual.ColorVisuals(box, vertex_colors=np.tile([[200, 0, 0, 255]], (8, 1)))
    return read_model(box.export(file_type="glb"), "cube.glb")


@pytest.fixture
def wall() -> Scene:
    """A green wall at depth 4 with a blue board in front of it, at depth 2, in the middle of the picture."""
    colour = np.full((HEIGHT, WIDTH, 3), (0, 150, 0), np.uint8)
    depth = np.full((HEIGHT, WIDTH), 4.0, np.float32)
    colour[20:44, 36:60], depth[20:44, 36:60] = (0, 0, 250), 2.0
    return Scene((View.of(colour, depth, pinhole(WIDTH, HEIGHT, 60)),))


def path(frames: int = 3) -> CameraPath:
    poses = np.repeat(np.eye(4)[None], frames, axis=0)
    poses[:, 0, 3] = np.linspace(0, 0.2, frames)
    return CameraPath(poses, pinhole(WIDTH, HEIGHT, 60), WIDTH, HEIGHT)


def one(scene, settings=None, frame: int = 0, **options) -> CoarseFrame:
    settings = settings or I2V3DSettings(foreground="objects")
    (made,) = render_frames(scene, path(), settings, frames=range(frame, frame + 1), **options)
    return made


def put(scene, model, *places: Placement, **facts):
    keys = tuple(Key(index / max(len(places) - 1, 1), place) for index, place in enumerate(places))
    return stage_objects(scene, [SceneObject(model, keys, **facts)])


def test_an_object_is_before_what_lies_behind_it_and_behind_what_lies_before_it(wall, cube):
    unit = stage_objects(wall).distance  # distance of the subject: the board and the wall around it
    for ahead, shown in ((1.5, True), (3.0, False)):
        made = one(put(wall, cube, Placement(0, -0.125, ahead / unit, size=0.5 / unit)))
        assert (made.colour[32, 48].tolist() == [200, 0, 0]) == shown
        assert made.depth[32, 48] == pytest.approx(1.25 if shown else 2.0, rel=1e-3)
        assert made.foreground[32, 48] == shown and made.visible.all() and not made.foreground[5, 5]


def test_an_object_moves_through_the_video(wall, cube):
    scene = put(wall, cube, Placement(-0.3, 0, 0.4, size=0.1), Placement(0.3, 0, 0.4, size=0.1))
    columns = [np.nonzero(one(scene, frame=frame).foreground)[1].mean() for frame in (0, 1, 2)]
    assert columns[0] < columns[1] - 10 < columns[2] - 20


def test_without_its_foreground_the_picture_goes_on_behind_and_is_invented(wall, cube):
    settings = I2V3DSettings(background=CUT_OUT, foreground="objects", foreground_reach=0.9)
    wide = replace(settings, foreground_reach=0.6 * 4 / wall.first.focus_depth)
    made = one(wall, wide)
    assert made.colour[32, 48].tolist() == [0, 150, 0] and made.depth[32, 48] == pytest.approx(4.0, rel=1e-3)
    assert not made.visible[32, 48] and made.visible[5, 5] and not made.foreground.any()
    with_object = one(put(wall, cube, Placement(0, 0, 1.0, size=0.1)), wide)
    assert with_object.visible[with_object.foreground].all() and with_object.foreground.any()
    with pytest.raises(InputError, match="Nothing is left"):
        one(wall, replace(wide, foreground_reach=9.0))


def test_objects_alone_lie_on_nothing(wall, cube):
    settings = I2V3DSettings(background=NO_PICTURE)
    made = one(put(wall, cube, Placement(0, 0, 1.0, size=0.2)), settings)
    assert np.array_equal(made.visible, made.foreground) and 0 < made.visible.mean() < 0.5
    assert not made.colour[~made.visible].any() and (made.depth[~made.visible] == FAR).all()
    with pytest.raises(InputError, match="nothing to render"):
        one(wall, settings)


def test_light_falls_on_objects_and_leaves_the_picture_alone(wall, cube):
    scene = put(wall, cube, Placement(0, -0.05, 0.5, turn=40, size=0.2))
    plain, lit = (one(scene, I2V3DSettings(light=light, ambient=0.1)) for light in ("as painted", BESIDE_CAMERA))
    front = (plain.colour == [200, 0, 0]).all(axis=2)
    assert np.array_equal(plain.colour[~front], lit.colour[~front])
    assert lit.colour[front][:, 0].max() < 199 and len(np.unique(lit.colour[front][:, 0])) > 1


def test_normals_are_those_of_wall_and_object(wall, cube):
    scene = put(wall, cube, Placement(0, -0.05, 0.4, size=0.1))
    made = one(scene, normals=True)
    assert made.normal[5, 5] == pytest.approx([0, 0, -1], abs=1e-3)
    assert made.normal[32, 48] == pytest.approx([0, 0, -1], abs=1e-3) and made.foreground[32, 48]
    *_, whole = render_path(scene, path(), I2V3DSettings(), normals=True)
    assert isinstance(whole, CoarseRenders) and whole.normal is not None
    assert whole.normal.shape == (3, HEIGHT, WIDTH, 3) and whole.normal[0, 5, 5].tolist() == [128, 128, 255]


def test_a_character_walks_in_its_own_time(wall):
    fox = read_model(FOX.read_bytes(), FOX.name)
    place = Placement(0, -0.2, 0.6, size=0.4)
    walking, standing, faster = (
        put(wall, fox, place, **facts) for facts in ({"animation": "walk"}, {}, {"animation": "walk", "speed": 2.0})
    )
    shifted = walking.surfaces(2, 3, 24)[0].vertices
    assert np.array_equal(faster.surfaces(1, 3, 24)[0].vertices, shifted)
    assert not np.array_equal(standing.surfaces(1, 3, 24)[0].vertices, shifted)


def test_a_subject_made_of_objects_is_learnt_from_all_sides(wall):
    scene = put(wall, read_model(FOX.read_bytes(), FOX.name), Placement(0.4, -0.3, 0.8, turn=25, size=0.5))
    views = render_views(scene, I2V3DSettings(), 64)
    assert views.pictures.shape == (6, 64, 64, 3)
    shares = (views.masks == 255).mean(axis=(1, 2))
    assert (shares > 0.05).all() and (shares < 0.6).all()
    for mask in views.masks:  # whole, and in the middle
        assert not mask[[0, -1]].any() and not mask[:, [0, -1]].any()
    assert not views.pictures[views.masks == 0].any()
    assert np.abs(views.pictures[0].astype(int) - views.pictures[3]).mean() > 2  # front and back
