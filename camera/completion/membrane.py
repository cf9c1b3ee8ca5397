"""Smooth colour for the holes of a picture: light that runs on over a surface and fades to what is usual around it.

A hole's colour is that of a membrane held at the hole's rim (a screened Poisson equation: the mean of a random field whose
correlation falls with distance, given the rim). Between pixels of two surfaces the membrane is nearly cut, and to a rim of
little weight nearly loose. Solved from coarse pictures to fine ones, each beginning with the one before.
Imports the compiler: import this module on first use only.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.kernel import kernel

REACH = 0.12
"""Over this part of the picture's width the rim's colour fades to the usual one by a factor of e."""
SAME = np.float32(0.06)
"""Inverse depths of neighbours within this share of each other lie on one surface."""
CUT = np.float32(0.05)
"""How strongly two surfaces pull at each other, against 1 within one."""
LAYERS = 6
"""Into so many layers of equally many known pixels depth is cut for what is usual: sky is not what is usual on the ground."""
SMALLEST = 4
SWEEPS = 10


def stretch_membrane(
    colour: NDArray[np.float32],
    weights: NDArray[np.float32],
    inverse: NDArray[np.float32],
    holes: NDArray[np.bool_],
    *,
    reach: float = REACH,
) -> NDArray[np.float32]:
    """``colour`` (H,W,3), 0 to 255, with ``holes`` (H,W) filled smoothly; a new array.

    ``weights`` (H,W) in 0..1: how much a known pixel's colour counts. ``inverse`` (H,W): inverse depth, known everywhere, 0
    on sky. ``reach``: part of the width over which a colour fades to the mean around. Comes back unchanged where no known
    pixel has a weight.
    """
    known = np.where(holes, np.float32(0), weights).astype(np.float32)
    if not (known > 0).any():
        return colour.copy()
    levels = [(colour * known[..., None], known, inverse)]
    while min(levels[-1][1].shape) >= 2 * SMALLEST:
        levels.append(_halve(*levels[-1]))
    usual = _find_usual(levels, reach * holes.shape[1])
    found: NDArray[np.float32] | None = None
    for number in range(len(levels) - 1, -1, -1):
        summed, known, inverse = levels[number]
        free = holes if number == 0 else known == 0
        width, height = known.shape[::-1]
        mean = _resize(usual, (width, height))
        begin = mean if found is None else _resize(found, (width, height))
        begin = np.where(free[..., None], begin, summed / np.maximum(known, 1e-9)[..., None]).astype(np.float32)
        stiff = np.float32(min((2**number / (reach * holes.shape[1])) ** 2, 1.0))
        _relax(begin, known, inverse, free, mean, stiff)
        found = begin
    assert found is not None
    return np.where(holes[..., None], found, colour)


def _halve(
    summed: NDArray[np.float32], known: NDArray[np.float32], inverse: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """At half size: colour times weight and weight as means, inverse depth of one of the pixels."""
    height, width = known.shape
    size = (width // 2, height // 2)
    return (
        np.asarray(cv2.resize(summed, size, interpolation=cv2.INTER_AREA), np.float32),
        np.asarray(cv2.resize(known, size, interpolation=cv2.INTER_AREA), np.float32),
        np.asarray(cv2.resize(inverse, size, interpolation=cv2.INTER_NEAREST), np.float32),
    )


def _resize(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """To ``size``, width and height."""
    smaller = size[0] < values.shape[1]
    return np.asarray(
        cv2.resize(values, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR), np.float32
    )


def _find_usual(levels: list, distance: float) -> NDArray[np.float32]:
    """(H,W,3): the mean colour of what is known within about ``distance`` pixels and about as far away."""
    summed, known, coarse = levels[min(max(int(np.log2(max(distance / 3, 1))), 0), len(levels) - 1)]
    inverse = levels[0][2]
    bounds = np.unique(np.quantile(coarse[known > 0], np.arange(1, LAYERS) / LAYERS))
    layers, wanted = np.digitize(coarse, bounds), np.digitize(inverse, bounds)
    sums = np.dstack([summed, known]).astype(np.float32)
    everywhere = sums.reshape(-1, 4).sum(axis=0) / known.size
    result = np.empty((*inverse.shape, 3), np.float32)
    for number in range(len(bounds) + 1):
        layer = np.where((layers == number)[..., None], sums, np.float32(0))
        mean = cv2.GaussianBlur(layer, (0, 0), 3) + 0.05 * layer.reshape(-1, 4).mean(axis=0) + 1e-3 * everywhere
        here = wanted == number
        result[here] = _resize(mean[..., :3] / mean[..., 3:], inverse.shape[::-1])[here]
    return result


@kernel
def _relax(colour, weights, inverse, free, mean, stiff):
    """`SWEEPS` of Gauss-Seidel, forwards and backwards, over the ``free`` pixels, in place."""
    height, width = free.shape
    for sweep in range(SWEEPS):
        for row in range(height):
            y = row if sweep % 2 == 0 else height - 1 - row
            for column in range(width):
                x = column if sweep % 2 == 0 else width - 1 - column
                if not free[y, x]:
                    continue
                here = inverse[y, x]
                total = stiff
                red, green, blue = stiff * mean[y, x, 0], stiff * mean[y, x, 1], stiff * mean[y, x, 2]
                for side in range(4):
                    j = y + (1 if side == 0 else -1 if side == 1 else 0)
                    i = x + (1 if side == 2 else -1 if side == 3 else 0)
                    if j < 0 or i < 0 or j >= height or i >= width:
                        continue
                    pull = np.float32(1) if free[j, i] else weights[j, i]
                    if abs(inverse[j, i] - here) > SAME * max(inverse[j, i], here):
                        pull *= CUT
                    total += pull
                    red += pull * colour[j, i, 0]
                    green += pull * colour[j, i, 1]
                    blue += pull * colour[j, i, 2]
                colour[y, x, 0], colour[y, x, 1], colour[y, x, 2] = red / total, green / total, blue / total
