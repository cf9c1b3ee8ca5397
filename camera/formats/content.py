"""The kind of a file from its content, for files without a meaningful name (uploads may be called "blob"), and members of zips."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

NAMELESS = ("", ".blob", ".tmp", ".file", ".download")
"""Suffixes that say nothing about the content."""
LOOKED_AT = 4096
MOST_NPY_HEADER = 1 << 16
"""In bytes; numpy itself reads headers of at most 10,000."""
_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"\x93NUMPY", ".npy"), (b"glTF", ".glb"), (b"\x76\x2f\x31\x01", ".exr"), (b"\x89PNG", ".png"), (b"\xff\xd8\xff", ".jpg"),
    (b"GIF8", ".gif"), (b"BM", ".bmp"), (b"II*\0", ".tif"), (b"MM\0*", ".tif"), (b"\x1a\x45\xdf\xa3", ".webm"), (b"Pf\n", ".pfm"),
    (b"PF\n", ".pfm"), (b"ply\n", ".ply"), (b"ply\r", ".ply"), (b"PXR-USDC", ".usdc"), (b"#usda", ".usda"), (b"%YAML", ".yaml"),
)  # fmt: skip
_BRANDS = {b"avif": ".avif", b"avis": ".avif", b"heic": ".heic", b"heix": ".heic", b"hevc": ".heic", b"mif1": ".heic", b"msf1": ".heic"}  # fmt: skip


def with_suffix(name: str, data: bytes) -> str:
    """``name`` with the suffix of its content if it has none; unchanged if the content is not recognised."""
    return name if _has_suffix(name) else f"{name}{kind_of_bytes(data)}"


def kind_of(path: Path) -> str:
    """The lower-case suffix of a file's name, or that of its content if the name has none; "" if neither is known."""
    if _has_suffix(path.name) or not path.is_file():
        return path.suffix.lower()
    with path.open("rb") as source:
        head = source.read(LOOKED_AT)
        if head.startswith(b"PK\3\4"):
            return _kind_of_zip(path)
    return kind_of_bytes(head)


def kind_of_bytes(data: bytes) -> str:
    """A suffix such as ".json", detected from the first bytes and, for a zip, from its members; "" if unknown."""
    head = data[:LOOKED_AT]
    if head.startswith(b"PK\3\4"):
        return _kind_of_zip(io.BytesIO(data))
    for beginning, suffix in _BEGINNINGS:
        if head.startswith(beginning):
            return suffix
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], ".mov" if head[8:10] == b"qt" else ".mp4")
    if head[4:8] in (b"moov", b"mdat", b"wide", b"free"):
        return ".mov"
    if head.startswith(b"RIFF"):
        return {b"AVI ": ".avi", b"WEBP": ".webp"}.get(head[8:12], "")
    return _kind_of_text(head)


def read_member(archive: zipfile.ZipFile, member: str | zipfile.ZipInfo) -> bytes:
    """Read one file of a zip; unpacks at most the size that the zip announces, which the caller has checked.

    `ZipFile.read` unpacks everything and then cuts it, so half a megabyte that announces ten bytes can take a gigabyte. Raises
    what `zipfile` raises for a damaged member, including one longer than announced.
    """
    entry = archive.getinfo(member) if isinstance(member, str) else member
    with archive.open(entry) as stream:
        return stream.read(entry.file_size)


def npy_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of the array in a .npy stream. Reads at most `MOST_NPY_HEADER` bytes, because a header may announce a length of
    up to 4 GB."""
    head = io.BytesIO(stream.read(MOST_NPY_HEADER))
    old = np.lib.format.read_magic(head) == (1, 0)
    read = np.lib.format.read_array_header_1_0 if old else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(head)
    return shape, dtype


def _has_suffix(name: str) -> bool:
    return Path(name).suffix.lower() not in NAMELESS


def _kind_of_zip(source: Path | io.BytesIO) -> str:
    """The kind of a zip: numpy's, torch's and USD's packages are zips too."""
    try:
        with zipfile.ZipFile(source) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return ".zip"
    pair = {"poses.npy", "intrinsics.npy"} <= set(names)
    if names and not pair and all(name.endswith(".npy") and "/" not in name for name in names):
        return ".npz"
    if any(name.rsplit("/", 1)[-1] == "data.pkl" for name in names):
        return ".torch"
    if names and names[0].lower().endswith((".usda", ".usdc", ".usd")):
        return ".usdz"
    return ".zip"


def _kind_of_text(head: bytes) -> str:
    try:
        text = head.decode("utf-8-sig").lstrip()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # not just a character cut in two at the end
            return ""
        text = head[: error.start].decode("utf-8-sig").lstrip()
    if "\0" in text or not text:
        return ""
    if text[0] in "{[":
        return ".gltf" if re.search(r'"asset"\s*:\s*\{', text) else ".json"
    if text[0] == "<":
        return ".xml"
    first = text.splitlines()[0]
    if first.count(",") >= 4 and not re.match(r"[-\d.]", first):
        return ".csv"
    if re.search(r"^v [-\d.eE+ ]+$", text, re.MULTILINE):
        return ".obj"
    return ".chan" if _is_chan(first.split()) else ".txt"


def _is_chan(words: list[str]) -> bool:
    """Whether a line is a frame number, a position, three angles and perhaps a field of view. A TUM line ends with a unit quaternion instead."""
    if len(words) not in (7, 8) or not words[0].isdecimal():
        return False
    try:
        values = [float(word) for word in words]
    except ValueError:
        return False
    return len(words) == 7 or abs(sum(value * value for value in values[4:]) - 1) > 1e-2
