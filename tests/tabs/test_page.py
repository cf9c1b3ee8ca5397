"""A visitor in a real browser: picks an example, sees the path in 3D, rehearses it and gets a video."""

from __future__ import annotations


def test_an_example_is_drawn_and_rehearsed(visit):
    page = visit()
    page.wait_for_selector("#gen3c-examples button")
    page.locator("#gen3c-examples button").first.click()
    page.wait_for_selector("#gen3c-stage .stage-plot[data-frames='121']")
    page.locator("#gen3c-rehearse").click()
    page.wait_for_selector("#gen3c-rehearsal video", timeout=150_000)
