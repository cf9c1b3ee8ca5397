"""Filling of holes that a camera move uncovers, from the background side, and closing of hairline cracks.

What lies behind a foreground object continues the background, so a hole takes its colours from the farther of its
neighbours. Pull-push (Grossman and Dally 1998): pictures of half size are averaged from known pixels until no hole is
left, then every hole takes the smoothly enlarged value from the level above.
Imports the compiler: import this module on first use only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camera.compiled import kernel

BEHIND = np.float32(0.9)
"""A pixel counts as background where its depth is at least this part of the greatest depth beside it."""


def close_cracks(colour: NDArray[np.uint8], depth: NDArray[np.float32], layer: NDArray[np.uint8]) -> None:
    """Fills holes one pixel wide between two opposite neighbours with the farther of the two, in place.

    ``colour`` (H,W,3), ``depth`` (H,W), ``layer`` (H,W) with 0 in holes. Such holes are gaps of the sampling or the
    half pixel beside a depth edge, not regions that the camera move uncovered.
    """
    _close_cracks(colour, depth, layer, layer.copy())


def from_background(
    colour: NDArray[np.uint8], depth: NDArray[np.float32], holes: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """``colour`` (H,W,3) with all ``holes`` (H,W) filled by pull-push from the background; a new array.

    ``depth``: (H,W), read outside the holes only. A picture that is all hole comes back unchanged.
    """
    result = np.ascontiguousarray(colour).copy()
    if not holes.any() or holes.all():
        return result
    levels = [_pull_first(result, depth, holes)]
    while min(levels[-1].shape[:2]) > 1:
        levels.append(_pull(levels[-1]))
        if (levels[-1][..., 3] > 0).all():
            break
    top = levels[-1]
    if (top[..., 3] == 0).any():  # one row or column left: nothing smaller can be made of it
        known = top[..., 3] > 0
        top[~known, :3] = top[known, :3].mean(axis=0)
    for finer, coarser in zip(levels[-2::-1], levels[:0:-1]):
        _push(finer, coarser)
    _push_last(result, holes, levels[0])
    return result


@kernel
def _close_cracks(colour, depth, layer, before):
    height, width = layer.shape
    for y in range(height):
        for x in range(width):
            if before[y, x] != 0:
                continue
            best = np.float32(0)
            from_y, from_x = y, x
            for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
                ya, xa, yb, xb = y - dy, x - dx, y + dy, x + dx
                if ya < 0 or yb >= height or min(xa, xb) < 0 or max(xa, xb) >= width:
                    continue
                if before[ya, xa] == 0 or before[yb, xb] == 0:
                    continue
                if depth[ya, xa] < depth[yb, xb]:
                    ya, xa = yb, xb
                if depth[ya, xa] > best:
                    best, from_y, from_x = depth[ya, xa], ya, xa
            if best > 0:
                depth[y, x] = best
                layer[y, x] = before[from_y, from_x]
                for channel in range(3):
                    colour[y, x, channel] = colour[from_y, from_x, channel]


@kernel
def _pull_first(colour, depth, holes):
    """(h,w,4) of half size: mean RGB of the background pixels of every 2x2 block, and their depth (0: none)."""
    height, width = holes.shape
    out = np.zeros(((height + 1) // 2, (width + 1) // 2, 4), np.float32)
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            bottom, right = min(2 * y + 2, height), min(2 * x + 2, width)
            farthest = np.float32(0)
            for row in range(2 * y, bottom):
                for column in range(2 * x, right):
                    if not holes[row, column]:
                        farthest = max(farthest, depth[row, column])
            red = green = blue = total = np.float32(0)
            for row in range(2 * y, bottom):
                for column in range(2 * x, right):
                    if not holes[row, column] and depth[row, column] >= BEHIND * farthest:
                        red += np.float32(colour[row, column, 0])
                        green += np.float32(colour[row, column, 1])
                        blue += np.float32(colour[row, column, 2])
                        total += np.float32(1)
            if total > 0:
                out[y, x, 0], out[y, x, 1], out[y, x, 2] = red / total, green / total, blue / total
                out[y, x, 3] = farthest
    return out


@kernel
def _pull(finer):
    height, width = finer.shape[:2]
    out = np.zeros(((height + 1) // 2, (width + 1) // 2, 4), np.float32)
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            bottom, right = min(2 * y + 2, height), min(2 * x + 2, width)
            farthest = np.float32(0)
            for row in range(2 * y, bottom):
                for column in range(2 * x, right):
                    farthest = max(farthest, finer[row, column, 3])
            if farthest == 0:
                continue
            total = np.float32(0)
            for row in range(2 * y, bottom):
                for column in range(2 * x, right):
                    if finer[row, column, 3] >= BEHIND * farthest:
                        total += np.float32(1)
                        for channel in range(3):
                            out[y, x, channel] += finer[row, column, channel]
            for channel in range(3):
                out[y, x, channel] /= total
            out[y, x, 3] = farthest
    return out


@kernel
def _enlarged(coarser, y, x, channel):
    """Value at pixel (y,x) of a picture of twice the size, bilinear between the four nearest coarse pixels."""
    row, column = y // 2, x // 2
    next_row = min(max(row + (2 * (y % 2) - 1), 0), coarser.shape[0] - 1)
    next_column = min(max(column + (2 * (x % 2) - 1), 0), coarser.shape[1] - 1)
    near = np.float32(0.75) * coarser[row, column, channel] + np.float32(0.25) * coarser[row, next_column, channel]
    beside = np.float32(0.75) * coarser[next_row, column, channel]
    beside += np.float32(0.25) * coarser[next_row, next_column, channel]
    return np.float32(0.75) * near + np.float32(0.25) * beside


@kernel
def _push(finer, coarser):
    for y in range(finer.shape[0]):
        for x in range(finer.shape[1]):
            if finer[y, x, 3] == 0:
                for channel in range(3):
                    finer[y, x, channel] = _enlarged(coarser, y, x, channel)


@kernel
def _push_last(colour, holes, coarser):
    for y in range(holes.shape[0]):
        for x in range(holes.shape[1]):
            if holes[y, x]:
                for channel in range(3):
                    value = _enlarged(coarser, y, x, channel) + np.float32(0.5)
                    colour[y, x, channel] = np.uint8(min(max(value, np.float32(0)), np.float32(255)))
