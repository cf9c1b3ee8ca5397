"""Pictures are matched to cameras by the longest common suffix of their paths."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from camera.errors import InputError
from camera.rotation import about_axis
from pipelines.inputs.matching import match_names
from pipelines.inputs.open import read_material

RIG = ["cam0/1.png", "cam0/2.png", "cam1/1.png", "cam1/2.png"]


@pytest.mark.parametrize(
    ("pictures", "cameras", "want"),
    [
        (["a.png", "b.png"], ["b.png", "a.png"], {"a.png": 1, "b.png": 0}),
        (RIG, RIG, {name: i for i, name in enumerate(RIG)}),
        ([f"images/{name}" for name in RIG], RIG, {f"images/{name}": i for i, name in enumerate(RIG)}),
        (RIG, [f"./images/{name}" for name in RIG], {name: i for i, name in enumerate(RIG)}),
        (["cam1/1.png"], RIG, {"cam1/1.png": 2}),
        (["1.png", "2.png"], ["train/1", "train/2"], {"1.png": 0, "2.png": 1}),
        (["c0/1.jpg", "c1/1.jpg"], ["c0/1.png", "c1/1.png"], {"c0/1.jpg": 0, "c1/1.jpg": 1}),
        (["images/1.png", "other/x/1.png"], ["images/1.png"], {"images/1.png": 0}),
        (["images\\1.png"], ["1.png"], {"images\\1.png": 0}),
        (["z.png"], ["a.png"], {}),
        (["a.png"], [""], {}),
    ],
)
def test_the_longest_common_end_decides(pictures, cameras, want):
    assert match_names(pictures, cameras) == want


def test_what_is_ambiguous_is_refused():
    with pytest.raises(InputError, match="several cameras"):
        match_names(["1.png"], RIG)
    with pytest.raises(InputError, match="several pictures"):
        match_names(["images/1.png", "images_4/1.png"], ["1.png"])


def place(folder: Path, name: str, value: int) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((24, 32, 3), value, np.uint8)).save(folder / name)


@pytest.mark.parametrize("inside", ["images", "pictures"])
def test_a_rig_in_a_folder(tmp_path, inside):
    rows = ""
    for n, name in enumerate(RIG):
        place(tmp_path / inside, name, 50 * n + 10)
        rows += f"{n + 1} 1 0 0 0 {-float(n)} 0 0 1 {name}\n"
    model = tmp_path / "sparse" / "0"
    model.mkdir(parents=True)
    (model / "cameras.txt").write_text("1 PINHOLE 32 24 30 30 16 12\n")
    (model / "images.txt").write_text(rows)
    small = tmp_path / "sparse" / "1"
    small.mkdir()
    (small / "cameras.txt").write_text("1 PINHOLE 32 24 90 90 16 12\n")
    (small / "images.txt").write_text("1 1 0 0 0 9 0 0 1 cam0/1.png\n")
    made = read_material([tmp_path])
    assert [(v.colour[0, 0, 0], v.world_from_camera[0, 3], v.intrinsics[0, 0]) for v in made.scene.views] == [
        (10, 0, 30), (60, 1, 30), (110, 2, 30), (160, 3, 30)
    ]  # fmt: skip
    assert "2 COLMAP models" in made.note


WRITES_A_RIG = """
import os, sys
import numpy as np, pycolmap as p
made = p.Reconstruction()
for camera in (1, 2):
    made.add_camera(p.Camera(camera_id=camera, model="PINHOLE", width=32, height=24, params=[30 * camera, 30 * camera, 16, 12]))
rig = p.Rig(rig_id=1)
rig.add_ref_sensor(made.camera(1).sensor_id)
rig.add_sensor(made.camera(2).sensor_id, p.Rigid3d(p.Rotation3d(np.array([0, 0.1, 0])), np.array([-0.5, 0, 0])))
made.add_rig(rig)
for at in range(3):
    frame = p.Frame(frame_id=at + 1, rig_id=1)
    shown = [p.Image(name=f"cam{c}/{at + 9}.png", camera_id=c, image_id=2 * at + c) for c in (1, 2)]
    for image in shown:
        image.frame_id = at + 1
        frame.add_data_id(image.data_id)
    frame.rig_from_world = p.Rigid3d(p.Rotation3d(np.array([0, 0, 0.05 * at])), np.array([-1.0 * at, 0.2, 0]))
    made.add_frame(frame)
    for image in shown:
        made.add_image(image)
    made.register_frame(at + 1)
(made.write_text if sys.argv[2] == "text" else made.write_binary)(sys.argv[1])
sys.stdout.flush()
os._exit(0)  # pycolmap and Pillow do not share a process that loaded pycolmap first
"""


@pytest.mark.parametrize("kind", ["text", "binary"])
def test_a_rig_as_pycolmap_writes_it(tmp_path, kind):
    """Rigs and frames: the second camera is half a unit to the right of the first and turned by 0.1 about y."""
    if importlib.util.find_spec("pycolmap") is None:
        pytest.skip("pycolmap is not installed")
    (tmp_path / "set/sparse/0").mkdir(parents=True)
    subprocess.run([sys.executable, "-c", WRITES_A_RIG, tmp_path / "set/sparse/0", kind], check=True, timeout=120)
    for camera in (1, 2):
        for at in range(3):
            place(tmp_path / "set/images", f"cam{camera}/{at + 9}.png", 60 * camera + 10 * at)
    material = read_material([tmp_path / "set"])
    turn, side = about_axis([0, 1, 0], np.degrees(0.1)), np.array([-0.5, 0, 0])
    for view in material.scene.views:
        camera, at = divmod(int(view.colour[0, 0, 0]) - 60, 60)
        rig = about_axis([0, 0, 1], np.degrees(0.05 * (at // 10)))
        shift = np.array([-1.0 * (at // 10), 0.2, 0])
        rotation, moved = (rig, shift) if camera == 0 else (turn @ rig, turn @ shift + side)
        np.testing.assert_allclose(view.world_from_camera[:3, :3], rotation.T, atol=1e-12)
        np.testing.assert_allclose(view.world_from_camera[:3, 3], -rotation.T @ moved, atol=1e-12)
        assert view.intrinsics[0, 0] == 30 * (camera + 1)
    assert len(material.scene.views) == 6 and "not known" not in material.note


@pytest.mark.parametrize("terms", ["0.1 0 0 0", "0 0 0 0"])
def test_straightened_pictures_are_said(tmp_path, terms):
    for n in range(2):
        place(tmp_path, f"{n}.png", 90)
    (tmp_path / "cameras.txt").write_text(f"1 OPENCV 32 24 30 30 16 12 {terms}\n")
    (tmp_path / "images.txt").write_text("1 1 0 0 0 0 0 0 1 0.png\n\n2 1 0 0 0 -1 0 0 1 1.png\n\n")
    assert ("2 with lens distortion were undistorted" in read_material([tmp_path]).note) == terms.startswith("0.1")
