"""Fits the scale and offset of inverse depth, which a depth model leaves undetermined, to known depths, per picture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEAST_POINTS = 8
STEPS, SPREAD = 20, 1.5
"""Iterations of the weighted fit; a point with this many times the median residual gets half the weight."""


class SparseDepth(NamedTuple):
    """Known depths (K,) along z at pixels (K,2) of one picture."""

    pixels: NDArray[np.float64]
    depths: NDArray[np.float64]


def fit_to_depth(depth: NDArray, other: NDArray, where: NDArray | None = None) -> NDArray[np.float64] | None:
    """Fit the scale and offset of inverse depth that map ``depth`` to ``other`` (H,W), over up to 20,000 pixels."""
    usable = np.isfinite(depth) & (depth > 0) & np.isfinite(other) & (other > 0)
    usable = usable if where is None else usable & where
    step = max(1, int(usable.sum()) // 20_000)
    return fit_inverse(1 / depth[usable][::step], 1 / other[usable][::step])


def fit_to(depth: NDArray, known: SparseDepth) -> NDArray[np.float64] | None:
    """Fit the scale and offset of inverse depth to the known points; None if too few can be used."""
    column, row = known.pixels.round().astype(int).T
    inside = (row >= 0) & (row < depth.shape[0]) & (column >= 0) & (column < depth.shape[1]) & (known.depths > 0)
    there = depth[row[inside], column[inside]].astype(np.float64)
    usable = np.isfinite(there) & (there > 0)
    return fit_inverse(1 / there[usable], 1 / known.depths[inside][usable])


def fit_inverse(source: NDArray, target: NDArray) -> NDArray[np.float64] | None:
    """(scale, offset) with target = scale * source + offset: least squares without the worse half of the points, then with all
    points, weighted down by their error (Cauchy), since the better half alone may lie on a steeper line."""
    if len(source) < LEAST_POINTS:
        return None
    columns = np.stack([source, np.ones_like(source)], axis=1)
    inliers = np.ones(len(source), bool)
    solution = np.array([np.median(target) / np.median(source), 0.0])
    for _ in range(4):
        error = np.abs(columns @ solution - target)
        inliers = error <= np.median(error) + 1e-12
        solution = np.linalg.lstsq(columns[inliers], target[inliers], rcond=None)[0]
    for _ in range(STEPS):
        error = columns @ solution - target
        root = 1 / np.sqrt(1 + (error / (SPREAD * np.median(np.abs(error)) + 1e-12)) ** 2)
        solution = np.linalg.lstsq(columns * root[:, None], target * root, rcond=None)[0]
    if solution[0] <= 0:  # points of one depth, or noise: only the scale can be estimated
        solution = np.array([np.median(target) / np.median(source), 0.0])
    return solution


def apply_fit(depth: NDArray, fit: NDArray[np.float64] | None) -> NDArray[np.float32]:
    """Apply a fit to depth; pixels that the fit would move beyond infinity get no depth."""
    if fit is None:
        return depth.astype(np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse_depth = fit[0] / depth + fit[1]
        return np.where(inverse_depth > 0, 1 / inverse_depth, np.nan).astype(np.float32)
