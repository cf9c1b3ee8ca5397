"""The Scene tab in a real browser: a splat fit of three views is cancelled; the best result so far remains, on the stage with its
cameras, in the viewer and as a flight."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tabs.scene import tab

SLOW = 120_000


def test_cancelled_splats_are_kept_seen_and_flown_through(visit, monkeypatch):
    monkeypatch.setattr(tab, "EXAMPLE_SIDE", 96)
    page = visit()
    page.get_by_role("tab", name="Scene").click()
    page.get_by_role("button", name="Try it with an example").click()
    page.get_by_label("Example", exact=True).locator("visible=true").click()
    page.get_by_role("option", name="Courtyard").click()
    page.locator("#scene-try").click()
    expect(page.locator("#scene-opened")).to_contain_text("3 frames", timeout=SLOW)
    page.locator("#scene-kind").get_by_label("mesh").check()
    expect(page.locator("#scene-texture")).to_be_visible()
    page.locator("#scene-kind").get_by_label("splats").check()
    expect(page.locator("#scene-texture")).to_be_hidden()

    page.locator("#scene-make").click()
    expect(page.locator("#scene-early img")).to_be_visible(timeout=SLOW)
    expect(page.locator("#scene-doing")).to_contain_text("Fitting splats")
    # in one call, as fitting leaves the browser little time
    page.evaluate("document.querySelector('#scene-cancel').click()")
    expect(page.locator("#scene-status")).to_contain_text("Stopped; kept: ", timeout=SLOW)
    expect(page.locator("#scene-running")).to_be_hidden()

    plot = page.locator("#scene-orbit-stage .stage-plot")
    expect(plot).to_have_attribute("data-frames", "3", timeout=SLOW)
    expect(page.locator("#scene-orbit-stage figcaption")).to_contain_text("camera 1 of 3", timeout=SLOW)
    page.locator("#scene-orbit-stage .stage-eye").focus()
    page.keyboard.press("d")
    expect(page.locator("#scene-orbit-stage figcaption")).to_contain_text(re.compile("your position"), timeout=SLOW)

    expect(page.locator("#scene-flight")).to_be_hidden()
    page.evaluate("document.querySelector('#scene-fly').click()")
    expect(page.locator("#scene-flight video")).to_be_visible(timeout=SLOW)
    expect(page.locator("#scene-view").get_by_label("Splats")).to_be_checked()
    expect(page.locator("#scene-model canvas")).to_be_visible(timeout=SLOW)
