"""Numeric colour tags of pictures: chunks of PNG, boxes of AVIF and HEIC; the picture is shown in sRGB."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from camera.errors import InputError
from pipelines.media.colour import HLG, P3_D65, PQ, ColourTags
from pipelines.media.image import read_picture
from pipelines.media.picture_tags import colour_tags, png_chunks

COLOUR = (180, 90, 60)


def by_hand(colour, matrix) -> np.ndarray:
    light = (np.array(colour) / 255) ** 2.2
    return 255 * np.clip(np.array(matrix) @ light, 0, 1) ** (1 / 2.2)


P3_TO_SRGB = [[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]]
"""SMPTE RP 431-2 primaries with D65 to sRGB's, as published in CSS Color 4's sample code, to four digits."""


def png(**chunks: bytes) -> bytes:
    box = io.BytesIO()
    Image.new("RGB", (24, 24), COLOUR).save(box, "PNG")
    data = box.getvalue()
    more = b"".join(
        struct.pack(">I", len(content))
        + name.encode()
        + content
        + struct.pack(">I", zlib.crc32(name.encode() + content))
        for name, content in chunks.items()
    )
    return data[:33] + more + data[33:]


def avif(primaries: int, transfer: int) -> bytes:
    box = io.BytesIO()
    Image.new("RGB", (24, 24), COLOUR).save(box, "AVIF", quality=100, subsampling="4:4:4")
    data = box.getvalue()
    at = data.index(b"colrnclx") + 8
    return data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]


def shown(folder: Path, name: str, data: bytes) -> tuple[np.ndarray, str]:
    (folder / name).write_bytes(data)
    read = read_picture(folder / name)
    return read.colour[12, 12].astype(int), " ".join(read.notes)


def test_display_p3_is_brought_to_srgb(tmp_path):
    want = by_hand(COLOUR, P3_TO_SRGB)
    points = b"".join(v.to_bytes(4, "big") for v in (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000))
    for name, data in (
        ("a.png", png(cICP=bytes([P3_D65, 13, 0, 1]))), ("b.png", png(cHRM=points)), ("c.avif", avif(P3_D65, 13)),
    ):  # fmt: skip
        colour, told = shown(tmp_path, name, data)
        assert np.abs(colour - want).max() <= 2.5 and "sRGB" in told, name


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_hdr_pictures_are_shown_as_hdr_clips_are(tmp_path, transfer):
    colour, told = shown(tmp_path, "a.png", png(cICP=bytes([9, transfer, 0, 1])))
    assert "HDR" in told and np.abs(colour - COLOUR).max() > 10
    assert np.abs(shown(tmp_path, "b.avif", avif(9, transfer))[0] - colour).max() <= 3


def test_srgb_stays_as_it_is_and_says_nothing(tmp_path):
    points = b"".join(v.to_bytes(4, "big") for v in (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))
    for name, data in (
        ("a.png", png(cICP=bytes([1, 13, 0, 1]))), ("b.png", png(cHRM=points, sRGB=b"\0", gAMA=(45455).to_bytes(4, "big"))),
        ("c.avif", avif(1, 13)),
    ):  # fmt: skip
        colour, told = shown(tmp_path, name, data)
        assert np.abs(colour - COLOUR).max() <= 2 and told == "", name


def test_tags_are_found_where_they_stand(tmp_path):
    (tmp_path / "a.avif").write_bytes(avif(P3_D65, 13))
    assert colour_tags(tmp_path / "a.avif") == ColourTags(P3_D65, 13)
    assert colour_tags(Path(__file__).parent / "bars.heic") == ColourTags(1, 13)
    (tmp_path / "a.png").write_bytes(png(mDCV=bytes(24))[:40])  # truncated
    assert colour_tags(tmp_path / "a.png") is None and set(png_chunks(tmp_path / "a.png")) <= {"mDCV"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x93NUMPY", "an npy array; open it as depth map"), (b"\0\0\0\x20ftypisom", "a video; open it as clip"),
        (b"<svg/>", "XML or SVG"), (b"II*\0" + bytes(99), "a raw or damaged TIFF"), (b"", "because it is empty"), (b"\0\1\2\3", "of an unknown kind"),
    ],
)  # fmt: skip
def test_what_is_no_picture_is_said_to_be_what_it_is(tmp_path, data, words):
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(InputError, match=words):
        read_picture(tmp_path / "a.png")
    np.savez(tmp_path / "b.npz", a=np.ones(3))
    with pytest.raises(InputError, match="an npz of arrays"):
        read_picture(tmp_path / "b.npz")
