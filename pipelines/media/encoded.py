"""Decodes pictures from bytes; kind and size are checked first, since OpenCV checks neither."""

from __future__ import annotations

import io
import struct

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from camera.errors import InputError, damage_errors
from pipelines.media.picture_file import MAX_MEGAPIXELS, PICTURE_FORMATS


def decode_picture(data: bytes, flags: int, sentence: str) -> NDArray:
    """Decode a picture with `cv2.imdecode` and ``flags``; raises `InputError`, with ``sentence`` if the data is not a picture."""
    import cv2

    try:
        with Image.open(io.BytesIO(data), formats=PICTURE_FORMATS) as image:
            width, height = image.size
    except damage_errors() as error:
        raise InputError(sentence) from error
    if width * height > MAX_MEGAPIXELS * 1_000_000:
        raise InputError(
            f"A picture is {width} x {height} pixels; scale it down to at most {MAX_MEGAPIXELS} megapixels."
        )
    if not _whole_png(data):
        raise InputError(sentence)
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if picture is None:
        raise InputError(sentence)
    return np.asarray(picture)


_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def _whole_png(data: bytes) -> bool:
    """Whether every chunk of a PNG is completely inside the file: OpenCV 5 allocates the stated size of a chunk, up to 4 GB, before reading.

    True for other formats. Source: PNG specification (ISO/IEC 15948), section 5.3: length, type, data and checksum.
    """
    if not data.startswith(_SIGNATURE):
        return True
    at = len(_SIGNATURE)
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        at += 12 + length
        if at > len(data):
            return False
        if kind == b"IEND":
            return True
    return False
