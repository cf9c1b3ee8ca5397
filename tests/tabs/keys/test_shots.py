"""Shots in the page: a list with an editor's objections, and files of the whole sequence."""

from __future__ import annotations

from pathlib import Path

import opentimelineio as otio
import pytest
from gradio_client.exceptions import AppError
from PIL import Image

from camera.errors import InputError
from camera.sequence.shots import Shot
from camera.trajectories import film_script
from examples import load
from pipelines.media.video import probe
from pipelines.project.file import read_project
from tabs.keys.shots import EMPTY, add_shot, describe_shots, reorder_in_project, reorder_shots, summarise_sequence
from tabs.project.project import Project
from tests.tabs.visitor import Visitor

SCENE = load("reading_room").fitted(160, 96)


def shot(name: str, moves: str) -> Shot:
    return Shot(name, film_script.path_of(moves, SCENE.first, frames=5))


def test_the_list_says_where_each_shot_begins_and_what_is_wrong_at_a_cut():
    shots = (shot("Wide", "hold"), shot("Ag*ain", "hold"), shot("Round", "arc 60"))
    words = summarise_sequence(SCENE, shots, "not watched")
    assert "2. **Ag\\*ain**: 5 frames, 0.2 s, 32 mm, from 0.2 s" in words
    assert "Cut 1: A jump cut" in words and "crosses the line" not in words
    turned = reorder_shots(shots, "3, 1")
    assert [each.name for each in turned] == ["Round", "Wide"]
    left, right = shot("Left", "arc -40; hold"), shot("Right", "arc 40; hold")
    ends = tuple(Shot(each.name, each.path.sliced(slice(-1, None))) for each in (left, right))
    assert "crosses the line" in summarise_sequence(SCENE, ends, "into the picture")
    for wrong in ("", "4", "0", "one"):
        with pytest.raises(InputError, match="numbers from 1 to 3"):
            reorder_shots(shots, wrong)


def test_shots_become_an_animatic_a_sheet_a_timeline_and_an_edl(gen3c_alone, tmp_path):
    client = Visitor(gen3c_alone, tmp_path)
    with pytest.raises(AppError, match="choose an example"):
        client.predict("Early", "not watched", api_name="/add_shot")
    client.predict("reading_room", api_name="/gen3c_open_example")
    small: dict = {"frames": 9, "width": 128, "height": 128}
    for moves, name in (("truck 0.1", "Wide"), ("arc 40", "Round")):
        client.predict(moves_from="Film moves", film_moves=moves, **small, api_name="/gen3c_draw")
        words = client.predict(name, "not watched", api_name="/add_shot")
    assert words.startswith("1. **Wide**: 9 frames") and "2. **Round**" in words
    video = _file(client.predict(api_name="/animatic"))
    assert probe(video).frames == 18
    sheet = Image.open(_file(client.predict(api_name="/contact_sheet")))
    assert sheet.width == 960
    timeline = otio.adapters.read_from_file(str(_file(client.predict(api_name="/otio"))))
    assert [clip.name for clip in timeline.find_clips()] == ["Wide", "Round"]
    edl = _file(client.predict(api_name="/edl")).read_text()
    assert "00:00:00:09 00:00:00:18" in edl
    words = client.predict("2", "not watched", api_name="/reorder_shots")
    assert words.startswith("1. **Round**") and "Wide" not in words
    saved = read_project(_file(client.predict(api_name="/save_project")))
    assert [(each.name, len(each.path)) for each in saved.shots] == [("Round", 9)]
    client.predict("lighthouse", api_name="/gen3c_open_example")


def test_shots_are_undone_and_go_with_the_scene_that_they_were_of():
    project = Project().opened(load("reading_room"), example="reading_room")
    before = project
    project, words, _ = add_shot(project, "Wide", "not watched")
    project, words, _ = add_shot(project, "", "not watched")
    assert "2. **Shot 2**" in words and project.history.past[-1].name == "add shot 2"
    swapped, words, _ = reorder_in_project(project, "2", "not watched")
    assert words.startswith("1. **Shot 2**") and "Wide" not in words
    assert swapped.undone().content.shots == project.content.shots
    assert describe_shots(swapped.undone().undone().undone(), "not watched") == EMPTY
    assert before.content.shots == () and project.opened(load("lighthouse")).content.shots == ()


def _file(answer) -> Path:
    value = answer["value"] if isinstance(answer, dict) and "value" in answer else answer
    return Path(value["video"] if isinstance(value, dict) else value)
