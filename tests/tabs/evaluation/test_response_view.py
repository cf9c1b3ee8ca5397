"""Results become a response curve, stored per method and weights and shown in the page's table; visitors of a Space store none."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from camera.errors import InputError
from camera.evaluation.report import MeasuredCamera, make_report
from camera.path import CameraPath
from pipelines.cli.evaluation import response
from pipelines.method import Clip, Progress
from pipelines.results import responses, take_report
from pipelines.results.record import Record, save
from tabs.evaluation import response_view
from tabs.project.project import Project
from tests.scenes.turning import turning


def pan(degrees: float, roll: float = 0.0) -> CameraPath:
    return turning(np.linspace(0, 1, 13) ** 2, degrees, roll=roll, fps=12)


def shot(folder: Path, degrees: float) -> str:
    made = Record(method="gen3c", settings={}, path=pan(degrees), options={"weights": "real"})
    video = save(folder, f"pan{degrees:g}", Clip(np.zeros((13, 48, 64, 3), np.uint8), 12, made.path), made).video
    got = pan(0.8 * degrees, 0.1 * degrees)
    take_report.save_report(
        video, make_report(MeasuredCamera("pan", got, range(13), 13, "held", 0.0, 0.1, ("Found.",)), pan(degrees))
    )
    return str(video)


def test_results_become_a_curve_that_shots_can_use(tmp_path, monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.setenv(responses.HOME_VARIABLE, str(tmp_path / "curves"))
    project = Project(folder=tmp_path / "session")
    told, shown = list(response_view.measure_responses(project, [shot(tmp_path, 10), shot(tmp_path, 30)]))[-1]
    assert told == "Kept: gen3c with real weights."
    (row,) = [row["cells"] for row in shown["value"]["rows"] if row["cells"][2] == "pan"]
    assert row[3] == pytest.approx(80, abs=1.5) and row[6] == 2 and "roll" in row[5]
    kept = responses.load_responses(responses.responses_folder(), "gen3c", "real")
    assert kept is not None and kept.gain("pan") == pytest.approx(0.8, abs=0.015)


def test_the_set_is_shot_and_random_weights_are_labelled(tmp_path, monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.setenv(responses.HOME_VARIABLE, str(tmp_path / "curves"))
    picture = tmp_path / "room.png"
    cv2.imwrite(str(picture), np.full((32, 32, 3), 90, np.uint8))
    made = [Path(shot(tmp_path, 10)), Progress("Sampling", 1, 2), Path(shot(tmp_path, 30))]
    asked = []
    monkeypatch.setattr(response, "shoot_set_steps", lambda *given: asked.append(given) or iter(made))
    project = Project(folder=tmp_path / "session")
    told = [words for words, _ in response_view.shoot_responses(project, "gen3c", "tiny", str(picture))]
    assert told[0] == "**Sampling** 1/2 " and "Kept: gen3c" in told[-1] and "RANDOM weights" in told[-1]
    assert asked[0][0] == "gen3c" and asked[0][3] == ["--weights", "tiny"]
    assert sum(map(len, response.SET.values())) == response_view.SHOTS_OF_SET
    with pytest.raises(InputError, match="choose the picture"):
        next(response_view.shoot_responses(project, "gen3c", "tiny", ""))


def test_nothing_given_and_visitors_of_a_space_are_refused(tmp_path, monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    with pytest.raises(InputError, match="at several strengths"):
        next(response_view.measure_responses(Project(folder=tmp_path), []))
    monkeypatch.setenv("SPACE_ID", "somebody/space")
    with pytest.raises(InputError, match="its owner measures"):
        next(response_view.measure_responses(Project(folder=tmp_path), ["a.mp4"]))
