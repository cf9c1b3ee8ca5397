"""Colour and size tags of picture files other than ICC profiles: PNG chunks, and ``nclx`` boxes of HEIC and AVIF.

Sources: W3C PNG (Third Edition), sections 11.3.2 and 11.3.4; ISO/IEC 23008-12 (HEIF) and 14496-12, box ``colr``; codes of ITU-T H.273.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from pipelines.media.colour import ColourTags

LOOKED_AT = 1 << 20
"""Number of bytes from the beginning that are searched for tags."""
_PNG = b"\x89PNG\r\n\x1a\n"
_PARENTS = (b"meta", b"iprp", b"ipco")


def png_chunks(path: Path) -> dict[str, bytes]:
    """The chunks before a PNG's pixels, by name, without header and palette; none for other files."""
    with path.open("rb") as source:
        data = source.read(LOOKED_AT)
    found: dict[str, bytes] = {}
    at = 8 if data.startswith(_PNG) else len(data)
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        if name in (b"IDAT", b"IEND"):
            break
        if name not in (b"IHDR", b"PLTE"):
            found.setdefault(name.decode("latin-1"), data[at + 8 : at + 8 + size])
        at += 12 + size
    return found


def colour_tags(path: Path) -> ColourTags | None:
    """The primaries and transfer function that the file states as numbers; None if it states none."""
    coded = png_chunks(path).get("cICP", b"")
    if len(coded) == 4:
        return ColourTags(coded[0], coded[1])
    with path.open("rb") as source:
        data = source.read(LOOKED_AT)
    for content in _colr_boxes(data) if data[4:8] == b"ftyp" else ():
        if content[:4] == b"nclx" and len(content) >= 10:
            return ColourTags(*struct.unpack_from(">HH", content, 4))
    return None


def _colr_boxes(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        end = len(data) if size == 0 else at + size
        if size == 1 or end <= at + 8 or end > len(data) + LOOKED_AT:
            return
        inner = data[at + 8 : end]
        if kind in _PARENTS:
            yield from _colr_boxes(inner[4:] if kind == b"meta" else inner)
        elif kind == b"colr":
            yield inner
        at = end
