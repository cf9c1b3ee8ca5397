"""The command line writes a scene's files from a result and its depth."""

import io
import zipfile
from dataclasses import replace

import cv2
import numpy as np
import pytest
import trimesh

from camera import formats
from pipelines.__main__ import main
from pipelines.media.video import write_mp4
from tests.scenes.rendered_clip import render


@pytest.fixture(scope="module")
def truth():
    """The truth at half the size."""
    full = render(5, speed=0, travel=0.8)
    frames = np.stack([cv2.resize(frame, (160, 128), interpolation=cv2.INTER_AREA) for frame in full.frames])
    path = full.path.resized(160, 128)
    return replace(full, frames=frames, depth=full.depth[:, ::2, ::2], moving=full.moving[:, ::2, ::2], path=path)


@pytest.fixture
def video(truth, tmp_path):
    write_mp4(tmp_path / "clip.mp4", truth.frames, 12)
    (tmp_path / "path.json").write_bytes(formats.write("reshoot", truth.path)[1])
    return tmp_path / "clip.mp4"


def scene(video, *more):
    out = video.parent / "made"
    return main(["scene", str(video), "--path", str(video.parent / "path.json"), "--out", str(out), *more]), out


@pytest.mark.parametrize("packed", [False, True])
def test_points_mesh_and_folders_are_written(truth, video, packed):
    depth = video.parent / "depth.npz"
    if packed:
        depth = video.parent / "disparity.zip"
        with zipfile.ZipFile(depth, "w") as archive:
            for i, one in enumerate(truth.depth):
                near = np.round(60000 * truth.depth.min() / one).astype(np.uint16)
                archive.writestr(f"disparity-{i:04}.png", cv2.imencode(".png", near)[1].tobytes())
    else:
        np.savez(depth, depth=truth.depth.astype(np.float32))
    status, out = scene(video, "--depth", str(depth), "--voxel", "0.1", "--tolerance", "0.05")
    assert status == 0
    assert sorted(file.name for file in out.iterdir()) == [
        "colmap.zip",
        "mesh.glb",
        "mesh.ply",
        "nerfstudio.zip",
        "points.glb",
        "points.ply",
        "viewer.html",
    ]
    mesh = trimesh.load(io.BytesIO((out / "mesh.ply").read_bytes()), file_type="ply")
    away = np.min(
        [np.abs(mesh.vertices[:, 2] - 6), np.abs(mesh.vertices[:, 1] - 1.3), np.abs(mesh.vertices[:, 2] - 4)], axis=0
    )
    assert np.median(away) < 0.05


def test_an_object_by_masks_and_a_dome_with_a_texture(truth, video, capsys):
    depth, masks = video.parent / "depth.npy", video.parent / "masks.zip"
    np.save(depth, truth.depth.astype(np.float32))
    with zipfile.ZipFile(masks, "w") as archive:
        for i, one in enumerate(truth.moving):
            archive.writestr(f"{i}.png", cv2.imencode(".png", 255 * one.astype(np.uint8))[1].tobytes())
    common = ("--depth", str(depth), "--tolerance", "0.05")
    status, out = scene(video, *common, "--masks", str(masks), "--mesh", "none")
    assert status == 0
    points = trimesh.load(io.BytesIO((out / "points.ply").read_bytes()), file_type="ply").vertices
    assert len(points) > 100 and np.quantile(np.abs(points[:, 2] - 4), 0.9) < 0.1
    assert scene(video, *common, "--voxel", "0.2", "--background", "dome", "--texture")[0] == 0
    assert {"background.ply", "textured.glb"} <= {file.name for file in out.iterdir()}
    assert scene(video, *common, "--masks", str(masks), "--background", "dome")[0] == 1
    assert "has no background" in capsys.readouterr().err
    assert scene(video, *common, "--masks", str(video.parent / "none.zip"))[0] == 1
    assert "no file of masks" in capsys.readouterr().err


def test_what_is_missing_is_said(truth, video, capsys):
    np.save(video.parent / "short.npy", truth.depth[:3].astype(np.float32))
    assert scene(video, "--depth", str(video.parent / "short.npy"))[0] == 1
    assert "should contain 5 depth maps" in capsys.readouterr().err
    assert scene(video, "--depth", str(video.parent / "none.npy"))[0] == 1
    assert "There is no depth file" in capsys.readouterr().err
    (video.parent / "bad.npz").write_bytes(b"PK")
    assert scene(video, "--depth", str(video.parent / "bad.npz"))[0] == 1
    assert "bad.npz is not a readable npz file" in capsys.readouterr().err
    assert main(["scene", str(video), "--out", str(video.parent / "made")]) == 1
    assert "contains no record" in capsys.readouterr().err
