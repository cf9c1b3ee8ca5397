"""Answers to the timeline's queries about a scene, without a page."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from camera.editing.commands import write_camera
from camera.errors import InputError
from camera.objects.model import read_models
from camera.objects.scene import Key, new_object, stage_objects
from examples import EXAMPLES, load
from pipelines import method
from pipelines.project.content import FILM_MOVES, MoveSource
from pipelines.project.look import exposure_of
from tabs.keys import edits, scene_queries
from tabs.project.project import Project

METHOD = method("gen3c")
MOVES = METHOD.moves(frames=9, width=160, height=96)


@pytest.fixture(scope="module")
def project() -> Project:
    source = MoveSource(moves_from=FILM_MOVES, film_moves="truck 0.4")
    return Project().opened(load("reading_room")).with_moves(MOVES).with_source(source)


def test_what_is_under_a_place_of_the_picture_is_a_point_that_the_camera_sees_there(project):
    _, path = project.ready()
    camera = path.sliced(slice(4, 5))
    asked = {"do": "pick", "x": 0.5, "y": 0.6, "frame": 4, "camera": write_camera(camera)}
    point = np.array(scene_queries.answer_query(project, asked)["target"])
    local = camera.camera_from_world[0] @ [*point, 1]
    pixel = camera.intrinsics[0] @ local[:3] / local[2]
    np.testing.assert_allclose(pixel[:2], [80, 57], atol=0.51)
    with pytest.raises(InputError, match="outside the picture"):
        scene_queries.answer_query(project, {**asked, "x": 1.5})
    with pytest.raises(InputError, match="Click on the picture"):
        scene_queries.answer_query(project, {**asked, "y": None})


def test_what_no_picture_saw_is_shown_from_above(project):
    found = scene_queries.answer_query(project, {"do": "coverage", "chosen": [1]})
    places = np.array(found["unseen"])
    assert found["chosen"] == (1,)
    assert (
        10 < len(places) <= scene_queries.MOST_UNSEEN
        and (places[:, 1] > 0).mean() > 0.9
        and "One more picture" in found["status"]
    )


def test_warnings_name_the_frames_and_the_move_is_fitted_to_the_scene(project):
    found = scene_queries.answer_query(project, {"do": "check"})
    assert found["warnings"]["new"][0] < 0.05 < max(found["warnings"]["new"]) and "frame 9" in found["status"]
    fitted, more = edits.apply_edit(project, {"do": "limit", "new_share": 0.1}, None)
    assert "what is new" in more["status"] and fitted.history.past[-1].name == "fit to the scene"
    after = scene_queries.answer_query(fitted, {"do": "check"})
    assert max(after["warnings"]["new"]) < 0.12
    with pytest.raises(InputError, match="at least one limit"):
        edits.apply_edit(project, {"do": "limit"}, None)


def test_a_move_is_said_as_film_text_and_a_walk_becomes_keys(project):
    words = scene_queries.answer_query(project, {"do": "words"})
    assert words["film"].startswith("truck 0.4") and "degrees" in words["status"]
    _, path = project.ready()
    cameras = [write_camera(path.sliced(slice(frame, frame + 1))) for frame in range(9)]
    asked = {"do": "record", "cameras": cameras, "times": [frame / 8 for frame in range(9)], "smooth": 0}
    walked, more = edits.apply_edit(project, asked, None)
    assert walked.track is not None and len(walked.track.keys) == 2 and more["status"].startswith("2 keys")
    drawn = walked.ready()[1]
    np.testing.assert_allclose(drawn.centres, path.centres, atol=5e-3)
    with pytest.raises(InputError, match="is incomplete"):
        edits.apply_edit(project, {"do": "record", "cameras": cameras}, None)


def test_a_target_on_an_object_goes_along_with_it(project):
    fox = next(example.mesh for example in EXAMPLES if example.mesh)
    scene = stage_objects(load("reading_room"))
    start = replace(scene.standing_place(), size=0.5)
    keys = (Key(0.0, start), Key(1.0, replace(start, right=start.right + 0.3)))
    staged = scene.with_objects([replace(new_object(read_models({fox.name: fox.read_bytes()}), start), keys=keys)])
    i2v3d = Project(method="i2v3d").opened(staged).with_moves(method("i2v3d").moves(frames=9, width=160, height=96))
    i2v3d, _ = edits.apply_edit(i2v3d, {"do": "append", "camera": write_camera(staged.first.camera)}, None)
    surfaces = np.concatenate([each.vertices for each in staged.surfaces(0, 9, 24)])
    middle = surfaces.mean(axis=0)
    local = staged.first.camera.camera_from_world[0] @ [*middle, 1]
    x, y = ((staged.first.intrinsics @ local[:3]) / local[2])[:2] / [staged.first.width, staged.first.height]
    asked = {"do": "pick", "x": x, "y": y, "frame": 0, "camera": write_camera(staged.first.camera)}
    picked = scene_queries.answer_query(i2v3d, asked)
    assert picked["object"] == {"number": 0, "share": 0.0} and "moves with its object" in picked["status"]
    target = {"point": picked["target"], "object": picked["object"]}
    moved, _ = edits.apply_edit(i2v3d, {"do": "follow", **target}, None)
    way = staged.world_from_stage[:3, 0] * 0.3
    first, last = (key.camera.centres[0] for key in moved.track.keys)
    before = [key.camera.centres[0] for key in i2v3d.track.keys]
    np.testing.assert_allclose(first, before[0], atol=1e-9)
    np.testing.assert_allclose(last - before[1], way, atol=1e-9)
    looking, _ = edits.apply_edit(i2v3d, {"do": "look_at", **target}, None)
    camera = looking.track.keys[1].camera
    seen = camera.camera_from_world[0][:3, :3] @ (np.array(picked["target"]) + way - camera.centres[0])
    np.testing.assert_allclose(
        (camera.intrinsics[0] @ seen / seen[2])[:2], np.array([camera.width, camera.height]) / 2 - 0.5, atol=0.01
    )
    still = {**asked, "x": 0.2, "y": 0.85}
    assert scene_queries.answer_query(i2v3d, still)["object"] is None
    with pytest.raises(InputError, match="does not move"):
        edits.apply_edit(i2v3d, {"do": "follow", "point": [0.0, 0.0, 3.0]}, None)


def test_lens_and_shutter_are_changed_focused_by_a_click_and_undone(project):
    open_lens, more = edits.apply_edit(project, {"do": "look", "aperture": 0.5, "shutter": 90, "chosen": [1]}, None)
    assert more["chosen"] == (1,)
    assert "f/0.5" in more["status"] and open_lens.history.past[-1].name == "change Aperture (f-stop) and Shutter angle"
    scene, path = open_lens.ready()
    assert path is project.ready()[1]  # the move is unchanged
    asked = {"do": "focus", "x": 0.5, "y": 0.6, "frame": 4, "camera": write_camera(path.sliced(slice(4, 5)))}
    focused, _ = edits.apply_edit(open_lens, asked, None)
    point = scene_queries.answer_query(project, {**asked, "do": "pick"})["target"]
    exposure = exposure_of(focused.content.look, scene)
    assert (
        exposure is not None
        and exposure.point is not None
        and exposure.f_stop == 0.5
        and exposure.shutter_degrees == 90
    )
    np.testing.assert_allclose(exposure.point, point, atol=1e-4)
    depth = (path.camera_from_world[:, 2, :3] @ point) + path.camera_from_world[:, 2, 3]
    np.testing.assert_allclose(exposure.focus_of(path), depth, atol=1e-3)
    again, _ = edits.apply_edit(focused, {"do": "look", "aperture": 0.5}, None)
    assert again is focused  # nothing changed, nothing to undo
    assert focused.undone().content.look == open_lens.content.look and project.content.look.is_off
    with pytest.raises(InputError, match="Focus is a distance"):
        edits.apply_edit(project, {"do": "look", "focus": "there"}, None)
