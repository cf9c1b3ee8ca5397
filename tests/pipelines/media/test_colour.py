"""Pictures and clips are shown with the same colours, aspect ratio and orientation as in browsers and players."""

import struct
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image, ImageCms

from camera.formats import FileNote
from camera.formats.account import Account
from pipelines.media.image import read_picture
from pipelines.media.playback.frame_time import time_frames
from pipelines.media.video import read_video, write_mp4

FFMPEG = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-y"]
RAW = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "96x64", "-r", "24", "-i", "-"]
COLOURS = np.array([(200, 60, 40), (128, 128, 128), (60, 90, 200)], np.uint8)
BARS = COLOURS.repeat(32, 0)[None].repeat(64, 0)
CORNERS = np.kron(np.random.default_rng(0).integers(0, 255, (3, 4, 3), np.uint8), np.ones((16, 16, 1), np.uint8))


def encoded(file, filters, *options):
    """The bars as a clip encoded by FFmpeg, whose zscale converts them to other colour spaces."""
    command = [*FFMPEG, *RAW, "-vf", filters, *options, str(file)]
    subprocess.run(command, input=np.stack([BARS] * 3).tobytes(), check=True)
    return file


def seen(picture):
    return picture[picture.shape[0] // 2, [16, 48, 80]].astype(int)


@pytest.mark.parametrize("transfer", ["arib-std-b67", "smpte2084"])
def test_hdr_clips_come_back_to_sdr(tmp_path, transfer):
    """White at 203 cd/m2, encoded and decoded as by zscale."""
    linear = "format=gbrp,zscale=pin=bt709:tin=iec61966-2-1:min=gbr:rin=full:p=bt2020:t=linear:m=gbr:r=full:npl=203,format=gbrpf32le"
    hdr = f"{linear},zscale=p=bt2020:t={transfer}:m=bt2020nc:r=limited:npl=203,format=yuv420p10le"
    tags = f"-c:v libx265 -x265-params log-level=error -crf 6 -color_primaries bt2020 -color_trc {transfer} -colorspace bt2020nc -color_range tv"
    account = Account("clip")
    frames, _ = read_video(encoded(tmp_path / "a.mp4", hdr, *tags.split()), account=account)
    assert np.abs(seen(frames[0]) - COLOURS).max() <= 4 and "HDR" in account.text()


@pytest.mark.parametrize("matrix", ["709", "170m"])
@pytest.mark.parametrize("reach", ["limited", "full"])
def test_matrix_and_range_of_a_clip_are_followed(tmp_path, matrix, reach):
    name = {"709": "bt709", "170m": "smpte170m"}[matrix]
    tags = f"-c:v libx264 -qp 4 -colorspace {name} -color_range {'tv' if reach == 'limited' else 'pc'}"
    filters = f"format=gbrp,zscale=min=gbr:rin=full:m={matrix}:r={reach},format=yuv444p"
    frames, _ = read_video(encoded(tmp_path / "a.mp4", filters, *tags.split()))
    assert np.abs(seen(frames[0]) - COLOURS).max() <= 4


@pytest.mark.parametrize(
    "turn",
    ["-display_hflip", "-display_vflip", "-display_rotation 90 -display_hflip", "-display_rotation -90 -display_vflip"],
)
def test_a_mirrored_clip_is_shown_as_players_show_it(tmp_path, turn):
    lying, turned, upright = (
        write_mp4(tmp_path / "lying.mp4", [CORNERS] * 2, 8),
        tmp_path / "turned.mp4",
        tmp_path / "a.png",
    )
    subprocess.run([*FFMPEG, *turn.split(), "-i", lying, "-c", "copy", turned], check=True)
    subprocess.run([*FFMPEG, "-i", turned, "-frames:v", "1", upright], check=True)
    wanted = np.array(Image.open(upright).convert("RGB"))
    frames, _ = read_video(turned)
    assert frames[0].shape == wanted.shape and np.abs(frames[0].astype(int) - wanted).mean() < 2


@pytest.mark.parametrize(("aspect", "shape"), [("4/3", (64, 128)), ("1/2", (128, 96))])
def test_pixels_of_a_clip_become_square(tmp_path, aspect, shape):
    with pytest.warns(FileNote, match="non-square"):
        frames, _ = read_video(encoded(tmp_path / "a.mp4", f"setsar={aspect}", "-pix_fmt", "yuv420p"))
    assert frames.shape[1:3] == shape


def uneven(file, stamps):
    with av.open(str(file), "w") as box:
        stream = box.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for i, at in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 30 * i, np.uint8), format="rgb24")
            frame.pts, frame.time_base = at, Fraction(1, 1000)
            box.mux(stream.encode(frame))
        box.mux(stream.encode())
    return file


@pytest.mark.parametrize("kind", ["mkv", "mp4"])
def test_a_clip_of_uneven_rate_lasts_as_long(tmp_path, kind):
    account = Account("clip")
    file = uneven(tmp_path / f"a.{kind}", [0, 33, 66, 99, 132, 1132, 2132, 3132])
    frames, fps = read_video(file, account=account)
    assert len(frames) / fps == pytest.approx(3.165, abs=0.07) and "variable rate" in account.text()
    grey = frames[:, 24, 32, 0].astype(int)
    assert abs(grey[int(1.6 * fps)] - 150) < 4 and abs(grey[int(0.6 * fps)] - 120) < 4, "what stands at 1.6 s and 0.6 s"
    every, rate = read_video(file, every=True)
    assert len(every) == 8 and 8 / rate == pytest.approx(3.165, abs=0.07)
    cut, account = read_video(file, max_frames=20, account=account)[0], account
    assert len(cut) == 20 and "76 of 96 frames" in account.text()


def test_jitter_is_no_uneven_rate():
    stamps = np.arange(50) / 30 + np.random.default_rng(0).uniform(-0.004, 0.004, 50)
    assert time_frames(np.sort(stamps), 30.0).holds is None
    assert time_frames(np.sort(stamps), 30.0).fps == 30
    assert time_frames(np.arange(50) / 25, 30.0).fps == pytest.approx(25), "the stamps count, not what the header says"


# --- pictures ----------------------------------------------------------------------------------------------------------


def profile(*columns, gamma=2.2):
    """A display profile of version 2 (ICC.1:2001): three colours as XYZ under D50, and one gamma."""
    number = lambda value: struct.pack(">i", round(value * 65536))  # noqa: E731
    point = lambda values: b"XYZ \0\0\0\0" + b"".join(map(number, values))  # noqa: E731
    curve = b"curv\0\0\0\0" + struct.pack(">IH2x", 1, round(gamma * 256))
    parts = {b"wtpt": point((0.9642, 1, 0.8249)), b"desc": b"desc" + bytes(4) + struct.pack(">I", 2) + b"x" + bytes(79)}
    parts |= {key + b"XYZ": point(xyz) for key, xyz in zip((b"r", b"g", b"b"), columns)}
    parts |= {key + b"TRC": curve for key in (b"r", b"g", b"b")}
    table, body = struct.pack(">I", len(parts)), b""
    for key, content in parts.items():
        table += key + struct.pack(">II", 132 + 12 * len(parts) + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    size = struct.pack(">I", 132 + 12 * len(parts) - 4 + 4 + len(body))
    head = size + bytes(4) + b"\2\x10\0\0mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28)
    return (head + b"".join(map(number, (0.9642, 1, 0.8249)))).ljust(128, b"\0") + table + body


ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
"""Columns of Adobe RGB (1998) under D50."""


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_wide_profile_is_followed(tmp_path, mode):
    """(120, 180, 60) of Adobe RGB is (81, 181, 42) of sRGB, by the formulas of both standards."""
    picture = Image.new("RGB", (32, 32), (120, 180, 60)).convert(mode)
    picture.save(tmp_path / "a.png", icc_profile=profile(*ADOBE, gamma=2.19921875))
    got = read_picture(tmp_path / "a.png")
    assert np.abs(got.colour[0, 0].astype(int) - (81, 181, 42)).max() <= 3 and got.notes == ()


def test_a_profile_that_cannot_be_used_is_said(tmp_path):
    Image.fromarray(BARS).save(tmp_path / "a.png", icc_profile=b"no profile")
    picture = read_picture(tmp_path / "a.png")
    assert (picture.colour == BARS).all() and "colour profile" in picture.notes[0]


def test_an_srgb_profile_changes_nothing(tmp_path):
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(BARS).save(tmp_path / "a.png", icc_profile=icc, exif=exif)
    picture = read_picture(tmp_path / "a.png")
    assert np.abs(picture.colour.astype(int) - np.rot90(BARS, -1)).max() <= 1 and picture.orientation == 6
    assert picture.notes == ()


def test_a_picture_of_oblong_pixels_becomes_square(tmp_path):
    Image.fromarray(BARS).save(tmp_path / "a.jpg", dpi=(100, 50))
    Image.fromarray(BARS).save(tmp_path / "b.png", dpi=(100, 100))
    oblong = read_picture(tmp_path / "a.jpg")
    assert oblong.colour.shape == (128, 96, 3) and "non-square" in oblong.notes[0]
    assert read_picture(tmp_path / "b.png").colour.shape == (64, 96, 3)


def test_avif_and_heic_are_read_and_further_pictures_are_counted(tmp_path):
    Image.fromarray(BARS).save(tmp_path / "a.avif", quality=95)
    assert np.abs(seen(read_picture(tmp_path / "a.avif").colour) - COLOURS).max() < 12
    heic = read_picture(Path(__file__).parent / "bars.heic")  # the bars, written by pillow-heif 1.8.1
    assert np.abs(seen(heic.colour) - COLOURS).max() < 12
    Image.fromarray(BARS).save(
        tmp_path / "a.mpo", save_all=True, append_images=[Image.fromarray(255 - BARS)], quality=95
    )
    picture = read_picture(tmp_path / "a.mpo")
    assert np.abs(seen(picture.colour) - COLOURS).max() < 12 and "1 of 2 pictures" in picture.notes[0]
