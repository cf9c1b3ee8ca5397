"""FFmpeg and Pillow open only the intended formats, by content and not by name."""

import ast
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from PIL import Image

from camera.errors import InputError
from camera.objects.glb import check_picture
from pipelines.media import containers, video
from pipelines.media.image import read_depth, read_picture
from pipelines.media.video import count_frames, probe, read_video, write_mp4

ROOT = Path(__file__).parents[3]


def frames(count: int = 3):
    return (np.full((32, 48, 3), 40 * index, np.uint8) for index in range(count))


@pytest.mark.parametrize("reader", [probe, read_video, count_frames])
@pytest.mark.parametrize("text", ["#EXTM3U\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\n", "just words\n", ""])
def test_a_list_that_is_called_a_video_is_refused_in_words(tmp_path, reader, text):
    file = tmp_path / "clip.mp4"
    file.write_text(text)
    with pytest.raises(InputError, match=r"^clip\.mp4 is not an mp4, mov, webm, mkv or avi file: .*\.$"):
        reader(file)


def test_a_picture_is_no_video_and_a_video_no_picture(tmp_path):
    Image.new("RGB", (32, 32)).save(tmp_path / "picture.png")
    (tmp_path / "picture.png").rename(tmp_path / "picture.mp4")
    with pytest.raises(InputError, match="is not an mp4"):
        read_video(tmp_path / "picture.mp4")
    write_mp4(tmp_path / "clip.mp4", frames(), 8).rename(tmp_path / "clip.exr")
    with pytest.raises(InputError, match="is not an OpenEXR picture"):
        read_depth(tmp_path / "clip.exr", "metres")


@pytest.mark.parametrize(
    "kind, codec",
    [("mp4", "mpeg4"), ("mov", "mpeg4"), ("mkv", "mpeg4"), ("avi", "mpeg4"), ("webm", "libvpx")],
)
def test_every_container_that_the_page_names_is_read(tmp_path, kind, codec):
    file = tmp_path / f"clip.{kind}"
    with av.open(str(file), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for picture in frames():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
    assert read_video(file)[0].shape == (3, 32, 48, 3)
    file.rename(tmp_path / "other.bin")
    assert count_frames(tmp_path / "other.bin") == 3


def test_ffmpeg_gets_one_format_and_no_protocol(tmp_path):
    file = write_mp4(tmp_path / "clip.mp4", frames(), 8)
    with containers.open_container(file) as container:
        assert container.container_options["protocol_whitelist"] == "none"
        assert container.container_options["format_whitelist"] == "mov,mp4,m4a,3gp,3g2,mj2"


def test_the_decoder_is_told_how_large_a_frame_may_be(tmp_path, monkeypatch):
    file = write_mp4(tmp_path / "clip.mp4", frames(), 8)
    monkeypatch.setattr(containers, "MOST_PIXELS", 40 * 32)
    with pytest.raises(InputError, match=r"is truncated or damaged|cannot be read"):
        read_video(file)


@pytest.mark.parametrize("kind", ["PCX", "EPS", "PDF", "TGA"])
def test_pictures_of_other_formats_are_refused_under_any_name(tmp_path, kind):
    file = tmp_path / "picture.png"
    Image.new("RGB", (32, 32)).save(file, kind)
    with pytest.raises(InputError, match="cannot be read as a picture"):
        read_picture(file)
    if kind != "TGA":
        with pytest.raises(InputError, match="cannot be read"):
            check_picture(file.read_bytes(), "fox.obj")


def test_nothing_else_opens_media():
    """FFmpeg reads in only one place, and Pillow never tries every format that it knows."""
    found = []
    for folder in ("camera", "pipelines", "tabs"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Call) and (words := _unguarded(node)):
                    found.append(f"{file.relative_to(ROOT)}:{node.lineno} {words}")
    assert found == []


def _unguarded(call: ast.Call) -> str:
    name = ast.unparse(call.func)
    if name == "av.open":
        named = {word.arg for word in call.keywords}
        writes = len(call.args) > 1 and ast.unparse(call.args[1]) == "'w'"
        return "" if writes or "container_options" in named else name
    if name == "Image.open":
        return "" if any(word.arg == "formats" for word in call.keywords) else name
    return name if name in ("cv2.VideoCapture", "imageio.imread", "imageio.v3.imread", "load_video") else ""


def test_a_file_that_ffmpeg_gives_up_on_while_it_counts_is_refused_in_words(tmp_path, monkeypatch):
    """Damage can make FFmpeg request more memory than there is; no such file is stored here."""

    def demux(stream):
        raise av.error.MemoryError(12, "Cannot allocate memory")

    @contextmanager
    def giving_up(path):
        with containers.open_container(path) as container:
            yield SimpleNamespace(demux=demux), container.streams.video[0]

    clip = write_mp4(tmp_path / "clip.mp4", frames(), 8)
    monkeypatch.setattr(video, "_open_video", giving_up)
    with pytest.raises(InputError, match="is truncated or damaged"):
        count_frames(clip)
