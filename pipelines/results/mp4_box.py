"""Stores bytes inside an mp4, in a ``uuid`` box that players ignore (ISO/IEC 14496-12)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from camera.errors import InputError
from pipelines.media.mp4_boxes import outer_boxes
from pipelines.media.video import complete

OURS = UUID("5a1c7e9e-3f6b-4c0e-9d4e-2b7f10c4e6a1").bytes
"""UUID of Reshoot's boxes."""
TAKE = UUID("0f6d3c52-8a0e-4d57-9f0b-7c2f4be1d935").bytes
"""UUID of boxes that contain a take report."""
MOST_BYTES = 256 << 20


def append_box(file: Path, content: bytes) -> None:
    """Append ``content`` in a box at the end of an mp4."""
    with file.open("ab") as out:
        out.write(struct.pack(">I4s16s", 24 + len(content), b"uuid", OURS) + content)


def replace_box(file: Path, content: bytes, *, kind: bytes) -> None:
    """Write ``content`` at the end of an mp4 in a box of this ``kind``; replaces an earlier one, which must be the last box.

    The file is complete at any time: a finished copy replaces it. Raises `InputError` for invalid boxes.
    """
    length = file.stat().st_size
    with file.open("rb") as source:
        boxes = list(outer_boxes(source, length))
        end = sum(boxes[-1][1:]) if boxes else 0
        if end != length:
            raise InputError(f"{file.name} is not a complete mp4, so nothing is added to it.")
        box, start, size = boxes[-1]
        source.seek(start)
        if box == b"uuid" and size >= 16 and source.read(16) == kind:
            end = start - 8
    with complete(file) as part:
        with file.open("rb") as source, part.open("wb") as out:
            for piece in _pieces(source, end):
                out.write(piece)
            out.write(struct.pack(">I4s16s", 24 + len(content), b"uuid", kind) + content)
        part.chmod(file.stat().st_mode)


def _pieces(source: BinaryIO, length: int) -> Iterator[bytes]:
    while length > 0 and (piece := source.read(min(length, 1 << 20))):
        length -= len(piece)
        yield piece


def read_box(file: str | Path, *, kind: bytes = OURS) -> bytes | None:
    """The content that `append_box` or `replace_box` added to a file; None if there is none, or more than `MOST_BYTES`."""
    with Path(file).open("rb") as source:
        for box, start, size in outer_boxes(source, Path(file).stat().st_size):
            if box == b"uuid" and 16 <= size <= MOST_BYTES:
                source.seek(start)
                if source.read(16) == kind:
                    return source.read(size - 16)
    return None
