"""The move from above: drawing a line, dragging and turning a key, by pointer in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect


@pytest.fixture
def page(visit, gen3c_alone):
    """A page with the first example open and the view from above visible."""
    page = visit(1440, 900, at=gen3c_alone)
    page.locator("[id$=examples] button").first.click()
    expect(page.locator("[id$=stage] figcaption")).to_contain_text("Frame 1:")
    page.get_by_label("Keyframes").locator("visible=true").first.check()
    expect(page.locator(".timeline")).to_have_class("timeline keyed")
    page.get_by_text("From above").click()
    return page


def said(page: Page, words: str) -> None:
    expect(page.locator(".tl-status")).to_contain_text(words)


def drag(page: Page, start: list[float], by: tuple[float, float]) -> None:
    """Drag from a point of the plan, in pixels from its corner."""
    plan = page.locator(".tl-plan")
    plan.evaluate("plan => plan.scrollIntoView({block: 'center'})")
    box = plan.bounding_box()
    assert box
    page.mouse.move(box["x"] + start[0], box["y"] + start[1])
    page.mouse.down()
    page.mouse.move(box["x"] + start[0] + by[0], box["y"] + start[1] + by[1], steps=8)
    page.mouse.up()


def seat(page: Page, part: str) -> list[float]:
    """The position of key 2, or of its handle, once the stage shows the last edit."""
    page.wait_for_timeout(1000)
    return page.evaluate(f"document.querySelector('.timeline').plan.seat(1).{part}")


def test_a_line_becomes_the_move_and_a_key_is_moved_and_turned(page):
    drag(page, [250, 190], (160, -60))
    said(page, "Draw the move from above")
    expect(page.locator(".tl-key-mark")).to_have_count(2)
    page.locator(".tl-key-mark").nth(1).click()
    right, pan = page.get_by_label("right in"), page.get_by_label("pan in")
    before = float(right.input_value())
    drag(page, seat(page, "at"), (40, 0))
    said(page, "Move key 2")
    assert float(right.input_value()) > before + 0.1
    drag(page, seat(page, "handle"), (25, 10))
    said(page, "Turn key 2")
    assert float(pan.input_value()) > 20
