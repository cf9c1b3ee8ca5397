"""Validated reading of untrusted text, JSON and numbers."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError, json_kind, reading
from camera.formats.content import npy_header, read_member
from camera.path import CameraPath
from camera.rotation import orthonormal

MOST_FRAMES = 100_000
LARGEST_TEXT = 64 << 20
LARGEST_UNPACKED = 512 << 20
DEEPEST = 32
LARGEST_NUMBER = 1e12


def text_of(data: bytes, name: str) -> str:
    """Decode UTF-8 text; raises `InputError` for anything else, and for more than `LARGEST_TEXT` bytes."""
    if len(data) > LARGEST_TEXT:
        raise InputError(f"{name} has {len(data) >> 20} MB; text files up to {LARGEST_TEXT >> 20} MB are read.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is no text (byte {error.start} is not UTF-8); give a text file.") from error


def json_object(data: bytes, name: str) -> dict[str, Any]:
    """Parse a JSON object, see `json_value`."""
    values = json_value(data, name)
    if not isinstance(values, dict):
        raise InputError(f"{name} should hold a JSON object, got {json_kind(values)}.")
    return values


def json_value(data: bytes, name: str) -> Any:
    """Parse a JSON file; NaN, Infinity and nesting deeper than `DEEPEST` are refused."""
    text = text_of(data, name)
    depth = 0
    for mark in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(mark.group(), 0)
        if depth > DEEPEST:
            raise InputError(f"{name} nests deeper than {DEEPEST} levels, which no camera file does.")

    def refuse(word: str) -> None:
        raise InputError(f"{name} holds {word}, which is not a number in JSON; write finite numbers.")

    try:
        values = json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise InputError(f"{name} is no valid JSON: line {error.lineno}, column {error.colno}: {error.msg}.") from error
    except InputError:
        raise
    except ValueError as error:  # an integer of thousands of digits
        raise InputError(f"{name} holds a number that is too long to read.") from error
    return values


def field(values: Any, key: str, where: str) -> Any:
    if not isinstance(values, Mapping):
        raise InputError(f"{where} should be an object with the field {key!r}, got {json_kind(values)}.")
    if key not in values:
        raise InputError(
            f"{where} has no field {key!r}; it holds {', '.join(map(str, list(values)[:12])) or 'nothing'}."
        )
    return values[key]


def entries(values: Mapping[str, Any], key: str, where: str) -> list[Any]:
    """A list of 1 to `MOST_FRAMES` items."""
    items = field(values, key, where)
    if not isinstance(items, list) or not 1 <= len(items) <= MOST_FRAMES:
        raise InputError(f"{key!r} of {where} should be a list of 1 to {MOST_FRAMES} cameras.")
    return items


def numbers(value: Any, shape: tuple[int, ...], where: str) -> NDArray[np.float64]:
    """Nested lists as an array of ``shape`` (-1 allows any length); raises `InputError` that names ``where``."""
    with reading(f"{where} should hold numbers only, in the shape {_words(shape)}."):
        array = np.array(value, dtype=np.float64)
    if array.ndim != len(shape) or any(want not in (-1, got) for want, got in zip(shape, array.shape)):
        raise InputError(f"{where} should have the shape {_words(shape)}, got {_words(array.shape)}.")
    if not (np.abs(array) <= LARGEST_NUMBER).all():  # also refuses NaN
        raise InputError(f"{where} holds a value that is not finite, or larger than {LARGEST_NUMBER:g}.")
    return array


def number(value: Any, where: str, *, minimum: float = -LARGEST_NUMBER, maximum: float = LARGEST_NUMBER) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not minimum <= value <= maximum:
        raise InputError(f"{where} should be a number between {minimum:g} and {maximum:g}, got {str(value)[:40]!r}.")
    return float(value)


def size(width: Any, height: Any, where: str) -> tuple[int, int]:
    """Width and height in pixels, 1 to 100000."""
    pair = [number(each, f"the picture size of {where}", minimum=1, maximum=100_000) for each in (width, height)]
    return round(pair[0]), round(pair[1])


def line_numbers(line: str, counts: tuple[int, ...], where: str) -> NDArray[np.float64]:
    """(N,) numbers of one line of text, N one of ``counts``."""
    words = line.split()
    if len(words) not in counts:
        raise InputError(f"{where} should hold {' or '.join(map(str, counts))} numbers, got {len(words)}.")
    try:
        return numbers([float(word) for word in words], (-1,), where)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{where} holds a word that is not a number: {str(error).split(': ')[-1][:40]}.") from error


def pose(value: Any, where: str) -> NDArray[np.float64]:
    """(4,4) from 3x4, 4x4 or 12 or 16 numbers in rows, with the rotation orthonormalised; raises `InputError` that names ``where``."""
    flat = numbers(np.ravel(np.array(value, dtype=object)).tolist(), (-1,), where)
    if flat.size not in (12, 16):
        raise InputError(f"{where} should be a matrix of 3x4 or 4x4 numbers, got {flat.size}.")
    matrix = np.eye(4)
    matrix[: flat.size // 4] = flat.reshape(-1, 4)
    if np.abs(matrix[3] - [0, 0, 0, 1]).max() > 1e-6:
        raise InputError(f"The last row of {where} should be 0 0 0 1; the matrix may be transposed.")
    try:
        matrix[:3, :3] = orthonormal(matrix[:3, :3])
    except InputError as error:
        raise InputError(f"In {where}: {error}") from error
    return matrix


def like_or_refuse(like: CameraPath | None, name: str, lacks: str) -> CameraPath:
    if like is None:
        raise InputError(f"{name} does not say the {lacks}; open a scene first, so that it can be taken from there.")
    return like


def resample_lens(like: CameraPath, frames: int) -> NDArray[np.float64]:
    """(F,3,3): the intrinsics of ``like``, over ``frames`` frames."""
    return like.resampled(frames).intrinsics


def unzip_members(data: bytes, name: str) -> dict[str, bytes]:
    """The files of a zip, by path; refuses zips that unpack to more than `LARGEST_UNPACKED`."""
    with (
        reading(f"{name} is a damaged or encrypted zip file; pack it again."),
        zipfile.ZipFile(io.BytesIO(data)) as archive,
    ):
        listed = [entry for entry in archive.infolist() if not entry.is_dir()]
        if len(listed) > 1000 or sum(entry.file_size for entry in listed) > LARGEST_UNPACKED:
            raise InputError(f"{name} unpacks to more than 1000 files or {LARGEST_UNPACKED >> 20} MB.")
        return {entry.filename: read_member(archive, entry) for entry in listed}


def npz_shapes(data: bytes, name: str) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays in an npz, from their headers alone."""
    shapes = {}
    with (
        reading(f"{name} is not a readable npz file; write it again with numpy.savez."),
        zipfile.ZipFile(io.BytesIO(data)) as archive,
    ):
        for member in archive.namelist()[:1000]:  # by name: if two have one name, numpy reads the last
            with archive.open(member) as stream:
                shape, dtype = npy_header(stream)
            if dtype.hasobject or dtype.kind not in "fiub":
                raise InputError(f"{member} of {name} holds no plain numbers; save it as float32.")
            shapes[member.removesuffix(".npy")] = shape
    return shapes


def npz_array(data: bytes, key: str, shape: tuple[int, ...], where: str) -> NDArray[np.float64]:
    """One array of an npz, checked with `npz_shapes` before it is unpacked."""
    stored = npz_shapes(data, where).get(key)
    if stored is None:
        raise InputError(f"{where} has no array {key!r}.")
    if len(stored) != len(shape) or any(want not in (-1, got) for want, got in zip(shape, stored)):
        raise InputError(f"{key} of {where} should have the shape {_words(shape)}, got {_words(stored)}.")
    if not 1 <= stored[0] <= MOST_FRAMES:
        raise InputError(f"{key} of {where} should hold 1 to {MOST_FRAMES} cameras, got {stored[0]}.")
    with (
        reading(f"{key} of {where} is damaged; save the file again."),
        np.load(io.BytesIO(data), allow_pickle=False) as arrays,
    ):
        return numbers(arrays[key], shape, f"{key} of {where}")


def natural_key(text: str) -> list[tuple[int, int, str]]:
    """Sort key that puts frame_9 before frame_10."""
    return [(0, int(part[:18]), "") if part.isdigit() else (1, 0, part) for part in re.split(r"([0-9]+)", text)]


def _words(shape: tuple[int, ...]) -> str:
    return "x".join("N" if each == -1 else str(each) for each in shape) or "one number"
