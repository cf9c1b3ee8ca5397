"""The blind arena: shots of one move enter with their errors; in a real browser no name is visible before the vote."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from camera.errors import InputError
from camera.evaluation.report import MeasuredCamera, make_report
from camera.path import CameraPath
from pipelines.method import Clip
from pipelines.results import arena as store
from pipelines.results import take_report
from pipelines.results.record import Record, save
from tabs.compare import arena
from tests.scenes.turning import turning


def pan(degrees: float, frames: int) -> CameraPath:
    return turning(frames, degrees, fps=12)


def shot(folder: Path, method: str, frames: int, degrees: float = 20.0, weights: str = "real") -> str:
    grey = np.full((frames, 48, 64, 3), len(method) * 30, np.uint8)
    made = Record(method=method, settings={}, path=pan(degrees, frames), options={"weights": weights})
    return str(save(folder, f"{method}-{degrees:g}", Clip(grey, 12, made.path), made).video)


@pytest.fixture
def kept(tmp_path, monkeypatch) -> store.Arena:
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path / "arena"))
    return store.Arena(store.arena_folder() / "arena.sqlite")


def test_shots_of_one_move_enter_with_their_errors_and_without_their_names(tmp_path, kept):
    videos = [shot(tmp_path, "gen3c", 17), shot(tmp_path, "genxd", 12), shot(tmp_path, "i2v3d", 16, 50)]
    take_report.save_report(
        videos[1], make_report(MeasuredCamera("pan", pan(16, 12), range(12), 12, "held", 0.0, 0.1, ()), pan(20, 12))
    )
    told = arena.enter_all(kept, videos)
    assert told.startswith("2 shots of one move") and "1 follow another move" in told
    first, second = kept.entries()
    assert (first.method, second.method) == ("GEN3C", "GenXD") and first.move == second.move
    assert first.turn_degrees is None and second.turn_degrees == pytest.approx(2, abs=0.01)
    assert Path(first.video).parent == kept.file.parent and "gen3c" not in Path(first.video).name
    with pytest.raises(InputError, match="different moves"):
        arena.enter_all(kept, videos[1:])
    with pytest.raises(InputError, match="two methods"):
        arena.enter_all(kept, videos[:1])
    arena.enter_all(kept, videos)
    assert len(kept.entries()) == 2, "the same shots enter once"


def test_noise_of_random_weights_is_named_so(tmp_path, kept):
    arena.enter_all(kept, [shot(tmp_path, "gen3c", 17), shot(tmp_path, "genxd", 12, weights="tiny")])
    assert kept.entries()[1].method == "GenXD (tiny random weights)"


def test_a_pair_is_watched_without_names_and_one_vote_tells_them(tmp_path, kept, visit, gen3c_alone):
    arena.enter_all(kept, [shot(tmp_path, "gen3c", 17), shot(tmp_path, "genxd", 12)])
    page = visit(390, 844, at=gen3c_alone)
    page.get_by_role("tab", name="Side by side").click()
    page.get_by_text("Blind arena").click()
    page.locator("#arena-show").click()
    expect(page.locator("#arena-pair video")).to_have_count(2)
    section = page.locator("#arena")
    assert "GenXD" not in section.inner_text() and "GEN3C" not in section.inner_text()
    assert "gen" not in " ".join(
        page.locator("#arena-pair video").evaluate_all("all => all.map((one) => one.src.split('/').pop())")
    )
    page.locator("#arena-left").click()
    expect(page.locator("#arena-told")).to_contain_text("GenXD")
    expect(page.locator("#arena-left")).to_be_disabled()
    expect(page.locator("#arena-scores tbody tr")).to_have_count(2)
    assert len(kept.votes()) == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    (line,) = csv.DictReader(kept.as_csv().splitlines())
    assert line["first_got"] == "1.0"
