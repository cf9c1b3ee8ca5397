"""The Python API: fits scenes to the method's frame, takes settings and options by name, and explains what it cannot do."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import camera
import reshoot
from pipelines import api, forecast, open_picture, rehearse, shoot
from pipelines.estimation.depth import MODELS
from pipelines.media.video import read_video
from pipelines.method import Progress
from pipelines.results.embedded_scene import read_embedded_scene
from pipelines.results.record import restore
from pipelines.runtime import runner

QUICK = {"weights": "tiny", "steps": 2}


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    file = tmp_path_factory.mktemp("room") / "room.png"
    picture = np.random.default_rng(0).integers(0, 255, (60, 100, 3), np.uint8)
    cv2.imwrite(str(file), picture)
    yield file
    runner.default().unload()


def test_depth_is_a_model_a_file_an_array_or_a_guess(room, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "pipelines.estimation.depth.depth_of",
        lambda picture, model: asked.append(model.key) or (api.open_picture(room, "guess") and _flat(picture)),
    )
    np.save(tmp_path / "depth.npy", np.full((60, 100), 2.0, np.float32))
    assert open_picture(room, depth=tmp_path / "depth.npy").first.focus_depth == 2
    assert open_picture(room, depth=np.full((60, 100), 4.0)).first.focus_depth == 4
    assert "guessed" in open_picture(room, depth="guess").source
    assert open_picture(room).source == open_picture(room, depth="depth_pro").source == "flat"
    assert asked == ["small", "depth_pro"] and set(asked) <= set(MODELS)
    with pytest.raises(reshoot.InputError, match=r"depth-anything-v2-small, .*depth-pro, guess"):
        open_picture(room, depth="midas")


def _flat(picture):
    from pipelines.estimation.depth import Depth

    return Depth(np.ones(picture.colour.shape[:2], np.float32), "relative", "flat")


def test_a_path_is_rehearsed_in_the_size_that_is_asked_for(room, tmp_path):
    scene = open_picture(room, depth="guess")
    path = camera.film_path("arc 20 ease", scene, frames=3, fps=12)
    rehearsal = rehearse(scene, path, side=50).save(tmp_path / "rehearsal.mp4")
    frames, fps = read_video(rehearsal.video)
    assert frames.shape == (3, 30, 50, 3) and fps == 12 and rehearsal.holes.shape == (3,)


def test_a_shot_is_framed_made_and_saved(room, tmp_path):
    scene = open_picture(room, depth="guess")
    path = camera.film_path("arc 10", scene, frames=5)
    items = list(shoot.steps("dualcamctrl", scene, path, seed=3, size=(96, 64), **QUICK))
    clip = items[-1]
    assert any(isinstance(item, Progress) and item.phase == "Denoising" for item in items)
    assert isinstance(clip, api.Result) and clip.frames.shape == (5, 64, 96, 3)
    assert clip.report is not None and clip.report.seconds > 0
    assert clip.notes[0] == "Made with tiny random weights: noise, not a picture."
    again = shoot("dualcamctrl", scene, path, seed=3, size=(96, 64), **QUICK)
    assert np.array_equal(clip.frames, again.frames)
    saved = clip.save(tmp_path / "shot.mp4")
    made = restore(saved.video)
    assert (made.method, made.settings["seed"], made.options["weights"]) == ("dualcamctrl", 3, "tiny")
    box = read_embedded_scene(saved.video)
    assert box is not None and (box.scene.first.width, box.scene.first.height) == (96, 64)
    with pytest.raises(reshoot.InputError, match="mp4"):
        clip.save(tmp_path / "shot.gif")


def test_a_shot_has_the_methods_own_frame_and_is_asked_before_it_runs(room):
    scene = open_picture(room, depth="guess")
    shot = shoot.prepare("gen3c", scene, camera.film_path("arc 5", scene, frames=9), prompt="a room")
    assert (shot.path.width, shot.path.height, shot.scene.first.width) == (1280, 704, 1280)
    assert shot.path.fov_degrees[0, 0] == pytest.approx(scene.first.camera.fov_degrees[0, 0], abs=1e-6)
    assert shot.settings.prompt == "a room" and shot.check() and shot.estimate().seconds > 0
    assert forecast(shoot.prepare("gen3c", scene, shot.path, weights="tiny")).words.startswith("Tiny random networks")


@pytest.mark.parametrize(
    "name, wishes, said",
    [
        ("sora", {}, "no method 'sora'; the methods are gen3c"),
        ("gen3c", {"sed": 1}, "GEN3C has no setting 'sed'; it has .*seed"),
        ("gen3c", {"steps": 0}, "Steps must lie between"),
        ("gen3c", {"weights": "small"}, "Weights must be one of"),
        ("gen3c", {"weights": "tiny"}, "GEN3C makes 8k.1 frames in one chunk, got 5; use 9"),
    ],
)
def test_what_cannot_be_shot_is_said(room, name, wishes, said):
    scene = open_picture(room, depth="guess")
    with pytest.raises(reshoot.InputError, match=said):
        shoot(name, scene, camera.film_path("arc 5", scene, frames=5), **wishes)


def test_importing_it_is_light():
    code = "import sys, reshoot; print([m for m in ('torch', 'numba', 'cv2', 'av', 'scipy') if m in sys.modules])"
    root = Path(reshoot.__file__).parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "[]", done.stderr
