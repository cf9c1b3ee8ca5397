"""A user edits a move of keys in a real browser: by pointer, by keyboard, by numbers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from gradio_client.exceptions import AppError
from playwright.sync_api import Page, expect

from camera.editing import commands, saved
from camera.editing.keys import Key, KeyedMove, Tangent, key_every_frame
from camera.editing.track import path_of
from camera.formats import read
from camera.path import CameraPath
from camera.trajectories.keyframes import EASINGS, Curve
from examples import load
from pipelines import method
from tabs.browser.timeline import component
from tabs.keys.edits import trained_range
from tests.tabs.visitor import Visitor


@pytest.fixture
def page(visit, gen3c_alone):
    """A page with the first example open and its move converted to keys; later requests of stage and timeline are in
    ``page.asked``."""
    page = visit(1440, 900, at=gen3c_alone)
    page.locator("#examples button").first.click()
    expect(page.locator("#stage figcaption")).to_contain_text("Frame 1:")
    page.get_by_label("Keyframes").locator("visible=true").first.check()
    expect(page.locator(".timeline")).to_have_class("timeline keyed")
    expect(page.locator("#stage figcaption")).to_contain_text("Frame 1:")
    page.asked = []
    page.on(
        "request", lambda request: page.asked.append(request) if '"event_data":{' in (request.post_data or "") else None
    )
    return page


def keys(page: Page):
    return page.locator(".tl-key-mark")


def said(page: Page, words: str) -> None:
    expect(page.locator(".tl-status")).to_contain_text(words)


def flown(page: Page, letters: str) -> None:
    eye = page.locator("#stage .stage-eye")
    eye.focus()
    for letter in letters:
        eye.press(letter)


def downloaded(page: Page, tmp_path):
    page.get_by_text("Download the path").locator("visible=true").click()
    page.get_by_role("button", name="Make the file").locator("visible=true").click()
    with page.expect_download() as download:
        page.locator("#path-file a[download]").first.click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    return read(file.name, file.read_bytes())


def test_a_move_of_five_keys_is_edited_by_pointer_keyboard_and_numbers(page, tmp_path):
    seen = []
    for count, letters in enumerate(("ddd", "www", "aaa", "zzz"), start=2):
        flown(page, letters)
        seen.append(page.evaluate("document.querySelector('#stage .stage').stage.camera()"))
        asked = len(page.asked)
        assert asked == count - 2, "flying asks nothing"
        page.get_by_role("button", name="Add at the end").click()
        expect(keys(page)).to_have_count(count)
        said(page, f"Add key {count}")
    # dragged by half of the strip's quarter, in whole frames
    row, third = page.locator(".tl-keys").bounding_box(), keys(page).nth(2).bounding_box()
    assert row and third
    x, y = third["x"] + third["width"] / 2, third["y"] + third["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + row["width"] / 10, y, steps=4)
    page.mouse.up()
    said(page, "Retime key 3")
    page.get_by_label("pan in °").fill("12.5")
    page.get_by_label("pan in °").press("Enter")
    said(page, "Pan of key 3")
    keys(page).nth(3).click()
    page.keyboard.press("Delete")
    said(page, "Delete key 4")
    expect(keys(page)).to_have_count(4)
    keys(page).nth(1).click()
    page.keyboard.press("Shift+ArrowRight")
    said(page, "Retime key 2")
    page.get_by_label("To the next key").select_option("ease")
    said(page, "Ease key 2")

    requests = len(page.asked)
    wanted = path_of(by_program(seen).fitted(1280, 704, "crop"), frames=121, fps=24)
    path = downloaded(page, tmp_path)
    np.testing.assert_allclose(path.world_from_camera, wanted.world_from_camera, atol=1e-6)
    np.testing.assert_allclose(path.intrinsics, wanted.intrinsics, atol=1e-6)
    assert requests == 9, "one for each edit"


def by_program(seen: list[dict]) -> KeyedMove:
    """The same edits without a page."""
    first = load("reading_room").first.camera
    move = KeyedMove((Key(first, 0.0),), 5.0)
    for camera in seen:
        framed = commands.read_camera(camera).unfitted(first)
        asked = {"do": "append", "camera": commands.write_camera(framed)}
        move = commands.apply_command(move, asked, origin=first).move
    for asked in (
        {"do": "move", "chosen": [2], "seconds": 0.5},
        {"do": "numbers", "chosen": [2], "pan": 12.5},
        {"do": "delete", "chosen": [3]},
        {"do": "move", "chosen": [1], "seconds": 5 / 120},
        {"do": "ease", "chosen": [1], "easing": "ease"},
    ):
        move = commands.apply_command(move, asked, origin=first).move
    return move


def test_a_preset_becomes_keys_and_what_is_wrong_is_said_in_place(page):
    page.get_by_label("This method's moves").locator("visible=true").first.check()
    page.get_by_role("button", name="Make keys of this move").click()
    said(page, "scene units")
    expect(keys(page)).to_have_count(2)  # a straight move at constant speed
    expect(page.get_by_label("Keyframes").locator("visible=true").first).to_be_checked()
    keys(page).nth(1).click()
    page.get_by_label("focal length in mm").fill("9999")
    page.get_by_label("focal length in mm").press("Enter")
    said(page, "between 1 and 2000 mm")
    expect(page.get_by_test_id("toast-body")).to_have_count(0)
    page.get_by_text("Whole move").click()
    page.get_by_label("Speed", exact=True).select_option("both")
    said(page, "Speed graph")
    page.get_by_label("Speed at 25 % of the time").press("ArrowUp")
    said(page, "Speed graph")
    expect(page.get_by_label("Speed", exact=True)).to_have_value("own")


def test_a_target_is_picked_orbited_warned_of_and_a_walk_is_recorded(page):
    page.get_by_text("Target, limits").click()
    page.get_by_role("button", name="Pick a target").click()
    page.locator("#stage canvas").locator("visible=true").last.click()
    said(page, "The target is picked.")
    page.get_by_role("button", name="Orbit it").click()
    said(page, "Orbit 45 degrees")
    expect(keys(page)).to_have_count(4)
    page.get_by_role("button", name="As the method was trained").click()
    said(page, "The camera range of GEN3C's training data is not published.")
    travel = page.get_by_label("Travel at most, slider")
    travel.focus()
    page.keyboard.press("Home")
    page.keyboard.press("PageUp")
    expect(page.get_by_label("Travel at most in m")).not_to_have_value("")
    page.get_by_label("New in a frame at most in %").fill("")
    page.get_by_role("button", name="Fit the move to the scene").click()
    said(page, "because of the limit of travel")
    page.get_by_role("button", name="Warn").click()
    said(page, "Most is new in frame")
    expect(page.locator(".tl-warnings")).to_be_visible()
    page.get_by_role("button", name="Record a walk").click()
    flown(page, "wwwwww")
    page.get_by_role("button", name="Stop recording").click()
    said(page, "of the lens off at most")


def test_lens_and_shutter_are_set_focused_by_clicking_and_undone(page):
    page.get_by_text("Target, limits").click()
    page.get_by_label("Aperture f/").fill("2.8")
    page.get_by_label("Aperture f/").press("Enter")
    said(page, "f/2.8, in focus")
    caption = page.locator("#stage figcaption")
    expect(caption).to_contain_text(re.compile(r"lens and shutter, \d+ pictures"))
    page.get_by_role("button", name="Focus by clicking").click()
    canvas = page.locator("#stage canvas").locator("visible=true").last
    box = canvas.bounding_box()
    assert box
    canvas.click(position={"x": 0.4 * box["width"], "y": 0.65 * box["height"]})
    expect(page.get_by_label("Focus", exact=True)).to_have_value(re.compile(r"^-?[\d.]+,-?[\d.]+,-?[\d.]+$"))
    clicked = page.get_by_label("Focus", exact=True).input_value()
    assert clicked
    expect(page.locator("#undo")).to_have_text("Undo: change Focus")
    page.locator("#undo").click()
    expect(page.get_by_label("Focus", exact=True)).to_have_value("")
    page.get_by_label("Aperture f/").fill("0")
    page.get_by_label("Aperture f/").press("Enter")
    said(page, "off: everything is sharp")
    expect(caption).not_to_contain_text("lens and shutter")


def test_keys_are_edited_through_the_api_too(gen3c_alone, tmp_path):
    client = Visitor(gen3c_alone, tmp_path)
    client.predict("reading_room", api_name="/gen3c_open_example")
    first = load("reading_room").first.camera
    move = key_every_frame(moved(first, 5), 4.0)
    answer = client.predict(json.dumps({"do": "open", "keys": saved.write(move)}), api_name="/gen3c_edit_keys")
    assert answer["edit"] == "open keys"
    answer = client.predict(json.dumps({"do": "hold", "chosen": [2], "seconds": 1}), api_name="/gen3c_edit_keys")
    kept = saved.read(answer["keys"])
    assert answer["edit"] == "hold at key 3" and kept.seconds == 5 and kept.keys[3].time == 4
    answer = client.predict(json.dumps({"do": "look", "aperture": 0.7, "shutter": 90}), api_name="/gen3c_edit_keys")
    assert answer["edit"] == "change Aperture (f-stop) and Shutter angle"
    with pytest.raises(AppError, match="Shutter angle must lie between"):
        client.predict(json.dumps({"do": "look", "shutter": 999}), api_name="/gen3c_edit_keys")
    client.predict(moves_from="Keyframes", api_name="/gen3c_draw")
    path = client.predict("reshoot", api_name="/gen3c_path_file")
    path = read("path.json", Path(path).read_bytes())
    wanted = path_of(kept.fitted(1280, 704), frames=121)
    np.testing.assert_allclose(path.world_from_camera, wanted.world_from_camera, atol=1e-6)
    with pytest.raises(AppError, match="JSON with"):
        client.predict("{", api_name="/gen3c_edit_keys")


def moved(first: CameraPath, count: int) -> CameraPath:
    poses = np.repeat(first.world_from_camera, count, axis=0)
    poses[:, 0, 3] += 0.1 * np.arange(count)
    return CameraPath(poses, first.intrinsics[0], first.width, first.height)


def test_limits_of_a_method_are_what_its_training_data_shows():
    known = trained_range(method("dualcamctrl"), 4.0)
    assert known["travel"] == 2.0 and known["turn_degrees"] == 21 and "RealEstate10K" in known["words"]
    for name in ("gen3c", "genxd", "dimensionx", "i2v3d"):
        assert trained_range(method(name), 4.0).keys() == {"words"}


def test_every_choice_has_words():
    assert set(component.WORDS["easing"]) == set(EASINGS)
    assert set(component.WORDS["tangent"]) == set(get_args(Tangent))
    assert set(component.WORDS["curve"]) == set(get_args(Curve))


def test_what_is_typed_while_an_answer_comes_is_kept(page):
    page.get_by_role("button", name="Add at the end").click()
    expect(keys(page)).to_have_count(2)
    pan = page.get_by_label("pan in °")
    pan.fill("3")
    pan.press("Enter")
    pan.fill("4")  # before the first answer arrives
    said(page, "Pan of key 2")
    expect(pan).to_have_value("4")
    expect(pan).to_be_focused()
    pan.press("Enter")
    expect(page.locator(".timeline")).to_have_attribute("data-answered", "3")
    expect(pan).to_have_value("4")
