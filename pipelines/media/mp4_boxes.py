"""The boxes that an mp4 or QuickTime file is made of (ISO/IEC 14496-12; Apple's QuickTime File Format)."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

from camera.errors import InputError

_MOST_BOXES = 1000
_PARENTS = frozenset((b"moov", b"udta", b"trak", b"mdia", b"minf", b"moof", b"traf", b"mvex", b"meta"))
"""Boxes in which FFmpeg's demuxer looks for further boxes, on the way to a table of metadata keys."""
_MOST_META_BYTES = 1 << 16
"""The box ``hdlr`` is looked for in this much of a ``meta`` box."""
_MOST_DEPTH = 10
_KEY_BYTES = 8
"""Size and namespace of a metadata key, before its name."""


def outer_boxes(source: BinaryIO, length: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, first byte and length of the content of every outermost box of a file of ``length`` bytes.

    Ends at the first box that has an impossible size, and after 1000 boxes.
    """
    place = 0
    for _ in range(_MOST_BOXES):
        head = _read_head(source, place, length)
        if head is None or head[2] > length:
            return
        kind, start, end = head
        yield kind, start, end - start
        place = end


def check_metadata_keys(source: BinaryIO) -> None:
    """Raise `InputError` if a ``keys`` box states more metadata keys than it has room for.

    FFmpeg reserves memory for as many as the box states before it reads one. Like FFmpeg, this continues with a box that is
    longer than its parent, as far as the parent goes.
    """
    _check_keys(source, 0, os.fstat(source.fileno()).st_size, _MOST_DEPTH)


def _check_keys(source: BinaryIO, place: int, end: int, depth: int) -> None:
    for _ in range(_MOST_BOXES):
        head = _read_head(source, place, end)
        if head is None:
            return
        kind, start, box_end = head
        place = min(box_end, end)
        if kind == b"keys":
            source.seek(start + 4)
            count = source.read(4)
            if len(count) == 4 and int.from_bytes(count, "big") * _KEY_BYTES > place - start - 8:
                raise InputError("The video's table of metadata keys is damaged: it states more keys than it holds.")
        elif kind in _PARENTS and depth:
            first = _first_of_meta(source, start, place) if kind == b"meta" else start
            _check_keys(source, first, place, depth - 1)


def _first_of_meta(source: BinaryIO, start: int, end: int) -> int:
    """Where the boxes of a ``meta`` box begin: at its ``hdlr``. ISO files have four bytes before it, QuickTime files none."""
    source.seek(start)
    found = source.read(min(end - start, _MOST_META_BYTES)).find(b"hdlr", 4)
    return end if found < 0 else start + found - 4


def _read_head(source: BinaryIO, place: int, end: int) -> tuple[bytes, int, int] | None:
    """Type, first byte of the content, and end as stated, of the box at a place; None if there is none or its size is
    impossible. A size of 0 means up to ``end``."""
    if end - place < 8:
        return None
    source.seek(place)
    head = source.read(16)
    if len(head) < 8:
        return None
    size, kind = struct.unpack(">I4s", head[:8])
    before = 8
    if size == 1 and len(head) == 16:
        (size,), before = struct.unpack(">Q", head[8:]), 16
    if size and size < before:
        return None
    return kind, place + before, end if size == 0 else place + size
