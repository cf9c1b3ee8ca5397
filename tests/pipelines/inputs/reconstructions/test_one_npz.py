"""Posed clips in a single npz, and inputs under uninformative names."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from camera.errors import InputError
from camera.path import inverse
from pipelines.inputs.open import read_material
from pipelines.media.depth_map.read import read_depth_map

T, H, W = 3, 24, 32
FRAMES = np.random.default_rng(0).integers(0, 255, (T, H, W, 3), dtype=np.uint8)
DEPTH = np.full((T, H, W), 2.0, np.float32) + np.arange(T, dtype=np.float32)[:, None, None]
POSES = np.repeat(np.eye(4)[None], T, axis=0)
POSES[:, 0, 3] = np.arange(T)
LENS = np.array([[30.0, 0, 16], [0, 31, 12], [0, 0, 1]])
LENSES = np.repeat(LENS[None], T, axis=0)
KINDS = {
    "megasam": {"images": FRAMES, "depths": DEPTH.astype(np.float16), "intrinsic": LENS, "cam_c2w": POSES},
    "vipe": {"images": FRAMES, "depth": DEPTH, "intrinsics": np.tile([30.0, 31, 16, 12], (T, 1)), "data": POSES, "inds": np.arange(T), "fps": 12.0},
    "tracker": {"video": FRAMES.transpose(0, 3, 1, 2).astype(np.float32), "depths": DEPTH, "intrinsics": LENSES, "extrinsics": inverse(POSES)},
}  # fmt: skip


def saved(folder: Path, name: str = "clip.npz", **arrays) -> Path:
    with (folder / name).open("wb") as target:
        np.savez(target, **arrays)
    return folder / name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["clip.npz", "blob"])
def test_frames_depth_and_cameras_come_from_one_file(tmp_path, kind, name):
    material = read_material([saved(tmp_path, name, **KINDS[kind])])
    scene = material.scene
    assert scene.kind == "clip" and len(scene.views) == T
    np.testing.assert_array_equal(scene.views[1].colour, FRAMES[1])
    np.testing.assert_array_equal(scene.views[2].depth, DEPTH[2])
    np.testing.assert_allclose([view.world_from_camera[0, 3] for view in scene.views], range(T))
    assert scene.first.intrinsics[:2, 2].tolist() == [15.5, 11.5] and scene.first.intrinsics[1, 1] == 31
    assert (scene.unit, scene.fps) == (("metres", 12.0) if kind == "vipe" else ("relative", 24.0))
    assert ("does not contain its frame rate" in material.note) == (kind != "vipe")
    begun = read_material([saved(tmp_path, name, **KINDS[kind])], begin_at=1).scene
    np.testing.assert_array_equal(begun.first.colour, FRAMES[1])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"depths": DEPTH[:2]}, "they must agree"),
        ({"cam_c2w": POSES[:2]}, "2 poses for 3 frames"),
        ({"intrinsic": LENSES[:2]}, "2 lenses for 3 frames"),
        ({"images": FRAMES.astype(np.float32) * 9}, "0 to 1 or 0 to 255"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(tmp_path, change, words):
    with pytest.raises(InputError, match=words):
        read_material([saved(tmp_path, **{**KINDS["megasam"], **change})])
    gaps = {**KINDS["vipe"], "inds": np.array([0, 1, 3])}
    with pytest.raises(InputError, match="without a pose"):
        read_material([saved(tmp_path, **gaps)])


def test_pictures_cameras_and_depth_maps_called_blob(tmp_path):
    files = []
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        files.append(tmp_path / str(number) / "blob")
        Image.fromarray(FRAMES[number]).save(files[-1], "PNG")
    (tmp_path / "2").mkdir()
    frames = [{"transform_matrix": pose.tolist()} for pose in POSES[:2]]
    files.append(tmp_path / "2" / "blob")
    files[-1].write_text(json.dumps({"w": W, "h": H, "fl_x": 30, "frames": frames}))
    scene = read_material(files).scene
    assert [view.world_from_camera[0, 3] for view in scene.views] == [0, 1]
    with (tmp_path / "blob").open("wb") as target:
        np.save(target, DEPTH[0])
    np.testing.assert_array_equal(read_depth_map(tmp_path / "blob", "distance").values, DEPTH[0])
