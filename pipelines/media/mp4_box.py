"""Bytes that travel inside an mp4, in a box of their own that players pass over (ISO/IEC 14496-12, box type ``uuid``)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

OURS = UUID("5a1c7e9e-3f6b-4c0e-9d4e-2b7f10c4e6a1").bytes
"""Says that a box is Reshoot's."""
MOST_BYTES = 256 << 20
_MOST_BOXES = 1000


def append(file: Path, content: bytes) -> None:
    """Adds ``content`` at the end of an mp4."""
    with file.open("ab") as out:
        out.write(struct.pack(">I4s16s", 24 + len(content), b"uuid", OURS) + content)


def read(file: str | Path) -> bytes | None:
    """What `append` added to a file; None where there is nothing, or more than `MOST_BYTES`."""
    with Path(file).open("rb") as source:
        for kind, start, size in _boxes(source, Path(file).stat().st_size):
            if kind == b"uuid" and 16 <= size <= MOST_BYTES:
                source.seek(start)
                if source.read(16) == OURS:
                    return source.read(size - 16)
    return None


def _boxes(source: BinaryIO, length: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, first byte and length of the content of every outermost box, as far as they make sense."""
    place = 0
    for _ in range(_MOST_BOXES):
        source.seek(place)
        head = source.read(16)
        if len(head) < 8:
            return
        size, kind = struct.unpack(">I4s", head[:8])
        before = 8
        if size == 1 and len(head) == 16:
            (size,), before = struct.unpack(">Q", head[8:]), 16
        end = length if size == 0 else place + size
        if (size and size < before) or end > length:
            return
        yield kind, place + before, end - place - before
        place = end
