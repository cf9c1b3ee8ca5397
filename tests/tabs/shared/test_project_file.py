"""A project is saved completely and opened by someone else; other files are refused with one sentence."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from camera.errors import InputError
from camera.objects.bundle import MODELS
from camera.objects.model import read_models
from camera.objects.scene import StagedScene, new_object, stage_objects
from camera.path import CameraPath, pinhole
from camera.sequence.shots import Shot
from examples import EXAMPLES, load
from pipelines import method
from pipelines.project.content import FILM_MOVES, PATH_FILE, MoveSource
from pipelines.project.file import content_of, read_project, save_project
from pipelines.project.parts import parts_of
from pipelines.splats.scene import SplatScene, scene_of_splats
from pipelines.splats.splats import Splats
from tabs.project.project import Project
from tabs.shared.project_file import open_project_file, project_content, save_project_file

GEN3C, GENXD = method("gen3c"), method("genxd")


@pytest.fixture(scope="module")
def project() -> Project:
    project = Project().opened(load("reading_room"), example="reading_room")
    project = project.with_moves(GEN3C.moves(frames=17, width=160, height=96)).with_settings(GEN3C.settings(seed=7))
    project = project.seen_by("genxd").with_settings(GENXD.settings(steps=3, motion_strength=0.25)).seen_by("gen3c")
    project, _ = project.edited({"do": "append"}, project.framed.first.camera)
    project = project.with_shots((Shot("Wide", project.ready()[1]),), "add shot 1")
    return project.with_source(MoveSource(moves_from=FILM_MOVES, film_moves="truck 0.2"))


def test_everything_comes_back_and_opening_is_one_step_that_can_be_undone(project):
    saved = Path(save_project_file(project).value["path"])
    other = Project()
    opened, words, status, _ = open_project_file(other, str(saved))
    assert words == "The project is open." and "Reading room" in status
    assert opened.undone().content is other.content
    for name in ("gen3c", "genxd"):
        ours, theirs = project.seen_by(name), opened.seen_by(name)
        assert ours.settings == theirs.settings and ours.moves == theirs.moves
        np.testing.assert_array_equal(ours.ready()[1].world_from_camera, theirs.ready()[1].world_from_camera)
        np.testing.assert_array_equal(ours.ready()[0].first.depth, theirs.ready()[0].first.depth)
    assert opened.track is not None and len(opened.track.keys) == len(project.track.keys)
    assert opened.content.example == "reading_room"
    (ours,), (theirs,) = project.content.shots, opened.content.shots
    assert theirs.name == "Wide" and np.array_equal(ours.path.world_from_camera, theirs.path.world_from_camera)


def test_clips_objects_and_an_own_path_come_along(project, tmp_path):
    fox = next(example.mesh for example in EXAMPLES if example.mesh)
    clip = load("toy_train")
    model = read_models({fox.name: fox.read_bytes()})
    assert fox.suffix in MODELS
    scene = stage_objects(clip, [new_object(model, stage_objects(clip).standing_place())])
    _, path = project.ready()
    content, notes = content_of(
        read_project(
            save_project(tmp_path / "p.zip", project_content(project.opened(scene).with_own(path, as_given=True)))
        )
    )
    assert not notes and isinstance(content.scene, StagedScene) and content.scene.kind == "clip"
    assert (
        len(content.scene.views) == len(clip.views) and content.scene.objects[0].described == scene.objects[0].described
    )
    assert content.own_as_given and np.array_equal(content.own.world_from_camera, path.world_from_camera)
    assert content.source.moves_from != PATH_FILE


def test_files_that_settings_name_come_along_under_plain_names(project, tmp_path):
    lora = tmp_path / "my lora.safetensors"
    lora.write_bytes(b"weights")
    given = project.seen_by("i2v3d").with_settings(method("i2v3d").settings(lora_file=str(lora)))
    file = save_project(tmp_path / "p.zip", project_content(given))
    with zipfile.ZipFile(file) as archive:
        assert str(tmp_path).encode() not in archive.read("project.json")
    opened, words, *_ = open_project_file(Project(), str(file))
    kept = Path(opened.seen_by("i2v3d").settings["lora_file"])
    assert kept.read_bytes() == b"weights" and kept.name == "my-lora.safetensors" and words == "The project is open."
    opened.check_files(opened.seen_by("i2v3d").record.settings(lora_file=str(kept)))
    content, notes = content_of(read_project(file))
    assert content.settings["i2v3d"]["lora_file"] == "" and "the file is not here" in notes[0]
    strange = changed(file, tmp_path / "s.zip", settings={"i2v3d": {"lora_file": "/home/somebody/secret"}}, files={})
    assert content_of(read_project(strange, folder=tmp_path))[0].settings["i2v3d"]["lora_file"] == ""
    lora.unlink()
    with pytest.raises(InputError, match="does not exist any more"):
        save_project(tmp_path / "q.zip", project_content(given))


def test_parts_keep_their_names_while_their_content_stays(project):
    def ids(project: Project) -> dict[str, str]:
        return {part.name: part.id for part in parts_of(project_content(project))}

    before = ids(project)
    assert before.keys() == {"scene.npz", "shots.json"}
    assert ids(project.with_settings(GEN3C.settings(seed=99))) == before
    assert ids(project.with_shots(project.content.shots * 2, "again"))["shots.json"] != before["shots.json"]
    assert ids(project.opened(load("lighthouse")))["scene.npz"] != before["scene.npz"]


def changed(file: Path, target: Path, **values) -> Path:
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.namelist():
            data = old.read(entry)
            if entry == "project.json":
                data = json.dumps({**json.loads(data), **values}).encode()
            new.writestr(entry, data)
    return target


def test_what_is_no_project_is_refused_and_strange_values_are_said(project, tmp_path):
    good = save_project(tmp_path / "good.zip", project_content(project))
    facts = json.loads(zipfile.ZipFile(good).read("project.json"))["scene"]
    for number, (values, words) in enumerate((
        ({"reshoot_studio": 99}, "newer Reshoot"),
        ({"scene": {**facts, "views": 10**9}}, "1000000000 pictures"),
        ({"scene": {**facts, "kind": "dream"}}, "not a complete project"),
        ({"track": {"keys": []}}, "a move"),
        ({"own": {"frames": 3}}, "not a complete project"),
        ({"shots": [{}]}, "not a complete project"),
        ({"shots": 61}, "up to 60"),
        ({"files": {"i2v3d": 3}}, "not a complete project"),
    )):  # fmt: skip
        with pytest.raises(InputError, match=words):
            read_project(changed(good, tmp_path / f"{number}.zip", **values))
    (tmp_path / "junk.zip").write_bytes(b"junk")
    with pytest.raises(InputError, match="not a complete project"):
        read_project(tmp_path / "junk.zip")
    odd = changed(good, tmp_path / "odd.zip", settings={"gen3c": {"steps": -4, "mood": 1}, "dreamer": {}})
    content, notes = content_of(read_project(odd))
    assert content.settings["gen3c"]["steps"] == GEN3C.settings().steps  # type: ignore[attr-defined]
    assert len(notes) == 3 and "dreamer" in notes[-1]


def test_a_scene_of_splats_stays_one(tmp_path):
    chance = np.random.default_rng(0)
    means = chance.uniform([-2, -1, 2], [2, 1, 5], (400, 3))
    splats = Splats(
        means, chance.normal(size=(400, 4)), np.full((400, 3), -1.5), np.full(400, 4.0), chance.normal(size=(400, 4, 3))
    )
    scene, _ = scene_of_splats(splats, camera=CameraPath(np.eye(4)[None], pinhole(64, 48, 60), 64, 48))
    file = save_project(tmp_path / "p.zip", project_content(Project().opened(scene)))
    content, notes = content_of(read_project(file))
    assert not notes and isinstance(content.scene, SplatScene)
    for name in ("means", "quaternions", "sh"):
        np.testing.assert_allclose(getattr(content.scene.splats, name), getattr(splats, name), atol=1e-6)
    without = tmp_path / "q.zip"
    with zipfile.ZipFile(file) as whole, zipfile.ZipFile(without, "w") as left:
        for name in set(whole.namelist()) - {"splats.ply"}:
            left.writestr(name, whole.read(name))
    content, notes = content_of(read_project(without))
    assert not isinstance(content.scene, SplatScene) and "splats are not in the file" in notes[0]
