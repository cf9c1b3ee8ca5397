"""Validated reading of untrusted npz files: sizes and types are checked before unpacking, nothing is unpickled."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError, reading
from camera.formats.account import Account
from camera.formats.content import npy_header

MAX_BYTES = 4 << 30
"""Largest array that is unpacked, in bytes."""


def read_npz(
    file: str | Path | IO[bytes],
    shapes: Mapping[str, str],
    *,
    optional: Mapping[str, str] | None = None,
    name: str = "",
    most_bytes: int = MAX_BYTES,
    account: Account | None = None,
    idle: Collection[str] = (),
) -> dict[str, NDArray[Any]]:
    """Read named arrays whose shapes are written as words: ``{"depth": "T H W", "w2c": "T 4 4"}``.

    A letter means the same number everywhere in the file. Arrays in ``optional`` may be missing. Raises `InputError` for
    missing arrays, other shapes, objects or text, damaged files and arrays beyond ``most_bytes``; the errors call the file ``name``.
    Other arrays are noted in ``account``; those in ``idle`` are known to have no effect.
    """
    name = name or (Path(file).name if isinstance(file, str | Path) else "The file")
    optional = optional or {}
    found: dict[str, NDArray[Any]] = {}
    sizes: dict[str, int] = {}
    with (
        reading(f"{name} is not a readable npz file; write it again with numpy.savez."),
        zipfile.ZipFile(file) as archive,
    ):
        entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
        if account is not None:
            account.fields(entries, "" if account.name == name else name, idle=idle).use(*shapes, *optional)
        for key, shape in {**shapes, **optional}.items():
            if key in entries:
                with archive.open(entries[key]) as stream:
                    found[key] = _read(stream, f"{name}: {key}", shape, sizes, most_bytes)
            elif key not in optional:
                raise InputError(f"{name} has no array {key}; it contains {', '.join(sorted(entries)) or 'nothing'}.")
    return found


def _read(stream: IO[bytes], label: str, words: str, sizes: dict[str, int], most_bytes: int) -> NDArray[Any]:
    shape, kind, itemsize = _header(stream)
    if kind not in "fiub":
        raise InputError(f"{label} contains no numbers; store it as float32.")
    expected = words.split()
    fits = len(shape) == len(expected)
    for word, size in zip(expected, shape):
        fits = fits and size == (int(word) if word.isdigit() else sizes.setdefault(word, size))
    if not fits or 0 in shape:
        known = ", ".join(f"{word}={sizes[word]}" for word in expected if word in sizes)
        where = f" with {known}" if known else ""
        raise InputError(f"{label} should have shape ({', '.join(expected)}){where}, got {shape}.")
    if int(np.prod(shape, dtype=np.float64)) * itemsize > most_bytes:
        raise InputError(f"{label} would take more than {most_bytes / 2**30:.3g} GiB; use fewer or smaller pictures.")
    stream.seek(0)
    return np.lib.format.read_array(stream, allow_pickle=False)


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], str, int]:
    """Shape, kind and item size of a .npy stream."""
    shape, dtype = npy_header(stream)
    return shape, dtype.kind, dtype.itemsize
