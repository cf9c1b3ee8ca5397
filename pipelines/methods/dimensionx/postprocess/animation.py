"""Animated pictures for sites that cannot show video."""

from __future__ import annotations

from io import BytesIO
from typing import Literal

import cv2
from PIL import Image

from pipelines.method import Frames

HEIGHT = {"gif": 240, "webp": 480}
"""GIF files are large, so upstream's demo makes them small; webp keeps the size of the clip."""


def encode_animation(frames: Frames, fps: float, kind: Literal["gif", "webp"]) -> bytes:
    """(F,H,W,3) as an endless gif or webp of at most `HEIGHT` rows at ``fps`` (gif: frame times in hundredths of a second)."""
    height = min(HEIGHT[kind], frames.shape[1])
    width = max(1, round(frames.shape[2] * height / frames.shape[1]))
    pictures = [Image.fromarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)) for frame in frames]
    if kind == "gif":
        pictures = [picture.quantize(256, dither=Image.Dither.FLOYDSTEINBERG) for picture in pictures]
    file = BytesIO()
    pictures[0].save(
        file, kind, save_all=True, append_images=pictures[1:], duration=round(1000 / fps), loop=0, quality=85
    )
    return file.getvalue()
