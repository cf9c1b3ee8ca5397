"""From a picture to an edited move of five keys with a target, ten steps back and again, a reload, and two methods that shoot it: with
pointer and keyboard, clicks and seconds counted, and no scrolling of the page."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from pipelines import method
from pipelines.project.file import save_project
from pipelines.project.parts import ProjectFile
from pipelines.results.record import restore

MOST_CLICKS, MOST_KEYS = 25, 60


class Hand:
    """Clicks and presses of a person, counted; what is clicked must be in sight as the page stands."""

    def __init__(self, page: Page) -> None:
        self.page, self.clicks, self.presses, self.began = page, 0, 0, time.monotonic()

    def click(self, what: Locator) -> None:
        expect(what).to_be_in_viewport(ratio=0.5)
        what.click()
        self.clicks += 1
        assert self.page.evaluate("scrollY") == 0, "nobody should have to scroll the page"

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
        self.presses += len(keys)

    def button(self, name: str) -> None:
        self.click(self.page.get_by_role("button", name=name, exact=True))


@pytest.fixture
def drafts(tmp_path) -> Path:
    """A project without a picture, in which both methods shoot small drafts on tiny weights: there is no GPU here."""
    frames = {"gen3c": {"frames": 9, "width": 96, "height": 64}, "genxd": {"width": 64, "height": 64}}
    settings = {"gen3c": {"steps": 2, "use_text": False, "guidance": 0.0}, "genxd": {"steps": 2}}
    made = ProjectFile(
        moves={name: method(name).moves(**values).values() for name, values in frames.items()},
        settings={name: {**values, "weights": "tiny"} for name, values in settings.items()}, method="gen3c",
    )  # fmt: skip
    return save_project(tmp_path / "drafts.zip", made)


def test_a_person_goes_from_a_picture_to_an_edited_move_that_two_methods_shoot(
    visit, drafts, tmp_path, record_property
):
    page = visit(1440, 900, locale="en")
    page.get_by_text("Save or open the project").click()
    page.locator("#project-given input[type=file]").set_input_files(drafts)
    expect(page.locator("#project-status")).to_contain_text("The project is open.")
    page.evaluate("scrollTo(0, 0)")

    hand = Hand(page)
    hand.click(page.locator("#examples button").first)
    expect(page.locator("#stage .stage-plot")).to_have_attribute("data-frames", "9")
    five_keys(hand)
    edited(hand)
    aimed(hand)
    taken_back_and_done_again(hand)

    page.reload()
    expect(page.locator(".kept p")).to_contain_text("Your project is back")
    expect(page.locator(".tl-key-mark")).to_have_count(5)
    shots = [shot(hand, name, tmp_path) for name in ("gen3c", "genxd")]
    for frame in (0, -1):
        poses = [made.path.world_from_camera[frame] for made in shots]
        np.testing.assert_allclose(*poses, atol=1e-6)

    seconds = time.monotonic() - hand.began
    record_property("counted", f"{hand.clicks} clicks, {hand.presses} keys, {seconds:.0f} s")
    print(f"From picture to two shots: {hand.clicks} clicks, {hand.presses} keys, {seconds:.0f} s.")
    assert hand.clicks <= MOST_CLICKS and hand.presses <= MOST_KEYS


def did(page: Page, step: str) -> None:
    expect(page.locator("#undo")).to_have_text(f"Undo: {step}", ignore_case=True)


def five_keys(hand: Hand) -> None:
    hand.button("Make keys of this move")
    expect(hand.page.locator(".tl-key-mark")).to_have_count(2)
    hand.page.locator("#stage .stage-eye").focus()
    for count, letters in ((3, "dd"), (4, "wq"), (5, "aw")):
        hand.page.locator("#stage .stage-eye").focus()
        hand.press(*letters)
        hand.button("Add at the end")
        expect(hand.page.locator(".tl-key-mark")).to_have_count(count)


def edited(hand: Hand) -> None:
    """Time by dragging, pan by a number, easing by a choice, how the key is passed."""
    page = hand.page
    hand.click(page.locator(".tl-key-mark").nth(2))
    hand.press("Shift+ArrowRight")
    did(page, "retime key 3")
    pan = page.get_by_label("pan in °")
    hand.click(pan)
    pan.fill("7")
    hand.press("Enter")
    did(page, "pan of key 3")
    for label, choice, step in (
        ("To the next key", "ease", "ease key 3"),
        ("At the key", "corner", "tangent of key 3"),
    ):
        page.get_by_label(label).select_option(choice)
        hand.clicks += 1
        did(page, step)


def aimed(hand: Hand) -> None:
    page = hand.page
    hand.click(page.get_by_text("Target, limits of the scene"))
    hand.button("Pick a target")
    hand.click(page.locator("#stage .stage-eye canvas"))
    expect(page.locator(".tl-said")).to_contain_text("The target is picked.")
    hand.button("Look at it")
    did(page, "look at a point with key 3")


def taken_back_and_done_again(hand: Hand) -> None:
    page = hand.page
    page.locator("#stage .stage-eye").focus()
    for keys, button, other in (("Control+z", "#undo", "#redo"), ("Control+Shift+z", "#redo", "#undo")):
        for _ in range(10):
            step = page.locator(button).inner_text().split(": ", 1)[1]
            hand.press(keys)
            verb = "Redo" if other == "#redo" else "Undo"
            expect(page.locator(other)).to_have_text(f"{verb}: {step}")
    expect(page.locator("#redo")).to_be_disabled()
    expect(page.locator(".tl-key-mark")).to_have_count(5)


def shot(hand: Hand, name: str, folder: Path):
    """The record of a shot with one method, from the tab that it has."""
    page, title = hand.page, method(name).title
    hand.click(page.get_by_role("tab", name=title, exact=True))
    hand.button(f"Shoot with {title}")
    screen = page.locator(f"#{name}-result")
    expect(screen.locator("video")).not_to_have_count(0)
    expect(screen.locator("strong").first).to_have_text("noise, not a picture")
    with page.expect_download() as download:
        screen.locator("a[download]").first.evaluate("link => link.click()")
    file = folder / f"{name}.mp4"
    download.value.save_as(file)
    return restore(file)
