"""Lights, surface shading, and conversion of light to a picture."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[float, float, float]
"""Linear RGB; 1 is a white surface in full light."""


class Material(NamedTuple):
    """A surface at one point.

    ``gloss``: 0 (matt) .. 1 (sharp highlights). ``mirror``: reflectance at normal incidence, 0 for none. ``glow``: emission as a
    multiple of the colour. ``thin``: transmission of light from behind (leaves, sails). The normal is the geometric one, or a
    rippled one near it.
    """

    red: float
    green: float
    blue: float
    gloss: float
    mirror: float
    glow: float
    thin: float
    nx: float
    ny: float
    nz: float


class Light(NamedTuple):
    """Lights and atmosphere of a scene; directions in authoring axes (x right, y up, z forward), lengths in metres."""

    sun: tuple[float, float, float] = (0.5, 0.7, -0.5)
    """Unit vector towards the sun (or moon)."""
    sun_colour: Colour = (1.0, 0.9, 0.75)
    sun_size: float = 0.03
    """Angular radius for soft shadows, radians; the real sun's is 0.005."""
    above: Colour = (0.3, 0.38, 0.5)
    """Ambient light from above; ``below`` from the ground."""
    below: Colour = (0.12, 0.1, 0.08)
    reach: float = 1.0
    """Radius of ambient occlusion, metres."""
    haze: Colour = (0.5, 0.6, 0.7)
    haze_per_metre: float = 0.0
    haze_top: float = 1000.0
    """Height in metres over which haze density falls by a factor of e."""
    glare: Colour = (0.0, 0.0, 0.0)
    """Added to the haze towards the sun."""
    shafts: float = 0.0
    """In-scattering of sunlit air, per metre."""
    lamps: NDArray[np.float64] = np.zeros((0, 7))
    """(N,7): position x, y, z, linear RGB at one metre, radius in metres."""
    far: float = 1000.0
    """Distance in metres beyond which a ray counts as sky."""
    exposure: float = 1.0
    bloom: float = 0.08
    """Share of light that is scattered around bright spots."""


def unit(x: float, y: float, z: float) -> tuple[float, float, float]:
    length = float(np.sqrt(x * x + y * y + z * z))
    return x / length, y / length, z / length


def lamps(*rows: tuple[float, ...]) -> NDArray[np.float64]:
    return np.array(rows, dtype=np.float64).reshape(-1, 7)


def develop(linear: NDArray[np.float64], light: Light) -> NDArray[np.uint8]:
    """(H,W,3) linear light to 8-bit sRGB: bloom, exposure, a filmic curve (Hable 2010's shape), gamma."""
    picture = np.nan_to_num(linear.astype(np.float32)) * light.exposure
    size = picture.shape[1] / 1280
    bright = np.minimum(np.maximum(picture - 0.9, 0), 6)
    glow = cv2.GaussianBlur(bright, (0, 0), 6 * size) + cv2.GaussianBlur(bright, (0, 0), 28 * size)
    return np.round(255 * srgb(_filmic(picture + light.bloom * glow))).astype(np.uint8)


def _filmic(x: NDArray) -> NDArray:
    def curve(value: NDArray | float) -> NDArray | float:
        return (value * (0.22 * value + 0.03) + 0.002) / (value * (0.22 * value + 0.3) + 0.06) - 0.002 / 0.06

    return np.clip(curve(2.0 * x) / curve(9.0), 0, 1)


def srgb(x: NDArray) -> NDArray:
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 1e-8) ** (1 / 2.4) - 0.055)
