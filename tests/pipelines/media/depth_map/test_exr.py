"""Depth is found in EXR files however renderers name, compress and split their channels, and ignored channels are named."""

import numpy as np
import OpenEXR
import pytest

from camera.errors import InputError
from pipelines.media.depth_map.read import read_depth_map

Y, X = np.mgrid[:20, :24]
TRUTH = (2 + 0.05 * Y + 0.01 * X).astype(np.float32)
SKY = TRUTH.copy()
SKY[:4] = np.inf
NOISE = np.random.default_rng(0).random((20, 24)).astype(np.float32)


def written(file, *parts, compression=OpenEXR.ZIP_COMPRESSION, **attributes):
    head = {"compression": compression, "type": OpenEXR.scanlineimage}
    if len(parts) == 1:
        OpenEXR.File(head | attributes, dict(parts[0])).write(str(file))
    else:
        OpenEXR.File([OpenEXR.Part(head | {"name": name} | attributes, part) for name, part in parts]).write(str(file))
    return file


@pytest.mark.parametrize(
    "channels",
    [
        {"Z": SKY},
        {"Y": SKY},
        {"depth.Z": SKY},
        {"Depth.V": SKY, "Image.R": NOISE, "Image.G": NOISE * 2, "Image.B": NOISE * 3},
        {"R": NOISE, "G": NOISE * 2, "B": NOISE * 3, "A": NOISE, "Z": SKY},
        {"ViewLayer.Depth.Z": SKY, "ViewLayer.Mist.Z": NOISE, "ViewLayer.Denoising Depth.Z": NOISE},
        {"Normal.X": NOISE, "Normal.Y": NOISE, "Normal.Z": NOISE, "layer.Z": SKY},
        {"R": SKY, "G": SKY, "B": SKY},
        {"Movie_WorldDepth.R": SKY, "R": NOISE, "G": NOISE * 2, "B": NOISE * 3},
    ],
    ids=lambda channels: "+".join(channels),
)
def test_the_depth_is_found_and_every_other_channel_is_named(tmp_path, channels):
    depth = read_depth_map(written(tmp_path / "a.exr", channels), "metres")
    np.testing.assert_array_equal(depth.values, np.where(np.isfinite(SKY), SKY, np.nan))
    others = [name for name in channels if name not in ("Z", "depth.Z") and channels[name] is not SKY]
    assert all(name in depth.note for name in others) and "20 % without depth" in depth.note


@pytest.mark.parametrize("compression", ["NO", "RLE", "ZIPS", "PIZ", "PXR24", "B44", "DWAA", "DWAB"])
def test_every_compression_is_read(tmp_path, compression):
    file = written(tmp_path / "a.exr", {"Z": SKY}, compression=getattr(OpenEXR, f"{compression}_COMPRESSION"))
    depth = read_depth_map(file, "metres")
    assert np.isnan(depth.values[:4]).all()
    np.testing.assert_allclose(depth.values[4:], TRUTH[4:], rtol=0.01)
    assert ("lossy" in depth.note) == (compression in ("PXR24", "B44", "DWAA", "DWAB"))


def test_parts_as_blender_writes_them(tmp_path):
    """Blender's multi-layer files have one part per pass; their sky is at 1e10."""
    sky = np.where(np.isfinite(SKY), SKY, np.float32(1e10))
    combined = {f"ViewLayer.Combined.{each}": NOISE for each in "RGBA"}
    normal = {f"ViewLayer.Normal.{each}": NOISE for each in "XYZ"}
    for plain in (False, True):
        parts = [
            ("ViewLayer.Combined", combined),
            ("ViewLayer.Normal", normal),
            ("ViewLayer.Depth", {"ViewLayer.Depth.Z": sky}),
        ]
        if plain:
            parts = [(name, {key.rpartition(".")[2]: value for key, value in part.items()}) for name, part in parts]
        depth = read_depth_map(written(tmp_path / "a.exr", *parts, Camera="Camera.001"), "metres")
        np.testing.assert_array_equal(depth.values, np.where(np.isfinite(SKY), SKY, np.nan))
        assert "ViewLayer.Combined.R" in depth.note and "ViewLayer.Normal.Z" in depth.note and "Camera" in depth.note


def test_half_floats_and_their_largest_number(tmp_path):
    depth = read_depth_map(written(tmp_path / "a.exr", {"Z": np.minimum(SKY, 65504).astype(np.float16)}), "metres")
    assert np.isnan(depth.values[:4]).all()
    np.testing.assert_allclose(depth.values[4:], TRUTH[4:], rtol=1e-3)


def test_a_cropped_render_lies_where_it_was_in_the_picture(tmp_path):
    window = {
        "displayWindow": (np.array([0, 0], "i4"), np.array([39, 29], "i4")),
        "dataWindow": (np.array([10, 5], "i4"), np.array([33, 24], "i4")),
    }
    values = read_depth_map(written(tmp_path / "a.exr", {"Z": TRUTH}, **window), "metres").values
    assert values.shape == (30, 40) and np.isnan(values).sum() == 30 * 40 - TRUTH.size
    np.testing.assert_array_equal(values[5:25, 10:34], TRUTH)


@pytest.mark.parametrize(
    ("channels", "words"),
    [
        ({"R": NOISE, "G": NOISE * 2, "B": NOISE * 3}, "export the depth pass as Z"),
        ({"Mist.Z": NOISE}, "none of them is called Z or depth"),
        ({"Position.X": NOISE, "Position.Y": NOISE, "Position.Z": NOISE}, "export the depth pass as Z"),
    ],
)
def test_what_is_no_depth_is_refused_by_its_channels(tmp_path, channels, words):
    with pytest.raises(InputError, match=words):
        read_depth_map(written(tmp_path / "a.exr", channels), "metres")


def test_what_cannot_be_followed_is_refused(tmp_path):
    with pytest.raises(InputError, match="pixelAspectRatio"):
        read_depth_map(written(tmp_path / "a.exr", {"Z": TRUTH}, pixelAspectRatio=2.0), "metres")
    cut = written(tmp_path / "b.exr", {"Z": NOISE}).read_bytes()
    (tmp_path / "b.exr").write_bytes(cut[: len(cut) // 2])
    with pytest.raises(InputError, match=r"b\.exr is truncated"):
        read_depth_map(tmp_path / "b.exr", "metres")


@pytest.mark.parametrize(
    ("name", "said"), [("disparity.V", True), ("invDepth.Y", True), ("disp", True), ("display.V", False), ("D", False)]
)
def test_a_lone_channel_that_may_be_nearness_is_said(tmp_path, name, said):
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, {name: np.ones((16, 16), np.float32)}) as file:
        file.write(str(tmp_path / "a.exr"))
    assert ("choose disparity" in read_depth_map(tmp_path / "a.exr", "distance").note) is said


@pytest.mark.parametrize("name", ["mist", "Mist.Z", "ViewLayer.Mist.V"])
def test_a_lone_mist_is_no_depth(tmp_path, name):
    with pytest.raises(InputError, match="none of them is called Z or depth"):
        read_depth_map(written(tmp_path / "a.exr", {name: TRUTH}), "metres")


@pytest.mark.parametrize(
    ("name", "said"), [("near", True), ("SceneDepth", True), ("Z", False), ("Y", False), ("depth.V", False)]
)
def test_a_lone_channel_of_another_name_is_said_to_be_taken(tmp_path, name, said):
    read = read_depth_map(written(tmp_path / "a.exr", {name: TRUTH}), "metres")
    assert (f"one channel, called {name}" in read.note) == said
