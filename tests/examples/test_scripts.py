"""The numbered scripts run unchanged, from the repository's root, on tiny weights."""

import os
import runpy
from pathlib import Path

import pytest

from pipelines.media.video import read_video
from pipelines.results.record import restore
from pipelines.runtime import runner

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "examples" / "scripts").glob("*.py"))


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A working directory with the repository's examples, in which outputs may be written."""
    os.symlink(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT))
    yield tmp_path
    runner.default().unload()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_runs(script, home, capsys):
    runpy.run_path(str(script), run_name="__main__")
    said = capsys.readouterr().out
    if script.stem == "01_rehearse":
        frames, fps = read_video(home / "outputs" / "rehearsal.mp4")
        assert len(frames) == 49 and fps == 24 and max(frames.shape[1:3]) == 640 and said.startswith("49 frames;")
    elif script.stem == "02_shoot":
        made = restore(home / "outputs" / "shot.mp4")
        assert (made.method, made.settings["seed"], made.weights) == ("gen3c", 1, "tiny")
        assert said.startswith("Made with tiny random weights: noise, not a picture.")
    elif script.stem == "03_progress":
        assert "Denoising 2 of 20" in said and "Denoising 3" not in said
    else:
        assert said.count("reference GPU") >= 3 and "GEN3C:" in said


def test_the_documentation_names_every_script():
    page = (ROOT / "docs" / "api.md").read_text()
    assert SCRIPTS and all(f"`{script.name}`" in page for script in SCRIPTS)
