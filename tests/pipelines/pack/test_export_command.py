"""``export`` writes scene and camera from the command line; masks of moving things are read from pictures, a zip and a video."""

from __future__ import annotations

import zipfile

import cv2
import numpy as np
import pytest

from camera import formats
from camera.errors import InputError
from camera.formats.account import Account
from camera.path import CameraPath, pinhole
from pipelines.__main__ import main
from pipelines.media.video import mp4_writer
from pipelines.reconstruct.object_mask import read_masks


def test_export_writes_the_move_beside_the_surface(tmp_path, capsys):
    picture = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "room.png"), picture)
    given = [
        "export",
        str(tmp_path / "room.png"),
        "truck 0.2",
        "--depth",
        "guess",
        "--frames",
        "4",
        "--size",
        "64x48",
        "-o",
    ]
    assert main([*given, str(tmp_path / "room.glb")]) == 0
    assert capsys.readouterr().out.strip().endswith("room.glb")
    like = CameraPath(np.eye(4)[None], pinhole(64, 48, 55), 64, 48)
    path = formats.read("room.glb", (tmp_path / "room.glb").read_bytes(), like=like, account=Account("room.glb"))
    assert len(path) == 4 and path.centres[-1, 0] > 0.1 and abs(path.centres[:, 1:]).max() < 1e-6
    assert main([*given, str(tmp_path / "room.fbx")]) == 1
    assert ".usdc" in capsys.readouterr().err


def test_masks_come_as_pictures_a_zip_or_a_video(tmp_path):
    masks = np.zeros((3, 32, 48), bool)
    masks[1:, 8:24, 16:32] = True
    files = []
    for number, mask in enumerate(masks):
        files.append(tmp_path / f"{number}.png")
        cv2.imwrite(str(files[-1]), mask.astype(np.uint8) * 255)
    with zipfile.ZipFile(tmp_path / "masks.zip", "w") as archive:
        for file in files:
            archive.write(file, file.name)
    with mp4_writer(tmp_path / "masks.mp4", 8) as write:
        for mask in masks:
            write(np.repeat(mask[..., None] * np.uint8(255), 3, axis=2))
    np.testing.assert_array_equal(read_masks(files, 3), masks)
    np.testing.assert_array_equal(read_masks([tmp_path / "masks.zip"], 3), masks)
    assert (read_masks([tmp_path / "masks.mp4"], 3) == masks).mean() > 0.99
    for given in (files, [tmp_path / "masks.zip"], [tmp_path / "masks.mp4"]):
        with pytest.raises(InputError, match="4 frames needs a mask"):
            read_masks(given, 4)
    with pytest.raises(InputError, match="Masks must be"):
        read_masks([], 3)
