"""Small folders in the layouts of RealEstate10K, DL3DV and CamVid-30K give the true cameras and frames, and `evaluate --data` uses them."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from camera.conventions import nerfstudio_from_opencv
from camera.errors import InputError
from camera.formats import colmap, realestate10k
from camera.formats.reshoot import write as write_path
from camera.path import CameraPath
from pipelines.__main__ import main
from pipelines.inputs.datasets.clips import clip_of, find_clips
from pipelines.media.video import write_mp4
from tests.scenes.turning import turning

FRAMES = 6


def pan(degrees: float = 20.0, width: int = 64, height: int = 48) -> CameraPath:
    return turning(FRAMES, degrees, way=(1, 0, 0), size=(width, height))


def pictures(count: int = FRAMES) -> np.ndarray:
    """Frame i has grey level 30 i, which makes the order visible."""
    return np.stack([np.full((48, 64, 3), 30 * i, np.uint8) for i in range(count)])


def realestate(folder: Path, *, video: bool) -> Path:
    (folder / "RealEstate10K" / "test").mkdir(parents=True)
    data = realestate10k.write(pan())
    (folder / "RealEstate10K" / "test" / "0bf152ef84195293.txt").write_bytes(data)
    if video:
        write_mp4(folder / "0bf152ef84195293.mp4", pictures(), 24)
        return folder
    stamps = [line.split()[0] for line in data.decode().splitlines()[1:]]
    place = folder / "frames" / "0bf152ef84195293"
    place.mkdir(parents=True)
    for stamp, picture in zip(stamps, pictures()):
        cv2.imwrite(str(place / f"{stamp}.png"), picture)
    return folder


def dl3dv(folder: Path) -> Path:
    """Cameras for pictures four times as large as those in images_4."""
    place = folder / "1K" / ("0a1b" * 16)
    (place / "images_4").mkdir(parents=True)
    path = pan(width=256, height=192)
    for i, picture in enumerate(pictures(), start=1):
        cv2.imwrite(str(place / "images_4" / f"frame_{i:05d}.png"), picture)
    poses = nerfstudio_from_opencv(path.world_from_camera)
    frames = [
        {"file_path": f"images/frame_{i:05d}.png", "transform_matrix": pose.tolist()}
        for i, pose in enumerate(poses, start=1)
    ]
    lens = path.intrinsics[0]
    shared = {
        "w": 256,
        "h": 192,
        "fl_x": lens[0, 0],
        "fl_y": lens[1, 1],
        "cx": lens[0, 2] + 0.5,
        "cy": lens[1, 2] + 0.5,
    }
    (place / "transforms.json").write_text(json.dumps({**shared, "camera_model": "OPENCV", "frames": frames[::-1]}))
    return folder


@pytest.mark.parametrize("video", [True, False])
def test_realestate10k_with_a_video_or_frames_named_by_time(tmp_path, video):
    clip = clip_of("gen3c_0bf152ef84195293_seed0", realestate(tmp_path, video=video))
    assert clip.dataset == "RealEstate10K" and clip.frames.shape == (FRAMES, 48, 64, 3)
    np.testing.assert_allclose(clip.path.world_from_camera, pan().world_from_camera, atol=1e-6)
    np.testing.assert_allclose(clip.path.intrinsics, pan().intrinsics, atol=1e-3)
    assert clip.path.fps == pytest.approx(24, abs=0.01)
    np.testing.assert_allclose(clip.frames.mean(axis=(1, 2, 3)), 30 * np.arange(FRAMES), atol=3)


def test_dl3dv_with_pictures_of_a_quarter_and_frames_out_of_order(tmp_path):
    clip = clip_of("0a1b" * 16, dl3dv(tmp_path))
    np.testing.assert_allclose(clip.path.world_from_camera, pan().world_from_camera, atol=1e-6)
    assert (clip.path.width, clip.path.height) == (64, 48)
    assert clip.path.intrinsics[0, 0, 0] == pytest.approx(pan().intrinsics[0, 0, 0], rel=0.01)
    np.testing.assert_allclose(clip.frames.mean(axis=(1, 2, 3)), 30 * np.arange(FRAMES), atol=1)


def test_camvid_by_its_colmap_model(tmp_path):
    entry = tmp_path / "batch" / "entry7"
    (entry / "images").mkdir(parents=True)
    (entry / "0").mkdir()
    with zipfile.ZipFile(io.BytesIO(colmap.write_bin(pan()))) as model:
        for name in model.namelist():
            (entry / "0" / Path(name).name).write_bytes(model.read(name))
    for image, picture in zip(colmap.images_bin((entry / "0" / "images.bin").read_bytes(), "images.bin"), pictures()):
        cv2.imwrite(str(entry / "images" / image.name), picture)
    clip = clip_of("entry7", tmp_path)
    assert clip.dataset == "CamVid-30K"
    np.testing.assert_allclose(clip.path.world_from_camera, pan().world_from_camera, atol=1e-6)
    np.testing.assert_allclose(clip.frames.mean(axis=(1, 2, 3)), 30 * np.arange(FRAMES), atol=1)


def test_a_longer_clip_is_taken_at_equal_distances_and_a_shorter_one_is_refused(tmp_path):
    clip = clip_of("0bf152ef84195293", realestate(tmp_path, video=False))
    fewer = clip.fitted(3, 32, 32)
    assert fewer.frames.shape == (3, 32, 32, 3) and len(fewer.path) == 3
    np.testing.assert_allclose(fewer.frames.mean(axis=(1, 2, 3)), [0, 60, 150], atol=1)
    np.testing.assert_allclose(fewer.path.world_from_camera[1], pan().world_from_camera[2], atol=1e-6)
    with pytest.raises(InputError, match="must be as long"):
        clip.fitted(9, 32, 32)


def test_what_is_no_data_set_is_said(tmp_path):
    with pytest.raises(InputError, match="contains no clip"):
        find_clips(tmp_path)
    realestate(tmp_path, video=True)
    with pytest.raises(InputError, match="after their clips"):
        clip_of("holiday", tmp_path)


def test_results_are_scored_by_the_data_sets_own_files(tmp_path):
    data = realestate(tmp_path / "data", video=False)
    shot = write_mp4(tmp_path / "mine_0bf152ef84195293.mp4", pictures(), 24)
    (tmp_path / "poses.json").write_bytes(write_path(pan(18)))
    given = [
        "evaluate",
        str(shot),
        "--data",
        str(data),
        "--poses",
        str(tmp_path / "poses.json"),
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(given) == 0
    (one,) = json.loads((tmp_path / "out" / "table.json").read_text())["results"]
    assert one["numbers"]["rot_mean"] == pytest.approx(1, abs=1e-3)  # mean of 18 of 20 degrees
    assert one["numbers"]["psnr"] > 35 and one["numbers"]["ssim"] > 0.9
