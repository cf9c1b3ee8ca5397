"""The project is stored in the browser: a reload or a restarted server loses nothing, and tabs do not overwrite each other."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from gradio.utils import get_upload_folder
from PIL import Image
from playwright.sync_api import Page, expect

from camera.errors import InputError
from camera.path import pinhole
from camera.view import Scene, View
from examples import load
from pipelines import method
from pipelines.project.content import FILM_MOVES, MoveSource
from tabs.project.project import Project
from tabs.serving.named_files import file_of
from tabs.shared import autosave
from tabs.shared.autosave import describe_saved, part_addresses, restore_saved
from tests.tabs.conftest import PATIENCE

GEN3C = method("gen3c")


def own_scene() -> Scene:
    colour = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
    return Scene((View.of(colour, np.full((24, 32), 2.0), pinhole(32, 24, 60)),), name="Mine")


def uploaded(project: Project) -> dict[str, str]:
    """Paths of a project's parts by name, once the page has sent them back."""
    said = describe_saved(project)
    found = part_addresses(project, {"ids": [id for _, id, _ in said["parts"]]})
    places = {}
    for name, id, _ in said["parts"]:
        target = Path(get_upload_folder()) / f"{id}.bin"
        target.parent.mkdir(parents=True, exist_ok=True)
        places[name] = str(shutil.copyfile(file_of(found[id]) or found[id].removeprefix("gradio_api/file="), target))
    return places


def test_words_and_parts_make_the_project_again_and_a_scene_is_sent_once():
    project = Project().opened(own_scene()).with_source(MoveSource(moves_from=FILM_MOVES, film_moves="truck 0.2"))
    project = project.with_settings(GEN3C.settings(seed=7))
    before = describe_saved(project)
    assert [name for name, _, _ in before["parts"]] == ["scene.npz"] and before["title"] == "Mine"
    again, name, notes = restore_saved(Project(), {"words": before["words"], "parts": uploaded(project)})
    assert name == "gen3c" and not notes and not again.history.past
    assert again.settings["seed"] == 7 and again.content.source.film_moves == "truck 0.2"
    np.testing.assert_array_equal(again.scene.first.colour, project.scene.first.colour)
    np.testing.assert_array_equal(again.ready()[1].world_from_camera, project.ready()[1].world_from_camera)
    later = describe_saved(project.with_settings(GEN3C.settings(seed=8)))
    assert later["parts"] == before["parts"] and later["edit"] != before["edit"]
    with_one = project.with_settings(GEN3C.settings(seed=8))
    over, _, _ = restore_saved(with_one, {"words": before["words"], "parts": uploaded(project)})
    assert over.history.past[-1].name == "restore the project" and over.undone().settings["seed"] == 8


def test_an_example_needs_no_pictures():
    said = describe_saved(Project().opened(load("reading_room"), example="reading_room"))
    assert said["parts"] == []
    again, _, _ = restore_saved(Project(), {"words": said["words"], "parts": {}})
    assert again.scene is load("reading_room")


def test_what_is_too_large_is_said(monkeypatch):
    monkeypatch.setattr(autosave, "MOST_BYTES", 1000)
    said = describe_saved(Project().opened(own_scene()))
    assert "words" not in said and "too large" in said["status"]


def test_only_what_was_uploaded_is_opened(tmp_path):
    project = Project().opened(own_scene())
    said = describe_saved(project)
    secret = tmp_path / "secret"
    secret.write_bytes(b"0")
    for wrong in ({"scene.npz": str(secret)}, {"scene.npz": f"{get_upload_folder()}/../secret"}, {}):
        with pytest.raises(InputError):
            restore_saved(Project(), {"words": said["words"], "parts": wrong})
    for damaged in (None, {}, {"words": {"project.json": "{"}, "parts": {}}, {"words": {}, "parts": 3}):
        with pytest.raises(InputError):
            restore_saved(Project(), damaged)
    assert list(Path(project.folder).glob("kept-*")) == []


def waits(page: Page, words: str):
    expect(page.locator(".kept p")).to_contain_text(words)


def one_waits(pages: tuple[Page, ...], words: str):
    """Wait until one of the pages says ``words``."""
    end = time.monotonic() + PATIENCE / 1000
    while not any(words in (page.locator(".kept p").text_content() or "") for page in pages):
        assert time.monotonic() < end, words
        pages[0].wait_for_timeout(100)


def film(page: Page):
    return page.locator("#film-moves textarea")


def test_a_reload_loses_nothing_and_two_tabs_keep_their_own(visit, gen3c_alone, tmp_path, chromium):
    page = visit(at=gen3c_alone, locale="en")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 160, 3), np.uint8)).save(tmp_path / "mine.png")
    page.get_by_text("Your own picture, clip, views or splats").click()
    page.locator("#picture input[type=file]").set_input_files(tmp_path / "mine.png")
    expect(page.locator("#path-notes")).to_contain_text("121 frames")
    page.get_by_label("Film moves").locator("visible=true").check()
    film(page).fill("truck 0.3")
    expect(page.locator("#undo")).to_have_text("Undo: change Moves")
    waits(page, "Kept in this browser")
    kept_whole(page, "truck 0.3")

    page.reload()
    waits(page, "Your project is back as it was at")
    expect(film(page)).to_have_value("truck 0.3")
    expect(page.locator("#path-notes")).to_contain_text("121 frames")
    expect(page.locator("#picture-status")).to_contain_text("160 x 90")

    other = page.context.new_page()  # the same slot, as after "Duplicate tab"
    other.add_init_script(
        f"sessionStorage.setItem('reshoot-place', {page.evaluate('sessionStorage[`reshoot-place`]')!r})"
    )
    other.goto(gen3c_alone)
    waits(other, "Your project is back")
    film(page).fill("truck 0.4")
    kept_whole(page, "truck 0.4")
    film(other).fill("truck 0.5")
    kept_whole(other, "truck 0.5")
    one_waits((page, other), "Another tab has this project open too")  # the tab that edited second
    places = page.evaluate(WORDS)
    assert any("truck 0.4" in each for each in places) and any("truck 0.5" in each for each in places)
    other.close()

    page.get_by_role("button", name="Start afresh").click()
    waits(page, "A project of")
    expect(page.locator("#undo")).to_be_disabled()
    page.get_by_role("button", name="Open it").click()
    waits(page, "The project is open as it was at")
    expect(film(page)).to_have_value(re.compile(r"truck 0\.[45]"))


WORDS = """async () => {
    const asked = indexedDB.open("reshoot " + location.pathname);
    const opened = await new Promise((done) => (asked.onsuccess = () => done(asked.result)));
    const all = opened.transaction("projects").objectStore("projects").getAll();
    await new Promise((done) => (all.onsuccess = done));
    return all.result.map((each) => each.words["project.json"]);
}"""


def kept_whole(page: Page, words: str) -> None:
    """Wait until the browser has stored a project that contains ``words``."""
    page.wait_for_function(f"async (words) => (await ({WORDS})()).some((each) => each.includes(words))", arg=words)
