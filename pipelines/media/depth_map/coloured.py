"""Detects colour-mapped depth pictures, the default output of most depth demos, which contain no depth values."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

OPENCV_MAPS = (
    "JET",
    "TURBO",
    "INFERNO",
    "MAGMA",
    "PLASMA",
    "VIRIDIS",
    "CIVIDIS",
    "HOT",
    "RAINBOW",
    "HSV",
    "BONE",
    "PARULA",
    "COOL",
)
SPECTRAL = "9e0142 d53e4f f46d43 fdae61 fee08b ffffbf e6f598 abdda4 66c2a5 3288bd 5e4fa2"
"""ColorBrewer's Spectral in eleven steps, interpolated linearly."""
CLOSE = 18.0
"""Maximum distance (RGB, 0 to 255) of a pixel's colour from a map's nearest colour."""
MOST = 0.85
"""Minimum share of pixels within that distance."""
_SAMPLES = 2000


def find_colour_map(colours: NDArray[Any], opaque: NDArray[np.bool_]) -> str | None:
    """The name of the colour map that best matches these pixels (H,W,3), of 8 or 16 bits; None if there is none."""
    pixels = colours[opaque]
    pixels = pixels[:: max(1, len(pixels) // _SAMPLES)].astype(np.float32)
    if colours.dtype.itemsize > 1:
        pixels = pixels * (255 / 65535 if colours.dtype.kind == "u" else 255 / max(float(pixels.max()), 1e-9))
    best, share = None, 0.0
    for name, table in _tables().items():
        distance = np.linalg.norm(pixels[:, None] - table[None], axis=2).min(axis=1)
        if (found := float((distance < CLOSE).mean())) > share:
            best, share = name, found
    return best if share >= MOST else None


@lru_cache(maxsize=1)
def _tables() -> dict[str, NDArray[np.float32]]:
    """64 colours (64,3) of each map."""
    import cv2

    ramp = np.linspace(0, 255, 64).round().astype(np.uint8)[:, None]
    tables = {
        name: cv2.applyColorMap(ramp, code)[:, 0, ::-1].astype(np.float32)
        for name in OPENCV_MAPS
        if (code := getattr(cv2, f"COLORMAP_{name}", None)) is not None
    }
    steps = np.array([list(bytes.fromhex(step)) for step in SPECTRAL.split()], np.float32)
    at = np.linspace(0, len(steps) - 1, 64)
    tables["Spectral"] = np.stack([np.interp(at, np.arange(len(steps)), steps[:, i]) for i in range(3)], 1).astype(
        np.float32
    )
    return tables
