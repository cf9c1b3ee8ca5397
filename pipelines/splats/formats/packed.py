"""SPZ (Niantic) and compressed PLY (PlayCanvas) through the library gsply, with its limits checked before it reads.

gsply leaves axes unchanged; see `formats.axes`. Reads versions 1 to 4 of SPZ, writes version 3: the older gzip container, which
every viewer of SPZ opens.
"""

from __future__ import annotations

import re
import struct
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from camera.errors import InputError, reading
from pipelines.splats.files import MOST_SPLATS
from pipelines.splats.splats import MOST_DEGREE, Splats

if TYPE_CHECKING:
    from gsply import GSData

FRACTION_BITS = 12
"""SPZ's positions are multiples of 1/4096 scene unit in 24 bits: up to 2048 units from the origin."""
_MAGIC = 0x5053474E
_MOST_BYTES = 65
"""Uncompressed bytes of one Gaussian of the highest degree in SPZ."""
_CHUNK, _BOUNDS, _VERTEX = 256, 18 * 4, 16
"""Compressed PLY: Gaussians that share bounds, bytes of the bounds, bytes of a Gaussian without harmonics."""


def spz_bytes(splats: Splats) -> bytes:
    """The file, in the axes of ``splats``. Raises `InputError` if a position exceeds 24 bits.

    Loses: positions to 1/8192 unit, rotations to 0.1 degree, scales to 3 %, colours to half a level, harmonics to 1/256.
    """
    import gsply

    most = (1 << 23) >> FRACTION_BITS
    if len(splats) and np.abs(splats.means).max() >= most:
        raise InputError(f"SPZ supports positions up to {most} scene units from the origin; save these splats as .ply.")
    with tempfile.TemporaryDirectory(prefix="reshoot-spz-") as folder:
        file = Path(folder) / "scene.spz"
        gsply.write_spz(file, _to_gsply(splats), version=3, fractional_bits=FRACTION_BITS)
        return file.read_bytes()


def read_spz(data: bytes, name: str = "scene.spz") -> Splats:
    """Splats of an SPZ file, in its own axes. Raises `InputError`."""
    import gsply

    _check_spz(data, name)
    with (
        tempfile.TemporaryDirectory(prefix="reshoot-spz-") as folder,
        reading(f"{name} is not a complete SPZ file of version 1 to 4; export it again, or as .ply."),
    ):
        file = Path(folder) / "scene.spz"
        file.write_bytes(data)
        return _from_gsply(gsply.read_spz(file))


def compressed_ply_bytes(splats: Splats) -> bytes:
    """The file, in the axes of ``splats``. Loses: positions to 1/2048 (y 1/1024) of the box of each 256 Gaussians, colours to one level."""
    import gsply

    return gsply.compress_to_bytes(_to_gsply(splats))


def read_compressed_ply(data: bytes, name: str = "scene.compressed.ply") -> Splats:
    """Splats of a compressed PLY, in its own axes. Raises `InputError`."""
    import gsply

    _check_compressed(data, name)
    with reading(f"{name} is a damaged compressed PLY; export it again, or as a plain .ply."):
        return _from_gsply(gsply.decompress_from_bytes(data))


def is_compressed_ply(data: bytes) -> bool:
    return data[:4] == b"ply\n" and b"property uint packed_position" in data[:4096]


def _to_gsply(splats: Splats) -> GSData:
    import gsply

    unit = splats.quaternions / np.linalg.norm(splats.quaternions, axis=1, keepdims=True)
    return gsply.GSData.from_arrays(
        means=splats.means, scales=splats.log_scales, quats=unit, opacities=splats.logit_opacities,
        sh0=splats.sh[:, 0], shN=splats.sh[:, 1:] if splats.degree else None, format="ply",
    )  # fmt: skip


def _from_gsply(data: GSData) -> Splats:
    higher = data.shN if data.shN is not None and data.shN.size else np.zeros((len(data.means), 0, 3), np.float32)
    sh = np.concatenate([data.sh0[:, None], higher], axis=1)
    return Splats(data.means, data.quats, data.scales, np.asarray(data.opacities).reshape(-1), sh)


def _check_spz(data: bytes, name: str) -> None:
    """Check the number of Gaussians, and that it unpacks to no more bytes than they need: gsply itself unpacks without limits."""
    head = data[:16]
    if data[:2] == b"\x1f\x8b":
        with reading(f"{name} is not compressed as SPZ; export it again, or as .ply."):
            head = zlib.decompressobj(31).decompress(data, 16)
    if len(head) < 16:
        raise InputError(f"{name} is truncated within its header; export it again.")
    magic, _, count, degree = struct.unpack_from("<IIIB", head)
    if magic != _MAGIC:
        raise InputError(f"{name} is not an SPZ file; export it again, or as .ply.")
    if degree > MOST_DEGREE or not 0 < count <= MOST_SPLATS:
        raise InputError(
            f"{name} states {count} Gaussians of degree {degree}; at most {MOST_SPLATS} of degree 3 are supported."
        )
    if data[:2] == b"\x1f\x8b":
        _check_unpacked(data, 16 + count * _MOST_BYTES + (1 << 20), name)


def _check_unpacked(data: bytes, most: int, name: str) -> None:
    unpacking, size, rest = zlib.decompressobj(31), 0, data
    with reading(f"{name} is not compressed as SPZ; export it again, or as .ply."):
        while rest and size <= most and not unpacking.eof:
            size += len(unpacking.decompress(rest, 1 << 20))
            rest = unpacking.unconsumed_tail
    if size > most:
        raise InputError(f"{name} unpacks to more than its Gaussians need; it is not an SPZ file.")


def _check_compressed(data: bytes, name: str) -> None:
    """Check that the counts in the header agree with each other and with the remaining bytes, which gsply's kernels do not."""
    end = data.find(b"end_header\n", 0, 65536)
    found = [re.search(rb"element %s (\d+)\n((?:property [^\n]+\n)*)" % each, data[: max(end, 0)]) for each in
             (b"chunk", b"vertex", b"sh")]  # fmt: skip
    chunk, vertex, sh = found
    if end < 0 or chunk is None or vertex is None:
        raise InputError(f"{name} is not a compressed PLY of PlayCanvas; export it again.")
    count, chunks = int(vertex.group(1)), int(chunk.group(1))
    harmonics = sh.group(2).count(b"property") if sh else 0
    wide = chunk.group(2).count(b"property float"), vertex.group(2).count(b"property uint")
    if wide != (18, 4) or harmonics not in (0, 9, 24, 45) or (sh and int(sh.group(1)) != count):
        raise InputError(f"{name} is a compressed PLY of another layout; export it with a current version of the tool.")
    size = end + len(b"end_header\n") + chunks * _BOUNDS + count * (_VERTEX + harmonics)
    if not 0 < count <= MOST_SPLATS or chunks != -(-count // _CHUNK) or len(data) < size:
        raise InputError(f"{name} is truncated or states a wrong number of Gaussians, {count}; export it again.")
