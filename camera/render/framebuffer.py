"""The framebuffer: depth, layer and colour of a pixel in one 64-bit key; the largest key wins.

The upper half holds the bits of the inverse depth (positive floats sort like their bits), the lower half two bits for the
layer (1 surface, 2 far layer) and RGB. One comparison resolves visibility, and the result does not depend on the drawing order.
An empty pixel is 0. Imports numba, so import this module only on first use.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camera.kernel import kernel

RUN = 1024
"""Number of pixels that are unpacked at a time."""


def empty_framebuffer(height: int, width: int) -> NDArray[np.uint64]:
    """(H,W) keys of an empty picture."""
    return np.zeros((height, width), np.uint64)


def pack_pixels(colour: NDArray[np.uint8], depth: NDArray[np.float32], far: float) -> NDArray[np.uint32]:
    """(h,w): the lower half of the keys of a source picture: colour (h,w,3), and the far layer from depth ``far`` on."""
    result = np.empty(depth.shape, np.uint32)
    _pack(colour, depth, np.float32(far), result)
    return result


def unpack_pixels(
    keys: NDArray[np.uint64],
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint8]]:
    """Colour (H,W,3), depth (H,W) with 0 in holes, layer (H,W): 0 hole, 1 surface, 2 far layer."""
    height, width = keys.shape
    words = np.empty(-(-keys.size // 4) * 3, np.uint32)  # four pixels in three words
    depth = np.empty((height, width), np.float32)
    layer = np.empty((height, width), np.uint8)
    _unpack(keys.reshape(-1), words, depth.reshape(-1), layer.reshape(-1))
    return words.view(np.uint8)[: 3 * keys.size].reshape(height, width, 3), depth, layer


def close_cracks(
    keys: NDArray[np.uint64], colour: NDArray[np.uint8], depth: NDArray[np.float32], layer: NDArray[np.uint8]
) -> None:
    """Fill one-pixel holes between two opposite pixels with the farther of the two, in the output of `unpack_pixels` for ``keys``.

    Such holes are sampling gaps or the half pixel beside a depth edge, not disocclusions.
    """
    _close_cracks(keys, colour, depth, layer)


def show_in_holes(
    keys: NDArray[np.uint64],
    colour: NDArray[np.uint8],
    depth: NDArray[np.float32],
    far: NDArray[np.bool_],
    holes: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Copy the pixels drawn in ``keys`` (H,W) into the ``holes`` (H,W) of a picture of colour (H,W,3), depth and far (H,W), in place.

    Cracks are closed as in `close_cracks`. Returns (H,W): True where a pixel was copied.
    """
    filled = np.zeros(holes.shape, np.bool_)
    _show_in_holes(keys, colour, depth, far, holes, filled)
    return filled


@kernel
def _pack(colour, depth, far, result):
    height, width = depth.shape
    for y in range(height):
        for x in range(width):
            rgb = np.uint32(colour[y, x, 0]) | np.uint32(colour[y, x, 1]) << np.uint32(8)
            rgb |= np.uint32(colour[y, x, 2]) << np.uint32(16)
            result[y, x] = rgb | np.uint32(2 if depth[y, x] >= far else 1) << np.uint32(24)


@kernel
def _unpack_run(keys, rgb, inverse_bits, layer):
    for i in range(len(keys)):
        inverse_bits[i] = np.uint32(keys[i] >> np.uint64(32))
        rgb[i] = np.uint32(keys[i]) & np.uint32(0xFFFFFF)
        layer[i] = np.uint8(np.uint32(keys[i]) >> np.uint32(24))


@kernel
def _invert(inverse, depth):
    for i in range(len(depth)):
        depth[i] = np.float32(1) / inverse[i] if inverse[i] > 0 else np.float32(0)


@kernel
def _four_in_three(rgb, words):
    for i in range(len(words) // 3):
        a, b, c, d = rgb[4 * i], rgb[4 * i + 1], rgb[4 * i + 2], rgb[4 * i + 3]
        words[3 * i] = a | b << np.uint32(24)
        words[3 * i + 1] = b >> np.uint32(8) | c << np.uint32(16)
        words[3 * i + 2] = c >> np.uint32(16) | d << np.uint32(8)


@kernel
def _unpack(keys, words, depth, layer):
    rgb = np.zeros(RUN, np.uint32)
    inverse = np.empty(RUN, np.float32)
    bits = inverse.view(np.uint32)
    for start in range(0, keys.size, RUN):
        end = min(start + RUN, keys.size)
        _unpack_run(keys[start:end], rgb, bits, layer[start:end])
        _invert(inverse, depth[start:end])
        _four_in_three(rgb, words[start // 4 * 3 : (end + 3) // 4 * 3])


@kernel
def _beside_a_crack(keys, y, x):
    """The farther pixel of two on opposite sides of an empty one; of several such pairs the farthest; 0 without a pair."""
    height, width = keys.shape
    half = np.uint64(32)
    best = np.uint64(0)
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        ya, xa, yb, xb = y - dy, x - dx, y + dy, x + dx
        if ya < 0 or yb >= height or min(xa, xb) < 0 or max(xa, xb) >= width:
            continue
        one, other = keys[ya, xa], keys[yb, xb]
        if one == 0 or other == 0:
            continue
        farther = other if other >> half < one >> half else one
        if best == 0 or farther >> half < best >> half:
            best = farther
    return best


@kernel
def _put(key, colour, depth, y, x, inverse, bits):
    """Colour and depth of a key at a pixel; returns its layer. ``bits`` is a view of ``inverse`` (1,)."""
    bits[0] = np.uint32(key >> np.uint64(32))
    word = np.uint32(key)
    colour[y, x, 0], colour[y, x, 1] = np.uint8(word), np.uint8(word >> np.uint32(8))
    colour[y, x, 2] = np.uint8(word >> np.uint32(16))
    depth[y, x] = np.float32(1) / inverse[0]
    return np.uint8(word >> np.uint32(24))


@kernel
def _close_cracks(keys, colour, depth, layer):
    height, width = keys.shape
    inverse = np.empty(1, np.float32)
    bits = inverse.view(np.uint32)
    for y in range(height):
        for x in range(width):
            if keys[y, x] != 0:
                continue
            key = _beside_a_crack(keys, y, x)
            if key != 0:
                layer[y, x] = _put(key, colour, depth, y, x, inverse, bits)


@kernel
def _show_in_holes(keys, colour, depth, far, holes, filled):
    height, width = keys.shape
    inverse = np.empty(1, np.float32)
    bits = inverse.view(np.uint32)
    for y in range(height):
        for x in range(width):
            if not holes[y, x]:
                continue
            key = keys[y, x]
            if key == 0:
                key = _beside_a_crack(keys, y, x)
            if key != 0:
                far[y, x] = _put(key, colour, depth, y, x, inverse, bits) == 2
                filled[y, x] = True
