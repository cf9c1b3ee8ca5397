"""Keyframes in and out of a zip, so that a person can change, replace or drop single ones between two runs."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from pipelines.method import Frames

LARGEST_BYTES = 1 << 26
"""Of one picture in such a file."""
_NAME = re.compile(r"(?:.*/)?(\d{1,6})\.(?:png|jpg|jpeg)$", re.IGNORECASE)


def pack(keyframes: Frames, indices: list[int]) -> bytes:
    """A zip of PNG pictures, each named by its frame, counted from 0."""
    import cv2

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for index, picture in zip(indices, keyframes, strict=True):
            archive.writestr(f"{index:05d}.png", cv2.imencode(".png", picture[..., ::-1])[1].tobytes())
    return stream.getvalue()


def unpack(file: str | Path, indices: list[int], *, width: int, height: int) -> dict[int, NDArray[np.uint8]]:
    """Pictures (H,W,3) by frame. Raises `InputError` for other frames, other sizes and files that are no such zip."""
    file = Path(file)
    found: dict[int, NDArray[np.uint8]] = {}
    try:
        with zipfile.ZipFile(file) as archive:
            for entry in archive.infolist():
                named = _NAME.match(entry.filename)
                if named:
                    found[int(named[1])] = _picture(archive, entry, width, height)
    except (OSError, zipfile.BadZipFile, RuntimeError) as error:
        raise InputError(
            f"{file.name} is not a readable zip of keyframes; give the one that a run handed out."
        ) from error
    if strange := sorted(found.keys() - set(indices)):
        raise InputError(
            f"{file.name} holds a keyframe for frame {strange[0]}, but this path has them at {', '.join(map(str, indices))}; "
            "name the pictures by these numbers."
        )
    if not found:
        raise InputError(f"{file.name} holds no keyframes; expected pictures named by their frame, as 00000.png.")
    return found


def _picture(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, width: int, height: int) -> NDArray[np.uint8]:
    import cv2

    if entry.file_size > LARGEST_BYTES:
        raise InputError(f"{entry.filename} is larger than 64 MB; give keyframes of {width}x{height}.")
    picture = cv2.imdecode(np.frombuffer(archive.read(entry), np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise InputError(f"{entry.filename} is not a readable picture; save it as PNG.")
    if picture.shape[:2] != (height, width):
        raise InputError(
            f"{entry.filename} is {picture.shape[1]}x{picture.shape[0]}, the path is drawn for {width}x{height}; resize it."
        )
    return np.ascontiguousarray(picture[..., ::-1]).astype(np.uint8, copy=False)
