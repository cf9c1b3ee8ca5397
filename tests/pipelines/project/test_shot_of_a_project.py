"""A project saved in the page is shot on the command line by any method, with its own scene, move and settings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from camera.editing import edits
from camera.editing.keys import Key, KeyedMove, seconds_of
from camera.editing.track import path_of
from camera.errors import InputError
from camera.trajectories import film_script
from examples import load
from pipelines import method
from pipelines.__main__ import main
from pipelines.cli.parser import parser
from pipelines.cli.shot import shot_of
from pipelines.media.video import read_video
from pipelines.methods.i2v3d.keyframes.files import PaintedKeyframes, read_kept, unpack
from pipelines.project.content import FILM_MOVES, KEYFRAMES, MoveSource
from pipelines.project.file import content_of, is_project, read_project, save_project
from pipelines.project.framing import clip_camera
from pipelines.project.look import Look
from pipelines.project.parts import ProjectFile
from pipelines.results.record import restore

FRAME = {"width": 96, "height": 64, "frames": 9}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    known = method("dualcamctrl")
    return save_project(
        tmp_path / "project.zip",
        ProjectFile(
            scene=load("still_life").fitted(240, 160),
            source=MoveSource(moves_from=FILM_MOVES, film_moves="truck 0.2; pan 4").values(),
            moves={name: method(name).moves(**FRAME).values() for name in ("dualcamctrl", "gen3c")} | {"gone": {}},
            settings={"dualcamctrl": known.settings(steps=2, seed=11).values() | {"weights": "tiny"}},
            method="dualcamctrl",
        ),
    )


def test_a_shot_has_the_projects_scene_move_settings_and_weights(project, tmp_path, capsys):
    assert is_project(project)
    out = tmp_path / "shot.mp4"
    assert main(["run", "dualcamctrl", "--project", str(project), "--out", str(out)]) == 0
    made = restore(out)
    assert (made.settings["seed"], made.settings["steps"], made.weights) == (11, 2, "tiny")
    assert made.moves == {}  # the path came from the film text
    first = load("still_life").fitted(240, 160).fitted(96, 64).first
    asked = film_script.path_of("truck 0.2; pan 4", first, frames=9, fps=made.path.fps)
    np.testing.assert_allclose(made.path.world_from_camera, asked.world_from_camera, atol=1e-9)
    assert "The settings for gone are left out" in capsys.readouterr().err


def test_options_of_the_command_line_come_first_and_a_move_among_them_makes_the_path(project, tmp_path):
    out = tmp_path / "shot.mp4"
    given = ["--seed", "3"]
    assert main(["run", "dualcamctrl", "--project", str(project), "--out", str(out), *given, "--travel", "0.4"]) == 0
    made = restore(out)
    assert made.settings["seed"] == 3 and made.moves["travel"] == 0.4 and len(made.path) == 9


def test_another_method_follows_the_same_move_in_its_own_frame(project, tmp_path, capsys):
    arguments = ["preview", "gen3c", "--project", str(project), "--out", str(tmp_path / "rehearsal.mp4")]
    assert main([*arguments, "--frames", "9", "--width", "128", "--height", "64"]) == 0
    assert (tmp_path / "rehearsal.mp4").is_file()


def test_what_is_no_project_is_refused_in_a_sentence(tmp_path, capsys):
    (tmp_path / "p.zip").write_bytes(b"PK\x03\x04 not whole")
    arguments = ["run", "dualcamctrl", "--project", str(tmp_path / "p.zip"), "--out", str(tmp_path / "x.mp4")]
    assert main(arguments) == 1
    assert "p.zip is not a complete project" in capsys.readouterr().err
    empty = save_project(tmp_path / "empty.zip", ProjectFile())
    assert main([*arguments[:3], str(empty), *arguments[4:]]) == 1
    assert "contains no picture yet" in capsys.readouterr().err


def test_painted_keyframes_go_with_the_project_and_are_shot_between(tmp_path):
    i2v3d = method("i2v3d")
    pictures = np.random.default_rng(0).integers(0, 255, (2, 64, 96, 3), np.uint8)
    painted = PaintedKeyframes((0, 8), pictures, {8: "a red chair"}, "here")
    again = read_kept(painted.to_keep())
    assert (again.indices, again.prompts, again.along) == ((0, 8), {8: "a red chair"}, "here")
    np.testing.assert_array_equal(again.pictures, pictures)
    lora = tmp_path / "subject.safetensors"
    lora.write_bytes(b"weights")
    file = save_project(
        tmp_path / "project.zip",
        ProjectFile(
            scene=load("still_life").fitted(240, 160), method="i2v3d",
            source=MoveSource(moves_from=FILM_MOVES, film_moves="truck 0.2").values(),
            moves={"i2v3d": i2v3d.moves(**FRAME).values()}, settings={"i2v3d": {"make": "video", "seed": 4}},
            files={"i2v3d": {"lora_file": lora}}, kept={"i2v3d/painted": painted.to_keep()},
        ),
    )  # fmt: skip
    given = parser().parse_args(given_words(file, tmp_path))
    shot, _ = shot_of(i2v3d, given, tmp_path / "here")
    settings = shot.settings
    assert settings.keyframes_at == "0, 8" and settings.keyframe_prompts == "8: a red chair" and settings.seed == 4
    assert Path(settings.lora_file).read_bytes() == b"weights"
    assert kept_pictures(settings.keyframes_file).keys() == {0, 8}
    anew = parser().parse_args([*given_words(file, tmp_path), "--keyframes-file", ""])
    assert shot_of(i2v3d, anew, tmp_path / "anew")[0].settings.keyframes_file == ""


def given_words(file: Path, folder: Path) -> list[str]:
    return ["run", "i2v3d", "--project", str(file), "--out", str(folder / "x.mp4")]


def kept_pictures(file: str) -> dict:
    return unpack(file, [0, 8], width=96, height=64)


def test_a_rehearsal_has_the_look_of_the_project_unless_the_command_line_says_another(tmp_path, capsys):
    scene, moves = load("still_life").fitted(96, 64), method("gen3c").moves(width=96, height=64, frames=9)
    look = Look(aperture=0.2, focus="0.3,0.1,2", shutter=180.0)
    made = ProjectFile(scene=scene, moves={"gen3c": moves.values()}, look=look.values())
    file = save_project(tmp_path / "project.zip", made)
    assert content_of(read_project(file))[0].look == look
    frames = {}
    for name, options in {
        "saved": [],
        "other": ["--aperture", "0", "--shutter", "90"],
        "off": ["--aperture", "0", "--shutter", "0"],
    }.items():
        out = tmp_path / f"{name}.mp4"
        assert main(["preview", "gen3c", "--project", str(file), "--out", str(out), *options]) == 0
        frames[name] = (read_video(out)[0], capsys.readouterr().out)
    assert "f/0.2" in frames["saved"][1] and "shutter 180 degrees" in frames["saved"][1]
    assert "f/" not in frames["other"][1] and "shutter 90 degrees" in frames["other"][1]
    assert "shutter" not in frames["off"][1]
    sharpness = {
        name: float(np.abs(np.diff(shown[4].astype(float), axis=1)).mean()) for name, (shown, _) in frames.items()
    }
    assert sharpness["saved"] < sharpness["other"] < sharpness["off"]


@pytest.mark.parametrize("focus", ["near", "1,2", "-1", "nan", "1e99"])
def test_a_focus_that_is_none_is_refused(focus):
    with pytest.raises(InputError, match=r"[Ff]ocus"):
        Look(focus=focus)


def test_keys_over_a_clip_go_with_the_project_to_every_method(tmp_path):
    """Each method uses the clip's first frames, as many as its own move has."""
    scene = load("toy_train").fitted(160, 96)
    clip = clip_camera(scene)
    assert clip is not None
    beside = clip.world_from_camera[10:11].copy()
    beside[0, 1, 3] -= 0.2
    key = Key(clip.sliced(slice(10, 11)).with_poses(beside), 10 / clip.fps)
    track = edits.follow_source(
        edits.add_key(KeyedMove((Key(key.camera, 0.0, follows=True),), seconds_of(clip), source=clip), key),
        20 / clip.fps,
    )
    moves = {name: method(name).moves(**{**FRAME, "frames": 25}).values() for name in ("dualcamctrl", "gen3c")}
    made = ProjectFile(scene=scene, track=track, source=MoveSource(moves_from=KEYFRAMES).values(), moves=moves)
    file = save_project(tmp_path / "project.zip", made)
    for name in moves:
        given = parser().parse_args(["preview", name, "--project", str(file), "--out", str(tmp_path / "x.mp4")])
        path = shot_of(method(name), given, tmp_path)[0].path
        wanted = path_of(track.fitted(96, 64), frames=25, fps=path.fps)
        np.testing.assert_allclose(path.world_from_camera, wanted.world_from_camera, atol=1e-12)
        np.testing.assert_allclose(path.world_from_camera[[0, 20, 24]], clip.world_from_camera[[0, 20, 24]], atol=1e-12)
        np.testing.assert_allclose(path.world_from_camera[10], beside[0], atol=1e-12)
