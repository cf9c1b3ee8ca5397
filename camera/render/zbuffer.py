"""Hard z-buffer for one depth map: every pixel becomes a square, and the nearest wins. The fastest renderer.

Draws into `camera.render.framebuffer`. Imports numba, so import this module only on first use.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camera.kernel import kernel

NEAR = np.float32(1e-4)
LARGEST_SQUARE = 16
"""Maximum side of a square in pixels; points very close to the camera leave holes."""


def draw(
    keys: NDArray[np.uint64],
    colour: NDArray[np.uint32],
    *,
    depth: NDArray[np.float32],
    turn: NDArray[np.float32],
    shift: NDArray[np.float32],
    magnification: float,
) -> None:
    """Draw ``colour`` (h,w), from `camera.render.framebuffer.pack_pixels`, at ``depth`` (h,w) into ``keys`` (H,W), in place; depth 0 is not drawn.

    A source pixel (x,y) of depth d projects to the homogeneous pixel ``d * turn @ (x,y,1) + shift``.
    ``magnification``: target focal length over source focal length; squares grow with it and as points come nearer.
    """
    _draw(keys, colour, depth, turn, shift, np.float32(magnification))


@kernel
def _place_row(y, depth, turn, shift, magnification, keys, colour, places, sides, inverses, row_keys):
    """For each pixel of row y: its key, its target index (row-major, -1: outside) and the side of its square in pixels."""
    target_height, target_width = keys.shape
    half, most, none = np.float32(0.5), np.float32(LARGEST_SQUARE), np.float32(0)
    right, bottom = np.float32(target_width - 0.5), np.float32(target_height - 0.5)
    t00, t10, t20 = turn[0, 0], turn[1, 0], turn[2, 0]
    s0, s1, s2 = shift[0], shift[1], shift[2]
    base_x = turn[0, 1] * np.float32(y) + turn[0, 2]
    base_y = turn[1, 1] * np.float32(y) + turn[1, 2]
    base_z = turn[2, 1] * np.float32(y) + turn[2, 2]
    for x in range(len(places)):
        column, d = np.float32(x), depth[y, x]
        z = d * (t20 * column + base_z) + s2
        inverse = np.float32(1) / z
        u = (d * (t00 * column + base_x) + s0) * inverse
        v = (d * (t10 * column + base_y) + s1) * inverse
        inside = (d > 0) & (z > NEAR) & (u > -half) & (u < right) & (v > -half) & (v < bottom)
        u, v = (u + half if inside else none), (v + half if inside else none)
        side = min(magnification * d * inverse + np.float32(0.3), most)
        places[x] = np.int32(v) * np.int32(target_width) + np.int32(u) if inside else np.int32(-1)
        sides[x] = np.int32(side if inside else none)
        inverses[x] = inverse
    bits = inverses.view(np.uint32)
    for x in range(len(places)):
        row_keys[x] = np.uint64(bits[x]) << np.uint64(32) | np.uint64(colour[y, x])


@kernel
def _draw(keys, colour, depth, turn, shift, magnification):
    height, width = depth.shape
    target_height, target_width = keys.shape
    places, sides = np.empty(width, np.int32), np.empty(width, np.int32)
    inverses, row_keys = np.empty(width, np.float32), np.empty(width, np.uint64)
    flat = keys.reshape(-1)
    for y in range(height):
        _place_row(y, depth, turn, shift, magnification, keys, colour, places, sides, inverses, row_keys)
        for x in range(width):
            place, key = np.int64(places[x]), row_keys[x]
            if place < 0:
                continue
            if sides[x] <= 1:
                flat[place] = max(flat[place], key)
                continue
            before = (sides[x] - 1) // 2
            top, left = place // target_width - before, place % target_width - before
            for row in range(max(top, 0), min(top + sides[x], target_height)):
                for column in range(max(left, 0), min(left + sides[x], target_width)):
                    keys[row, column] = max(keys[row, column], key)
