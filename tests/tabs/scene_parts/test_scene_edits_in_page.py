"""Scene edits in the page: parts are selected, changed, undone and saved with the project; likewise masks and a second capture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import gradio as gr
import numpy as np
import pytest

from camera.errors import InputError
from camera.view import Scene, View
from examples import load
from pipelines.project.file import content_of, read_project, save_project
from pipelines.project.framing import losses
from pipelines.registry import method
from pipelines.results.record import scene_sha256
from tabs.project.project import Project
from tabs.scene_parts import captures
from tabs.scene_parts.section import (
    BOX,
    CLICK,
    Selection,
    _changing,
    choose_by_mask,
    choose_part,
    clicked,
    drawn,
    painted,
)
from tabs.shared.project_file import project_content
from tabs.shared.rehearsal import moving_in_frame
from tests.camera.test_scene_parts import HEIGHT, WIDTH, red, view_from


@pytest.fixture
def project() -> Project:
    return Project().opened(Scene((view_from(),), unit="metres", name="board"), example="reading_room")


def at(x: float, y: float) -> gr.SelectData:
    return gr.SelectData(None, {"index": [x, y], "value": None})


def middle() -> tuple[float, float]:
    rows, columns = np.nonzero(red(view_from()))
    return float(columns.mean()), float(rows.mean())


def test_a_click_in_the_shown_picture_and_two_corners_choose_the_same_thing(project):
    _, picture, _ = drawn(project)
    assert picture.shape == (HEIGHT, WIDTH, 3)
    one, tinted, words = clicked(project, Selection(), CLICK, 0, at(*middle()))
    assert (one.mask == red(view_from())).mean() > 0.99 and "is chosen" in words
    beyond = cv2.dilate(one.mask.view(np.uint8), np.ones((3, 3), np.uint8)) == 0
    assert (tinted[one.mask] != picture[one.mask]).any() and (tinted[beyond] == picture[beyond]).all()
    assert (tinted[~beyond & ~one.mask] == 255).all()
    half, _, words = clicked(project, Selection(), BOX, 0, at(60, 30))
    assert half.mask is None and "other corner" in words
    two, *_ = clicked(project, half, BOX, 0, at(130, 124))
    np.testing.assert_array_equal(one.mask, two.mask)


def test_a_mask_file_and_painting_choose_too(project, tmp_path):
    mask = np.zeros((HEIGHT * 2, WIDTH * 2), np.uint8)
    mask[40:80, 100:140] = 255
    cv2.imwrite(str(tmp_path / "m.png"), mask)
    chosen, *_ = choose_by_mask(project, str(tmp_path / "m.png"))
    assert chosen.mask[30, 60] and chosen.mask.sum() == 400
    layer = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    layer[20:40, 50:70, 3] = 255
    chosen, *_ = painted(project, {"layers": [layer]})
    assert chosen.mask.sum() == 400
    with pytest.raises(InputError, match="Nothing is painted"):
        painted(project, {"layers": []})


def test_an_edit_is_undone_saved_and_seen_by_every_method(project, tmp_path):
    chosen, *_ = choose_part(project, *middle())
    after, words, status, _ = _changing("move")(project, chosen, 0.15)
    assert "Undo reverts it" in words and "edited by parts" in status and after.content.example == ""
    assert after.history.past[-1].name == "move a part" and after.undone().content is project.content
    content, notes = content_of(read_project(save_project(tmp_path / "p.zip", project_content(after))))
    assert not notes and scene_sha256(content.scene) == scene_sha256(after.scene) and len(content.scene.others) == 1
    for name in ("gen3c", "genxd", "dimensionx"):
        framed = after.seen_by(name).framing.scene
        assert red(framed.first).any() and not np.array_equal(
            framed.first.colour, project.seen_by(name).framing.scene.first.colour
        )
    assert any("does not receive them" in line for line in losses(after.scene, method("gen3c")))


def test_nothing_is_changed_without_a_part_or_a_way(project):
    with pytest.raises(InputError, match="Choose a part"):
        _changing("remove")(project, Selection())
    chosen, *_ = choose_part(project, *middle())
    with pytest.raises(InputError, match="how far"):
        _changing("duplicate")(project, chosen)


def test_masks_of_a_clip_are_kept_saved_and_brought_into_the_methods_frame(tmp_path):
    train = load("toy_train")
    project = Project().opened(replace(train, views=train.views[:3]))
    files = []
    for number in range(3):
        mask = np.zeros((train.first.height, train.first.width), np.uint8)
        mask[:, : train.first.width // 2] = 255
        files.append(str(tmp_path / f"{number}.png"))
        cv2.imwrite(files[-1], mask)
    with pytest.raises(InputError, match="needs a mask, got 2"):
        captures.set_moving_masks(project, files[:2])
    project, words, _ = captures.set_moving_masks(project, files)
    assert "3 masks" in words and project.history.past[-1].name == "mask moving parts"
    framed = project.framing.scene
    masks = moving_in_frame(project, framed)
    assert (
        masks.shape == (3, framed.first.height, framed.first.width)
        and 0.4 < masks.mean() < 0.6
        and masks[:, :, 0].all()
    )
    content, _ = content_of(read_project(save_project(tmp_path / "p.zip", project_content(project))))
    np.testing.assert_array_equal(content.moving, project.content.moving)
    assert captures.set_moving_masks(project, None)[0].content.moving is None
    assert project.opened(train).content.moving is None


def test_a_second_capture_is_an_edit_of_the_scene(monkeypatch):
    train = load("toy_train").fitted(320, 192)
    first, second = (replace(train, views=views) for views in (train.views[:1], train.views[8:10]))
    monkeypatch.setattr("pipelines.inputs.open.read_second", lambda files: (second, "As given."))
    project = Project().opened(replace(first, kind="still"))
    after, words, *_ = captures.add_capture(project, [str(Path(__file__))])
    assert "registered by" in words and len(after.scene.others) == 2 and isinstance(after.scene.others[0], View)
    assert after.history.past[-1].name == "add a second capture"
    with pytest.raises(InputError, match="first capture"):
        captures.add_capture(Project(), ["x"])
