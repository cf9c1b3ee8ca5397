"""Converts decoded frames to what players show: square pixels, upright, mirrored if the file says so, in sRGB."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.formats.account import Account
from pipelines.media.colour import ColourTags, to_srgb

MOST_ASPECT = 4.0
"""Larger pixel aspect ratios are assumed to be a wrong tag, which players ignore too."""


class FrameConverter:
    """Converts PyAV's frames to RGB (H,W,3) uint8. ``aspect``: pixel width over height, None if not stated. Unexpected conversions are noted in ``account``."""

    def __init__(self, aspect: Any, account: Account) -> None:
        self.aspect, self.account = aspect, account

    def __call__(self, frame: Any) -> NDArray[np.uint8]:
        if frame.interlaced_frame:
            self.account.say(f"{self.account.name} is interlaced; its frames are shown as stored, both fields at once.")
        picture = self._make_square(self._to_srgb(frame))
        matrix = display_matrix(frame)
        return picture if matrix is None else apply_display_matrix(picture, matrix)

    def _to_srgb(self, frame: Any) -> NDArray[np.uint8]:
        tags = ColourTags(int(frame.color_primaries), int(frame.color_trc))
        if not (tags.hdr or tags.wide):
            return frame.to_ndarray(format="rgb24")
        self.account.say(f"{tags.words} in {self.account.name}.")
        return to_srgb(frame.to_ndarray(format="rgb48"), tags)

    def _make_square(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Stretch along the longer side of the pixels, so that none are lost."""
        import cv2

        ratio = float(self.aspect) if self.aspect else 1.0
        if abs(ratio - 1) < 1e-3 or not 1 / MOST_ASPECT <= ratio <= MOST_ASPECT:
            return picture
        height, width = picture.shape[:2]
        size = (round(width * ratio), height) if ratio > 1 else (width, round(height / ratio))
        self.account.say(
            f"{self.account.name} has non-square pixels ({self.aspect}); it is shown as {size[0]} x {size[1]}."
        )
        return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def display_matrix(frame: Any) -> NDArray[np.int32] | None:
    """(3,3) from the container: a point (x,y) of the stored picture is shown at (x, y, 1) @ matrix, up to shift and scale."""
    from av.sidedata.sidedata import Type

    found = frame.side_data.get(Type.DISPLAYMATRIX)
    if found is None:
        return None
    return np.frombuffer(bytes(found), "<i4", 9).reshape(3, 3)


def apply_display_matrix(picture: NDArray[np.uint8], matrix: NDArray[np.int32]) -> NDArray[np.uint8]:
    """``picture`` (H,W,3), rotated in steps of 90 degrees and mirrored according to a display matrix; other angles are rounded."""
    (a, b), (c, d) = matrix[:2, :2].astype(np.int64)
    if abs(a) + abs(d) < abs(b) + abs(c):
        picture, a, d = np.swapaxes(picture, 0, 1), c, b
    picture = picture[::-1] if d < 0 else picture
    picture = picture[:, ::-1] if a < 0 else picture
    return np.ascontiguousarray(picture)
