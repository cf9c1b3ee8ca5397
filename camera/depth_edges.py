"""Reliable depth: pixels away from depth edges. A pixel at an edge mixes two surfaces."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def reliable_depth(depth: NDArray[np.float32], threshold: float = 0.05) -> NDArray[np.bool_]:
    """(H,W): True where depth (H,W) is positive and its 5x5 neighbourhood spans less than ``threshold`` of its mean.

    GEN3C's point filter. The mean includes zeros beyond the border, so fewer border pixels pass.
    """
    depth = np.ascontiguousarray(depth, dtype=np.float32)
    window = np.ones((5, 5), np.uint8)
    span = cv2.dilate(depth, window)
    span -= cv2.erode(depth, window)
    mean = cv2.boxFilter(depth, -1, (5, 5), borderType=cv2.BORDER_CONSTANT)
    mean += 1e-6
    np.divide(span, mean, out=span)
    return (span < threshold) & (depth > 0)
