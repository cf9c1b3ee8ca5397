"""The page's view of a take: ribbons per frame, the path from above, numbers; and when it measures automatically."""

import json
from pathlib import Path

import numpy as np
import pytest

from camera.evaluation.report import MeasuredCamera, TakeReport, make_report
from camera.figure.overlay import overlay
from camera.path import CameraPath, pinhole
from camera.view import Scene, View
from pipelines import method
from pipelines.media.video import write_mp4
from pipelines.project.content import PATH_FILE, MoveSource
from pipelines.results import take_report
from tabs.evaluation import take_view
from tabs.evaluation.ribbons import value
from tabs.project.project import Project
from tests.scenes.turning import turning


def move(pan: float = 20.0, frames: int = 12) -> CameraPath:
    return turning(frames, pan, way=(1, 0, 2), size=(64, 36), fps=12)


@pytest.fixture
def made() -> TakeReport:
    kept = list(range(10))
    return make_report(MeasuredCamera("travel", move(16).sliced(kept), kept, 12, "held", 9.0, 0.2, ("Found.",)), move())  # type: ignore[arg-type]


def test_ribbons_hold_every_placed_frame_and_name_the_others(made):
    shown = value(made)
    json.dumps(shown, allow_nan=False)
    assert [row["name"] for row in shown["rows"]] == ["turn", "place", "lens"]
    turn = shown["rows"][0]
    assert len(turn["values"]) == 10 and turn["most"] == pytest.approx(0.2 * 20 * 9 / 11, abs=1e-4)
    assert shown["unplaced"] == [10, 11] and shown["fps"] == 12
    assert dict(map(tuple, shown["numbers"]))["placed"] == "10 of 12 frames"
    asked, shot = (np.array(way) for way in shown["ways"])
    assert asked.shape == (12, 2) and shot.shape == (10, 2)
    assert asked.min() >= 0 and asked.max() <= 160 and asked[-1, 1] < asked[0, 1]  # up in the drawing is forward


def test_a_kept_report_is_shown_and_not_measured_again(made, tmp_path: Path, monkeypatch):
    video = write_mp4(tmp_path / "shot.mp4", np.zeros((12, 36, 64, 3), np.uint8), 12)
    take_report.save_report(video, made)
    monkeypatch.setattr(take_view, "measure_steps", lambda _: pytest.fail("measured again"))
    (told, _, again, stop) = list(take_view.report_updates(video))[-1]
    assert told.startswith("**Did the shot follow its move?** Differs. Turns 20 % too little")
    assert again.visible and not stop.visible


def test_what_cannot_be_measured_is_said_in_place(tmp_path: Path):
    video = write_mp4(tmp_path / "shot.mp4", np.zeros((4, 36, 64, 3), np.uint8), 12)
    steps = list(take_view.report_updates(video))
    assert "Measuring the camera" in steps[0][0]
    assert "show nothing" in steps[-1][0]


def test_nothing_is_measured_before_there_is_a_shot():
    (step,) = take_view.report_after_shot(None)
    assert step[0] == "" and not step[2].visible


def test_the_asked_way_is_drawn_under_the_measured_one(made):
    names = [trace["name"] for trace in overlay(made.achieved_path, made.requested_path)["data"]]
    assert {"path", "asked", "asked, end"} <= set(names)
    assert "asked" not in [trace["name"] for trace in overlay(made.achieved_path, None)["data"]]


def test_the_shot_is_drawn_over_the_move_only_while_it_is_the_move(made, tmp_path: Path):
    view = View.of(np.zeros((36, 64, 3), np.uint8), np.full((36, 64), 3.0), pinhole(64, 36, 60))
    moves = method("gen3c").moves(frames=17, width=128, height=64, fit="stretch")
    project = Project(folder=tmp_path / "project").opened(Scene((view,), "still")).with_moves(moves)
    project = project.with_own(move()).with_source(MoveSource(moves_from=PATH_FILE))
    video = write_mp4(tmp_path / "shot.mp4", np.zeros((12, 36, 64, 3), np.uint8), 12)
    assert "value" not in take_view.overlay_measured(project, str(video))  # not measured yet
    asked = project.ready()[1]
    kept = list(range(10))
    found = MeasuredCamera("travel", move(16).sliced(kept), kept, 12, "held", 9.0, 0.2, ("Found.",))  # type: ignore[arg-type]
    take_report.save_report(video, make_report(found, asked))
    shown = take_view.overlay_measured(project, str(video))
    traces = {trace["name"]: trace for trace in shown["figure"].root["data"]}
    assert {"path", "shot", "shot, end"} <= set(traces) and shown["frames"] == 17
    assert traces["shot"]["showlegend"] and not traces["frusta"]["showlegend"]
    assert "figure" not in take_view.overlay_measured(project.with_own(move(5)), str(video))
