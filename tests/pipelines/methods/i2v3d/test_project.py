"""Projects: everything is restored as saved; other files are refused; Blender and jobs get the same scene."""

import io
import json
import math
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh

from camera import formats
from camera.errors import InputError
from camera.objects.model import read_model
from camera.objects.scene import Key, Placement, SceneObject, StagedScene, plain, stage_objects
from pipelines import method
from pipelines.cli.bench import default_shot
from pipelines.methods.i2v3d.keyframes.files import PaintedKeyframes
from pipelines.methods.i2v3d.method import NO_PICTURE, I2V3DSettings
from pipelines.methods.i2v3d.scene import blender
from pipelines.methods.i2v3d.scene.coarse import render_frames
from pipelines.methods.i2v3d.scene.project import Project, pack, read_project, save_project
from pipelines.methods.i2v3d.subject.settings import SubjectSettings
from pipelines.results.record import scene_sha256
from pipelines.shot import Shot

FOX = Path(__file__).parents[4] / "examples" / "fox" / "fox.glb"


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    scene, path, _ = default_shot(method("i2v3d"), frames=5, size="96x64")
    fox = read_model(FOX.read_bytes(), FOX.name)
    way = (Key(0, Placement(-0.1, -0.2, 0.8, turn=20, size=0.4)), Key(1, Placement(0.2, -0.2, 0.9, turn=80, size=0.5)))
    objects = [SceneObject(fox, way, "soft", "walk", 1.5), SceneObject(fox, way[:1])]
    lora = tmp_path_factory.mktemp("trained") / "fox.safetensors"
    lora.write_bytes(b"a LoRA")
    settings = I2V3DSettings(prompt="A sks fox.", light="a lamp", lora_file=str(lora))
    key = path.sliced(slice(2, 3))
    return Project(
        stage_objects(scene, objects), path, settings, {"around_degrees": 33.0}, controls={"film_moves": "arc 9"}, keys=(key,),
        subject=SubjectSettings(prompt="A sks fox.", rank=7),
        painted=PaintedKeyframes((0, 4), np.stack([np.full((64, 96, 3), shade, np.uint8) for shade in (9, 99)]), {4: "A fox."}),
    )  # fmt: skip


def changed(data: bytes, name: str, content: bytes) -> io.BytesIO:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.namelist():
            new.writestr(entry, content if entry == name else old.read(entry))
    stream.seek(0)
    return stream


def test_everything_comes_back_as_it_was_saved(project, tmp_path):
    back = read_project(save_project(tmp_path / "fox.zip", project))
    assert [*tmp_path.iterdir()] == [tmp_path / "fox.zip"]
    assert project.path is not None and back.path is not None
    for ours, theirs in ((project.path.world_from_camera, back.path.world_from_camera),
                         (project.scene.first.colour, back.scene.first.colour),
                         (project.scene.first.depth, back.scene.first.depth)):  # fmt: skip
        assert np.array_equal(ours, theirs)
    assert back.settings == replace(project.settings, lora_file="") and "LoRA file" in back.notes[0]
    assert back.moves == project.moves and back.scene.distance == project.scene.distance
    assert back.painted is not None and project.painted is not None
    assert (back.painted.indices, back.painted.prompts) == (project.painted.indices, project.painted.prompts)
    assert np.array_equal(back.painted.pictures, project.painted.pictures)
    as_they_stand = back.painted.settings(back.settings, tmp_path / "run" / "painted.zip")
    assert as_they_stand.keyframes_at == "0, 4" and Path(as_they_stand.keyframes_file).is_file()
    assert back.controls == project.controls and back.subject == project.subject
    assert np.array_equal(back.keys[0].world_from_camera, project.keys[0].world_from_camera)
    with_files = read_project(tmp_path / "fox.zip", folder=tmp_path / "mine")
    assert Path(with_files.settings.lora_file).read_bytes() == b"a LoRA" and not with_files.notes
    assert Path(with_files.settings.lora_file) == tmp_path / "mine" / "fox.safetensors"
    before, after = (
        next(iter(render_frames(p.scene, p.path, p.settings, frames=range(3, 4)))) for p in (project, back)
    )
    assert np.array_equal(before.colour, after.colour) and before.foreground.any()


def test_the_hash_of_a_scene_knows_its_objects(project):
    scene, first = project.scene, project.scene.objects[0]
    assert scene_sha256(read_project(io.BytesIO(pack(project))).scene) == scene_sha256(scene)
    others = [
        scene.with_objects([]), scene.with_objects([first]), scene.with_objects([replace(first, speed=2.0)]),
        scene.with_objects([replace(first, keys=first.keys[:1])]), scene.with_objects([replace(first, animation="")]),
        replace(scene, distance=2 * scene.distance),
    ]  # fmt: skip
    assert len({scene_sha256(one) for one in (scene, *others)}) == 7
    assert scene_sha256(others[0]) == scene_sha256(plain(scene)), "without objects it is what it always was"


def test_files_in_a_project_stay_in_their_folder_and_one_that_is_gone_is_told(project, tmp_path):
    saved = save_project(tmp_path / "fox.zip", project).read_bytes()
    with zipfile.ZipFile(io.BytesIO(saved)) as archive:
        about = json.loads(archive.read("project.json"))
    about["files"] = {"lora_file": "../../evil/../x.py"}
    odd = changed(saved, "project.json", json.dumps(about).encode())
    lora = Path(read_project(odd, folder=tmp_path / "mine").settings.lora_file)
    assert lora == tmp_path / "mine" / "x.safetensors"
    gone = replace(project, settings=replace(project.settings, lora_file=str(tmp_path / "gone.safetensors")))
    with pytest.raises(InputError, match=r"gone\.safetensors does not exist any more"):
        save_project(tmp_path / "gone.zip", gone)
    assert not (tmp_path / "gone.zip").exists()


def test_files_that_are_no_project_are_refused_and_strange_settings_told(project):
    data = pack(project)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        about = json.loads(archive.read("project.json"))
    strange = {**about["settings"], "steps": 10**9, "magic": 1, "lora_file": "/etc/passwd"}
    read = read_project(changed(data, "project.json", json.dumps(about | {"settings": strange}).encode()))
    notes = " ".join(read.notes)
    assert "Keyframe steps" in notes and "magic" in notes and "lora_file" in notes and not read.settings.lora_file
    for broken in ({}, about | {"reshoot_project": 99}):
        with pytest.raises(InputError, match="newer Reshoot"):
            read_project(changed(data, "project.json", json.dumps(broken).encode()))
    for part, content in (
        ("project.json", b"["),
        ("depth.npy", b"junk"),
        ("picture.png", b"junk"),
        ("painted.zip", b"junk"),
    ):
        with pytest.raises(InputError, match="not a complete project"):
            read_project(changed(data, part, content), "mine.zip")
    pickled = io.BytesIO()
    np.save(pickled, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="not a complete project"):
        read_project(changed(data, "depth.npy", pickled.getvalue()))
    huge = cv2.imencode(".png", np.zeros((8192, 8192), np.uint8))[1].tobytes()
    with pytest.raises(InputError, match="64 megapixels"):
        read_project(changed(data, "picture.png", huge))
    with pytest.raises(InputError, match="not a complete project"):
        read_project(io.BytesIO(b"no zip"))


def test_a_scene_with_objects_travels_with_a_job(project, tmp_path):
    from pipelines.options import RunOptions
    from pipelines.runtime.job_file import read_job, write_job

    assert project.path is not None
    settings = replace(project.settings, lora_file="")
    job = Shot(method("i2v3d"), project.scene, project.path, settings, RunOptions(weights="tiny"))
    scene = read_job(write_job(tmp_path / "job.npz", job)).scene
    assert isinstance(scene, StagedScene) and scene.distance == project.scene.distance
    assert [item.keys for item in scene.objects] == [item.keys for item in project.scene.objects]


# --- Blender -----------------------------------------------------------------------------------------------------------


def unpacked(project: Project, **settings) -> dict[str, bytes]:
    assert project.path is not None
    data = blender.pack(project.scene, project.path, replace(project.settings, **settings))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name.split("/", 1)[1]: archive.read(name) for name in archive.namelist()}


def test_blender_gets_the_objects_where_they_are(project):
    files = unpacked(project)
    assert project.path is not None
    entries = {entry["file"]: entry for entry in json.loads(files["objects.json"])}
    walking = entries["00-fox.glb"]
    assert files["00-fox.glb"] == FOX.read_bytes() and (walking["animation"], walking["speed"]) == ("walk", 1.5)
    cameras = [json.loads(row) for row in re.findall(r"^    (\[\[.*\]),$", files["reshoot_scene.py"].decode(), re.M)]
    vertices = project.scene.objects[0].model.still[0].vertices.astype(float)
    imported = vertices @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])  # y up becomes z up
    for frame in (0, 4):
        world = np.array(walking["frames"][frame])
        placed = np.c_[imported, np.ones(len(imported))] @ world.T
        seen = placed @ np.linalg.inv(np.array(cameras[frame][0])).T  # x right, y up, z backward
        ours = project.scene.with_objects([replace(project.scene.objects[0], animation="")]).surfaces(frame, 5, 24)
        pose = project.path.camera_from_world[frame]
        expected = ours[0].vertices @ pose[:3, :3].T + pose[:3, 3]
        assert seen[:, :3] * [1, -1, -1] == pytest.approx(expected, abs=1e-5)


def test_the_background_for_blender_is_the_picture_on_its_depth(project):
    files = unpacked(project)
    mesh = trimesh.load_scene(io.BytesIO(files["background.glb"]), file_type="glb").to_geometry()
    view = project.scene.first
    local = (mesh.vertices * [1, -1, -1] - view.world_from_camera[:3, 3]) @ view.world_from_camera[:3, :3]
    pixels = local @ view.intrinsics.T
    columns, rows = (pixels[:, :2] / pixels[:, 2:]).T
    depth = view.depth[np.rint(rows).astype(int), np.rint(columns).astype(int)]
    assert local[:, 2] == pytest.approx(depth, rel=1e-4) and len(mesh.faces) > 1000
    assert mesh.visual.uv[:, 0] == pytest.approx((columns + 0.5) / view.width, abs=1e-3)
    assert (np.cross(*(mesh.triangles[:, i] - mesh.triangles[:, 0] for i in (1, 2)))[:, 2] > 0).mean() > 0.9
    assert "background.glb" not in unpacked(project, background=NO_PICTURE)


def test_the_script_compiles_and_the_authors_json_brings_the_path_back(project):
    files = unpacked(project)
    compile(files["reshoot_scene.py"], "reshoot_scene.py", "exec")
    assert (
        b"UNLIT = False" in files["reshoot_scene.py"]
        and b"UNLIT = True" in unpacked(project, light="as painted")["reshoot_scene.py"]
    )
    assert project.path is not None
    back = formats.read("save_camera_infos.json", files["save_camera_infos.json"], like=project.path)
    ours = project.path.relative_to_first()
    assert back.world_from_camera == pytest.approx(ours.world_from_camera, abs=1e-6)
    assert math.isclose(back.fov_degrees[0, 0], ours.fov_degrees[0, 0], rel_tol=1e-6)
    lenses = project.path.intrinsics.copy()
    lenses[1:, :2, :2] *= 2
    assert "no_save_camera_infos.txt" in unpacked(replace(project, path=replace(project.path, intrinsics=lenses)))
