"""The Scene tab in a real browser: three views become points in the viewer and on the stage, where their cameras see them."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tabs import scene


def test_points_are_in_the_viewer_and_cameras_among_them(visit, monkeypatch):
    monkeypatch.setattr(scene, "EXAMPLE_SIDE", 96)
    page = visit()
    page.get_by_role("tab", name="Scene").click()
    page.get_by_role("button", name="Try it with an example").click()
    page.get_by_label("Example", exact=True).locator("visible=true").click()
    page.get_by_role("option", name="Courtyard").click()
    page.locator("#scene-try").click()
    expect(page.locator("#scene-opened")).to_contain_text("3 frames", timeout=60_000)
    page.locator("#scene-kind").get_by_label("mesh").check()
    expect(page.locator("#scene-texture")).to_be_visible()
    page.locator("#scene-kind").get_by_label("points", exact=True).check()
    expect(page.locator("#scene-texture")).to_be_hidden()
    page.locator("#scene-make").click()
    expect(page.locator("#scene-status")).to_contain_text("points.", timeout=120_000)
    expect(page.locator("#scene-model canvas")).to_be_visible(timeout=120_000)
    plot = page.locator("#scene-orbit-stage .stage-plot")
    expect(plot).to_have_attribute("data-frames", "3", timeout=120_000)
    expect(page.locator("#scene-orbit-stage figcaption")).to_contain_text("camera 1 of 3", timeout=120_000)
    page.locator("#scene-orbit-stage .stage-eye").focus()
    page.keyboard.press("d")
    expect(page.locator("#scene-orbit-stage figcaption")).to_contain_text(re.compile("where you flew"), timeout=120_000)
