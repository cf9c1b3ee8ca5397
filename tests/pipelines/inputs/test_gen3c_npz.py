"""Upstream's input formats become scenes; untrusted files are checked before they are unpacked."""

import io
import shutil
import zipfile

import numpy as np
import OpenEXR
import pytest

from camera.errors import InputError
from camera.path import CameraPath, inverse
from pipelines.inputs.gen3c_npz import CLIP_FILES, read_clip, read_scene, read_views
from pipelines.inputs.npz import read_npz
from pipelines.media.video import write_mp4
from pipelines.methods.gen3c.export import views_npz
from pipelines.methods.gen3c.preprocess import prepare_picture, upstream_still, with_sky


@pytest.fixture
def clip(golden, tmp_path):
    folder = tmp_path / "clip"
    shutil.copytree(golden / "gen3c/dynamic_sample", folder)
    return folder


def _equals_the_original(scene, golden):
    with np.load(golden / "gen3c/dynamic_sample/expected_loaded.npz") as expected:
        assert scene.kind == "clip" and len(scene.views) == len(expected["depth"])
        for frame, view in enumerate(scene.views):
            picture = expected["image_f16"][frame].astype(np.float32).transpose(1, 2, 0)
            np.testing.assert_allclose(view.colour / 127.5 - 1, picture, atol=0.05)
            known = expected["mask"][frame, 0] > 0
            np.testing.assert_array_equal(view.known, known)
            np.testing.assert_array_equal(view.depth, expected["depth"][frame, 0])
            np.testing.assert_allclose(inverse(view.world_from_camera), expected["w2c"][frame], atol=1e-6)
            np.testing.assert_allclose(view.intrinsics, expected["intrinsics"][frame], rtol=1e-6)


def test_posed_clip_folder(clip, golden):
    scene, path = read_scene(clip)
    _equals_the_original(scene, golden)
    assert path is None


@pytest.mark.parametrize("inside", ["", "clip_0/"])
def test_posed_clip_zip(clip, golden, tmp_path, inside):
    with zipfile.ZipFile(tmp_path / "posed.zip", "w") as archive:
        for name in CLIP_FILES:
            archive.write(clip / name, inside + name)
    scene, _ = read_scene(tmp_path / "posed.zip")
    _equals_the_original(scene, golden)
    assert scene.name == "posed"


def test_key_frames_and_their_path(golden):
    source = golden / "gen3c/multiview_sample.npz"
    scene, path = read_scene(source)
    with np.load(source) as arrays:
        assert scene.kind == "views" and len(scene.views) == 3 and len(path) == 5
        for index, view in enumerate(scene.views):
            picture = arrays["images_key_frames"][index].transpose(1, 2, 0)
            np.testing.assert_allclose(view.colour / 127.5 - 1, picture, atol=1 / 255)
            np.testing.assert_allclose(view.depth[view.known], arrays["depth_key_frames"][index, 0][view.known])
            np.testing.assert_allclose(inverse(view.world_from_camera), arrays["w2cs_key_frames"][index], atol=1e-6)
        np.testing.assert_allclose(path.camera_from_world, arrays["w2cs_all"], atol=1e-6)
        np.testing.assert_allclose(path.intrinsics, arrays["Ks_all"], rtol=1e-6)


def test_views_written_are_read_back(golden, tmp_path):
    scene, path = read_views(golden / "gen3c/multiview_sample.npz")
    (tmp_path / "again.npz").write_bytes(views_npz(scene, path))
    again, again_path = read_views(tmp_path / "again.npz")
    for before, after in zip(scene.views, again.views):
        np.testing.assert_array_equal(before.colour, after.colour)
        np.testing.assert_array_equal(before.depth, after.depth)
        np.testing.assert_array_equal(before.known, after.known)
        np.testing.assert_allclose(before.world_from_camera, after.world_from_camera, atol=1e-6)
    np.testing.assert_allclose(path.world_from_camera, again_path.world_from_camera, atol=1e-6)


def _with(source, **changes):
    with np.load(source) as arrays:
        return {**dict(arrays), **changes}


def test_without_lenses_the_last_key_frames_lens_is_taken(golden, tmp_path):
    arrays = _with(golden / "gen3c/multiview_sample.npz")
    del arrays["Ks_all"]
    np.savez(tmp_path / "a.npz", **arrays)
    _, path = read_views(tmp_path / "a.npz")
    np.testing.assert_allclose(path.intrinsics, np.repeat(arrays["K_key_frames"][-1:], 5, axis=0), rtol=1e-6)


@pytest.mark.parametrize(("changes", "words"), [
    ({"depth_key_frames": np.ones((2, 1, 48, 64), np.float32)}, r"depth_key_frames should have shape .*N=3"),
    ({"mask_key_frames": np.ones((3, 1, 48, 32), np.float32)}, r"W=64, got \(3, 1, 48, 32\)"),
    ({"w2cs_all": np.ones((5, 4, 4), np.float32)}, "not rotations"),
    ({"w2cs_all": np.full((5, 4, 4), np.nan, np.float32)}, "not finite"),
    ({"K_key_frames": np.array([["a"]])}, "contains no numbers"),
    ({"K_key_frames": np.array([{}], dtype=object)}, "contains no numbers"),
    ({"depth_key_frames": np.full((3, 1, 48, 64), np.nan, np.float32)}, "no positive finite value"),
])  # fmt: skip
def test_disagreeing_key_frames_are_refused(golden, tmp_path, changes, words):
    np.savez(tmp_path / "bad.npz", **_with(golden / "gen3c/multiview_sample.npz", **changes))
    with pytest.raises(InputError, match=words):
        read_views(tmp_path / "bad.npz")


def test_disagreeing_clips_are_refused(clip, tmp_path):
    np.savez(clip / "depth.npz", depth=np.ones((6, 48, 32), np.float16))
    with pytest.raises(InputError, match=r"depth.npz contains 6 pictures of 32 x 48, rgb.mp4 6 of 64 x 48"):
        read_clip(clip)
    (clip / "mask.npz").unlink()
    with pytest.raises(InputError, match=r"has no mask\.npz"):
        read_scene(clip)
    with pytest.raises(InputError, match="neither a folder nor a zip"):
        (tmp_path / "x.zip").write_text("no")
        read_scene(tmp_path / "x.zip")


def test_zip_that_leaves_its_folder_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("../rgb.mp4", b"x")
    with pytest.raises(InputError, match="leaves its folder"):
        read_scene(tmp_path / "bad.zip")
    assert not (tmp_path.parent / "rgb.mp4").exists()


def test_npz_bombs_and_damage_are_refused_without_unpacking(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 20, 1 << 20)})
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w") as archive:
        archive.writestr("depth.npy", header.getvalue())
    with pytest.raises(InputError, match="more than 4 GiB"):
        read_npz(tmp_path / "bomb.npz", {"depth": "H W"})
    with zipfile.ZipFile(tmp_path / "short.npz", "w") as archive:
        np.lib.format.write_array_header_1_0(
            short := io.BytesIO(), {"descr": "<f4", "fortran_order": False, "shape": (9,)}
        )
        archive.writestr("depth.npy", short.getvalue() + b"1234")
    with pytest.raises(InputError, match="not a readable npz"):
        read_npz(tmp_path / "short.npz", {"depth": "N"})
    np.savez_compressed(tmp_path / "flipped.npz", depth=np.arange(4000.0))
    data = bytearray((tmp_path / "flipped.npz").read_bytes())
    data[60:90] = b"\xff" * 30
    (tmp_path / "flipped.npz").write_bytes(data)
    with pytest.raises(InputError, match="not a readable npz"):
        read_npz(tmp_path / "flipped.npz", {"depth": "N"})
    with pytest.raises(InputError, match="has no array mask; it contains depth"):
        read_npz(tmp_path / "short.npz", {"mask": "N"})


# --- ViPE ------------------------------------------------------------------------------------------------------------


def _exr(values, path):
    head = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(head, {"Z": values.astype(np.float32)}).write(str(path))
    return path.read_bytes()


@pytest.fixture
def vipe(tmp_path):
    folder, depth = tmp_path / "result", []
    for part in ("rgb", "depth", "pose", "intrinsics"):
        (folder / part).mkdir(parents=True)
    frames = np.full((4, 48, 64, 3), 100, np.uint8)
    write_mp4(folder / "rgb/walk.mp4", frames, 12)
    with zipfile.ZipFile(folder / "depth/walk.zip", "w") as archive:
        for frame in range(4):
            depth.append(np.linspace(1, 2 + frame, 48 * 64, dtype=np.float32).reshape(48, 64))
            archive.writestr(f"{frame:05d}.exr", _exr(depth[-1], tmp_path / "one.exr"))
    poses = np.repeat(np.eye(4)[None], 4, axis=0)
    poses[:, 0, 3] = np.arange(4)
    np.savez(folder / "pose/walk.npz", inds=np.arange(4), data=poses)
    np.savez(folder / "intrinsics/walk.npz", inds=np.arange(4), data=np.tile([50.0, 51, 32, 24], (4, 1)))
    return folder, depth


def test_vipe_result(vipe):
    folder, depth = vipe
    scene, _ = read_scene(folder)
    assert scene.unit == "metres" and scene.fps == 12 and len(scene.views) == 4
    for frame, view in enumerate(scene.views):
        np.testing.assert_allclose(view.depth, depth[frame], rtol=1e-3)
        assert view.world_from_camera[0, 3] == frame
    np.testing.assert_array_equal(scene.first.intrinsics, [[50, 0, 32], [0, 51, 24], [0, 0, 1]])


def test_a_clip_may_begin_later(clip, vipe):
    whole, later = read_scene(clip)[0], read_scene(clip, first_frame=4)[0]
    assert len(later.views) == len(whole.views) - 4
    for one, same in zip(later.views, whole.views[4:], strict=True):
        np.testing.assert_array_equal(one.depth, same.depth)
        np.testing.assert_array_equal(one.world_from_camera, same.world_from_camera)
    assert read_scene(vipe[0], first_frame=3)[0].first.world_from_camera[0, 3] == 3
    for folder in (clip, vipe[0]):
        with pytest.raises(InputError, match="begin"):
            read_scene(folder, first_frame=99)


def test_vipe_result_with_missing_parts(vipe):
    folder, _ = vipe
    poses = np.repeat(np.eye(4)[None], 2, axis=0)
    np.savez(folder / "pose/walk.npz", inds=np.arange(2), data=poses)
    scene, _ = read_scene(folder)
    assert len(scene.views) == 2
    (folder / "intrinsics/walk.npz").unlink()
    with pytest.raises(InputError, match=r"no intrinsics/walk\.npz"):
        read_scene(folder)


def test_fitting_a_full_hd_lens_equals_upstream_but_for_the_pixel_centre(golden):
    with np.load(golden / "gen3c/preprocess.npz") as arrays:
        given, expected = arrays["vipe_K_in"], arrays["vipe_K_out"]
    made = CameraPath(np.eye(4)[None], given, 1920, 1080).fitted(1280, 704, "crop").intrinsics[0]
    scale = 1280 / 1920
    np.testing.assert_allclose(made[:2, 2], expected[:2, 2] + (scale - 1) / 2, atol=1e-4)
    np.testing.assert_allclose(made[[0, 1], [0, 1]], expected[[0, 1], [0, 1]], rtol=1e-6)


# --- a single picture as prepared upstream ----------------------------------------------------------------------------


def _fake_depth(picture):
    """A substitute used in the golden run: depth and mask from brightness, with a fixed lens."""
    brightness = picture.astype(np.float32).mean(axis=2) / 255
    depth = np.where(brightness > 0.42, 1.5 + 4 * brightness, np.inf).astype(np.float32)
    height, width = brightness.shape
    return depth, np.array([[0.83 * width, 0, 0.5 * width], [0, 1.41 * height, 0.5 * height], [0, 0, 1]])


def test_upstreams_preparation_of_a_picture(golden):
    with np.load(golden / "gen3c/preprocess.npz") as arrays:
        height, width = arrays["target_hw"]
        made = prepare_picture(arrays["image"], _fake_depth, width=int(width), height=int(height))
        np.testing.assert_allclose(made.image.transpose(2, 0, 1), arrays["out_image"][0, 0], atol=2e-3)
        np.testing.assert_allclose(made.intrinsics, arrays["out_K"][0, 0], rtol=1e-5)
        np.testing.assert_array_equal(made.mask, arrays["out_mask"][0, 0, 0])
        off = np.abs(made.depth - arrays["out_depth"][0, 0, 0]) > 1e-3
        assert off.mean() < 0.01
        scene = upstream_still(arrays["image"], _fake_depth, width=int(width), height=int(height))
    np.testing.assert_array_equal(scene.first.depth, made.depth)


def test_depth_of_a_generated_frame(golden):
    with np.load(golden / "gen3c/preprocess.npz") as arrays:
        depth, known = with_sky(_fake_depth(arrays["image"])[0])
        np.testing.assert_allclose(depth, arrays["from_tensor_depth"][0, 0], atol=1e-3)
        np.testing.assert_array_equal(known, arrays["from_tensor_mask"][0, 0])


def test_preparation_needs_a_lens():
    with pytest.raises(InputError, match="also estimates the lens"):
        prepare_picture(np.zeros((9, 16, 3), np.uint8), lambda picture: (np.ones(picture.shape[:2], np.float32), None))


def test_scene_of_a_clip_keeps_depth_under_the_mask(clip):
    scene = read_clip(clip)
    view = scene.first
    assert not view.known.all() and (view.depth[~view.known] < 100).any()
