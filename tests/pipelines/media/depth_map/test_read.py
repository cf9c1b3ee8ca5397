"""Depth maps keep all their bits, in the stated unit; colour-mapped depth is refused, naming the colour map; assumptions are noted."""

import cv2
import numpy as np
import pytest
from PIL import Image

from camera.errors import InputError
from camera.formats import FileNote
from pipelines.media.depth_map.coloured import SPECTRAL
from pipelines.media.depth_map.read import read_depth_map
from pipelines.media.image import read_depth

STORED = np.linspace(8000, 1000, 120)[:, None].repeat(160, 1).astype(np.uint16)
RAMP = np.linspace(1, 255, 120)[:, None].repeat(160, 1).astype(np.uint8)


@pytest.mark.parametrize("kind", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_are_kept_in_every_number_of_channels(tmp_path, kind, channels):
    file = tmp_path / f"d.{kind}"
    picture = STORED if channels == 1 else np.repeat(STORED[..., None], channels, 2)
    if channels == 4:
        picture[..., 3] = 65535
        picture[:10, :, 3] = 0
    assert cv2.imwrite(str(file), picture)
    values = read_depth_map(file, "millimetres").values
    shown = np.s_[10:] if channels == 4 else np.s_[:]
    np.testing.assert_allclose(values[shown], STORED[shown] / 1000, rtol=1e-6)
    assert np.isnan(values[:10]).all() == (channels == 4)


def spectral(values):
    steps = np.array([list(bytes.fromhex(step)) for step in SPECTRAL.split()])[::-1]
    at = values / 255 * (len(steps) - 1)
    return np.stack([np.interp(at, np.arange(len(steps)), steps[:, i]) for i in range(3)], -1).astype(np.uint8)


@pytest.mark.parametrize("name", ["JET", "TURBO", "INFERNO", "MAGMA", "VIRIDIS", "Spectral"])
@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_depth_painted_in_colours_is_refused_by_name(tmp_path, name, kind):
    file = tmp_path / f"d.{kind}"
    colours = (
        spectral(RAMP) if name == "Spectral" else cv2.applyColorMap(RAMP, getattr(cv2, f"COLORMAP_{name}"))[..., ::-1]
    )
    Image.fromarray(np.ascontiguousarray(colours)).save(file)
    with pytest.raises(InputError, match=rf"colour-mapped depth \({name}\).*export the grey"):
        read_depth_map(file, "disparity")


def test_a_photo_and_packed_numbers_are_refused_too(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(tmp_path / "photo.png")
    with pytest.raises(InputError, match="three different channels"):
        read_depth_map(tmp_path / "photo.png", "metres")


@pytest.mark.parametrize(
    ("meaning", "factor"),
    [
        ("kitti", 256),
        ("tum", 5000),
        ("scannet", 1000),
        ("millimetres", 1000),
        ("vkitti", 100),
        ("matterport", 4000),
        ("replica", 6553.5),
    ],
)
def test_data_sets_by_name(tmp_path, meaning, factor):
    Image.fromarray(np.where(RAMP > 100, 2 * factor, 0).astype(np.uint16)).save(tmp_path / "d.png")
    depth = read_depth_map(tmp_path / "d.png", meaning)
    assert depth.unit == "metres" and np.nanmin(depth.values) == np.nanmax(depth.values) == np.float32(2)
    assert np.isnan(depth.values).mean() == (RAMP <= 100).mean()


def test_the_sky_of_virtual_kitti_is_no_depth(tmp_path):
    Image.fromarray(np.where(RAMP > 100, 200, 65535).astype(np.uint16)).save(tmp_path / "d.png")
    depth = read_depth_map(tmp_path / "d.png", "vkitti")
    assert np.nanmax(depth.values) == np.float32(2) and np.isnan(depth.values).mean() == (RAMP <= 100).mean()


def test_a_data_set_of_whole_numbers_does_not_take_fractions(tmp_path):
    np.save(tmp_path / "d.npy", np.full((20, 20), 1.5, np.float32))
    with pytest.raises(InputError, match="contains fractions"):
        read_depth_map(tmp_path / "d.npy", "kitti")


def test_depth_pro(tmp_path):
    np.savez(tmp_path / "p.npz", depth=np.full((40, 80), 3, np.float32), focallength_px=40.0, mood=np.zeros(3))
    depth = read_depth_map(tmp_path / "p.npz", "metres")
    assert (depth.values == 3).all() and depth.fov_degrees == pytest.approx(90)
    assert "mood, which is not known" in depth.note and "focallength_px" not in depth.note
    with pytest.warns(FileNote, match="mood"):
        read_depth(tmp_path / "p.npz", "metres")


def test_arrays_that_call_themselves_disparity_are_not_taken_for_depth(tmp_path):
    np.savez(tmp_path / "p.npz", disparity=np.full((40, 80), 3, np.float32))
    with pytest.raises(InputError, match="choose disparity"):
        read_depth_map(tmp_path / "p.npz", "metres")


@pytest.mark.parametrize("order", ["<", ">"])
def test_pfm_is_read_from_the_bottom_up(tmp_path, order):
    truth = np.linspace(1, 9, 20 * 30, dtype=np.float32).reshape(20, 30)
    truth[0, 0] = np.inf
    scale = -0.5 if order == "<" else 1
    content = f"Pf\n30 20\n{scale}\n".encode() + truth[::-1].astype(f"{order}f4").tobytes()
    (tmp_path / "d.pfm").write_bytes(content)
    depth = read_depth_map(tmp_path / "d.pfm", "distance")
    np.testing.assert_array_equal(depth.values[1:], truth[1:])
    assert np.isnan(depth.values[0, 0]) and ("scale of 0.5" in depth.note) == (order == "<")
    (tmp_path / "d.pfm").write_bytes(content[:-5])
    with pytest.raises(InputError, match="is truncated"):
        read_depth_map(tmp_path / "d.pfm", "distance")


def test_middlebury_becomes_metres_beside_its_calibration(tmp_path):
    """Depth is baseline * focal / (disparity + doffs)."""
    (tmp_path / "disp0.pfm").write_bytes(b"Pf\n30 20\n-1\n" + np.full((20, 30), 40, "<f4").tobytes())
    alone = read_depth_map(tmp_path / "disp0.pfm", "middlebury")
    assert alone.unit == "relative" and (alone.values == 1).all()
    calib = "cam0=[60 0 15; 0 60 10; 0 0 1]\ndoffs=10\nbaseline=200\nwidth=30\nheight=20\nndisp=60\nmood=1\n"
    (tmp_path / "calib.txt").write_text(calib)
    depth = read_depth_map(tmp_path / "disp0.pfm", "middlebury")
    np.testing.assert_allclose(depth.values, 0.2 * 60 / 50, rtol=1e-6)
    assert depth.unit == "metres" and depth.fov_degrees == pytest.approx(28.07, abs=0.01) and "mood" in depth.note


def test_what_was_assumed_is_said(tmp_path):
    Image.fromarray(np.where(RAMP < 20, 0, STORED).astype(np.uint16)).save(tmp_path / "d.png")
    note = read_depth_map(tmp_path / "d.png", "metres").note
    assert "1000 to 7" in note and "7.5 % without depth" in note and "multiply by 0.001" in note
    with pytest.raises(InputError, match="positive number"):
        read_depth_map(tmp_path / "d.png", "metres", scale=0)


def test_a_depth_map_turned_by_exif_is_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(STORED).save(tmp_path / "d.png", exif=exif)
    np.testing.assert_array_equal(read_depth_map(tmp_path / "d.png", "distance").values, np.rot90(STORED, -1))
