"""Pictures that are bytes: their kind and size are looked at before OpenCV, which looks at neither, decodes them."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from camera.errors import InputError, damaged
from pipelines.media.image import MAX_MEGAPIXELS, PICTURE_FORMATS


def decoded(data: bytes, flags: int, sentence: str) -> NDArray:
    """The picture as `cv2.imdecode` gives it with ``flags``; raises `InputError`, with ``sentence`` where it is none."""
    import cv2

    try:
        with Image.open(io.BytesIO(data), formats=PICTURE_FORMATS) as image:
            width, height = image.size
    except damaged() as error:
        raise InputError(sentence) from error
    if width * height > MAX_MEGAPIXELS * 1_000_000:
        raise InputError(
            f"A picture is {width} x {height} pixels; scale it down to at most {MAX_MEGAPIXELS} megapixels."
        )
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if picture is None:
        raise InputError(sentence)
    return np.asarray(picture)
