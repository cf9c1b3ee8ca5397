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
LARGEST_SQUARE = 16
"""Side in pixels of the largest square; nearer points leave holes between them."""


def empty_keys(height: int, width: int) -> NDArray[np.uint64]:
    """(H,W) keys of a picture without any point."""
    return np.full((height, width), EMPTY)


def draw(
    keys: NDArray[np.uint64],
    colour: NDArray[np.uint8],
    *,
    depth: NDArray[np.float32],
    turn: NDArray[np.float32],
    shift: NDArray[np.float32],
    magnification: float,
    far: float,
) -> None:
    """Draws ``colour`` (h,w,3) at ``depth`` (h,w) into ``keys`` (H,W), in place; depth 0 is not drawn.

    A source pixel (x,y) of depth d lands at the homogeneous pixel ``d * turn @ (x,y,1) + shift``.
    ``magnification``: target focal length over source focal length; squares grow with it and as points come nearer.
    ``far``: source depth from which a pixel belongs to the far layer.
    """
    _draw(keys, colour, depth, turn, shift, np.float32(magnification), np.float32(far))


def unpack(
    keys: NDArray[np.uint64],
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint8]]:
    """Colour (H,W,3), depth (H,W) with 0 in holes, layer (H,W): 0 hole, 1 surface, 2 far layer."""
    height, width = keys.shape
    colour = np.empty((height, width, 3), np.uint8)
    depth = np.empty((height, width), np.float32)
    layer = np.empty((height, width), np.uint8)
    _unpack(keys.reshape(-1), colour.reshape(-1, 3), depth.reshape(-1), layer.reshape(-1))
    return colour, depth, layer


@kernel
def _draw(keys, colour, depth, turn, shift, magnification, far):
    height, width = depth.shape
    target_height, target_width = keys.shape
    columns = np.empty(width, np.int32)
    rows = np.empty(width, np.int32)
    sides = np.empty(width, np.int32)
    z_row = np.empty(width, np.float32)
    z_bits = z_row.view(np.uint32)
    right, bottom = np.float32(target_width - 0.5), np.float32(target_height - 0.5)
    half, most = np.float32(0.5), np.float32(LARGEST_SQUARE)
    for y in range(height):
        base_x = turn[0, 1] * np.float32(y) + turn[0, 2]
        base_y = turn[1, 1] * np.float32(y) + turn[1, 2]
        base_z = turn[2, 1] * np.float32(y) + turn[2, 2]
        for x in range(width):
            d = depth[y, x]
            column = np.float32(x)
            z = d * (turn[2, 0] * column + base_z) + shift[2]
            inverse = np.float32(1) / z
            u = (d * (turn[0, 0] * column + base_x) + shift[0]) * inverse
            v = (d * (turn[1, 0] * column + base_y) + shift[1]) * inverse
            inside = (d > 0) & (z > NEAR) & (u > -half) & (u < right) & (v > -half) & (v < bottom)
            side = min(magnification * d * inverse + np.float32(0.3), most)
            columns[x] = np.int32(u + half) if inside else np.int32(-1)
            rows[x] = np.int32(v + half) if inside else np.int32(0)
            sides[x] = np.int32(side) if inside else np.int32(0)
            z_row[x] = z
        for x in range(width):
            if columns[x] < 0:
                continue
            rgb = np.uint64(colour[y, x, 0]) | np.uint64(colour[y, x, 1]) << np.uint64(8)
            rgb |= np.uint64(colour[y, x, 2]) << np.uint64(16)
            if depth[y, x] >= far:
                rgb |= np.uint64(1) << np.uint64(24)
            key = np.uint64(z_bits[x]) << np.uint64(32) | rgb
            if sides[x] <= 1:
                if key < keys[rows[x], columns[x]]:
                    keys[rows[x], columns[x]] = key
                continue
            top, left = rows[x] - (sides[x] - 1) // 2, columns[x] - (sides[x] - 1) // 2
            for row in range(max(top, 0), min(top + sides[x], target_height)):
                for column_ in range(max(left, 0), min(left + sides[x], target_width)):
                    if key < keys[row, column_]:
                        keys[row, column_] = key


@kernel
def _unpack(keys, colour, depth, layer):
    bits = np.empty(1024, np.uint32)
    values = bits.view(np.float32)
    for start in range(0, keys.size, 1024):
        count = min(1024, keys.size - start)
        for i in range(count):
            key = keys[start + i]
            hole = key == EMPTY
            bits[i] = np.uint32(0) if hole else np.uint32(key >> np.uint64(32))
            layer[start + i] = np.uint8(0) if hole else np.uint8(1) + np.uint8((key >> np.uint64(24)) & np.uint64(1))
            colour[start + i, 0] = np.uint8(0) if hole else np.uint8(key & np.uint64(255))
            colour[start + i, 1] = np.uint8(0) if hole else np.uint8((key >> np.uint64(8)) & np.uint64(255))
            colour[start + i, 2] = np.uint8(0) if hole else np.uint8((key >> np.uint64(16)) & np.uint64(255))
        for i in range(count):
            depth[start + i] = values[i]
