"""I2V3D without a browser: projects, objects and phases on the command line, with tiny weights."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh
from safetensors.torch import load_file

from camera.objects.model import read_model
from camera.objects.scene import Key, Placement, SceneObject, stage_objects
from pipelines import method
from pipelines.__main__ import main
from pipelines.cli import learn_subject
from pipelines.cli.bench import default_shot
from pipelines.cli.parser import parser
from pipelines.cli.shot import shot_of
from pipelines.media.video import read_video
from pipelines.methods.i2v3d.keyframes import files
from pipelines.methods.i2v3d.keyframes.files import PaintedKeyframes
from pipelines.methods.i2v3d.method import I2V3DSettings
from pipelines.methods.i2v3d.scene.project import Project, read_project, save_project
from pipelines.results.record import restore, scene_sha256

TINY = ["--weights", "tiny", "--steps", "2", "--video-steps", "2"]
WAY = (Key(0, Placement(-0.2, -0.2, 0.8, size=0.3)), Key(1, Placement(0.2, -0.2, 0.8, size=0.3)))


@pytest.fixture(autouse=True)
def methods(monkeypatch):
    monkeypatch.setenv("RESHOOT_METHODS", "i2v3d")


@pytest.fixture(scope="module")
def ball(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("models") / "ball.ply"
    file.write_bytes(trimesh.creation.icosphere(2).export(file_type="ply"))
    return file


@pytest.fixture(scope="module")
def project(ball, tmp_path_factory) -> Path:
    scene, path, _ = default_shot(method("i2v3d"), frames=4, size="128x72")
    turned = path.with_poses(path.world_from_camera[::-1])  # differs from what the moves below would draw
    objects = [SceneObject(read_model(ball.read_bytes(), ball.name), WAY)]
    settings = I2V3DSettings(prompt="A ball.", foreground="objects", seed=7)
    made = Project(stage_objects(scene, objects), turned, settings, {"around_degrees": 12.0})
    return save_project(tmp_path_factory.mktemp("kept") / "ball.zip", made)


def test_a_project_is_shot_as_it_was_saved_with_its_objects_moving(project, tmp_path, capsys):
    out = tmp_path / "take.mp4"
    assert main(["run", "i2v3d", "--project", str(project), "--out", str(out), *TINY, "--make", "coarse renders"]) == 0
    kept, made = read_project(project), restore(out)
    assert made.settings == {**kept.settings.values(), "make": "coarse renders", "steps": 2, "video_steps": 2}
    assert kept.path is not None and np.array_equal(made.path.world_from_camera, kept.path.world_from_camera)
    assert made.input_sha256 == scene_sha256(kept.scene.fitted(128, 72)) and made.moves == {}
    printed = capsys.readouterr().out
    assert "take-project.zip" in printed and "take-depth" not in printed
    frames, _ = read_video(tmp_path / "take-foreground.mp4")
    columns = [np.nonzero(frame[..., 0] > 127)[1].mean() for frame in (frames[0], frames[-1])]
    assert columns[1] - columns[0] > 15, "the ball goes from left to right"


def test_options_come_before_what_the_project_says(project, tmp_path):
    shared = ["run", "i2v3d", "--project", str(project), *TINY, "--make", "coarse renders"]
    longer, moved = tmp_path / "longer.mp4", tmp_path / "moved.mp4"
    assert main([*shared, "--out", str(longer), "--frames", "7", "--seed", "3"]) == 0
    kept, made = read_project(project), restore(longer)
    assert made.settings["seed"] == 3 and made.settings["prompt"] == "A ball." and len(made.path) == 7
    assert kept.path is not None
    assert made.path.world_from_camera[[0, -1]] == pytest.approx(kept.path.world_from_camera[[0, -1]])
    assert main([*shared, "--out", str(moved), "--slide", "0.5"]) == 0
    made = restore(moved)
    assert (made.moves["slide"], made.moves["around_degrees"], made.moves["width"]) == (0.5, 12.0, 128)
    assert not np.allclose(made.path.world_from_camera, kept.path.world_from_camera)


def test_the_phases_run_one_by_one(project, tmp_path):
    shared = ["run", "i2v3d", "--project", str(project), *TINY]
    assert main([*shared, "--make", "keyframes", "--out", str(tmp_path / "keys.mp4")]) == 0
    keyframes = tmp_path / "keys-keyframes.zip"
    assert main([*shared, "--keyframes-file", str(keyframes), "--out", str(tmp_path / "video.mp4")]) == 0
    assert len(read_video(tmp_path / "video.mp4")[0]) == 4
    with zipfile.ZipFile(keyframes) as painted, zipfile.ZipFile(tmp_path / "video-keyframes.zip") as kept:
        assert painted.namelist() == ["00000.png", "00003.png"]
        assert all(painted.read(name) == kept.read(name) for name in painted.namelist())


def shot(*arguments: object):
    given = parser().parse_args(["run", "i2v3d", "--out", "x.mp4", *map(str, arguments)])
    return shot_of(method("i2v3d"), given, Path(str(arguments[1])).parent / "carried")[0]


def test_keyframes_as_they_stand_in_a_project_are_taken_unless_others_are_asked_for(project, tmp_path):
    pictures = np.full((2, 72, 128, 3), 90, np.uint8)
    kept = replace(read_project(project), painted=PaintedKeyframes((0, 3), pictures, {3: "A red ball."}))
    file = save_project(tmp_path / "painted.zip", kept)
    between = shot("--project", file).settings
    assert (between.keyframes_at, between.keyframe_prompts) == ("0, 3", "3: A red ball.")
    found = files.unpack(between.keyframes_file, [0, 3], width=128, height=72)
    assert all(np.array_equal(found[index], pictures[0]) for index in (0, 3))
    for other in (["--keyframes-file", ""], ["--frames", "7"], ["--slide", "0.2"], ["--make", "keyframes"]):
        assert shot("--project", file, *other).settings.keyframes_file == ""


def test_a_subject_is_learnt_from_a_project_and_gone_on_with(project, tmp_path, capsys):
    arguments = ["--project", str(project), "--folder", str(tmp_path / "ball"), "--weights", "tiny", "--rank", "2",
                 "--resolution", "64", "--sample-every", "0"]  # fmt: skip
    assert learn_subject.main([*arguments, "--steps", "1"]) == 0
    assert learn_subject.main([*arguments, "--steps", "2"]) == 0
    told = capsys.readouterr()
    assert "Learning the subject 2/2" in told.err and "Learning the subject 1/2" not in told.err
    file = Path(told.out.strip().splitlines()[-1])
    assert file.parent == tmp_path / "ball" and load_file(file)
    assert learn_subject.main([*arguments, "--prompt", " "]) == 1
    assert "rare word" in capsys.readouterr().err


def test_a_subject_is_learnt_from_a_picture(tmp_path, capsys):
    picture = tmp_path / "red.png"
    cv2.imwrite(str(picture), np.full((96, 64, 3), (0, 0, 255), np.uint8))
    arguments = ["--image", str(picture), "--depth-model", "guess", "--width", "64", "--height", "96", "--folder",
                 str(tmp_path / "red"), "--weights", "tiny", "--rank", "2", "--resolution", "64", "--steps", "1",
                 "--sample-every", "0", "--prompt", "A sks sheet."]  # fmt: skip
    assert learn_subject.main([*arguments, "--foreground", "nothing"]) == 1
    assert "no foreground" in capsys.readouterr().err
    assert learn_subject.main([*arguments, "--foreground", "everything"]) == 0
    assert load_file(Path(capsys.readouterr().out.strip().splitlines()[-1]))


def test_objects_come_from_models_and_lists_and_stand_in_any_picture(ball, tmp_path):
    picture, out = tmp_path / "in.png", tmp_path / "p.mp4"
    cv2.imwrite(str(picture), np.full((72, 128, 3), 200, np.uint8))
    (ball.parent / "set.json").write_text(json.dumps([
        {"file": "ball.ply", "keys": [{"at": 0, "right": -0.3, "up": -0.1, "ahead": 0.8, "size": 0.2}, {"at": 1, "right": 0.3}]},
    ]))  # fmt: skip
    small = ["--depth-model", "guess", "--width", "128", "--height", "72", "--frames", "3", "--around-degrees", "0"]
    shown = []
    for objects in ([], [ball.parent / "set.json"]):
        given = ["--objects", *map(str, objects)] if objects else []
        assert main(["preview", "i2v3d", "--image", str(picture), *small, *given, "--out", str(out)]) == 0
        shown.append(read_video(out)[0].astype(int))
    seen = np.abs(shown[0] - shown[1]).max(axis=3) > 40
    columns = [np.nonzero(frame)[1].mean() for frame in seen]
    assert columns[0] < columns[1] < columns[2]
    bare = tmp_path / "bare.mp4"
    assert main(["run", "i2v3d", "--empty-stage", "--objects", str(ball), *small[2:], *TINY, "--make", "coarse renders",
                 "--out", str(bare)]) == 0  # fmt: skip
    assert restore(bare).settings["background"] == "nothing" and read_video(bare)[0].max() > 60


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        ([{"file": "gone.glb"}], "names the model gone.glb, which is not beside it"),
        ([{"file": "../ball.ply"}], "put it beside that file"),
        ([{"file": "ball.ply", "key": []}], "there is no 'key'"),
        ([{"file": "ball.ply", "keys": [{"at": 0, "left": 1}]}], "there is no 'left'"),
        ([{"file": "ball.ply", "keys": [{"at": 2}]}], "between 0 and 1"),
        ([{"file": "ball.ply", "keys": 7}], "not a list of objects"),
        ([{"keys": []}], "not a list of objects"),
        ({}, "a list of 1 to 50 objects"),
    ],
)
def test_lists_of_objects_that_cannot_be_are_refused(project, ball, tmp_path, capsys, listed, words):
    file = ball.parent / "wrong.json"
    file.write_text(json.dumps(listed))
    assert (
        main(["preview", "i2v3d", "--project", str(project), "--objects", str(file), "--out", str(tmp_path / "p.mp4")])
        == 1
    )
    assert words in capsys.readouterr().err


def test_a_project_is_one_way_to_give_a_scene(project, tmp_path, capsys):
    for wrong in (["--image", "a.png"], ["--empty-stage"]):
        with pytest.raises(SystemExit):
            main(["run", "i2v3d", "--project", str(project), *wrong, "--out", str(tmp_path / "x.mp4")])
    assert main(["preview", "i2v3d", "--project", str(tmp_path / "gone.zip"), "--out", str(tmp_path / "x.mp4")]) == 1
    assert "gone.zip is not a complete project" in capsys.readouterr().err
