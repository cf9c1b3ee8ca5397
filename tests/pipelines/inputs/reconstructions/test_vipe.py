"""ViPE's results in every layout that it has ever written: each gives the same clip."""

import io
import json
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from camera.errors import InputError
from pipelines.inputs.open import read_material
from pipelines.inputs.reconstructions.vipe_arrays import npz_by_frame
from pipelines.media.video import write_mp4

T, H, W = 3, 32, 48
FRAMES = np.repeat(np.array([40, 120, 200], np.uint8)[:, None, None, None], H, 1).repeat(W, 2).repeat(3, 3)
DEPTH = np.linspace(1, 4, T * H * W).reshape(T, H, W).astype(np.float16)
DEPTH[:, :4] = np.inf
POSES = np.repeat(np.eye(4)[None], T, axis=0).astype(np.float32)
POSES[:, 0, 3] = [0, 1, 3]
LENSES = np.tile([50.0, 51, 24, 16], (T, 1)).astype(np.float32)


def raw(folder, parts, values, **more):
    folder.mkdir(exist_ok=True)
    (folder / f"{parts}.bin").write_bytes(values.tobytes())
    about = {"shape": values.shape, "dtype": "float32", "frame_indices": list(range(len(values)))}
    (folder / f"{parts}_meta.json").write_text(json.dumps({**about, **more}))


def webp(folder):
    (folder / "rgb/walk").mkdir(parents=True)
    for i, frame in enumerate(FRAMES):
        Image.fromarray(frame).save(folder / f"rgb/walk/{i:05d}.webp", lossless=True)
    (folder / "manifest.json").write_text(
        json.dumps({"format_version": "1.0", "data": {}, "metadata": {"base_fps": 15.0, "total_frames": T}})
    )


def mp4(folder):
    (folder / "rgb").mkdir()
    write_mp4(folder / "rgb/walk.mp4", FRAMES, 15)


def one_file(folder):
    about = json.dumps({"format": "fp16_zlib", "shape": [T, H, W], "dtype": "float16"}).encode()
    data = struct.pack("<I", len(about)) + about + zlib.compress(DEPTH.tobytes())
    (folder / "depth/walk.bin.zlib").write_bytes(data)


def per_frame(folder, level=3):
    (folder / "depth/walk").mkdir()
    for i, depth in enumerate(DEPTH):
        data = depth.tobytes()
        (folder / f"depth/walk/{i:05d}.bin").write_bytes(zlib.compress(data, level) if level else data)
    about = {"format": "fp16_zlib_per_frame", "compression": f"zlib_level_{level}", "frame_shape": [H, W], "frames": {}}
    (folder / "depth/walk/manifest.json").write_text(json.dumps(about))


def zipped(folder, name="depth.zip"):
    with zipfile.ZipFile(folder / "depth" / name, "w") as archive:
        archive.writestr("shape.txt", f"{H},{W}")
        for i, depth in enumerate(DEPTH):
            archive.writestr(f"{i:05d}.bin", depth.tobytes())


def made(folder, pictures, depth):
    pictures(folder)
    (folder / "depth").mkdir()
    depth(folder)
    raw(folder / "pose", "poses", POSES)
    (folder / "pose/poses_inv.bin").write_bytes(np.linalg.inv(POSES).tobytes())
    raw(folder / "intrinsics", "intrinsics", LENSES, format="[fx, fy, cx, cy] per frame")
    (folder / "intrinsics/walk_camera.txt").write_text("".join(f"{i}: PINHOLE\n" for i in range(T)))
    return folder


@pytest.mark.parametrize("pictures", [webp, mp4])
@pytest.mark.parametrize(
    "depth", [one_file, per_frame, lambda folder: per_frame(folder, 0), zipped], ids=["one", "zlib", "plain", "zip"]
)
def test_raw_arrays_are_the_clip(tmp_path, pictures, depth):
    material = read_material([made(tmp_path, pictures, depth)])
    scene = material.scene
    assert (len(scene.views), scene.fps, scene.unit) == (T, 15, "metres")
    for i, view in enumerate(scene.views):
        assert view.world_from_camera[0, 3] == POSES[i, 0, 3]
        np.testing.assert_array_equal(view.intrinsics, [[50, 0, 24], [0, 51, 16], [0, 0, 1]])
        np.testing.assert_array_equal(view.depth[4:], DEPTH[i, 4:].astype(np.float32))
        assert not view.known[:4].any() and abs(int(view.colour.mean()) - int(FRAMES[i, 0, 0, 0])) <= 2
    assert "not known" not in material.note


def test_pictures_without_a_manifest_say_what_rate_was_taken(tmp_path):
    folder = made(tmp_path, webp, one_file)
    (folder / "manifest.json").unlink()
    material = read_material([folder])
    assert material.scene.fps == 24 and "24 frames per second are assumed" in material.note


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: raw(f / "intrinsics", "intrinsics", np.ones((T, 5), np.float32)), "wide-angle"),
        (lambda f: raw(f / "pose", "poses", POSES[:2], frame_indices=[0, 1, 2]), "poses.bin has 128 bytes"),
        (lambda f: raw(f / "pose", "poses", POSES.astype(np.float64), dtype="float64"), "only float32"),
        (lambda f: (f / "pose/poses_meta.json").unlink(), "no pose/poses_meta.json"),
        (lambda f: (f / "depth/walk.bin.zlib").write_bytes(b"\4\0\0\0{}  xx"), "shape"),
        (lambda f: (f / "rgb/walk/00001.webp").unlink(), "without a gap"),
        (lambda f: (f / "intrinsics/walk_camera.txt").write_text("0: MEI\n"), "MEI"),
    ],
)
def test_what_cannot_be_followed_is_refused_by_name(tmp_path, spoil, words):
    folder = made(tmp_path, webp, one_file)
    spoil(folder)
    with pytest.raises(InputError, match=words):
        read_material([folder])


def test_depth_of_fewer_frames_than_pictures_is_refused(tmp_path):
    folder = made(tmp_path, webp, one_file)
    Image.fromarray(FRAMES[0]).save(folder / f"rgb/walk/{T:05d}.webp")
    with pytest.raises(InputError, match="3 depth maps for 4 frames"):
        read_material([folder])


def test_frames_without_a_pose_are_counted(tmp_path):
    folder = made(tmp_path, webp, one_file)
    raw(folder / "pose", "poses", POSES[:2])
    material = read_material([folder])
    assert len(material.scene.views) == 2 and "1 of 3 frames" in material.note and "no pose" in material.note


def test_five_numbers_are_the_wide_angle_lens(tmp_path):
    box = io.BytesIO()
    np.savez(box, inds=np.arange(2), data=np.ones((2, 5), np.float32))
    (tmp_path / "clip.npz").write_bytes(box.getvalue())
    with pytest.raises(InputError, match="wide-angle"):
        npz_by_frame(tmp_path / "clip.npz", "4|3 3")
