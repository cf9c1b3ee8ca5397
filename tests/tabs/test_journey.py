"""The whole way of a person in a real browser: a picture of their own, a move of five keys with a target, ten edits taken back, a
reload, and two methods that shoot the same move."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from camera.rotation import angle_degrees
from pipelines.results.record import restore

MOST_CLICKS = 45
"""Presses of the pointer for all of it; keys of the keyboard are not counted."""
COUNTED = "addEventListener('pointerdown', () => sessionStorage.clicks = 1 + Number(sessionStorage.clicks || 0), true);"
SCROLLED = "addEventListener('scroll', (one) => one.target === document && (sessionStorage.scrolled = scrollY), true);"


def keys(page: Page):
    return page.locator(".tl-key-mark")


def said(page: Page, words: str) -> None:
    expect(page.locator(".tl-said")).to_contain_text(words)


def undo_says(page: Page, words: str) -> None:
    expect(page.locator("#undo")).to_have_text(words)


def add_key(page: Page, letters: str, count: int) -> None:
    """Flies by the keyboard and adds what is seen."""
    eye = page.locator("#stage .stage-eye")
    eye.focus()
    for letter in letters:
        eye.press(letter)
    page.get_by_role("button", name="Add at the end").click()
    expect(keys(page)).to_have_count(count)


def typed(page: Page, label: str, value: str, words: str) -> None:
    field = page.get_by_label(label)
    field.fill(value)
    field.press("Enter")
    said(page, words)


def shoot(page: Page, title: str, tab: str) -> Path:
    """On the method's tab, with tiny weights and one step; the result's file."""
    page.get_by_role("tab", name=title, exact=True).click()
    expect(page.locator("#path-notes")).to_contain_text(f"{title}:")
    weights = page.get_by_label("Weights").locator("visible=true").first
    weights.click()
    page.get_by_role("option", name="tiny").click()
    steps = page.get_by_label(re.compile("number input for Steps")).locator("visible=true").first
    steps.fill("1")
    steps.press("Enter")
    undo_says(page, "Undo: change Steps")
    page.locator(f"#{tab}-shoot").click()
    expect(page.locator(f"#{tab}-status")).to_contain_text("tiny random weights")
    video = page.locator(f"#{tab}-result video").first
    expect(video).to_be_visible()
    return Path(video.evaluate("video => decodeURIComponent(new URL(video.src).pathname.split('file=')[1])"))


def test_from_a_picture_to_two_shots_of_one_edited_move(visit, address, tmp_path):
    page = visit(1440, 900, at=address, locale="en")
    page.add_init_script(COUNTED + SCROLLED)
    page.reload()
    picture = np.random.default_rng(0).integers(0, 255, (18, 32, 3), np.uint8).repeat(16, 0).repeat(16, 1)
    Image.fromarray(picture).save(tmp_path / "mine.png")
    page.get_by_text("Your own picture, clip, views or splats").click()
    page.locator("#picture input[type=file]").set_input_files(tmp_path / "mine.png")
    expect(page.locator("#path-notes")).to_contain_text("GEN3C: 121 frames")

    page.get_by_label("Keyframes").locator("visible=true").first.check()
    expect(page.locator(".timeline")).to_have_class("timeline keyed")
    for count, letters in enumerate(("ddd", "www", "aaa", "sss"), start=2):
        add_key(page, letters, count)
    page.get_by_text("Target, limits").click()
    page.get_by_role("button", name="Pick a target").click()
    page.locator("#stage canvas").locator("visible=true").last.click()
    said(page, "The target is picked.")
    page.get_by_role("button", name="Look at it").click()
    expect(page.locator("#undo")).to_contain_text("Undo: look at a point")

    keys(page).nth(2).click()
    roll = page.get_by_label("roll in °")
    for number in range(9):
        roll.fill(str(number + 1))
        roll.press("Enter")
        expect(page.locator(".tl-said")).to_contain_text("Roll of key 3")
        expect(roll).to_have_value(str(number + 1))
    keys(page).nth(2).press("Delete")
    expect(keys(page)).to_have_count(4)
    undo_says(page, "Undo: delete key 3")
    page.locator("#stage .stage-eye").focus()
    for _ in range(10):
        page.keyboard.press("Control+z")
    expect(page.locator("#undo")).to_contain_text("Undo: look at a point")
    expect(keys(page)).to_have_count(5)

    expect(page.locator(".kept p")).to_contain_text("Kept in this browser")
    page.reload()
    expect(page.locator(".kept p")).to_contain_text("Your project is back as it was at")
    expect(keys(page)).to_have_count(5)

    made = [restore(shoot(page, title, tab)) for title, tab in (("GenXD", "genxd"), ("DualCamCtrl", "dualcamctrl"))]
    asked = [one.path.resampled(5) for one in made]
    turned = angle_degrees(asked[0].world_from_camera[:, :3, :3], asked[1].world_from_camera[:, :3, :3])
    assert [one.method for one in made] == ["genxd", "dualcamctrl"] and turned.max() < 1e-3
    clicks, scrolled = page.evaluate("[Number(sessionStorage.clicks), Number(sessionStorage.scrolled || 0)]")
    assert 0 < clicks <= MOST_CLICKS and scrolled == 0, f"{clicks} clicks, scrolled by {scrolled} pixels"
