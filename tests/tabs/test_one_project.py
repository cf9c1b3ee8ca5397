"""One scene and one move for all tabs, with undo and redo, in a real browser."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect


def slider(page: Page, label: str):
    return page.get_by_label(re.compile(f"number input for {label}")).locator("visible=true").first


def test_a_scene_and_its_move_are_there_on_every_tab_and_edits_are_undone_by_name(visit):
    page = visit(1440, 900)
    page.locator("#examples button").first.click()
    plot, notes = page.locator("#stage .stage-plot"), page.locator("#path-notes")
    expect(plot).to_have_attribute("data-frames", "121")
    expect(notes).to_contain_text("GEN3C: 121 frames")
    page.get_by_label("Film moves").locator("visible=true").check()
    page.locator("#film-moves textarea").fill("truck 0.3")
    expect(page.locator("#undo")).to_have_text("Undo: change Moves")

    page.get_by_role("tab", name="GenXD").click()
    expect(notes).to_contain_text("GenXD: 12 frames")
    expect(plot).to_have_attribute("data-frames", "12")
    expect(notes).to_contain_text("cut off left and right")
    expect(page.get_by_role("button", name="Shoot with GenXD")).to_be_in_viewport(ratio=1)
    expect(page.locator("#film-moves textarea")).to_have_value("truck 0.3")

    views = slider(page, "Views")
    views.fill("24")
    views.press("Enter")
    expect(notes).to_contain_text("GenXD: 24 frames")
    expect(page.locator("#undo")).to_have_text("Undo: change Views")
    page.locator("#undo").click()
    expect(views).to_have_value("12")
    expect(notes).to_contain_text("GenXD: 12 frames")
    page.locator("#stage .stage-eye").focus()
    page.keyboard.press("Control+z")
    expect(page.locator("#film-moves textarea")).to_have_value("arc 30 ease")
    page.keyboard.press("Control+Shift+z")
    expect(page.locator("#film-moves textarea")).to_have_value("truck 0.3")
    page.keyboard.press("Control+Shift+z")
    expect(views).to_have_value("24")
    expect(page.locator("#redo")).to_be_disabled()

    page.get_by_text("All other settings").locator("visible=true").click()
    drawer = page.locator("#genxd-drawer")
    expect(drawer.get_by_label("Cut the padding off").first).to_be_visible()
    page.locator("#genxd-search input").fill("motion strength")
    expect(drawer.get_by_label("Cut the padding off").first).to_be_hidden()
    expect(drawer.get_by_text("Motion strength").first).to_be_visible()
    page.locator("#genxd-search input").fill("no such words")
    expect(drawer.get_by_text("No setting has these words.")).to_be_visible()
    page.locator("#genxd-search input").fill("")
    expect(drawer.get_by_label("Cut the padding off").first).to_be_visible()
