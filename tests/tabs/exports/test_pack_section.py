"""The control pack and the scene's file as made by the page."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from camera.errors import InputError
from camera.formats import read
from camera.formats.account import Account
from examples import load
from pipelines import method
from pipelines.project.content import FILM_MOVES, MoveSource
from tabs.exports.pack import ANY, NOTHING_YET, make_pack, make_scene_file, preflight_words
from tabs.project.project import Project


@pytest.fixture(scope="module")
def project() -> Project:
    made = Project().opened(load("reading_room"), example="reading_room")
    made = made.with_moves(method("gen3c").moves(frames=9, width=160, height=96))
    return made.with_source(MoveSource(moves_from=FILM_MOVES, film_moves="arc 8"))


def zooming(project: Project) -> Project:
    return project.with_source(replace(project.content.source, film_moves="zoom 1.5"))


def test_the_preflight_says_of_every_model_what_it_loses(project):
    text = preflight_words(project)
    assert "9 frames of 160 x 96" in text and text.count("\n- ") == 6
    assert "ReCamMaster** cannot shoot this: it re-shoots a video" in text
    assert "does not support zoom" in preflight_words(zooming(project), "sana-wm")
    assert preflight_words(Project()) == NOTHING_YET


def test_the_pack_holds_the_move_of_the_page_and_a_model_that_cannot_is_refused(project):
    *_, made = make_pack(project, ANY)
    with zipfile.ZipFile(made) as archive:
        names = archive.namelist()
        path = read("camera_path.json", archive.read("cameras/camera_path.json"))
    assert "warped/0008.png" in names and "warped/0009.png" not in names and "README.md" in names
    assert abs(path.world_from_camera - project.ready()[1].world_from_camera).max() < 1e-6
    with pytest.raises(InputError, match="does not support zoom"):
        list(make_pack(zooming(project), "wan-fun-camera"))


@pytest.mark.parametrize("kind", [".glb", ".html"])
def test_scene_and_camera_leave_as_one_file(project, kind):
    made = make_scene_file(project, kind)
    assert made.endswith(f"scene_and_camera{kind}")
    if kind == ".glb":
        path = read(made, Path(made).read_bytes(), like=project.ready()[1], account=Account(made))
        assert abs(path.centres - project.ready()[1].centres).max() < 1e-5
    with pytest.raises(InputError, match="Choose one of"):
        make_scene_file(project, ".fbx")
