"""Pictures find their cameras by the longest common end of their paths."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from camera.errors import InputError
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
