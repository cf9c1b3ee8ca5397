"""Converts RGB pictures to the planes that H.264 stores: BT.709, limited range, chroma at half size.

Imports the compiler, so import this module only on first use.
"""

from __future__ import annotations

import numpy as np

from camera.kernel import kernel

BITS = np.int32(16)
"""Bits of the fixed-point fractions below; sums of four pixels before rounding need two more."""
INT = np.int32


def _fixed_point(red: float, green: float, blue: float, scale: float) -> tuple[np.int32, ...]:
    return tuple(np.int32(round(weight * scale * 2.0**16)) for weight in (red, green, blue))


RED, GREEN, BLUE = 0.2126, 0.7152, 0.0722
Y_RED, Y_GREEN, Y_BLUE = _fixed_point(RED, GREEN, BLUE, 219 / 255)
U_RED, U_GREEN, U_BLUE = _fixed_point(-RED, -GREEN, 1 - BLUE, 112 / 255 / (1 - BLUE))
V_RED, V_GREEN, V_BLUE = _fixed_point(1 - RED, -GREEN, -BLUE, 112 / 255 / (1 - RED))
DARK = np.int32((16 << 16) + (1 << 15))
GREY = np.int32((128 << 18) + (1 << 17))
"""Zero of a chroma plane, with half a step for rounding."""


@kernel
def fill_planes(rgb, luma, blueness, redness):
    """Write ``rgb`` (H,W,3) uint8, contiguous, H and W even, into uint8 planes (H,>=W), (H/2,>=W/2), (H/2,>=W/2).

    Chroma is the mean of four pixels.
    """
    height, width = rgb.shape[:2]
    reds, greens, blues = np.empty((2, width), INT), np.empty((2, width), INT), np.empty((2, width), INT)
    for y in range(0, height, 2):
        for row in range(2):
            _split(rgb[y + row].reshape(-1), reds[row], greens[row], blues[row])
            _luma(reds[row], greens[row], blues[row], luma[y + row])
        _colour(reds, greens, blues, blueness[y // 2], redness[y // 2])


@kernel
def _split(rgb, reds, greens, blues):
    for x in range(len(reds)):
        reds[x], greens[x], blues[x] = rgb[3 * x], rgb[3 * x + 1], rgb[3 * x + 2]


@kernel
def _luma(reds, greens, blues, out):
    for x in range(len(reds)):
        out[x] = np.uint8((Y_RED * reds[x] + Y_GREEN * greens[x] + Y_BLUE * blues[x] + DARK) >> BITS)


@kernel
def _colour(reds, greens, blues, blueness, redness):
    for x in range(reds.shape[1] // 2):
        red = reds[0, 2 * x] + reds[0, 2 * x + 1] + reds[1, 2 * x] + reds[1, 2 * x + 1]
        green = greens[0, 2 * x] + greens[0, 2 * x + 1] + greens[1, 2 * x] + greens[1, 2 * x + 1]
        blue = blues[0, 2 * x] + blues[0, 2 * x + 1] + blues[1, 2 * x] + blues[1, 2 * x + 1]
        blueness[x] = np.uint8((U_RED * red + U_GREEN * green + U_BLUE * blue + GREY) >> (BITS + INT(2)))
        redness[x] = np.uint8((V_RED * red + V_GREEN * green + V_BLUE * blue + GREY) >> (BITS + INT(2)))
