"""The response command: shots with saved reports become one curve per method and weights, and it says what it cannot determine."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from camera.evaluation.report import MeasuredCamera, make_report
from camera.formats.reshoot import write
from camera.path import CameraPath
from pipelines.cli.evaluation import response
from pipelines.media.video import write_mp4
from pipelines.method import Progress
from pipelines.results import responses, take_report
from tests.scenes.turning import turning


def pan(degrees: float) -> CameraPath:
    return turning(np.linspace(0, 1, 13) ** 2, degrees)


def shot(folder: Path, name: str, degrees: float, gain: float) -> None:
    asked = pan(degrees)
    write_mp4(folder / f"{name}.mp4", np.zeros((13, 48, 64, 3), np.uint8), 24)
    (folder / f"{name}.json").write_bytes(write(asked))
    found = MeasuredCamera("pan", pan(gain * degrees), range(13), 13, "held", 0.0, 0.1, ("Found.",))
    take_report.save_report(folder / f"{name}.mp4", make_report(found, asked))


def test_a_folder_of_shots_becomes_a_curve_that_is_kept(tmp_path, capsys):
    for name, degrees in (("weak", 10), ("strong", 30)):
        shot(tmp_path, name, degrees, 0.8)
    assert response.main([str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    assert "pan 80 % of requested, 0 frames late" in capsys.readouterr().out
    made = responses.load_responses(tmp_path / "out", "unknown", "unknown")
    assert made is not None and made.gain("pan") == pytest.approx(0.8, abs=1e-3)
    assert responses.load_responses(tmp_path / "out", "gen3c", "real") is None


def test_what_cannot_be_told_answers_nothing(tmp_path, capsys):
    write_mp4(tmp_path / "black.mp4", np.zeros((4, 48, 64, 3), np.uint8), 24)
    (tmp_path / "black.json").write_bytes(write(pan(10)))
    assert response.main([str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    told = capsys.readouterr().err
    assert "show nothing" in told and "None of these shots" in told


def test_a_set_is_shot_step_by_step_with_random_weights_and_not_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(response, "SET", {"pan": (10,)})
    picture = tmp_path / "room.png"
    cv2.imwrite(str(picture), np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    options = [
        "--weights",
        "tiny",
        "--depth-model",
        "guess",
        "--width",
        "64",
        "--height",
        "64",
        "--frames",
        "5",
        "--steps",
        "1",
    ]
    first = list(response.shoot_set_steps("dualcamctrl", picture, tmp_path / "set", options))
    assert isinstance(first[0], Progress) and "shot 1 of 1 (pan 10 ease)" in first[0].phase
    assert first[-1] == tmp_path / "set" / "dualcamctrl_move0_seed0.mp4" and first[-1].is_file()
    assert list(response.shoot_set_steps("dualcamctrl", picture, tmp_path / "set", options)) == [first[-1]]
