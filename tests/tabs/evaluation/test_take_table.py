"""Takes of several methods in one table: a column per number, sparklines with gaps, and notes on what cannot be measured."""

import json
from pathlib import Path

import numpy as np
import pytest
from test_take_view import move

from camera.errors import InputError
from camera.evaluation.report import MeasuredCamera, make_report
from pipelines.media.video import write_mp4
from pipelines.results import take_report
from tabs.evaluation import table


def take(pan: float, frames: int = 12):
    kept = list(range(frames))
    return make_report(
        MeasuredCamera("travel", move(pan).sliced(kept), kept, 12, "held", 9.0, 0.2, ("Found.",)), move()
    )  # type: ignore[arg-type]


def test_a_row_has_the_numbers_and_a_sparkline_with_gaps():
    row = table.row("GEN3C", take(16, frames=10))
    named = dict(zip(table.COLUMNS, row["cells"]))
    assert named["verdict"] == "differs" and named["placed"] == 83.3
    assert named["rotation of requested, %"] == pytest.approx(80, abs=0.1)
    assert named["lens, %"] == 0
    assert row["spark"][-2:] == [None, None] and row["spark"][9] == 1 and len(row["spark"]) == 12


def test_every_shot_gets_its_row_and_what_cannot_be_measured_is_said(tmp_path: Path):
    videos = {}
    for title, pan in (("GEN3C", 20), ("GenXD", 10)):
        videos[title] = str(write_mp4(tmp_path / f"{title}.mp4", np.zeros((12, 36, 64, 3), np.uint8), 12))
        take_report.save_report(videos[title], take(pan))
    videos["Black"] = str(write_mp4(tmp_path / "black.mp4", np.zeros((4, 36, 64, 3), np.uint8), 12))
    told, shown = list(table.measure_videos(videos))[-1]
    assert [row["cells"][0] for row in shown["value"]["rows"]] == ["GEN3C", "GenXD"]
    json.dumps(shown["value"], allow_nan=False)
    assert told.startswith("Black: ") and "show nothing" in told


def test_nothing_shot_is_nothing_to_measure():
    with pytest.raises(InputError, match="Shoot the move first"):
        next(table.measure_videos({}))
