"""Checks of an mp4's boxes before FFmpeg reads them. No file here is difficult for FFmpeg."""

import struct

import numpy as np
import pytest

from camera.errors import InputError
from pipelines.media.mp4_boxes import outer_boxes
from pipelines.media.video import probe, read_video, write_mp4


@pytest.fixture
def clip(tmp_path):
    return write_mp4(tmp_path / "clip.mp4", (np.zeros((32, 48, 3), np.uint8) for _ in range(3)), 8, metadata={"a": "b"})


def with_keys(clip, count=None, size=None):
    """The clip with a different ``count`` or ``size`` in its box of metadata keys."""
    content = bytearray(clip.read_bytes())
    box = content.index(b"keys") - 4
    for place, number in ((box, size), (box + 12, count)):
        if number is not None:
            content[place : place + 4] = struct.pack(">I", number)
    clip.write_bytes(content)
    return clip


def stated_keys(clip) -> int:
    content = clip.read_bytes()
    return int.from_bytes(content[content.index(b"keys") + 8 :][:4], "big")


def test_a_whole_clip_keeps_its_keys(clip):
    assert stated_keys(clip) and probe(clip).metadata["a"] == "b"


@pytest.mark.parametrize("reader", [probe, read_video])
def test_more_metadata_keys_than_there_is_room_for_are_refused(clip, reader):
    with pytest.raises(InputError, match=r"states more keys than it holds\.$"):
        reader(with_keys(clip, count=100))


def test_a_box_that_is_longer_than_its_parent_ends_with_it(clip):
    with pytest.raises(InputError, match="states more keys"):
        probe(with_keys(clip, count=1000, size=100_000))


def test_words_in_the_metadata_are_no_box(tmp_path):
    text = "\0\0\0\x20keys\0\0\0\0\x7f\x7f\x7f\x7f"
    frames = (np.zeros((32, 48, 3), np.uint8) for _ in range(3))
    clip = write_mp4(tmp_path / "clip.mp4", frames, 8, metadata={"note": text.replace("\0", " ") + " keys" * 20})
    assert probe(clip).metadata["note"].endswith("keys keys")


def test_keys_without_the_version_that_quicktime_leaves_out(tmp_path):
    """QuickTime's ``meta`` starts directly with its ``hdlr``."""
    handler = struct.pack(">I4s24x", 32, b"hdlr")
    keys = struct.pack(">I4s4xI", 16, b"keys", 100)
    meta = struct.pack(">I4s", 8 + len(handler + keys), b"meta") + handler + keys
    file = tmp_path / "clip.mov"
    file.write_bytes(
        struct.pack(">I4s4sI", 16, b"ftyp", b"qt  ", 0) + struct.pack(">I4s", 8 + len(meta), b"moov") + meta
    )
    with pytest.raises(InputError, match="states more keys"):
        probe(file)


def test_outer_boxes_end_at_an_impossible_size(tmp_path):
    file = tmp_path / "boxes"
    file.write_bytes(
        struct.pack(">I4sI", 12, b"free", 7) + struct.pack(">I4sQ4s", 1, b"mdat", 20, b"abcd") + b"\0\0\0\x04skip"
    )
    with file.open("rb") as source:
        assert list(outer_boxes(source, file.stat().st_size)) == [(b"free", 8, 4), (b"mdat", 28, 4)]
