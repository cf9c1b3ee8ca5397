"""Sparse depth of tracked points: spread over the picture, and aligned with a dense map."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float64]
"""(N,2), x and y, pixel centres at integers."""


def align_depth(relative: NDArray, pixels: Pixels, depths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale ``relative`` depth (H,W), increasing with distance, to the unit of ``depths`` (K,) known at ``pixels`` (K,2).

    Scaled by the ratio of the medians, then shifted by the median difference.
    """
    column, row = pixels.round().astype(int).T
    there = relative[row.clip(0, relative.shape[0] - 1), column.clip(0, relative.shape[1] - 1)].astype(np.float64)
    scale = np.median(depths) / max(float(np.median(there)), 1e-9)
    return scale * relative + np.median(depths - scale * there)


def spread_depth(pixels: Pixels, depths: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """(H,W): at every pixel, the depth of the nearest of the known ``pixels``; a substitute for a depth network."""
    column, row = pixels.round().astype(int).T
    empty = np.full((height, width), 255, np.uint8)
    row, column = row.clip(0, height - 1), column.clip(0, width - 1)
    empty[row, column] = 0
    _, found = cv2.distanceTransformWithLabels(empty, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    nearest = np.asarray(found, np.int64)
    table = np.zeros(nearest.max() + 1)
    table[nearest[row, column]] = depths
    return table[nearest]
