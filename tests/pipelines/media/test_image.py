"""All common kinds of pictures and depth maps are read; unusable ones are refused with an explanation."""

import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from camera.errors import InputError
from pipelines.media.image import from_disparity, read_depth, read_picture

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    ramp = np.tile(np.linspace(0, 255, 40, dtype=np.uint8), (30, 1))
    image = Image.fromarray(ramp.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(ramp).convert(mode)
    file = tmp_path / ("picture.tif" if mode == "CMYK" else "picture.png")
    image.save(file)
    colour = read_picture(file).colour
    assert colour.shape == (30, 40, 3) and colour.dtype == np.uint8
    assert colour[:, -4:].mean() > colour[:, :4].mean() + 100


def test_transparency_is_laid_on_white(tmp_path):
    file = tmp_path / "logo.png"
    Image.new("RGBA", (20, 20), (255, 0, 0, 0)).save(file)
    assert (read_picture(file).colour == 255).all()


def test_exif_turns_the_picture_and_gives_the_lens(tmp_path):
    image = Image.new("RGB", (60, 40), "black")
    image.paste("white", (0, 0, 60, 5))
    exif = image.getexif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0xA405] = 24
    image.save(tmp_path / "phone.jpg", exif=exif, quality=95)
    picture = read_picture(tmp_path / "phone.jpg")
    assert picture.colour.shape == (60, 40, 3)
    assert picture.colour[:, -3:].min() > 200, "the top row belongs on the right after a quarter turn"
    assert picture.fov_degrees == pytest.approx(53.1, abs=0.3)


def test_long_sides_are_scaled(tmp_path):
    Image.new("RGB", (4000, 1000)).save(tmp_path / "wide.jpg")
    assert read_picture(tmp_path / "wide.jpg").colour.shape == (480, 1920, 3)


def test_a_picture_too_thin_for_a_method_is_refused(tmp_path):
    Image.new("L", (19200, 60)).save(tmp_path / "thin.png")
    with pytest.raises(InputError, match=r"thin\.png is only 1920 x 6"):
        read_picture(tmp_path / "thin.png")


@pytest.mark.parametrize("content", [b"", b"GIF89a nonsense", b"\x89PNG\r\n\x1a\n" + b"0" * 99])
def test_what_is_no_picture_is_refused(tmp_path, content):
    (tmp_path / "cat.png").write_bytes(content)
    with pytest.raises(InputError, match=r"cat\.png"):
        read_picture(tmp_path / "cat.png")


def test_a_truncated_picture_is_refused(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(tmp_path / "whole.png")
    content = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="damaged"):
        read_picture(tmp_path / "cut.png")


def test_a_picture_bomb_is_refused_before_it_is_decoded(tmp_path):
    Image.new("1", (13000, 13000)).save(tmp_path / "bomb.png")
    with pytest.raises(InputError, match="megapixels"):
        read_picture(tmp_path / "bomb.png")


def test_depth_in_millimetres(tmp_path):
    Image.fromarray(np.array([[0, 1500], [3000, 65535]], np.uint16).repeat(16, 0).repeat(16, 1)).save(
        tmp_path / "d.png"
    )
    depth = read_depth(tmp_path / "d.png", "metres", scale=0.001)
    assert np.isnan(depth[0, 0])
    np.testing.assert_allclose([depth[0, 20], depth[20, 0]], [1.5, 3.0])


def test_depth_from_npy_and_exr(tmp_path):
    truth = np.linspace(1, 9, 32 * 40, dtype=np.float32).reshape(32, 40)
    np.save(tmp_path / "d.npy", truth)
    np.testing.assert_array_equal(read_depth(tmp_path / "d.npy", "distance"), truth)
    colours = np.stack([truth, np.zeros_like(truth), np.ones_like(truth)], axis=-1)
    for precision in ("float", "half"):
        for values, kind in ((truth, "grayf32le"), (colours, "gbrpf32le")):
            write_exr(tmp_path / "d.exr", values, kind, precision)
            np.testing.assert_allclose(read_depth(tmp_path / "d.exr", "distance"), truth, rtol=1e-3)


def write_exr(file, values, kind, precision):
    with av.open(str(file), "w", format="image2") as container:
        stream = container.add_stream("exr", rate=1, options={"format": precision})
        stream.height, stream.width = values.shape[:2]
        stream.pix_fmt = kind
        container.mux(stream.encode(av.VideoFrame.from_ndarray(values, format=kind)))
        container.mux(stream.encode())


def test_disparity_is_turned_round():
    depth = from_disparity(np.array([[0.25, 0.5, 1.0, np.nan]], np.float32))
    np.testing.assert_allclose(depth[0, :3], [4, 2, 1])
    assert np.isnan(depth[0, 3])


@pytest.mark.parametrize("array", [np.zeros((4, 4, 3)), np.array(["a"], dtype=object), np.full((20, 20), np.nan)])
def test_arrays_that_are_no_depth_are_refused(tmp_path, array):
    np.save(tmp_path / "d.npy", array, allow_pickle=True)
    with pytest.raises(InputError, match=r"d\.npy"):
        read_depth(tmp_path / "d.npy", "distance")


# --- large pictures -----------------------------------------------------------------------------------------------------

PEAK = """
import sys
from bench import peak_megabytes
from pipelines.media.image import read_picture
read_picture(sys.argv[1])
before = peak_megabytes()
read_picture(sys.argv[2])
print(peak_megabytes() - before)
"""


def _large(mode: str, width: int = 3920, height: int = 1400) -> Image.Image:
    """Slow waves, so that averages and samples agree; opaque only in the left half, if the mode has opacity."""
    wave = 127 + 100 * np.sin(np.add.outer(np.arange(height) / 300, np.arange(width) / 500))
    if mode == "I;16":
        return Image.fromarray((wave * 257).astype(np.uint16))
    picture = Image.merge("RGB", [Image.fromarray(np.roll(wave, 900 * i, axis=1).astype(np.uint8)) for i in range(3)])
    if mode in ("RGBA", "LA"):
        opaque = Image.new("L", picture.size)
        opaque.paste(255, (0, 0, width // 2, height))
        picture.putalpha(opaque)
    return (
        picture.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        if mode == "P"
        else picture.convert(mode)
    )


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "I;16"])
def test_large_pictures_show_the_same_as_when_they_are_scaled_at_the_end(tmp_path, mode, monkeypatch):
    _large(mode).save(tmp_path / "a.png", compress_level=1)
    scaled = read_picture(tmp_path / "a.png").colour
    assert max(scaled.shape) == 1920
    monkeypatch.setattr("pipelines.media.image.scale_towards", lambda image, side: image)
    whole = read_picture(tmp_path / "a.png").colour
    assert scaled.shape == whole.shape
    differing = np.abs(scaled.astype(int) - whole).max(axis=2)
    assert np.quantile(differing, 0.99) <= 2


def test_a_large_picture_keeps_its_turn_its_lens_and_its_profile(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = 28
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    _large("RGB").save(tmp_path / "a.png", exif=exif, icc_profile=profile, compress_level=1)
    picture = read_picture(tmp_path / "a.png")
    assert picture.colour.shape == (1920, 686, 3) and picture.orientation == 6
    whole = _large("RGB").transpose(Image.Transpose.ROTATE_270).resize((686, 1920))
    assert np.abs(picture.colour.astype(int) - np.array(whole)).mean() < 1
    _large("RGB", 392, 140).save(tmp_path / "b.png", exif=exif)
    assert picture.fov_degrees == pytest.approx(read_picture(tmp_path / "b.png").fov_degrees, abs=0.1)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read where Linux tells it")
def test_a_large_picture_takes_its_pixels_once_in_memory(tmp_path):
    Image.new("RGBA", (64, 64)).save(tmp_path / "small.png")
    Image.new("RGBA", (6000, 5000), (9, 8, 7, 255)).save(tmp_path / "large.png", compress_level=1)
    files = [str(tmp_path / name) for name in ("small.png", "large.png")]
    done = subprocess.run([sys.executable, "-c", PEAK, *files], cwd=ROOT, capture_output=True, text=True, check=True)
    assert float(done.stdout) <= 4 * 30 + 50


def test_a_second_page_that_is_damaged_is_said(tmp_path):
    pages = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue")]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    data = bytearray((tmp_path / "a.tif").read_bytes())
    second = data.rindex(b"\x00\x01\x04\x00\x01\x00\x00\x00\x20\x00\x00\x00")  # the width tag
    data[second] = 0xFF
    (tmp_path / "a.tif").write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"a\.tif is truncated or damaged"):
        read_picture(tmp_path / "a.tif")
