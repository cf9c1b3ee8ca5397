"""Fills disocclusion holes from the background side.

The background continues behind a foreground object, so a hole takes its colours from its farther neighbours. Pull-push
(Grossman and Dally 1998): pictures of half size are averaged from known pixels until no hole is left, then every hole takes
the smoothly enlarged value of the coarser level.
Imports numba, so import this module only on first use.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camera.kernel import kernel

BEHIND = np.float32(0.9)
"""A pixel counts as background if its depth is at least this fraction of the greatest depth beside it."""
HORIZON = np.float32(0.04)
"""Range of the sine of elevation over which the ground filling blends into the sky filling."""


def from_background(
    colour: NDArray[np.uint8], depth: NDArray[np.float32], holes: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """``colour`` (H,W,3) with all ``holes`` (H,W) filled by pull-push from the background; a new array.

    ``depth``: (H,W), read only outside the holes. A picture that is all hole is returned unchanged.
    """
    return _fill(np.ascontiguousarray(colour), depth, holes, holes)


def from_ground_and_sky(
    colour: NDArray[np.uint8],
    depth: NDArray[np.float32],
    holes: NDArray[np.bool_],
    sky: NDArray[np.bool_],
    *,
    up: NDArray[np.float32],
    intrinsics: NDArray[np.float64],
    lowest: float,
) -> NDArray[np.uint8]:
    """Like `from_background`, but holes below the horizon continue the ground instead of the sky, whose mask is ``sky`` (H,W).

    A hole is below the horizon if the sine of its ray's elevation, relative to the unit vector ``up`` (3,) in camera axes, is
    less than ``lowest``, the lowest at which the sky is visible. The two fillings blend across `HORIZON`.
    """
    behind = from_background(colour, depth, holes)
    if not sky.any() or (holes | sky).all():
        return behind
    ground = _fill(np.ascontiguousarray(colour), depth, holes | sky, holes)
    _blend_below(behind, ground, holes, np.linalg.inv(intrinsics).astype(np.float32), up, np.float32(lowest))
    return behind


def _fill(
    colour: NDArray[np.uint8], depth: NDArray[np.float32], unknown: NDArray[np.bool_], holes: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """A copy of ``colour`` with ``holes`` filled from the pixels that are not ``unknown``."""
    result = colour.copy()
    if not holes.any() or unknown.all():
        return result
    levels = [_pull_first(result, depth, unknown)]
    while min(levels[-1].shape[:2]) > 1:
        levels.append(_pull(levels[-1]))
        if (levels[-1][..., 3] > 0).all():
            break
    top = levels[-1]
    filled = top[..., 3] == 0
    if filled.any():  # one row or column is left, which cannot be halved further
        top[filled] = top[~filled].mean(axis=0)
    for finer, coarser in zip(levels[-2::-1], levels[:0:-1]):
        empty = finer[..., 3] == 0
        _push(finer, coarser, filled)
        _smooth(finer, empty)
        filled = empty
    _push_last(result, holes, levels[0], filled)
    return result


@kernel
def _background(d0, d1, d2, d3):
    """The greatest of four depths (0: none) and, for each, 1 if it belongs to the background, else 0."""
    farthest = max(max(d0, d1), max(d2, d3))
    limit = max(BEHIND * farthest, np.float32(1e-30))
    one, none = np.float32(1), np.float32(0)
    return (
        farthest,
        one if d0 >= limit else none,
        one if d1 >= limit else none,
        one if d2 >= limit else none,
        one if d3 >= limit else none,
    )


@kernel
def _pull_first(colour, depth, holes):
    """(h,w,4) at half size: mean RGB of the background pixels of every 2x2 block, and their depth (0: none)."""
    height, width = holes.shape
    out = np.empty(((height + 1) // 2, (width + 1) // 2, 4), np.float32)
    above, below = np.empty((4, width + width % 2), np.float32), np.empty((4, width + width % 2), np.float32)
    mean = np.empty((4, out.shape[1]), np.float32)
    for y in range(out.shape[0]):
        second = min(2 * y + 1, height - 1)
        _planes(colour[2 * y].reshape(-1), depth[2 * y], holes[2 * y], above[0], above[1], above[2], above[3])
        _planes(colour[second].reshape(-1), depth[second], holes[second], below[0], below[1], below[2], below[3])
        _pull_row(above, below, mean[0], mean[1], mean[2], mean[3])
        for x in range(out.shape[1]):
            out[y, x, 0], out[y, x, 1], out[y, x, 2], out[y, x, 3] = mean[0, x], mean[1, x], mean[2, x], mean[3, x]
    return out


@kernel
def _planes(colour, depth, holes, reds, greens, blues, depths):
    """Split a row into planes of even length, repeating the last pixel if needed; depth 0 in holes."""
    width = len(depth)
    for x in range(width):
        reds[x], greens[x], blues[x] = colour[3 * x], colour[3 * x + 1], colour[3 * x + 2]
    for x in range(width):
        depths[x] = np.float32(0) if holes[x] else depth[x]
    if len(depths) > width:
        reds[width], greens[width], blues[width] = reds[width - 1], greens[width - 1], blues[width - 1]
        depths[width] = depths[width - 1]


@kernel
def _pull_row(above, below, reds, greens, blues, depths):
    for x in range(len(depths)):
        a, b = 2 * x, 2 * x + 1
        farthest, w0, w1, w2, w3 = _background(above[3, a], above[3, b], below[3, a], below[3, b])
        part = np.float32(1) / max(w0 + w1 + w2 + w3, np.float32(1))
        reds[x] = ((w0 * above[0, a] + w1 * above[0, b]) + (w2 * below[0, a] + w3 * below[0, b])) * part
        greens[x] = ((w0 * above[1, a] + w1 * above[1, b]) + (w2 * below[1, a] + w3 * below[1, b])) * part
        blues[x] = ((w0 * above[2, a] + w1 * above[2, b]) + (w2 * below[2, a] + w3 * below[2, b])) * part
        depths[x] = farthest


@kernel
def _pull(finer):
    height, width = finer.shape[:2]
    out = np.empty(((height + 1) // 2, (width + 1) // 2, 4), np.float32)
    for y in range(out.shape[0]):
        top, bottom = 2 * y, min(2 * y + 1, height - 1)
        for x in range(out.shape[1]):
            left, right = 2 * x, min(2 * x + 1, width - 1)
            farthest, w0, w1, w2, w3 = _background(
                finer[top, left, 3], finer[top, right, 3], finer[bottom, left, 3], finer[bottom, right, 3]
            )
            part = np.float32(1) / max(w0 + w1 + w2 + w3, np.float32(1))
            for channel in range(3):
                above = w0 * finer[top, left, channel] + w1 * finer[top, right, channel]
                below = w2 * finer[bottom, left, channel] + w3 * finer[bottom, right, channel]
                out[y, x, channel] = (above + below) * part
            out[y, x, 3] = farthest
    return out


@kernel
def _enlarge(coarser, filled, y, x):
    """Red, green, blue and depth at pixel (y,x) of a picture of twice the size.

    Bilinear over those of the four nearest coarse pixels that are background or were themselves filled: a depth edge
    between two filled pixels is not real and would show as a straight line.
    """
    row, column = y // 2, x // 2
    row2 = min(max(row + (2 * (y % 2) - 1), 0), coarser.shape[0] - 1)
    column2 = min(max(column + (2 * (x % 2) - 1), 0), coarser.shape[1] - 1)
    d0, d1 = coarser[row, column, 3], coarser[row, column2, 3]
    d2, d3 = coarser[row2, column, 3], coarser[row2, column2, 3]
    _, w0, w1, w2, w3 = _background(d0, d1, d2, d3)
    one = np.float32(1)
    w0 = np.float32(9) * (one if filled[row, column] else w0)
    w1 = np.float32(3) * (one if filled[row, column2] else w1)
    w2 = np.float32(3) * (one if filled[row2, column] else w2)
    w3 = one if filled[row2, column2] else w3
    part = one / (w0 + w1 + w2 + w3)
    w0, w1, w2, w3 = w0 * part, w1 * part, w2 * part, w3 * part
    red = w0 * coarser[row, column, 0] + w1 * coarser[row, column2, 0]
    red += w2 * coarser[row2, column, 0] + w3 * coarser[row2, column2, 0]
    green = w0 * coarser[row, column, 1] + w1 * coarser[row, column2, 1]
    green += w2 * coarser[row2, column, 1] + w3 * coarser[row2, column2, 1]
    blue = w0 * coarser[row, column, 2] + w1 * coarser[row, column2, 2]
    blue += w2 * coarser[row2, column, 2] + w3 * coarser[row2, column2, 2]
    return red, green, blue, (w0 * d0 + w1 * d1) + (w2 * d2 + w3 * d3)


@kernel
def _push(finer, coarser, filled):
    for y in range(finer.shape[0]):
        for x in range(finer.shape[1]):
            if finer[y, x, 3] == 0:
                finer[y, x, 0], finer[y, x, 1], finer[y, x, 2], finer[y, x, 3] = _enlarge(coarser, filled, y, x)


@kernel
def _smooth(level, filled):
    """Smooth the ``filled`` pixels with a 3x3 mean that excludes known pixels in front of them."""
    height, width = filled.shape
    before = level.copy()
    for y in range(height):
        for x in range(width):
            if not filled[y, x]:
                continue
            limit = BEHIND * before[y, x, 3]
            red, green, blue, depth, count = np.float32(0), np.float32(0), np.float32(0), np.float32(0), np.float32(0)
            for j in range(max(y - 1, 0), min(y + 2, height)):
                for i in range(max(x - 1, 0), min(x + 2, width)):
                    if filled[j, i] or before[j, i, 3] >= limit:
                        red, green, blue = red + before[j, i, 0], green + before[j, i, 1], blue + before[j, i, 2]
                        depth, count = depth + before[j, i, 3], count + np.float32(1)
            level[y, x, 0], level[y, x, 1], level[y, x, 2] = red / count, green / count, blue / count
            level[y, x, 3] = depth / count


@kernel
def _blend_below(colour, ground, holes, inverse_lens, up, lowest):
    one, half = np.float32(1), np.float32(0.5)
    for y in range(holes.shape[0]):
        for x in range(holes.shape[1]):
            if not holes[y, x]:
                continue
            a = inverse_lens[0, 0] * x + inverse_lens[0, 1] * y + inverse_lens[0, 2]
            b = inverse_lens[1, 1] * y + inverse_lens[1, 2]
            sine = (up[0] * a + up[1] * b + up[2]) / np.sqrt(a * a + b * b + one)
            part = min(max(half + (lowest - sine) / HORIZON, np.float32(0)), one)
            for channel in range(3):
                value = part * ground[y, x, channel] + (one - part) * colour[y, x, channel]
                colour[y, x, channel] = np.uint8(value + half)


@kernel
def _push_last(colour, holes, coarser, filled):
    half = np.float32(0.5)
    for y in range(holes.shape[0]):
        for x in range(holes.shape[1]):
            if holes[y, x]:
                red, green, blue, _ = _enlarge(coarser, filled, y, x)
                colour[y, x, 0], colour[y, x, 1] = np.uint8(red + half), np.uint8(green + half)
                colour[y, x, 2] = np.uint8(blue + half)
