"""`python -m pipelines evaluate`: results and external poses are combined in one table, in every format; a second run measures nothing."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from camera.formats.reshoot import write
from camera.path import CameraPath, pinhole
from camera.rotation import from_pan_tilt_roll
from pipelines.__main__ import main
from pipelines.cli.evaluation import forms, matrix, results
from pipelines.media.video import write_mp4
from pipelines.results import take_report

FRAMES = 9


def move(gain: float = 1.0) -> CameraPath:
    share = np.linspace(0, 1, FRAMES)
    poses = np.repeat(np.eye(4)[None], FRAMES, axis=0)
    poses[:, :3, :3] = from_pan_tilt_roll(18 * gain * share, 0 * share, 0 * share)
    poses[:, :3, 3] = np.stack([share, 0 * share, share**2], axis=1)
    return CameraPath(poses, pinhole(64, 48, 60), 64, 48)


def turned_by_eight_tenths(frames, fps):
    """A user's plug-in estimator that lost the last frame."""
    assert frames.shape == (FRAMES, 48, 64, 3) and fps == 24
    path = move(0.8)
    return path.sliced(slice(0, FRAMES - 1)), range(FRAMES - 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 255, (FRAMES, 48, 64, 3), np.uint8)
    write_mp4(tmp_path / "shot.mp4", noise, 24)
    (tmp_path / "shot.json").write_bytes(write(move()))
    return tmp_path


def test_an_own_estimator_is_scored_and_lost_frames_are_failures(folder, capsys, monkeypatch):
    name = f"{__name__}:turned_by_eight_tenths"
    monkeypatch.setattr(results, "estimator", lambda asked: {name: turned_by_eight_tenths}[asked])
    assert main(["evaluate", str(folder / "shot.mp4"), "--model", name, "--out", str(folder / "out")]) == 0
    made = json.loads((folder / "out" / "table.json").read_text())
    (one,) = made["results"]
    assert (one["frames"], one["placed"], one["verdict"]) == (FRAMES, FRAMES - 1, "differs")
    asked = np.linspace(0, 18, FRAMES)[:-1]
    assert one["numbers"]["rot_mean"] == pytest.approx(np.mean(0.2 * asked), abs=1e-4)
    assert one["numbers"]["auc_30"] < 1 - 8 / 36
    assert "8 of 9" in capsys.readouterr().out
    monkeypatch.setattr(results, "estimator", lambda asked: pytest.fail("measured again"))
    assert main(["evaluate", str(folder / "shot.mp4"), "--model", name, "--out", str(folder / "out")]) == 0


def test_every_form_of_the_table_holds_sources_and_conventions(folder):
    (folder / "poses.json").write_bytes(write(move(0.9)))
    out = folder / "out"
    given = ["evaluate", "--poses", str(folder / "poses.json"), "--path", str(folder / "shot.json"), "--out", str(out)]
    assert main(given) == 0
    lines = list(csv.reader((out / "table.csv").open()))
    assert lines[0][8] == "RotErr" and lines[1][8] == "CameraCtrl, CamI2V" and "radians" in lines[2][8]
    assert float(lines[3][9]) == pytest.approx(np.mean(0.1 * np.linspace(0, 18, FRAMES)), abs=1e-6)
    text = (out / "table.md").read_text()
    assert "| ATE ↓ | Umeyama 1991 | root mean square distance after Sim(3)" in text
    latex = (out / "table.tex").read_text()
    assert latex.count(r"\\") == len(forms.ROWS) + 2 and r"\toprule" in latex
    page = (out / "report.html").read_text()
    assert "<svg" in page and "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert (out / "poses-errors.png").stat().st_size > 1000


def test_what_cannot_be_scored_is_said_and_the_rest_is(folder, capsys):
    write_mp4(folder / "alone.mp4", np.zeros((4, 48, 64, 3), np.uint8), 24)
    (folder / "poses.json").write_bytes(write(move()))
    with_path = results.score(folder / "shot.mp4", poses=folder / "poses.json")
    take_report.save_report(
        folder / "shot.mp4", with_path.report.__class__.of(with_path.report.values() | {"error_px": 0.1})
    )
    assert main(["evaluate", str(folder), "--out", str(folder / "out")]) == 1
    told = capsys.readouterr()
    assert "alone.mp4 contains no path" in told.err and "1 results" in told.out


def test_seeds_of_one_method_and_move_are_spread():
    one = results.score_poses_of(move(), move(0.9), "a")
    pair = [
        replace(one, method="gen3c", seed=str(seed), numbers={"rot_mean": value})
        for seed, value in ((0, 1.0), (1, 3.0))
    ]
    (group,) = forms.group_results(pair)
    assert str(group.cell(forms.ROWS[1])) == "2 ± 1.4" and group.placed == "18 of 18"
    assert group.label.endswith(", 2 seeds")


def test_a_matrix_says_what_it_lacks(tmp_path):
    from camera.errors import InputError

    file = tmp_path / "matrix.json"
    file.write_text('{"image": "a.png", "methods": ["gen3c"], "moves": ["arc 20"], "sedes": [1]}')
    with pytest.raises(InputError, match="'sedes'"):
        matrix.read(file)
    file.write_text('{"image": "a.png", "methods": [], "moves": ["arc 20"]}')
    with pytest.raises(InputError, match="at least one"):
        matrix.read(file)


def test_a_name_of_no_function_is_refused():
    from camera.errors import InputError

    with pytest.raises(InputError, match=r"package\.module:function"):
        results.estimator("nowhere.at.all:cameras")


def test_a_matrix_is_shot_once_and_what_was_not_shot_is_said(tmp_path):
    (tmp_path / "path.json").write_bytes(write(move()))
    (tmp_path / "matrix.json").write_text(
        '{"image": "a.png", "methods": ["gen3c", "genxd"], "moves": ["path.json"], "seeds": [0, 1], "options": ["--weights", "tiny"]}'
    )
    asked: list[list[str]] = []

    def shoot(words: list[str]) -> int:
        asked.append(words)
        if words[1] == "genxd":
            return 1
        Path(words[-1]).write_bytes(b"video")
        return 0

    said: list[str] = []
    for _ in range(2):
        made = matrix.shot_all(tmp_path / "matrix.json", tmp_path / "shots", said.append, shoot)
        assert [file.name for file in made] == ["gen3c_move0_seed0.mp4", "gen3c_move0_seed1.mp4"]
    assert sum(words[1] == "gen3c" for words in asked) == 2
    assert said[0] == "genxd_move0_seed0.mp4 was not shot." and "--weights" in asked[0]
