"""The tab Camera report in a real browser: a video with an embedded report is shown, and its move opened as keys in the user's scene."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect
from test_take_view import move

from camera.evaluation.report import MeasuredCamera, make_report
from pipelines.media.video import write_mp4
from pipelines.results import take_report
from tabs.evaluation import table


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A video with an embedded report, which requested no path; its subject is 4 units away."""
    file = write_mp4(tmp_path / "clip.mp4", np.zeros((12, 36, 64, 3), np.uint8), 12)
    found = MeasuredCamera("travel", move(20), range(12), 12, "found", 9.0, 0.2, ("The camera travels.",), 4.0)
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
    page = visit(at=gen3c_alone)
    page.get_by_role("tab", name="Camera report").click()
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator("#takes-video input[type=file]").set_input_files(clip)
    page.locator("#takes-open-keys").click()
    expect(page.get_by_text("Open a picture first")).to_be_visible()
    page.locator("#takes-measure").click()
    expect(page.locator("#takes-told")).to_contain_text("Nothing was asked")
    ribbon = page.locator("#takes-ribbons .take-lines svg").first
    page.evaluate("Object.assign(document.querySelector('#takes-player video'), {muted: true}).pause()")
    page.wait_for_function("document.querySelector('#takes-player video').duration > 0")
    page.evaluate(
        "(video => { video.currentTime = video.duration / 2; })(document.querySelector('#takes-player video'))"
    )
    cursor = "Number(document.querySelector('#takes-ribbons .take-lines svg line').getAttribute('x1'))"
    page.wait_for_function(f"Math.abs({cursor} - 6) < 0.6")  # of 12 frames
    box = ribbon.bounding_box()
    assert box is not None
    ribbon.click(position={"x": box["width"] / 4, "y": 5})
    page.wait_for_function(f"Math.abs({cursor} - 3) < 0.6")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390, "nothing sticks out on a phone"


def test_the_table_sorts_by_the_head_that_is_pressed_and_draws_sparklines(chromium):
    """The table of Side by side on its own page."""
    import gradio as gr

    rows = [
        {"cells": [name, turn], "spark": [0.2, 1.0, None]}
        for name, turn in (("GEN3C", 3.0), ("GenXD", None), ("I2V3D", 1.0))
    ]
    with gr.Blocks() as small:
        shown = table.sortable_table("takes-table")
        small.load(
            lambda: gr.update(value={"columns": ["method", "turn"], "rows": rows, "drawn": table.DRAWN}), None, shown
        )
    _, address, _ = small.launch(prevent_thread_lock=True, quiet=True, share=False)
    page = chromium.new_page()
    page.goto(address)
    first = "all => all.map((row) => row.cells[0].textContent)"
    lines = page.locator("#takes-table tbody tr")
    expect(lines).to_have_count(3)
    assert lines.evaluate_all(first) == ["GEN3C", "GenXD", "I2V3D"]
    assert page.locator("#takes-table tbody tr").first.locator("rect").count() == 3
    page.get_by_role("button", name="turn", exact=True).click()
    assert lines.evaluate_all(first) == ["I2V3D", "GEN3C", "GenXD"]
    expect(page.locator("#takes-table th").nth(1)).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("button", name="turn ↑").click()
    assert lines.evaluate_all(first) == ["GEN3C", "I2V3D", "GenXD"], "what is not known stays last"
    page.close()
    small.close()
