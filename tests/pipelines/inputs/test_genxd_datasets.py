"""Posed pictures: the formats of both data sets, the scenes made from them, and files that must not be trusted."""

from __future__ import annotations

import dataclasses
import io
import json
import struct
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from camera.errors import InputError
from pipelines.inputs import colmap_model, posed_images
from pipelines.inputs.datasets import genxd
from pipelines.inputs.open import read_material
from pipelines.methods.genxd.groups_plan import cameras_of, plan
from pipelines.methods.genxd.method import METHOD


def encoded(picture: np.ndarray, kind: str = "png", mode: str = "RGB") -> torch.Tensor:
    buffer = io.BytesIO()
    Image.fromarray(picture).convert(mode).save(buffer, kind)
    return torch.frombuffer(bytearray(buffer.getvalue()), dtype=torch.uint8)


@pytest.fixture(scope="module")
def arrays(golden):
    return np.load(golden / "genxd/grouping.npz")


def content(arrays, numpy: bool = False) -> dict:
    keep = (lambda a: a) if numpy else torch.from_numpy
    return {
        "images": [encoded(picture) for picture in arrays["scene/images_uint8"]],
        "cameras": keep(arrays["scene/cameras"]),
        "train_test_split_3": {"train_ids": keep(arrays["scene/train3"]), "test_ids": keep(arrays["scene/test3"])},
    }


def written(tmp_path, scene):
    torch.save([scene], tmp_path / "scene0.torch")
    (tmp_path / "index.json").write_text(json.dumps({"scene0": "scene0.torch"}))
    return genxd.reconfusion_scenes(tmp_path)["scene0"]


@pytest.mark.parametrize("numpy", [False, True])
def test_a_reconfusion_scene_is_read_whole(arrays, tmp_path, numpy):
    scene = genxd.read_reconfusion(written(tmp_path, content(arrays, numpy)))
    np.testing.assert_array_equal(scene.pictures, arrays["scene/images_uint8"])
    rows = arrays["scene/cameras"].astype(float)
    np.testing.assert_allclose(scene.path.camera_from_world[:, :3].reshape(-1, 12), rows[:, 6:], atol=1e-6)
    height, width = scene.pictures.shape[1:3]
    np.testing.assert_allclose(scene.path.intrinsics[:, 0, 0], rows[:, 0] * width, rtol=1e-6)
    np.testing.assert_allclose(scene.path.intrinsics[:, 1, 2], rows[:, 3] * height - 0.5, rtol=1e-6)
    assert scene.splits[3] == (tuple(arrays["scene/train3"]), tuple(arrays["scene/test3"]))


@pytest.mark.parametrize(("name", "given"), [("group3", "train3"), ("direct3", "train3")])
def test_groups_of_a_scene_get_the_original_cameras(arrays, tmp_path, name, given):
    """From the file to the cameras of one run: poses and lenses of all 12 frames, padded to a square as in the original."""
    scene = genxd.read_reconfusion(written(tmp_path, content(arrays)))
    train, test = scene.splits[3]
    views = scene.chosen(train).scene().fitted(64, 64, "pad")
    wanted = scene.chosen(test).path
    if name == "group3":
        camera_from_world = np.repeat(np.eye(4)[None], len(arrays["gen_poses_w2c"]), axis=0)
        camera_from_world[:, :3] = arrays["gen_poses_w2c"]
        wanted = wanted.sliced(slice(0, 1)).resampled(len(camera_from_world))
        wanted = wanted.with_poses(np.linalg.inv(camera_from_world))
    settings = METHOD.settings(
        grouping="by place" if name == "group3" else "in order", cover=name != "group3", original_lens=True
    )
    planned = plan(views, wanted.fitted(64, 64, "pad"), settings)
    run = planned.runs[0]
    expected = arrays[f"{name}/item0/target_extrinsics"]
    if name == "group3":
        np.testing.assert_allclose(run.cameras.world_from_camera, expected, atol=5e-6)
    else:  # known targets: the original keeps the given views in file order
        made = [i for i, frame in enumerate(run.makes) if frame >= 0]
        np.testing.assert_allclose(run.cameras.world_from_camera[made], expected[made], atol=5e-6)
    focal = run.cameras.intrinsics[:, [0, 1], [0, 1]] / 64
    np.testing.assert_allclose(focal, arrays[f"{name}/item0/target_intrinsics"][:, [0, 1], [0, 1]], rtol=0.02)
    assert run.given == tuple(arrays[f"{name}/item0/context_target_correspondence"])


def test_a_dropped_scene_gives_its_own_split_and_shoots_the_rest(arrays, tmp_path):
    """As a scene file, or as the zip of a data set; a different number of given views is spread evenly."""
    file = written(tmp_path, content(arrays))
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.write(tmp_path / "index.json", "set/index.json")
        archive.write(file, "set/scene0.torch")
    whole = genxd.read_reconfusion(file)
    train, test = whole.splits[3]
    for dropped in (file, tmp_path / "set.zip"):
        material = read_material([dropped])
        poses = np.stack([view.world_from_camera for view in material.scene.views])
        np.testing.assert_array_equal(poses, whole.path.world_from_camera[list(train)])
        np.testing.assert_array_equal(material.path.world_from_camera, whole.path.world_from_camera[list(test)])
        assert material.path_as_given and "own split" in material.note
    assert len(read_material([file], given_views=4).scene.views) == 4
    (tmp_path / "index.json").write_text(json.dumps({"a": "scene0.torch", "b": "scene0.torch"}))
    with pytest.raises(InputError, match="2 scenes"):
        read_material([tmp_path])


def test_grey_palette_and_transparent_pictures_become_rgb(arrays, tmp_path):
    scene = content(arrays)
    picture = arrays["scene/images_uint8"][0]
    for i, mode in enumerate(("L", "P", "RGBA", "LA")):
        scene["images"][i] = encoded(picture, mode=mode)
    scene["images"][4] = encoded(picture, kind="jpeg")
    assert genxd.read_reconfusion(written(tmp_path, scene)).pictures.shape == arrays["scene/images_uint8"].shape


class Harmful:
    def __reduce__(self):
        return (print, ("this must never run",))


def test_files_that_could_run_code_are_not_opened(arrays, tmp_path, capsys):
    file = written(tmp_path, content(arrays) | {"extra": Harmful()})
    with pytest.raises(InputError, match="could run code"):
        genxd.read_reconfusion(file)
    objects = written(tmp_path, content(arrays) | {"extra": np.array([Harmful()], dtype=object)})
    with pytest.raises(InputError):
        genxd.read_reconfusion(objects)
    assert "never run" not in capsys.readouterr().out


def test_broken_data_is_refused_in_words(arrays, tmp_path):
    file = written(tmp_path, content(arrays))
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(InputError, match=r"damaged|run code"):
        genxd.read_reconfusion(file)
    short = content(arrays)
    short["cameras"] = short["cameras"][:4]
    with pytest.raises(InputError, match="16 pictures and 4 cameras"):
        genxd.read_reconfusion(written(tmp_path, short))
    wrong = content(arrays)
    wrong["train_test_split_3"]["train_ids"][0] = 99
    with pytest.raises(InputError, match="beyond its 16"):
        genxd.read_reconfusion(written(tmp_path, wrong))
    half = content(arrays)
    del half["train_test_split_3"]["test_ids"]
    with pytest.raises(InputError, match="damaged or incomplete"):
        genxd.read_reconfusion(written(tmp_path, half))
    with pytest.raises(InputError, match="'images' and 'cameras'"):
        genxd.read_reconfusion(written(tmp_path, {"a": torch.zeros(1)}))
    (tmp_path / "index.json").write_text(json.dumps({"scene0": "../../etc/passwd"}))
    with pytest.raises(InputError, match="outside"):
        genxd.reconfusion_scenes(tmp_path)


@pytest.fixture
def views(arrays, tmp_path):
    return genxd.read_reconfusion(written(tmp_path, content(arrays))).chosen(range(6))


def test_a_scene_without_points_gets_a_labelled_backdrop(views):
    scene = views.scene()
    assert scene.kind == "views" and "not measured" in scene.source
    np.testing.assert_allclose(cameras_of(scene, 6).world_from_camera, views.path.world_from_camera)


def test_sparse_points_become_depth(views):
    rng = np.random.default_rng(0)
    first = views.path.world_from_camera[0]
    points = (first @ np.append(rng.uniform([-1, -1, 2], [1, 1, 4], (400, 3)), np.ones((400, 1)), axis=1).T).T[:, :3]
    with_points = dataclasses.replace(views, points=points, colours=np.zeros((400, 3), np.uint8)).chosen([0])
    pixels, depths = with_points.seen_points(0)
    depth = with_points.scene().first.depth
    column, row = pixels[-1].round().astype(int)
    assert (
        depth[row, column] == pytest.approx(depths[-1], rel=1e-5) and "400 sparse points" in with_points.scene().source
    )


def test_cameras_of_another_size_are_adapted_and_of_another_shape_refused(views):
    larger = views.path.resized(2 * views.path.width, 2 * views.path.height)
    again = posed_images.pair_with_cameras(list(views.pictures), larger)
    np.testing.assert_allclose(again.path.intrinsics, views.path.intrinsics)
    with pytest.raises(InputError, match="uncropped"):
        posed_images.pair_with_cameras(list(views.pictures), views.path.cropped(0, 0, 20, 36))
    with pytest.raises(InputError, match="one camera per picture"):
        posed_images.pair_with_cameras(list(views.pictures)[:3], views.path)
    with pytest.raises(InputError, match="one size"):
        posed_images.stack_pictures([views.pictures[0], views.pictures[0][:20]])


@pytest.mark.parametrize(
    ("model", "values", "matrix", "distortion"),
    [
        (0, (50, 16, 12), (50, 50, 15.5, 11.5), (0, 0, 0, 0)),
        (1, (50, 60, 16, 12), (50, 60, 15.5, 11.5), (0, 0, 0, 0)),
        (2, (50, 16, 12, 0.1), (50, 50, 15.5, 11.5), (0.1, 0, 0, 0)),
        (4, (50, 60, 16, 12, 0.1, 0.2, 0.3, 0.4), (50, 60, 15.5, 11.5), (0.1, 0.2, 0.3, 0.4)),
    ],
)
def test_lenses_of_colmap_are_understood(tmp_path, model, values, matrix, distortion):
    (tmp_path / "cameras.bin").write_bytes(struct.pack(f"<QIiQQ{len(values)}d", 1, 7, model, 32, 24, *values))
    image = struct.pack("<QI7dI", 1, 1, 1, 0, 0, 0, 1, 2, 3, 7) + b"a.jpg\0" + struct.pack("<Q2dq", 1, 5, 6, -1)
    (tmp_path / "images.bin").write_bytes(image)
    (tmp_path / "points3D.bin").write_bytes(struct.pack("<Q", 0))
    found = colmap_model.read_model(tmp_path)
    lens = found.lenses[0]
    assert tuple(lens.matrix[[0, 1, 0, 1], [0, 1, 2, 2]]) == matrix and tuple(lens.distortion) == distortion
    np.testing.assert_allclose(found.poses[0, :3, 3], [-1, -2, -3])
    assert found.names == ("a.jpg",) and found.points.shape == (0, 3)


def test_other_lenses_are_refused():
    wide = struct.pack("<QIiQQ8d", 1, 7, 5, 32, 24, *range(8))
    with pytest.raises(InputError, match="undistort"):
        colmap_model.model_of({"cameras.bin": wide, "images.bin": b""})
    text = b"7 OPENCV_FISHEYE 32 24 1 2 3 4 5 6 7 8\n"
    with pytest.raises(InputError, match="undistort"):
        colmap_model.model_of({"cameras.txt": text, "images.txt": b""})


def test_cameras_can_be_estimated():
    from tests.scenes.rendered_clip import render

    truth = render(4, speed=0, travel=0.6)
    found = posed_images.estimate_cameras(list(truth.frames))
    assert len(found.pictures) == len(found.path) == 4 and len(found.points) > 100
    turned = found.path.relative_to_first().world_from_camera[-1, :3, :3]
    np.testing.assert_allclose(turned, truth.path.relative_to_first().world_from_camera[3, :3, :3], atol=0.01)
    assert "sparse points" in found.scene().source


@pytest.mark.parametrize("named", ["../../secret.png", "{}/secret.png"])
def test_a_model_cannot_name_pictures_elsewhere_on_the_computer(tmp_path, named):
    Image.new("RGB", (64, 48)).save(tmp_path / "secret.png")
    entry = tmp_path / "entry"
    (entry / "images").mkdir(parents=True)
    (entry / "0").mkdir()
    (entry / "0" / "cameras.txt").write_text("1 PINHOLE 64 48 50 50 32 24\n")
    (entry / "0" / "images.txt").write_text(f"1 1 0 0 0 0 0 0 1 {named.format(tmp_path)}\n\n")
    (entry / "0" / "points3D.txt").write_text("")
    with pytest.raises(InputError, match="not in images/"):
        genxd.read_camvid(entry)
