"""The only module in which FFmpeg opens files: a few container formats, and no file but the given one.

FFmpeg can open playlists, lists of files and network addresses named in a file, and detects formats by content regardless of
the file name. Here the first bytes choose the only allowed demuxer, and no protocol is allowed: the bytes are read from a
file that is already open.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from camera.errors import InputError
from pipelines.media.mp4_boxes import check_metadata_keys

FIRST_BYTES = 16
MOST_PIXELS = 64_000_000
"""Pixel limit of one frame, passed to the decoder: a stream and its container may state different sizes."""


@dataclass(frozen=True)
class _Container:
    """FFmpeg's ``demuxer``, and the format names ``allowed`` for it."""

    demuxer: str
    allowed: str


_ISO = _Container("mov", "mov,mp4,m4a,3gp,3g2,mj2")
_MATROSKA = _Container("matroska", "matroska,webm")
_AVI = _Container("avi", "avi")
_ISO_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
"""Boxes with which an mp4 or QuickTime file may begin (ISO/IEC 14496-12; Apple's QuickTime File Format)."""
KINDS = "an mp4, mov, webm, mkv or avi file"


@contextmanager
def open_container(path: str | os.PathLike) -> Iterator[Any]:
    """PyAV's container of a video, chosen by the file's first bytes.

    Raises `InputError` for any other content regardless of the name, and PyAV's errors for damage.
    """
    import av

    with Path(path).open("rb") as source:
        kind = _kind(source.read(FIRST_BYTES))
        if kind is None:
            raise InputError(f"{Path(path).name} is not {KINDS}: its first bytes belong to another format.")
        if kind is _ISO:
            check_metadata_keys(source)
        source.seek(0)
        only = {"format_whitelist": kind.allowed, "protocol_whitelist": "none", "enable_drefs": "0"}
        if kind is not _ISO:
            del only["enable_drefs"]
        most = {"max_pixels": str(MOST_PIXELS)}
        with av.open(
            source, format=kind.demuxer, options=most, container_options=only, buffer_size=1 << 18
        ) as container:
            for stream in container.streams.video:
                if stream.codec_context is not None:
                    stream.codec_context.options = most
            yield container


def _kind(head: bytes) -> _Container | None:
    if head[4:8] in _ISO_BOXES:
        return _ISO
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return _MATROSKA
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return _AVI
    return None
