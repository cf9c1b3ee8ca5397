"""Known cameras of data sets: which views are given, which are generated, and the comparison with the ground truth."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from camera import formats
from camera.errors import InputError
from camera.path import CameraPath, inverse
from camera.trajectories.genxd import look_at_origin
from pipelines.cli.evaluate import main, scenes
from pipelines.inputs.datasets.gso import FOCAL, read_gso
from pipelines.inputs.open import read_material
from pipelines.inputs.posed_images import SceneWithTruth, add_truth
from pipelines.media.video import probe
from pipelines.methods.genxd.comparison import compare_with_truth

SIZE = 64
OPENGL = np.diag([1.0, -1, -1, 1])
LEVEL = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])


def picture(number: int) -> np.ndarray:
    """Soft blobs, different for every number."""
    noise = np.random.default_rng(number).integers(0, 255, (4, 4, 3), np.uint8)
    return np.asarray(Image.fromarray(noise).resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def poses(count: int) -> np.ndarray:
    return look_at_origin(np.linspace(-20, 40, count), np.linspace(0, 300, count), 1.5)


def gso(folder: Path) -> Path:
    for place, count, axes in (("render_mvs_25", 25, OPENGL), ("render_sync_36_single", 36, np.eye(4))):
        model = folder / place / "model"
        model.mkdir(parents=True)
        for i, pose in enumerate(poses(count)):
            Image.fromarray(picture(i + count)).save(model / f"{i:03d}.png")
            np.save(model / f"{i:03d}.npy", (axes @ inverse(pose))[:3])
    return folder


@pytest.mark.parametrize(
    ("subset", "count", "numbers"),
    [
        ("nvs", 25, [1, 3, 5, 7, 9, 11, 14, 16, 18, 20, 22]),
        ("recon", 36, [0, 3, 6, 9, 13, 16, 19, 22, 26, 29, 32]),
    ],
)
def test_objects_give_one_render_and_ask_for_eleven(tmp_path, subset, count, numbers):
    found = read_gso(gso(tmp_path / "cup"), subset)
    np.testing.assert_allclose(found.targets.world_from_camera, LEVEL @ poses(count)[numbers], atol=1e-9)
    np.testing.assert_allclose(found.views.path.world_from_camera, LEVEL @ poses(25)[:1], atol=1e-9)
    assert found.views.path.world_from_camera[0, 1, 1] > 0.9, "down in the picture is down in the world"
    np.testing.assert_array_equal(found.truth.pictures[2], picture(numbers[2] + count))
    scene = found.views.scene()
    assert scene.first.focus_depth == pytest.approx(1.5) and scene.first.intrinsics[0, 0] == FOCAL * SIZE


def test_an_object_is_one_zip_and_several_renders_may_be_given(tmp_path):
    gso(tmp_path / "cup")
    with zipfile.ZipFile(tmp_path / "cup.zip", "w") as archive:
        for file in (tmp_path / "cup").rglob("*.*"):
            archive.write(file, file.relative_to(tmp_path))
    material = read_material([tmp_path / "cup.zip"])
    assert len(material.scene.views) == 1 and len(material.path) == 11 and material.path_as_given
    several = read_material([tmp_path / "cup.zip"], given_views=3)
    assert len(several.scene.views) == 3 and "3 renders given" in several.note
    with pytest.raises(InputError, match=r"lacks render_sync_36_single/model/000\.png"):
        (tmp_path / "cup/render_sync_36_single/model/000.png").unlink()
        read_gso(tmp_path / "cup", "recon")
    np.save(tmp_path / "cup/render_mvs_25/model/000.npy", np.eye(3))
    with pytest.raises(InputError, match="camera of 3 x 4"):
        read_gso(tmp_path / "cup")


def test_frames_are_compared_with_the_truth_through_their_own_lens(tmp_path):
    """The truth scores perfectly against itself if the clip has its size; a clip of half the size is compared with a smaller truth; a frame
    from elsewhere is left out."""
    found = read_gso(gso(tmp_path / "cup"))
    scene, path = add_truth(found.views.scene(), found.truth), found.targets
    same = compare_with_truth(found.truth.pictures, path, scene)
    assert same.numbers == tuple(range(11)) and min(same.psnr) > 90 and min(same.ssim) > 0.999
    assert same.frames.shape == (11, SIZE, 3 * SIZE, 3)
    half = scene.fitted(SIZE // 2, SIZE // 2)
    small = np.stack(
        [np.asarray(Image.fromarray(one).resize((32, 32), Image.Resampling.BOX)) for one in found.truth.pictures]
    )
    assert min(compare_with_truth(small, path.fitted(32, 32), half).psnr) > 40
    moved = path.world_from_camera.copy()
    moved[3, 0, 3] += 0.1
    assert 3 not in compare_with_truth(found.truth.pictures, path.with_poses(moved), scene).numbers
    other = compare_with_truth(found.truth.pictures[::-1].copy(), path, scene)
    assert np.mean(other.psnr) < 25 and "frame" in other.words
    with pytest.raises(InputError, match="no true pictures"):
        compare_with_truth(found.truth.pictures, path, found.views.scene())
    with pytest.raises(InputError, match="No frame was made"):
        compare_with_truth(found.truth.pictures, path.with_poses(moved).sliced(slice(3, 4)), scene)


def test_scenes_of_all_formats_know_their_truth(golden, tmp_path):
    files = np.load(golden / "genxd/grouping.npz")
    pictures = []
    for one in files["scene/images_uint8"]:
        Image.fromarray(one).save(tmp_path / "one.png")
        pictures.append(torch.frombuffer(bytearray((tmp_path / "one.png").read_bytes()), dtype=torch.uint8))
    split = {"train_ids": torch.from_numpy(files["scene/train3"]), "test_ids": torch.from_numpy(files["scene/test3"])}
    data = {"images": pictures, "cameras": torch.from_numpy(files["scene/cameras"]), "train_test_split_3": split}
    folder = tmp_path / "set"
    folder.mkdir()
    torch.save([data], folder / "a.torch")
    (folder / "index.json").write_text(json.dumps({"place": "a.torch"}))
    ((name, given),) = scenes(folder, views=0)
    assert name == "place" and len(given.views.path) == 3 and len(given.truth.path) == len(split["test_ids"])
    ((_, everything),) = scenes(folder / "a.torch", views=3, everything=True)
    assert len(everything.targets) == len(pictures)
    assert isinstance(read_material([folder / "a.torch"], given_views=3).scene, SceneWithTruth)


def test_the_command_shoots_and_scores_every_object(tmp_path, capsys):
    for name in ("cup", "shoe"):
        gso(tmp_path / "gso" / name)
    tiny = ["--weights", "tiny", "--steps", "2", "--size", str(SIZE), "--only", "shoe"]
    assert main([str(tmp_path / "gso"), str(tmp_path / "out"), *tiny]) == 0
    assert "shoe: 11 frames against the true pictures" in capsys.readouterr().out
    scores = json.loads((tmp_path / "out/scores.json").read_text())
    assert scores["scenes"]["shoe"]["frames"] == list(range(11)) and scores["mean"]["psnr"] > 3
    seen = probe(tmp_path / "out/shoe-compare.mp4")
    assert (seen.width, seen.height) == (3 * SIZE, SIZE) and (tmp_path / "out/shoe.json").is_file()
    assert main([str(tmp_path / "gso"), str(tmp_path / "out"), "--only", "hat", "--weights", "tiny"]) == 1
    assert "no scene 'hat'" in capsys.readouterr().err


def test_posed_pictures_in_a_folder_are_evaluated_too(tmp_path):
    for i in range(6):
        Image.fromarray(picture(i)).save(tmp_path / f"frame_{i + 1:05d}.png")
    lens = np.array([[70.0, 0, 31.5], [0, 70, 31.5], [0, 0, 1]])
    name, content = formats.write("nerfstudio", CameraPath(poses(6), lens, SIZE, SIZE, 6))
    (tmp_path / name).write_bytes(content)
    ((_, given),) = scenes(tmp_path, views=2)
    assert len(given.views.path) == 2 and len(given.truth.path) == 4
