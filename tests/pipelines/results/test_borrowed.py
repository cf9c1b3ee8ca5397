"""The move of a clip is transferred to another scene: with the same size relative to the subject, through the picture's lens."""

import argparse
from pathlib import Path

import numpy as np
import pytest

from camera.evaluation.report import MeasuredCamera, make_report
from camera.path import pinhole
from camera.view import Scene, View
from pipelines.cli import shot
from pipelines.media.video import write_mp4
from pipelines.results import take_report
from pipelines.results.borrowed import borrow_path
from tests.scenes.turning import turning

FRAMES = 12


def scene(subject: float = 6.0) -> Scene:
    return Scene((View.of(np.zeros((48, 48, 3), np.uint8), np.full((48, 48), subject), pinhole(48, 48, 40)),), "still")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A pan while moving one unit to the right and zooming by half; the scene is 3 units away."""
    path = turning(FRAMES, 20, way=(1, 0, 0), zoom=1.5, size=(64, 36), fps=12)
    file = write_mp4(tmp_path / "clip.mp4", np.zeros((FRAMES, 36, 64, 3), np.uint8), 12)
    found = MeasuredCamera("travel", path, range(FRAMES), FRAMES, "found", 9.0, 0.2, (), 3.0)
    take_report.save_report(file, make_report(found))
    return file


def test_a_kept_report_becomes_a_path_in_the_scene(clip):
    path, told = borrow_path(clip, scene())
    assert (len(path), path.width, path.height, path.fps) == (FRAMES, 48, 48, 12)
    np.testing.assert_allclose(path.centres[-1], [2, 0, 0], atol=0.05)
    assert path.intrinsics[0, 0, 0] == pytest.approx(scene().first.camera.intrinsics[0, 0, 0])
    assert path.intrinsics[-1, 0, 0] / path.intrinsics[0, 0, 0] == pytest.approx(1.5, rel=0.01)
    assert told.startswith("The move of clip.mp4 is borrowed: ") and "at most" in told


def test_the_command_line_borrows_from_any_video_and_takes_a_path_file_as_before(clip, tmp_path, capsys):
    given = argparse.Namespace(path=clip, path_smooth=0.0)
    path = shot._clip_move(given, scene(3.0))
    assert path is not None and path.centres[-1, 0] == pytest.approx(1, abs=0.03)
    assert "is borrowed" in capsys.readouterr().err
    assert shot._clip_move(argparse.Namespace(path=tmp_path / "path.json", path_smooth=0.0), scene()) is None
