"""A visitor in a real browser: picks an example, changes the move, watches, rehearses, downloads the path and uploads it again."""

from __future__ import annotations

import json
import re
import threading
import time

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from pipelines.method import Progress
from tabs.shared import rehearsal


@pytest.fixture
def open_tab(visit, gen3c_alone):
    """``open_tab()`` opens an app with GEN3C's tab only."""
    return lambda: visit(at=gen3c_alone)


def open_example(page: Page) -> None:
    page.locator("#examples button").first.click()
    expect(page.locator("#stage .stage-plot")).to_have_attribute("data-frames", re.compile(r"\d+"))


def told(page: Page, text: str):
    return expect(page.locator(".status:visible", has_text=text).first).to_be_visible()


def setting(page: Page, label: str):
    return page.get_by_label(label, exact=True).locator("visible=true").first


def test_an_example_is_drawn_played_and_rehearsed(open_tab):
    page = open_tab()
    open_example(page)
    plot = page.locator("#stage .stage-plot")
    expect(plot).to_have_attribute("data-frames", "121")
    assert page.evaluate("document.querySelector('#stage .stage-plot').data.length") >= 5
    points = "document.querySelector('#stage .stage-plot').data.find((trace) => trace.name === 'scene').x.length"
    assert page.evaluate(points) > 10_000
    told(page, "121 frames")

    page.locator("#stage .stage-play").click()
    page.wait_for_function("Number(document.querySelector('#stage .stage-plot').dataset.frame) > 3")
    page.locator("#stage .stage-play").click()
    expect(page.locator("#stage figcaption")).to_contain_text("new to the scene")

    frames = page.get_by_label(re.compile("number input for Frames")).locator("visible=true").first
    frames.fill("25")
    frames.press("Enter")
    told(page, "25 frames")
    page.locator("#rehearse").click()
    video = page.locator("#rehearsal video")
    expect(video).to_be_visible()
    page.wait_for_function("Math.abs(document.querySelector('#rehearsal video').duration - 25 / 24) < 0.1")
    told(page, "of the picture is new to the scene")

    page.locator("#examples button").nth(1).click()
    told(page, "Mountain lake")
    expect(video).to_have_count(0)


def test_the_view_is_kept_while_the_move_changes_and_nothing_is_asked_about_what_the_page_draws(open_tab):
    page = open_tab()
    asked = []
    page.on("request", lambda request: asked.append(request) if _asks(request) else None)
    open_example(page)
    expect(page.locator("#stage figcaption")).to_contain_text("Frame 1")
    page.evaluate(
        "Plotly.relayout(document.querySelector('#stage .stage-plot'), {'scene.camera.eye': {x: 0.1, y: -2, z: 0.3}})"
    )
    before = length_of_path(page)
    slider = page.get_by_label(re.compile("number input for Movement distance")).locator("visible=true").first
    slider.fill("0.6")
    slider.press("Enter")
    page.wait_for_function("before => lengthOfPath() > 1.5 * before", arg=before)
    eye = page.evaluate("document.querySelector('#stage .stage-plot').layout.scene.camera.eye")
    assert eye == {"x": 0.1, "y": -2, "z": 0.3}
    page.locator("#stage input[type=range]").press("ArrowRight")
    page.locator("#stage .stage-eye").press("w")
    page.wait_for_timeout(700)
    assert asked == [], "the page draws it, nobody else has to know"


def _asks(request) -> bool:
    """Whether the request asks for the camera's view."""
    return '"turn"' in (request.post_data or "")


def length_of_path(page: Page) -> float:
    """Distance from the first camera to the last, as drawn."""
    return page.evaluate(
        """window.lengthOfPath = () => {
            const path = document.querySelector('#stage .stage-plot')._fullData.find((trace) => trace.name === 'path');
            return Math.hypot(...['x', 'y', 'z'].map((axis) => Array.from(path[axis]).at(-1) - path[axis][0]));
        }, lengthOfPath()"""
    )


@pytest.fixture
def endless(monkeypatch):
    """Rehearsals stay at their first frame until they are closed; the event says that one was closed."""
    closed, real = threading.Event(), rehearsal.rehearse

    def first_frame(scene, path, video, **options):
        steps = real(scene, path, video, **options)
        first = next(steps)
        assert isinstance(first, Progress)
        try:
            while True:
                yield first
                time.sleep(0.2)
        finally:
            steps.close()  # type: ignore[attr-defined]
            closed.set()

    monkeypatch.setattr(rehearsal, "rehearse", first_frame)
    return closed


def test_a_rehearsal_can_be_cancelled_and_begun_again(open_tab, endless, monkeypatch):
    page = open_tab()
    open_example(page)
    frames = page.get_by_label(re.compile("number input for Frames")).locator("visible=true").first
    frames.fill("9")
    frames.press("Enter")
    told(page, "9 frames")
    page.locator("#rehearse").click()
    expect(page.locator("#rehearsal")).to_contain_text("1/9")
    page.locator("#rehearse-stop").click()
    told(page, "Cancelled.")
    assert endless.wait(120), "the renderer went on"
    expect(page.locator("#rehearsal video")).to_have_count(0)
    monkeypatch.undo()
    page.locator("#rehearse").click()
    page.wait_for_function("document.querySelector('#rehearsal video')?.duration < 1")


def test_flying_shows_another_picture(open_tab):
    page = open_tab()
    open_example(page)
    eye = page.locator("#stage .stage-eye")
    expect(eye.locator("figcaption")).to_contain_text("Frame 1")
    before = eye.locator("canvas").evaluate("canvas => canvas.toDataURL()")
    eye.focus()
    for key in "wwdd":
        eye.press(key)
    expect(eye.locator("figcaption")).to_contain_text("Free view")
    assert eye.locator("canvas").evaluate("canvas => canvas.toDataURL()") != before


def test_a_path_goes_home_and_comes_back_and_a_wrong_file_is_answered_in_words(open_tab, tmp_path):
    page = open_tab()
    open_example(page)
    page.get_by_text("Download the path").locator("visible=true").click()
    page.get_by_role("button", name="Make the file").locator("visible=true").click()
    link = page.locator("#path-file a[download]").first
    with page.expect_download() as download:
        link.click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert len(json.loads(file.read_text())["world_from_camera"]) == 121

    page.get_by_label("Path file", exact=True).locator("visible=true").first.check()
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"world_from_camera": "none"}')
    chosen = page.locator("#own-path input[type=file]")
    chosen.set_input_files(wrong)
    expect(page.get_by_test_id("toast-body").first).to_contain_text("wrong.json")
    page.get_by_label("This method's moves").locator("visible=true").first.check()
    told(page, "121 frames")

    page.get_by_label("Path file", exact=True).locator("visible=true").first.check()
    page.locator("#own-path").get_by_label(re.compile("Clear|Remove")).first.click()
    chosen.set_input_files(file)
    told_here = page.get_by_text("121 frames, 1280 x 704").locator("visible=true").first
    expect(told_here).to_be_visible()


def test_a_clip_sets_its_frames_and_what_is_wrong_with_a_move_is_said_in_place(open_tab):
    page = open_tab()
    page.get_by_label("Thumbnail 7 of 9").locator("visible=true").click()
    told(page, "clip of 49 frames")
    told(page, "49 frames, 2.0 s")
    page.get_by_label("Film moves").locator("visible=true").check()
    moves = page.locator("label", has_text="Moves").locator("textarea")
    moves.fill("arc 30 eese")
    told(page, "'eese' after arc is not understood")
    moves.fill("arc 30 ease")
    told(page, "49 frames, 2.0 s")
    page.get_by_label("Path file", exact=True).locator("visible=true").first.check()
    told(page, "Upload a path file first")
    expect(page.get_by_test_id("toast-body")).to_have_count(0)


def test_an_uploaded_picture_becomes_a_labelled_guess_without_a_hub(open_tab, tmp_path):
    page = open_tab()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 160, 3), np.uint8)).save(tmp_path / "mine.png")
    page.get_by_text("Your own picture, clip, views or splats").click()
    page.locator("#picture input[type=file]").set_input_files(tmp_path / "mine.png")
    told(page, "guess")
    expect(page.locator("#stage .stage-plot")).to_have_attribute("data-frames", "121")


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1440, "dark")])
def test_the_page_fits_a_phone_and_the_dark(visit, width, scheme):
    page = visit(width, 900, scheme=scheme)
    open_example(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    light = np.mean([int(value) for value in re.findall(r"\d+", background)[:3]])
    assert (light < 100) == (scheme == "dark")
    expect(page.get_by_role("button", name="Shoot with GEN3C")).to_be_in_viewport(ratio=1)
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    assert page.evaluate("scrollY") > 1000
    expect(page.get_by_role("button", name="Shoot with GEN3C")).to_be_in_viewport(ratio=1)
    expect(page.locator("#stage .stage-plot")).to_be_in_viewport(ratio=0.9)
    if width > 720:
        page.mouse.move(0.7 * width, 700)  # over the content below it in the same column
        expect(page.locator("#stage .stage-plot")).not_to_be_in_viewport(ratio=0.9)


def test_two_visitors_do_not_see_each_other(open_tab):
    first, second = open_tab(), open_tab()
    open_example(first)
    expect(second.locator("#stage .stage-plot")).not_to_have_attribute("data-frames", re.compile(r"\d+"))
