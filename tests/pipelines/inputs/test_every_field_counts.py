"""One rule for all readers: everything that writers are known to write changes the result, is named in a note, or is refused by name.

For every kind of file, `READERS` says how to make a valid one and which things to add to it, one by one.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from camera.errors import InputError
from camera.formats import write
from tests.pipelines.inputs.small_files import (
    DEPTH,
    MEGASAM,
    MULTIVIEW,
    PATH,
    POSES,
    Reader,
    T,
    camvid,
    clip_read,
    clip_with,
    csv_with,
    depth_png_with,
    depth_read,
    depths_read,
    exr,
    folder_of,
    json_of,
    loose,
    lora_header,
    lora_read,
    lora_with,
    mesh_read,
    npy,
    npz,
    npz_of,
    obj_with,
    path_npz,
    path_read,
    picture,
    picture_read,
    pictures_and_colmap,
    pictures_and_transforms,
    ply_with,
    png_with,
    posed_clip,
    raw_vipe,
    reconfusion,
    scene_read,
    transforms_with,
    unzipped,
    vipe,
    with_arrays,
    xml_with,
    zip_of,
)  # fmt: skip

# --- additions --------------------------------------------------------------------------------------------------------------

FISHEYE = {"is_fisheye": True, "ftheta_p0": 0.1, "camera_model": "OPENCV_FISHEYE"}
NERFSTUDIO = {
    **FISHEYE, "k1": 0.1, "k2": 0.1, "k3": 0.1, "k4": 0.1, "p1": 0.1, "p2": 0.1, "camera_angle_x": 1.0, "camera_angle_y": 1.0, "fps": 5,
    "aabb_scale": 16, "aabb": [], "scale": 0.3, "offset": [0, 0, 0], "ply_file_path": "a.ply", "applied_transform": [],
    "applied_scale": 2.0, "orientation_override": "none", "train_filenames": [], "val_filenames": [], "test_filenames": [],
    "white_transparent": True, "rolling_shutter": [0, 0, 0, 1], "integer_depth_scale": 0.1, "depth_unit_scale_factor": 0.001,
    "render_aabb": [], "from_na": True, "something_new": 7,
}  # fmt: skip
FRAME = {
    **FISHEYE, "k1": 0.1, "k2": 0.1, "p1": 0.1, "cx": 10, "cy": 9, "fl_x": 99, "fl_y": 99, "w": 200, "h": 100, "sharpness": 40.0,
    "colmap_im_id": 1, "depth_file_path": "d.png", "mask_path": "m.png", "semantics_path": "s.png", "time": 0.5, "rotation": 0.1,
    "timestamp": 3.0, "something_new": 7,
}  # fmt: skip
EXTRA = {"something_new": np.ones(3)}
RIGS = {
    "sparse/0/rigs.txt": b"# RIG\n", "sparse/0/frames.txt": b"# FRAME\n", "sparse/0/project.ini": b"", "sparse/1/cameras.txt": b"",
    "database.db": b"x", "stereo/fusion.cfg": b"x", "notes.md": b"x",
}  # fmt: skip
XYZ = b"".join(np.float64(value).tobytes() for value in (1, 2, 3))
READERS: dict[str, Reader] = {
    "nerfstudio": Reader(json_of("nerfstudio"), path_read, {**NERFSTUDIO, "w": 200, "h": 100}),
    "nerfstudio frame": Reader(json_of("nerfstudio", "frames"), path_read, FRAME),
    "nerfstudio path": Reader(
        json_of("nerfstudio_path"), path_read,
        {"camera_type": "fisheye", "fps": 5, "seconds": 9, "default_fov": 40, "default_transition_sec": 2, "crop": {}, "something_new": 1},
    ),
    "nerfstudio path camera": Reader(json_of("nerfstudio_path", "camera_path"), path_read, {"aspect": 3, "render_time": 0.5}),
    "gen3c path": Reader(json_of("gen3c_path"), path_read, {"loop": True, "time": 0.5, "spline_order": 0, "something_new": 1}),
    "gen3c path key": Reader(json_of("gen3c_path", "path"), path_read, {"scale": 1.5, "slice": 0, "aperture_size": 0, "dof": 1, "x": 1}),
    "gen3c cameras": Reader(
        json_of("gen3c_cameras"), path_read, {"resolution": [9, 9], "fps": 5, "spp": 8, "shutter_fraction": 0.5, "new": 1}
    ),
    "gen3c camera": Reader(json_of("gen3c_cameras", "cameras"), path_read, {"end": [], "something_new": 1}),
    "i2v3d": Reader(json_of("i2v3d"), path_read, {"fov": 20, "something_new": 1}),
    "reshoot": Reader(json_of("reshoot"), path_read, {"version": 99, "fps": 5, "convention": "OpenGL", "format": "x", "something_new": 1}),
    "recammaster": Reader(json_of("recammaster"), path_read, {"focal_length": 24, "fps": 15}),
    "splat cameras": Reader(json_of("splat_cameras"), path_read, {"img_name": "0000", "near": 0.1, "FovX": 1, "cx": 3, "something_new": 1}),
    "worldplay": Reader(json_of("worldplay"), path_read, {"fps": 15, "something_new": 1}),
    "worldplay frame": Reader(
        lambda folder, added: worldplay_frame(folder, added), path_read, {"w2c": [], "timestamp": 1, "something_new": 1}
    ),
    "fantasyworld": Reader(json_of("fantasyworld"), path_read, {"intrinsics": [], "something_new": 1}),
    "gen3c npz": Reader(path_npz("gen3c_npz"), path_read, {"depth_key_frames": DEPTH, "fps": np.array(12.0), **EXTRA}),
    "vista4d": Reader(path_npz("vista4d"), path_read, {"cam_c2w_fsff": POSES, **EXTRA}),
    "megasam path": Reader(npz_of("a.npz", MEGASAM), path_read, {"motion_prob": DEPTH, **EXTRA}),
    "vipe path": Reader(npz_of("a.npz", {"data": POSES, "inds": np.arange(T)}), path_read, {"runtime": np.ones(1), "keyframe_ids": np.ones(1), **EXTRA}),
    "lingbot": Reader(zip_of("a.zip", lambda: unzipped("lingbot")), path_read, {"action.npy": npy(np.ones(3)), "prompt.txt": b"a"}),
    "colmap text": Reader(zip_of("a.zip", lambda: unzipped("colmap_txt")), path_read, RIGS),
    "colmap binary": Reader(zip_of("a.zip", lambda: unzipped("colmap_bin")), path_read, {"sparse/0/rigs.bin": b"", "sparse/0/frames.bin": b"", "x": b""}),
    "realityscan": Reader(csv_with, path_read, {"k4": 1, "t2": 1, "sigma": 1}),
    "metashape": Reader(xml_with, path_read, {"k1": 0.1, "p2": 0.1, "covariance": "", "rolling_shutter": 1}),
    "pictures with colmap": Reader(zip_of("a.zip", pictures_and_colmap), scene_read, {**RIGS, "masks/frame_00001.png": picture(0), "images/x.png": picture(1)}),
    "pictures with transforms": Reader(zip_of("a.zip", pictures_and_transforms), scene_read, {"sparse_pc.ply": b"x", "notes.md": b"x", "depth/1.exr": b"x"}),
    "transforms of pictures": Reader(transforms_with, scene_read, NERFSTUDIO),
    "loose pictures": Reader(folder_of("loose", loose), scene_read, {"notes.md": b"x", "points3D.txt": b""}),
    "posed clip": Reader(zip_of("a.zip", posed_clip), scene_read, {"text.txt": b"x", "extra/flow.npz": npz(a=np.ones(1))}),
    "camera.npz": Reader(with_arrays("camera.npz", {"w2c": PATH.camera_from_world, "intrinsics": PATH.intrinsics}, posed_clip, "a.zip"), scene_read, EXTRA),
    "depth.npz": Reader(with_arrays("depth.npz", {"depth": DEPTH}, posed_clip, "a.zip"), scene_read, {"confidence": DEPTH}),
    "vipe": Reader(
        zip_of("a.zip", vipe), scene_read,
        {"mask/walk.zip": b"x", "flow/walk.zip": b"x", "vipe/walk_info.pkl": b"x", "intrinsics/walk_camera.txt": b"0: PANORAMA\n", "x": b""},
    ),
    "raw vipe": Reader(
        zip_of("a.zip", raw_vipe), scene_read,
        {"pose/poses_inv.bin": b"x", "manifest.json": b'{"metadata": {"total_frames": 4, "manifest.json": 1}}', "phrase/phrases.json": b"{}", "x": b""},
    ),
    "vipe poses": Reader(with_arrays("pose/walk.npz", {"inds": np.arange(T), "data": POSES}, vipe, "a.zip"), scene_read, {"runtime": np.ones(1)}),
    "key frames": Reader(npz_of("a.npz", MULTIVIEW), scene_read, {"Ks_all": np.array([[1.1], [1.1], [1]]) * PATH.intrinsics, **EXTRA}),
    "megasam clip": Reader(npz_of("a.npz", MEGASAM), scene_read, {"motion_prob": DEPTH, "fps": np.array(12.0), **EXTRA}),
    "reconfusion": Reader(
        reconfusion, scene_read,
        {"poses_bounds": torch.tensor(np.tile([1.0, 4.0], (T, 1))), "key": "scene", "timestamps": torch.arange(T), "url": "x"},
    ),
    "camvid": Reader(zip_of("a.zip", camvid), scene_read, {"notes.md": b"x", "0/points3D.ply": b"x", "motion/1.npy": npy(POSES)}),
    "depth npz": Reader(npz_of("a.npz", {"depth": DEPTH[0]}), depth_read, {"focallength_px": 50.0, "mask": DEPTH[0] > 1.2, "confidence": DEPTH[0]}),
    "depth png": Reader(depth_png_with, depth_read, {"pCAL": b"depth\0" + bytes(9) + b"\0\2m\0000\0001", "sCAL": b"\1" + b"1.0\0002.0"}),
    "depth zip": Reader(
        zip_of("a.zip", lambda: {f"{i}.exr": exr(Z=np.ascontiguousarray(DEPTH[i])) for i in range(T)}), depths_read, {"a.txt": b"", "b/c.json": b""}
    ),
    "depth array": Reader(npz_of("a.npz", {"depths": DEPTH}), depths_read, {"mask": DEPTH > 2, "confidence": DEPTH}),
    "picture": Reader(
        png_with, picture_read,
        {
            "gAMA": (100000).to_bytes(4, "big"), "pHYs": (1000).to_bytes(4, "big") + (2000).to_bytes(4, "big") + b"\1",
            "cICP": bytes([12, 13, 0, 1]), "mDCV": bytes(24), "cLLI": bytes(8),
            "cHRM": b"".join(v.to_bytes(4, "big") for v in (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)),
        },
    ),
    "clip": Reader(clip_with, clip_read, {"pixels": 1, "HLG": 1, "picture tracks": 1, "interlaced": 1}),
    "lora": Reader(
        lora_with, lora_read,
        {
            "lora_alpha": 2, "use_rslora": True, "alpha_pattern": {"blocks.0.to_q": 2}, "rank_pattern": {"blocks.0.to_q": 2}, "use_dora": True,
            "layer_replication": [[0, 1]], "init_lora_weights": "pissa", "peft_type": "LOHA", "target_modules": ["to_q"], "modules_to_save": ["x"],
            "lora_bias": True, "bias": "all", "megatron_config": {"a": 1}, "use_qalora": True, "something_new": 1,
        },
    ),
    "lora header": Reader(
        lora_header, lora_read, {"lora_alpha": "64", "ss_network_alpha": "2", "ss_network_module": "x", "ss_network_dim": "4", "sparkle": "1"}
    ),
    "obj": Reader(obj_with, mesh_read, {"l": "1 2", "p": "1", "curv": "0 1 1 2", "bump": "a.png"}),
    "ply": Reader(ply_with, mesh_read, {"heat": 1, "confidence": 1}),
}  # fmt: skip


def worldplay_frame(folder: Path, added: dict[str, Any]) -> Path:
    values = json.loads(write("worldplay", PATH)[1])
    values["1"] |= added
    (folder / "a.json").write_text(json.dumps(values))
    return folder / "a.json"


CASES = [(name, key) for name, reader in READERS.items() for key in reader.added]


def same(a: Any, b: Any) -> bool:
    return len(a) == len(b) and all(np.array_equal(x, y, equal_nan=_numeric(x) and _numeric(y)) for x, y in zip(a, b))


def _names(called: str, told: str) -> bool:
    """As a whole word, or by the name of the OBJ statement."""
    words = {"l": "lines", "p": "points", "curv": "curves", "lora_bias": "lora_bias"}
    return (
        re.search(rf"(?<![\w./]){re.escape(words.get(called, called))}(?!\w)", told) is not None or f"/{called}" in told
    )


def _numeric(value: Any) -> bool:
    return np.asarray(value).dtype.kind == "f"


@pytest.mark.parametrize(("name", "key"), CASES, ids=[f"{name}-{key}" for name, key in CASES])
def test_every_field_counts_is_named_or_is_refused(tmp_path, name, key):
    reader = READERS[name]
    for place in ("without", "with"):
        (tmp_path / place).mkdir()
    plain, _ = reader.read(reader.make(tmp_path / "without", {}))
    called = Path(key).name
    try:
        result, told = reader.read(reader.make(tmp_path / "with", {key: reader.added[key]}))
    except InputError as error:
        words = str(error)
        assert called in words or repr(reader.added[key])[:60] in words or str(reader.added[key])[:20] in words, words
        return
    assert not same(result, plain) or _names(called, told), told or "nothing is said"
