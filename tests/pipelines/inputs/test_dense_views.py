"""COLMAP and nerfstudio folders become views whose depth fits their cameras, whether points are included or tracked."""

import json
import zipfile

import cv2
import numpy as np
import pytest

from camera.errors import InputError
from camera.path import CameraPath, pinhole
from camera.unproject import points_of
from camera.view import View
from pipelines.inputs import open
from pipelines.inputs.dense_views import MOST_VIEWS, dense_views
from pipelines.inputs.open import read_material
from pipelines.inputs.posed_images import PosedPictures

COUNT, WIDTH, HEIGHT = 8, 160, 120
LENS = pinhole(WIDTH, HEIGHT, 60)


@pytest.fixture(scope="module")
def truth():
    """A slanted wall with coarse noise, filmed by a sliding camera: pictures, true depths, cameras, points of the wall."""
    texture = cv2.resize(np.random.default_rng(0).integers(0, 255, (60, 90, 3), np.uint8), (720, 480))
    poses = np.repeat(np.eye(4)[None], COUNT, axis=0)
    poses[:, 0, 3] = np.linspace(0, 0.8, COUNT)
    path = CameraPath(poses, LENS, WIDTH, HEIGHT, 6)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ np.linalg.inv(LENS).T
    frames, depths = [], []
    for pose in poses:
        depth = (3 - 0.2 * pose[0, 3]) / (1 + 0.2 * rays[..., 0])  # on the plane z + 0.2 x = 3
        wall = rays * depth[..., None] + pose[:3, 3]
        at = ((wall[..., :2] + [3.0, 2.0]) * 120).astype(np.float32)
        frames.append(cv2.remap(texture, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT))
        depths.append(depth.astype(np.float32))
    view = View.of(frames[3], depths[3], LENS, poses[3])
    points = points_of(view).reshape(-1, 3)[::37].astype(np.float64)
    return np.stack(frames), np.stack(depths), path, points


@pytest.fixture
def estimate(truth):
    """The true depth of a picture with its own scale and offset, like the output of a depth model."""
    frames, depths, _, _ = truth

    def answer(picture):
        number = int(np.abs(frames.astype(int) - picture).mean(axis=(1, 2, 3)).argmin())
        return 1 / ((0.5 + 0.1 * number) / depths[number] + 0.05)

    return answer


def _fits(scene, truth):
    _, depths, path, _ = truth
    assert scene.kind == "views" and len(scene.views) == COUNT
    for view, depth, pose in zip(scene.views, depths, path.world_from_camera):
        np.testing.assert_allclose(view.world_from_camera, pose, atol=1e-6)
        assert np.median(np.abs(view.depth / depth - 1)) < 0.02


def test_depth_fits_points_that_came_or_were_followed(truth, estimate):
    frames, _, path, points = truth
    colours = np.zeros((len(points), 3), np.uint8)
    _fits(dense_views(PosedPictures(frames, path, points=points, colours=colours), estimate), truth)
    _fits(dense_views(PosedPictures(frames, path), estimate), truth)


def test_of_many_pictures_some_are_taken_evenly(truth, estimate):
    frames, _, path, points = truth
    order = np.arange(MOST_VIEWS * 2) % COUNT
    many = CameraPath(path.world_from_camera[order], LENS, WIDTH, HEIGHT, 6)
    posed = PosedPictures(frames[order], many, points=points, colours=np.zeros((len(points), 3), np.uint8))
    assert len(dense_views(posed, estimate).views) == MOST_VIEWS


def test_cameras_that_do_not_fit_the_pictures_are_refused(truth, estimate):
    frames, _, path, _ = truth
    with pytest.raises(InputError, match="tracking corners found too few"):
        dense_views(PosedPictures(np.full_like(frames, 90), path), estimate)


def _nerfstudio(truth, folder):
    frames, _, path, _ = truth
    flip = np.diag([1.0, -1, -1, 1])
    rows = [
        {"file_path": f"images/{index}.png", "transform_matrix": (pose @ flip).tolist()}
        for index, pose in enumerate(path.world_from_camera)
    ]
    lens = {
        "fl_x": LENS[0, 0],
        "fl_y": LENS[1, 1],
        "cx": LENS[0, 2] + 0.5,
        "cy": LENS[1, 2] + 0.5,
        "w": WIDTH,
        "h": HEIGHT,
    }
    with zipfile.ZipFile(folder / "capture.zip", "w") as archive:
        archive.writestr("capture/transforms.json", json.dumps(lens | {"frames": rows}))
        for index, frame in enumerate(frames):
            archive.writestr(f"capture/images/{index}.png", cv2.imencode(".png", frame[..., ::-1])[1].tobytes())
    return folder / "capture.zip"


def _colmap(truth, folder):
    frames, _, path, points = truth
    images = []
    for index, pose in enumerate(path.world_from_camera):
        images += [f"{index + 1} 1 0 0 0 {-pose[0, 3]} 0 0 1 {index}.png", ""]
    with zipfile.ZipFile(folder / "colmap.zip", "w") as archive:
        focal = f"{LENS[0, 0]} {LENS[1, 1]} {LENS[0, 2] + 0.5} {LENS[1, 2] + 0.5}"
        archive.writestr("sparse/0/cameras.txt", f"1 PINHOLE {WIDTH} {HEIGHT} {focal}\n")
        archive.writestr("sparse/0/images.txt", "\n".join(images) + "\n")
        rows = [f"{i + 1} {x} {y} {z} 9 9 9 0.1 1 0 2 0" for i, (x, y, z) in enumerate(points)]
        archive.writestr("sparse/0/points3D.txt", "\n".join(rows) + "\n")
        for index, frame in enumerate(frames):
            archive.writestr(f"images/{index}.png", cv2.imencode(".png", frame[..., ::-1])[1].tobytes())
    return folder / "colmap.zip"


@pytest.mark.parametrize("packed", [_nerfstudio, _colmap])
def test_a_zipped_capture_is_read_with_a_depth_model_or_roughly_without(truth, estimate, tmp_path, monkeypatch, packed):
    file = packed(truth, tmp_path)
    monkeypatch.setattr(open, "_estimate_depth", estimate)
    read = read_material([file], dense=True)
    _fits(read.scene, truth)
    assert read.scene.name == file.stem and "rough" not in read.note

    def refused(picture):
        raise InputError("The depth model cannot be had.")

    monkeypatch.setattr(open, "_estimate_depth", refused)
    rough = read_material([file], dense=True)
    assert len(rough.scene.views) == COUNT
    assert "The depth model cannot be had. Until then the depth is rough" in rough.note
