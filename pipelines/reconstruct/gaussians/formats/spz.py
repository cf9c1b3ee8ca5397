"""SPZ, Niantic's packed splats: a tenth of a ``.ply``, opened by most viewers.

A gzip stream: a header of 16 bytes, then all positions, opacities, colours, scales, rotations and harmonics, quantised. The
axes are x right, y up, z backward, so that all is turned by half a turn about x. Layout after the public description of the
format (github.com/nianticlabs/spz); version 2 is written, 2 and 3 are read, which differ in the rotations.
"""

from __future__ import annotations

import gzip
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from pipelines.reconstruct.gaussians.splats import Splats

MAGIC = 0x5053474E
MOST_SPLATS = 20_000_000
FRACTION_BITS = 12
"""Positions are whole multiples of 1/4096 scene unit, in 24 bits."""
COLOUR_SCALE = 0.15
HALF_TURN = np.array([1, 1, -1, -1], np.float32)
"""On a quaternion wxyz: the same turn in axes whose y and z point the other way."""
_SH_SIGNS = np.array([1, -1, -1, 1, -1, 1, 1, -1, 1, -1, 1, -1, -1, 1, -1, 1], np.float32)
"""Harmonics of 3DGS under that half turn: those odd in y and z together change their sign."""
_ROTATION_BYTES = {2: 3, 3: 4}


def spz_bytes(splats: Splats) -> bytes:
    """The file of ``splats``. Raises `InputError` where one lies too far out for 24 bits.

    Loses: positions to 1/8192 unit, rotations to about half a degree, scales to 3 %, colours to a 250th of their range.
    """
    n = len(splats)
    fixed = np.rint(splats.means * [1, -1, -1] * float(1 << FRACTION_BITS)).astype(np.int64)
    if n and np.abs(fixed).max() >= 1 << 23:
        most = (1 << 23) >> FRACTION_BITS
        raise InputError(f"SPZ holds positions up to {most} scene units from the origin; save these splats as .ply.")
    positions = fixed.astype("<i4").view(np.uint8).reshape(n, 3, 4)[..., :3]
    unit = splats.quaternions / np.linalg.norm(splats.quaternions, axis=1, keepdims=True) * HALF_TURN
    unit = unit * np.where(unit[:, :1] < 0, -1, 1)
    harmonics = splats.sh[:, 1:] * _SH_SIGNS[None, 1 : splats.sh.shape[1], None]
    parts = (
        positions,
        _bytes(splats.opacities * 255),
        _bytes((splats.sh[:, 0] * COLOUR_SCALE + 0.5) * 255),
        _bytes((splats.log_scales + 10) * 16),
        _bytes(unit[:, 1:] * 127.5 + 127.5),
        _bytes(harmonics * 128 + 128),
    )
    header = struct.pack("<IIIBBBB", MAGIC, 2, n, splats.degree, FRACTION_BITS, 0, 0)
    return gzip.compress(header + b"".join(np.ascontiguousarray(part).tobytes() for part in parts), mtime=0)


def read_spz(data: bytes, name: str = "scene.spz") -> Splats:
    """Splats of an SPZ file of version 2 or 3. Raises `InputError`."""
    raw = _unpacked(data, name)
    magic, version, count, degree, bits, _, _ = struct.unpack_from("<IIIBBBB", raw)
    if magic != MAGIC or version not in _ROTATION_BYTES:
        raise InputError(f"{name} is no SPZ file of version 2 or 3; export it again, or as .ply.")
    if degree > 3 or not 0 < count <= MOST_SPLATS:
        raise InputError(
            f"{name} says {count} Gaussians of degree {degree}; at most {MOST_SPLATS} of degree 3 are read."
        )
    rest = (degree + 1) ** 2 - 1
    widths = (9, 1, 3, 3, _ROTATION_BYTES[version], 3 * rest)
    if len(raw) - 16 < count * sum(widths):
        raise InputError(f"{name} is cut off: {count} Gaussians need more bytes than it has; export it again.")
    ends = 16 + count * np.cumsum((0, *widths))
    positions, alphas, colours, scales, rotations, harmonics = (
        np.frombuffer(raw, np.uint8, end - start, start).reshape(count, width)
        for start, end, width in zip(ends, ends[1:], widths)
    )
    words = np.zeros((count, 3, 4), np.uint8)
    words[..., 1:] = positions.reshape(count, 3, 3)
    fixed = (words.view("<i4")[..., 0] >> 8) / float(1 << bits)
    opacity = np.clip(alphas[:, 0] / 255.0, 1e-4, 1 - 1e-4)
    constant = (colours / 255.0 - 0.5) / COLOUR_SCALE
    higher = (harmonics.reshape(count, rest, 3).astype(np.float32) - 128) / 128 * _SH_SIGNS[None, 1 : rest + 1, None]
    return Splats(
        (fixed * [1, -1, -1]).astype(np.float32),
        (HALF_TURN * (_smallest_three(rotations) if version == 3 else _three(rotations))).astype(np.float32),
        (scales / 16.0 - 10.0).astype(np.float32),
        np.log(opacity / (1 - opacity)).astype(np.float32),
        np.concatenate([constant[:, None], higher], axis=1).astype(np.float32),
    )


def _unpacked(data: bytes, name: str) -> bytes:
    """The stream, of no more bytes than `MOST_SPLATS` of the highest degree could have."""
    most = 16 + MOST_SPLATS * 65
    try:
        opened = zlib.decompressobj(31)
        raw = opened.decompress(data, most)
    except zlib.error as error:
        raise InputError(f"{name} is not packed as SPZ files are; export it again, or as .ply.") from error
    if len(raw) < 16:
        raise InputError(f"{name} is cut off: it ends before its header does; export it again.")
    return raw


def _bytes(values: NDArray) -> NDArray[np.uint8]:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _three(rotations: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Quaternions wxyz from x, y and z in a byte each; w is not negative."""
    xyz = rotations.astype(np.float32) / np.float32(127.5) - 1
    w = np.sqrt(np.maximum(1 - (xyz**2).sum(axis=1, keepdims=True), 0))
    return np.concatenate([w, xyz], axis=1).astype(np.float32)


def _smallest_three(rotations: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Quaternions wxyz from the place of the largest part in 2 bits and the other three in 10 bits each."""
    words = np.ascontiguousarray(rotations).view("<u4")[:, 0].astype(np.int64)
    largest, quaternions = words >> 30, np.zeros((len(words), 4), np.float32)
    for part in (3, 2, 1, 0):
        wanted = largest != part
        value = np.sqrt(0.5) * (words & 511) / 511 * np.where(words >> 9 & 1, -1, 1)
        quaternions[wanted, part] = value[wanted]
        words = np.where(wanted, words >> 10, words)
    left = np.sqrt(np.maximum(1 - (quaternions**2).sum(axis=1), 0))
    quaternions[np.arange(len(words)), largest] = left
    return np.roll(quaternions, 1, axis=1)
