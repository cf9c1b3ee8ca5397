"""Smooth colour for the holes of a picture: interpolated from the rim, fading to the local mean.

The colour in a hole is a membrane fixed at the hole's rim (a screened Poisson equation: the mean of a random field whose
correlation falls with distance, given the rim). The membrane is nearly cut between pixels of different surfaces, and nearly free
at rim pixels of little weight. Solved from coarse to fine, each level initialised from the previous one.
Imports numba: import this module on first use only.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.kernel import kernel

REACH = 0.12
"""Decay length, as a fraction of the picture's width: over it the rim's influence falls by a factor of e."""
SAME = np.float32(0.06)
"""Neighbours whose inverse depths differ by at most this fraction are on one surface."""
CUT = np.float32(0.05)
"""Coupling between two surfaces, relative to 1 within one."""
LAYERS = 6
"""Number of depth layers, with equally many known pixels each, that have their own local mean, so that sky does not mix with ground."""
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
    on sky. ``reach``: decay length as a fraction of the width. Returns a copy of ``colour`` if no known pixel has a weight.
    """
    known = np.where(holes, np.float32(0), weights).astype(np.float32)
    if not (known > 0).any():
        return colour.copy()
    levels = [(colour * known[..., None], known, inverse)]
    while min(levels[-1][1].shape) >= 2 * SMALLEST:
        levels.append(_halve(*levels[-1]))
    local_mean = _local_means(levels, reach * holes.shape[1])
    solution: NDArray[np.float32] | None = None
    for number in range(len(levels) - 1, -1, -1):
        summed, known, inverse = levels[number]
        free = holes if number == 0 else known == 0
        width, height = known.shape[::-1]
        mean = _resize(local_mean, (width, height))
        begin = mean if solution is None else _resize(solution, (width, height))
        begin = np.where(free[..., None], begin, summed / np.maximum(known, 1e-9)[..., None]).astype(np.float32)
        stiff = np.float32(min((2**number / (reach * holes.shape[1])) ** 2, 1.0))
        _relax(begin, known, inverse, free, mean, stiff)
        solution = begin
    assert solution is not None
    return np.where(holes[..., None], solution, colour)


def _halve(
    summed: NDArray[np.float32], known: NDArray[np.float32], inverse: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Half size: means of weighted colour and of weight, inverse depth by nearest neighbour."""
    height, width = known.shape
    size = (width // 2, height // 2)
    return (
        np.asarray(cv2.resize(summed, size, interpolation=cv2.INTER_AREA), np.float32),
        np.asarray(cv2.resize(known, size, interpolation=cv2.INTER_AREA), np.float32),
        np.asarray(cv2.resize(inverse, size, interpolation=cv2.INTER_NEAREST), np.float32),
    )


def _resize(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Resized to ``size`` (width, height)."""
    smaller = size[0] < values.shape[1]
    return np.asarray(
        cv2.resize(values, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR), np.float32
    )


def _local_means(levels: list, distance: float) -> NDArray[np.float32]:
    """(H,W,3): the mean colour of known pixels within about ``distance`` pixels in the same depth layer."""
    summed, known, coarse = levels[min(max(int(np.log2(max(distance / 3, 1))), 0), len(levels) - 1)]
    inverse = levels[0][2]
    bounds = np.unique(np.quantile(coarse[known > 0], np.arange(1, LAYERS) / LAYERS))
    layers, layer_of_pixel = np.digitize(coarse, bounds), np.digitize(inverse, bounds)
    sums = np.dstack([summed, known]).astype(np.float32)
    everywhere = sums.reshape(-1, 4).sum(axis=0) / known.size
    result = np.empty((*inverse.shape, 3), np.float32)
    for number in range(len(bounds) + 1):
        layer = np.where((layers == number)[..., None], sums, np.float32(0))
        mean = cv2.GaussianBlur(layer, (0, 0), 3) + 0.05 * layer.reshape(-1, 4).mean(axis=0) + 1e-3 * everywhere
        here = layer_of_pixel == number
        result[here] = _resize(mean[..., :3] / mean[..., 3:], inverse.shape[::-1])[here]
    return result


@kernel
def _relax(colour, weights, inverse, free, mean, stiff):
    """`SWEEPS` sweeps of Gauss-Seidel, alternately forwards and backwards, over the ``free`` pixels, in place."""
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
                    coupling = np.float32(1) if free[j, i] else weights[j, i]
                    if abs(inverse[j, i] - here) > SAME * max(inverse[j, i], here):
                        coupling *= CUT
                    total += coupling
                    red += coupling * colour[j, i, 0]
                    green += coupling * colour[j, i, 1]
                    blue += coupling * colour[j, i, 2]
                colour[y, x, 0], colour[y, x, 1], colour[y, x, 2] = red / total, green / total, blue / total
