"""Fits hand-made masks of a clip's moving parts to the frame size of the clip."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camera.path import Fit, pinhole
from camera.view import View


def fit_masks(masks: NDArray[np.bool_], width: int, height: int, fit: Fit = "crop") -> NDArray[np.bool_]:
    """Masks (F,h,w) fitted to ``width`` x ``height`` as by `camera.view.View.fitted`; padding is False."""
    return np.stack([_fit_mask(mask, width, height, fit) for mask in masks])


def _fit_mask(mask: NDArray[np.bool_], width: int, height: int, fit: Fit) -> NDArray[np.bool_]:
    rows, columns = mask.shape
    depth = np.ones(mask.shape, np.float32)
    view = View(np.zeros((rows, columns, 3), np.uint8), depth, pinhole(columns, rows, 60), np.eye(4), mask)
    return view.fitted(width, height, fit).known
