"""Hard z-buffer of one depth picture: every pixel becomes a square, the nearest wins. The fastest renderer.

Depth and colour of a pixel travel in one 64-bit key (depth bits above, then a bit for the far layer, then RGB), so
that one comparison decides both and the result does not depend on the order of the points.
Imports the compiler: import this module on first use only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camera.compiled import kernel

EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)
NEAR = np.float32(1e-4)
CHUNK = 1024
LARGEST_SQUARE = 16
"""Side in pixels of the largest square; nearer points leave holes between them."""


def packed(colour: NDArray[np.uint8], depth: NDArray[np.float32], far: float) -> NDArray[np.uint32]:
    """Colour (h,w,3) as `draw` wants it, (h,w): RGB in 24 bits and one bit for the far layer, source depth from ``far``."""
    result = np.empty(depth.shape, np.uint32)
    _pack(colour, depth, np.float32(far), result)
    return result


def empty_keys(height: int, width: int) -> NDArray[np.uint64]:
    """(H,W) keys of a picture without any point."""
    return np.full((height, width), EMPTY)


def draw(
    keys: NDArray[np.uint64],
    colour: NDArray[np.uint32],
    *,
    depth: NDArray[np.float32],
    turn: NDArray[np.float32],
    shift: NDArray[np.float32],
    magnification: float,
) -> None:
    """Draws `packed` ``colour`` (h,w) at ``depth`` (h,w) into ``keys`` (H,W), in place; depth 0 is not drawn.

    A source pixel (x,y) of depth d lands at the homogeneous pixel ``d * turn @ (x,y,1) + shift``.
    ``magnification``: target focal length over source focal length; squares grow with it and as points come nearer.
    """
    _draw(keys, colour, depth, turn, shift, np.float32(magnification))


def unpack(
    keys: NDArray[np.uint64],
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint8]]:
    """Colour (H,W,3), depth (H,W) with 0 in holes, layer (H,W): 0 hole, 1 surface, 2 far layer."""
    height, width = keys.shape
    colour = np.empty(-(-keys.size // 4) * 3, np.uint32)  # four pixels in three words
    depth = np.empty((height, width), np.float32)
    layer = np.empty((height, width), np.uint8)
    _unpack(keys.reshape(-1), colour, depth.view(np.uint32).reshape(-1), layer.reshape(-1))
    return colour.view(np.uint8)[: 3 * keys.size].reshape(height, width, 3), depth, layer


@kernel
def _pack(colour, depth, far, result):
    height, width = depth.shape
    for y in range(height):
        for x in range(width):
            rgb = np.uint32(colour[y, x, 0]) | np.uint32(colour[y, x, 1]) << np.uint32(8)
            rgb |= np.uint32(colour[y, x, 2]) << np.uint32(16)
            result[y, x] = rgb | (np.uint32(1) << np.uint32(24) if depth[y, x] >= far else np.uint32(0))


@kernel
def _place_row(y, depth, turn, shift, magnification, keys, colour, places, sides, z_row, row_keys):
    """For each pixel of row y its key, its target (row-major, -1: outside) and the side of its square in pixels."""
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
        z_row[x] = z
    bits = z_row.view(np.uint32)
    for x in range(len(places)):
        row_keys[x] = np.uint64(bits[x]) << np.uint64(32) | np.uint64(colour[y, x])


@kernel
def _draw(keys, colour, depth, turn, shift, magnification):
    height, width = depth.shape
    target_height, target_width = keys.shape
    places, sides = np.empty(width, np.int32), np.empty(width, np.int32)
    z_row, row_keys = np.empty(width, np.float32), np.empty(width, np.uint64)
    flat = keys.reshape(-1)
    for y in range(height):
        _place_row(y, depth, turn, shift, magnification, keys, colour, places, sides, z_row, row_keys)
        for x in range(width):
            place, key = np.int64(places[x]), row_keys[x]
            if place < 0:
                continue
            if sides[x] <= 1:
                flat[place] = min(flat[place], key)
                continue
            before = (sides[x] - 1) // 2
            top, left = place // target_width - before, place % target_width - before
            for row in range(max(top, 0), min(top + sides[x], target_height)):
                for column in range(max(left, 0), min(left + sides[x], target_width)):
                    keys[row, column] = min(keys[row, column], key)


@kernel
def _unpack_run(keys, rgb, depth_bits, layer):
    none = np.uint32(0)
    for i in range(len(keys)):
        key = keys[i]
        hole = key == EMPTY
        word = none if hole else np.uint32(key)
        depth_bits[i] = none if hole else np.uint32(key >> np.uint64(32))
        layer[i] = np.uint8(0) if hole else np.uint8(1 + (word >> np.uint32(24)))
        rgb[i] = word & np.uint32(0xFFFFFF)


@kernel
def _four_in_three(rgb, words):
    for i in range(len(words) // 3):
        a, b, c, d = rgb[4 * i], rgb[4 * i + 1], rgb[4 * i + 2], rgb[4 * i + 3]
        words[3 * i] = a | b << np.uint32(24)
        words[3 * i + 1] = b >> np.uint32(8) | c << np.uint32(16)
        words[3 * i + 2] = c >> np.uint32(16) | d << np.uint32(8)


@kernel
def _unpack(keys, words, depth_bits, layer):
    rgb = np.zeros(CHUNK, np.uint32)
    for start in range(0, keys.size, CHUNK):
        end = min(start + CHUNK, keys.size)
        _unpack_run(keys[start:end], rgb, depth_bits[start:end], layer[start:end])
        _four_in_three(rgb, words[start // 4 * 3 : (end + 3) // 4 * 3])
