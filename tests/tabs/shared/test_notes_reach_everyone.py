"""What a reader ignores or assumes is reported on the page (and by its endpoints), on the command line and in Python."""

import json
import warnings

import numpy as np
import pytest
from PIL import Image

from camera.formats import FileNote, read
from camera.path import CameraPath, pinhole
from camera.view import Scene, View
from pipelines.__main__ import main
from pipelines.api import open_picture as open_in_python
from tabs.project.project import Project
from tabs.shared.path_file import open_path
from tabs.shared.source import GIVEN, open_files_of_any_kind, open_picture

H, W = 64, 96
LIKE = CameraPath(np.eye(4)[None], pinhole(W, H, 55), W, H)


@pytest.fixture
def files(tmp_path):
    """Pictures of which one is left out, a depth map with an unknown array and a lens, a path and a posed clip."""
    down, across = np.mgrid[:H, :W].astype(np.uint8)
    shown = Image.fromarray(np.stack([down * 3, across * 2, down + across], axis=-1))
    shown.save(tmp_path / "two.gif", save_all=True, append_images=[shown.rotate(180)])
    np.savez(tmp_path / "depth.npz", depth=np.full((H, W), 2, np.float32), focallength_px=float(W), mood=np.zeros(3))
    frames = [{"transform_matrix": np.eye(4).tolist(), "file_path": f"{i}.png"} for i in range(5)]
    values = {"w": W, "h": H, "fl_x": 90, "mood": 1, "frames": frames}
    (tmp_path / "transforms.json").write_text(json.dumps(values))
    poses = np.repeat(np.eye(4)[None], 3, axis=0)
    clip = {"images": np.zeros((3, H, W, 3), np.uint8), "depths": np.full((3, H, W), 2.0), "cam_c2w": poses}
    np.savez(tmp_path / "clip.npz", **clip, intrinsic=LIKE.intrinsics[0], mood=np.zeros(3))
    return tmp_path


NOTES = {
    "two.gif": "1 of 2 pictures of two.gif",
    "depth.npz": "mood",
    "transforms.json": "mood",
    "clip.npz": "does not contain its frame rate",
}


def on_page(name: str, files) -> str:
    view = View.of(np.zeros((H, W, 3), np.uint8), np.full((H, W), 2), LIKE.intrinsics[0])
    project = Project().opened(Scene((view,), "still"))
    if name == "transforms.json":
        return open_path(project, str(files / name))[1]
    if name == "clip.npz":
        return open_files_of_any_kind(project, [str(files / name)], 0)[1]
    return open_picture(project, str(files / "two.gif"), GIVEN, str(files / "depth.npz"), "metres")[1]


def on_command_line(name: str, files, capsys) -> str:
    size = ["--frames", "5", "--width", str(W), "--height", str(H), "--out", str(files / "out.mp4")]
    given = {
        "transforms.json": ["--image", str(files / "two.gif"), "--depth-model", "guess", "--path", str(files / name)],
        "clip.npz": ["--files", str(files / name)],
    }.get(name, ["--image", str(files / "two.gif"), "--depth", str(files / "depth.npz")])
    done = main(["preview", "dualcamctrl", *given, *size])
    assert done == (1 if name == "clip.npz" else 0), "DualCamCtrl takes no clip, and is told so after the notes"
    return capsys.readouterr().err


def in_python(name: str, files) -> str:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", FileNote)
        if name == "transforms.json":
            read(name, (files / name).read_bytes(), like=LIKE)
        elif name == "clip.npz":
            from pipelines.inputs.open import read_material

            return read_material([files / name]).note
        else:
            open_in_python(files / "two.gif", files / "depth.npz", meaning="metres")
    return " ".join(str(each.message) for each in told)


@pytest.mark.parametrize("name", NOTES)
def test_notes_of_each_kind_reach_page_command_line_and_python(files, capsys, monkeypatch, name):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for told in (on_page(name, files), on_command_line(name, files, capsys), in_python(name, files)):
        assert NOTES[name] in told


def test_python_takes_unit_and_lens_from_the_depth_map(files):
    with pytest.warns(FileNote, match="mood"):
        scene = open_in_python(files / "two.gif", files / "depth.npz", meaning="metres")
    assert scene.unit == "metres" and scene.first.intrinsics[0, 0] == pytest.approx(W)
