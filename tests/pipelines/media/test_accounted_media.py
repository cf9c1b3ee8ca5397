"""Everything that writers put into depth maps, pictures and clips, one by one: it changes the result as it should, or a note names it."""

import numpy as np
import OpenEXR
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipelines.media.depth_map.read import read_depth_map
from pipelines.media.image import read_picture

TRUTH = np.linspace(1, 9, 20 * 24, dtype=np.float32).reshape(20, 24)
PLANE = np.float32(2) * TRUTH
EXR_CHANNELS = {
    name: PLANE
    for name in (
        "R", "G", "B", "A", "Y", "ZBack", "velocity.X", "velocity.Y", "Mist.Z", "Denoising Depth.Z", "depth.Z", "IndexOB.X",
        "CryptoObject00.R", "uv.U", "N.X",
    )
}  # fmt: skip
EXR_ATTRIBUTES = {
    "Camera": "Camera.001", "RenderTime": "00:01", "writer": "x", "owner": "x", "comments": "x", "worldToCamera": np.eye(4, dtype="f"),
    "focus": 2.0, "aperture": 2.0, "gamma": 2.2, "xDensity": 72.0,
}  # fmt: skip
NPZ_ARRAYS = {
    "focallength_px": np.float32(30), "mask": (TRUTH > 3), "conf": PLANE, "intrinsics": np.eye(3), "extrinsics": np.eye(4),
    "points": np.zeros((20, 24, 3)), "normal": np.zeros((20, 24, 3)), "image": np.zeros((20, 24, 3), np.uint8),
}  # fmt: skip


def exr(file, channels=(), attributes=()):
    head = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(head | dict(attributes), {"Z": TRUTH} | dict(channels)).write(str(file))
    return read_depth_map(file, "metres")


@pytest.mark.parametrize("name", EXR_CHANNELS)
def test_channels_beside_the_depth(tmp_path, name):
    depth = exr(tmp_path / "a.exr", {name: EXR_CHANNELS[name]})
    np.testing.assert_array_equal(depth.values, TRUTH)
    assert any(name in note for note in depth.notes)


@pytest.mark.parametrize("name", EXR_ATTRIBUTES)
def test_attributes_of_exr(tmp_path, name):
    depth = exr(tmp_path / "a.exr", attributes={name: EXR_ATTRIBUTES[name]})
    assert any(name in note for note in depth.notes)


@pytest.mark.parametrize("name", NPZ_ARRAYS)
def test_arrays_beside_the_depth(tmp_path, name):
    np.savez(tmp_path / "a.npz", depth=TRUTH, **{name: NPZ_ARRAYS[name]})
    depth = read_depth_map(tmp_path / "a.npz", "metres")
    followed = depth.fov_degrees is not None or np.isnan(depth.values).any()
    assert followed == (name in ("focallength_px", "mask"))
    assert followed or any(name in note for note in depth.notes)


def _exif(tag, value):
    exif = Image.Exif()
    if tag == 0xA405:
        exif[0x8769] = {tag: value}
    else:
        exif[tag] = value
    return exif


def _gamma():
    chunks = PngInfo()
    chunks.add(b"gAMA", (100000).to_bytes(4, "big"))
    return chunks


PICTURE_FIELDS = {
    "orientation": {"exif": _exif(0x0112, 3)},
    "focal length": {"exif": _exif(0xA405, 24)},
    "oblong pixels": {"dpi": (100, 50)},
    "profile": {"icc_profile": b"damaged"},
    "linear light": {"pnginfo": _gamma()},
    "further pictures": {"save_all": True, "append_images": [Image.new("RGB", (32, 32))]},
}


@pytest.mark.parametrize("field", PICTURE_FIELDS)
def test_fields_of_pictures(tmp_path, field):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8))
    picture.save(tmp_path / "plain.png")
    picture.save(tmp_path / "a.png", **PICTURE_FIELDS[field])
    plain, got = read_picture(tmp_path / "plain.png"), read_picture(tmp_path / "a.png")
    assert plain.notes == () and plain.fov_degrees is None
    assert not np.array_equal(plain.colour, got.colour) or got.fov_degrees or got.notes
