"""A user overrides a clip's own camera with keys, in a real browser; the numbers are those of the library."""

from __future__ import annotations

import re

import numpy as np
from playwright.sync_api import expect

from camera.editing import commands
from camera.editing.keys import Key, KeyedMove
from camera.editing.track import path_of
from examples import load
from pipelines.project.framing import clip_camera
from tests.tabs.browser.timeline.test_timeline import downloaded, flown, keys, said

SHOWS = "document.querySelector('#stage .stage').stage.camera()"


def test_keys_over_a_clip_keep_its_camera_where_none_overrides_it(visit, gen3c_alone, tmp_path):
    page = visit(1440, 900, at=gen3c_alone)
    page.locator("#examples button", has_text=re.compile("toy train", re.I)).first.click()
    caption = page.locator("#stage figcaption")
    expect(caption).to_contain_text("Frame 1:")
    page.get_by_label("Keyframes").locator("visible=true").first.check()
    expect(page.locator(".timeline")).to_have_class(re.compile("over-clip"))
    result = page.locator(".tl-result")
    expect(result).to_have_attribute("aria-label", "Result: the clip's camera throughout")
    go(page, 20)
    before = page.evaluate(SHOWS)
    flown(page, "ddddw")
    own = page.evaluate(SHOWS)
    assert own["pose"] != before["pose"]
    page.get_by_role("button", name="Add here").click()
    said(page, "Add key 2")
    go(page, 30)
    page.get_by_role("button", name="Back to the clip here").click()
    said(page, "Follow the clip at key 3")
    expect(result).to_have_attribute("aria-label", re.compile("own keys from 0.00 to 1.25 seconds"))
    expect(keys(page).nth(2)).to_have_class(re.compile("follows"))
    page.get_by_label("Same last frame").uncheck()
    said(page, "Own last frame")
    expect(page.locator("#undo")).to_have_text("Undo: own last frame")
    page.locator("#undo").click()
    expect(page.get_by_label("Same last frame")).to_be_checked()
    # the first frame is the clip's, and a message says why it cannot have a key
    go(page, 0)
    flown(page, "a")
    page.get_by_role("button", name="Add here").click()
    said(page, "The first frame is set to be the clip's own")

    path = downloaded(page, tmp_path)
    wanted = by_program(own).fitted(path.width, path.height)
    wanted = path_of(wanted, frames=len(path), fps=path.fps)
    np.testing.assert_allclose(path.world_from_camera, wanted.world_from_camera, atol=1e-6)
    np.testing.assert_allclose(path.intrinsics, wanted.intrinsics, atol=1e-6)
    clip = clip_camera(load("toy_train"))
    for frame in (0, *range(30, len(path))):
        np.testing.assert_allclose(path.world_from_camera[frame], clip.world_from_camera[frame], atol=1e-9)

    page.get_by_label("Over the clip's camera").uncheck()
    said(page, "scene units")
    expect(page.locator(".timeline")).not_to_have_class(re.compile("over-clip"))
    page.get_by_label("Over the clip's camera").check()
    said(page, "except where keys override it")
    expect(page.locator(".tl-clip")).to_be_visible()


def go(page, frame: int) -> None:
    page.evaluate(f"document.querySelector('#stage .stage').stage.seek({frame})")
    expect(page.locator("#stage figcaption")).to_contain_text(f"Frame {frame + 1}")


def by_program(own: dict) -> KeyedMove:
    """The same edits without a page."""
    clip = clip_camera(load("toy_train"))
    assert clip is not None
    first = clip.sliced(slice(0, 1))
    move = KeyedMove((Key(first, 0.0, follows=True),), 2.0, source=clip)
    camera = commands.write_camera(commands.read_camera(own).unfitted(first))
    for asked in ({"do": "add", "time": 20 / 24, "camera": camera}, {"do": "follow_clip", "time": 30 / 24}):
        move = commands.apply_command(move, asked, origin=first).move
    return move
