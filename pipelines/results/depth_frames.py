"""Depth of every frame of a result, as 16-bit pictures."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from camera.view import View, far_of
from pipelines.results.embedded_scene import read_embedded_scene
from pipelines.results.record import beside_file

DEPTH_FILE = "disparity-16-bit.zip"
"""Name of the generated depth among a result's files."""


_PER_MILLE = 0.001
"""Share of the pixels at either end that is clipped, so that a single outlier does not reduce the contrast."""


@dataclass(frozen=True)
class DisparityRange:
    """The disparities (1 / depth, in 1 / scene units) of black and white."""

    black: float
    white: float

    @property
    def far(self) -> float:
        """The depth assigned to everything below a thousandth of white's disparity."""
        return far_of(np.array([1e3 / self.white]))

    def depth(self, brightness: NDArray) -> NDArray[np.float32]:
        """Brightness 0..1 to depth along z in scene units; disparities below a thousandth of white's become `far`."""
        disparity = self.black + np.asarray(brightness, dtype=np.float32) * (self.white - self.black)
        return np.where(disparity > 1e-3 * self.white, 1 / np.maximum(disparity, 1e-12), self.far).astype(np.float32)


def disparity_range(view: View) -> DisparityRange:
    """The range of a view's disparities; unknown depth counts as infinitely far."""
    disparity = np.where(view.known, 1 / view.depth, 0)
    black, white = np.quantile(disparity, [_PER_MILLE, 1 - _PER_MILLE])
    return DisparityRange(float(black), float(max(white, black + 1e-6)))


def sixteen_bit_zip(brightness: NDArray[np.float32]) -> bytes:
    """(F,H,W) in 0..1 as a zip of 16-bit PNGs, one per frame; 65535 is near."""
    import cv2

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for index, frame in enumerate(brightness):
            stored, png = cv2.imencode(".png", np.round(frame.clip(0, 1) * 65535).astype(np.uint16))
            assert stored
            archive.writestr(f"disparity-{index:04}.png", png.tobytes())
    return buffer.getvalue()


def read_saved_depth(video: str | Path) -> NDArray[np.float32] | None:
    """(F,H,W) depth in scene units, NaN where infinitely far, of a saved result whose `sixteen_bit_zip` is beside it.

    None without such a file, or if the result does not contain the picture that defines black and white.
    """
    import cv2

    archive, box = beside_file(Path(video), DEPTH_FILE), read_embedded_scene(video)
    if box is None or not archive.is_file():
        return None
    with zipfile.ZipFile(archive) as frames:
        pngs = [np.frombuffer(frames.read(name), np.uint8) for name in sorted(frames.namelist())]
    brightness = np.stack([np.asarray(cv2.imdecode(png, cv2.IMREAD_UNCHANGED)) for png in pngs]) / np.float32(65535)
    span = disparity_range(box.scene.first)
    depth = span.depth(brightness)
    return np.where(depth < span.far, depth, np.float32(np.nan))
