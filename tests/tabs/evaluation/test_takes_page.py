"""The tab Camera report in a real browser: a video whose report lies in it is shown and its move opened as keys of one's own scene."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect
from test_take_view import move

from camera.evaluation.report import Found, make_report
from pipelines.media.video import write_mp4
from pipelines.results import take_report


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A video that carries its report: nothing was asked, what is seen lies 4 units away."""
    file = write_mp4(tmp_path / "clip.mp4", np.zeros((12, 36, 64, 3), np.uint8), 12)
    found = Found("travel", move(20), range(12), 12, "found", 9.0, 0.2, ("The camera travels.",), 4.0)
    take_report.save_report(file, make_report(found))
    return file


def test_a_move_is_borrowed_with_one_button_and_opens_on_the_timeline(visit, gen3c_alone, clip):
    page = visit(1440, 900, at=gen3c_alone)
    page.locator("#examples button").first.click()
    expect(page.locator("#path-notes")).to_contain_text("121 frames")
    before = page.locator("#path-notes").inner_text()
    page.get_by_role("tab", name="Camera report").click()
    page.locator("#takes-video input[type=file]").set_input_files(clip)
    page.locator("#takes-open-keys").click()
    expect(page.locator("#undo")).to_have_text("Undo: borrow a move")
    expect(page.get_by_role("tab", name="GEN3C")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_label("Keyframes").locator("visible=true")).to_be_checked()
    expect(page.locator("#path-notes")).not_to_have_text(before)
    assert page.locator(".tl-keys [role=option]").count() >= 2
    page.get_by_role("tab", name="Camera report").click()
    expect(page.locator("#takes-keys")).to_contain_text("they miss the clip's camera by at most")
    expect(page.locator("#takes-told")).to_contain_text("Nothing was asked")
    page.locator("#takes-ribbons").get_by_text("jitter").wait_for()


def test_without_a_scene_nothing_is_borrowed_and_it_is_said(visit, gen3c_alone, clip):
    page = visit(390, 844, at=gen3c_alone)
    page.get_by_role("tab", name="Camera report").click()
    page.locator("#takes-video input[type=file]").set_input_files(clip)
    page.locator("#takes-open-keys").click()
    expect(page.get_by_text("Open a picture first")).to_be_visible()
    page.locator("#takes-measure").click()
    expect(page.locator("#takes-told")).to_contain_text("Nothing was asked")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390, "nothing sticks out on a phone"
