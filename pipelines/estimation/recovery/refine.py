"""Sub-pixel refinement of tracks: every observation is aligned with one reference observation of its track.

Tracking from frame to frame accumulates small errors, so that tracks drift over the clip, and the drift of whole surfaces
bends the camera path. Here the patch of every observation is aligned with that of its track's middle observation, which
differs least from all others: inverse compositional alignment by an affine warp (Baker and Matthews 2004), as Shi and Tomasi
(1994) check tracks.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.kernel import summing_kernel
from pipelines.estimation.recovery.follow import Observations

HALF_PX, BLUR_PX = 7, 1.0
"""Pixels of a patch on each side of its centre, and the blur of the frames."""
ROUNDS, CONVERGED_PX = 15, 0.01
MOST_PX = 1.6
"""An observation that would move farther has been aligned with the wrong thing."""
MOST_STRETCH = 0.6
"""Largest change of a warp's entries from the identity."""


def refine_tracks(frames: NDArray[np.uint8], seen: Observations) -> Observations:
    """The observations ``seen`` in ``frames`` (F,H,W,3), refined to a fraction of a pixel; those that cannot be aligned are dropped."""
    greys = np.stack([_smooth(frame) for frame in frames])
    reference = _middle_of_tracks(seen)
    refined, aligned = seen.pixel.copy(), np.zeros(len(seen.point), np.bool_)
    align_patches(greys, seen.frame, np.ascontiguousarray(seen.pixel), reference, HALF_PX, refined, aligned)
    aligned &= np.linalg.norm(refined - seen.pixel, axis=1) < MOST_PX
    return Observations(seen.point, seen.frame, refined).where(aligned)


def _smooth(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), BLUR_PX), np.float32)


def _middle_of_tracks(seen: Observations) -> NDArray[np.int64]:
    """(N,): for each observation, the index of the middle observation of its track."""
    order = np.lexsort((seen.frame, seen.point))
    length = np.bincount(seen.point, minlength=seen.count)
    first = np.cumsum(length) - length
    return order[first + length // 2][seen.point]


@summing_kernel
def align_patches(greys, frame, pixel, reference, half, refined, aligned):
    """Fill ``refined`` (N,2) and ``aligned`` (N,): patches of ``greys`` (F,H,W) at ``pixel`` (N,2) aligned with their references'."""
    height, width = greys.shape[1:]
    side = 2 * half + 1
    slopes, weight = np.zeros((side * side, 6)), np.zeros(side * side)
    template, patch = np.zeros(side * side), np.zeros(side * side)
    for v in range(side):
        for u in range(side):
            weight[v * side + u] = np.exp(-((u - half) ** 2 + (v - half) ** 2) / (2 * (0.6 * half) ** 2))
    weight /= weight.sum()
    margin = half + 2
    for n in range(len(frame)):
        middle = reference[n]
        x0, y0 = pixel[middle, 0], pixel[middle, 1]
        aligned[n] = n == middle
        inside = margin <= x0 <= width - 1 - margin and margin <= y0 <= height - 1 - margin
        if n == middle or not inside:
            continue
        _fill_template(greys[frame[middle]], x0, y0, half, weight, template, slopes)
        # a little is added to the diagonal: flat patches have no inverse
        inverse = np.linalg.inv(slopes.T @ (slopes * weight.reshape(-1, 1)) + 1e-5 * np.eye(6))
        warp = np.array([[1.0, 0.0, pixel[n, 0]], [0.0, 1.0, pixel[n, 1]]])
        for _ in range(ROUNDS):
            if not _fill_patch(greys[frame[n]], warp, half, weight, patch):
                break
            step = inverse @ (slopes.T @ (weight * (patch - template)))
            _compose(warp, step)
            stretch = max(abs(warp[0, 0] - 1), abs(warp[0, 1]), abs(warp[1, 0]), abs(warp[1, 1] - 1))
            if not stretch < MOST_STRETCH:
                break
            if step[0] ** 2 + step[1] ** 2 < CONVERGED_PX**2:
                refined[n, 0], refined[n, 1], aligned[n] = warp[0, 2], warp[1, 2], True
                break


@summing_kernel
def _fill_template(grey, x0, y0, half, weight, template, slopes):
    """The reference patch and its derivatives with respect to the six parameters of the warp, minus their weighted means."""
    side = 2 * half + 1
    for v in range(side):
        for u in range(side):
            i, a, b = v * side + u, u - half, v - half
            x, y = x0 + a, y0 + b
            template[i] = _sample(grey, x, y)
            across = (_sample(grey, x + 1, y) - _sample(grey, x - 1, y)) / 2
            down = (_sample(grey, x, y + 1) - _sample(grey, x, y - 1)) / 2
            slopes[i, 0], slopes[i, 1] = across, down
            slopes[i, 2], slopes[i, 3] = across * a, across * b
            slopes[i, 4], slopes[i, 5] = down * a, down * b
    template -= (weight * template).sum()
    for k in range(6):
        slopes[:, k] -= (weight * slopes[:, k]).sum()


@summing_kernel
def _fill_patch(grey, warp, half, weight, patch):
    """The patch under ``warp`` (2,3) minus its weighted mean; False if it leaves the frame."""
    height, width = grey.shape
    side = 2 * half + 1
    for v in range(side):
        for u in range(side):
            x = warp[0, 0] * (u - half) + warp[0, 1] * (v - half) + warp[0, 2]
            y = warp[1, 0] * (u - half) + warp[1, 1] * (v - half) + warp[1, 2]
            if not (0 <= x < width - 1 and 0 <= y < height - 1):
                return False
            patch[v * side + u] = _sample(grey, x, y)
    patch -= (weight * patch).sum()
    return True


@summing_kernel
def _compose(warp, step):
    """``warp`` (2,3) composed with the inverse of the small warp ``step`` (6,): shift x, shift y, and the matrix minus the identity."""
    m00, m01, m10, m11 = 1 + step[2], step[3], step[4], 1 + step[5]
    determinant = m00 * m11 - m01 * m10
    i00, i01, i10, i11 = m11 / determinant, -m01 / determinant, -m10 / determinant, m00 / determinant
    x, y = -(i00 * step[0] + i01 * step[1]), -(i10 * step[0] + i11 * step[1])
    for row in range(2):
        a, b = warp[row, 0], warp[row, 1]
        warp[row, 0], warp[row, 1] = a * i00 + b * i10, a * i01 + b * i11
        warp[row, 2] += a * x + b * y


@summing_kernel
def _sample(grey, x, y):
    """The bilinear sample."""
    column, row = int(x), int(y)
    a, b = x - column, y - row
    above = (1 - a) * grey[row, column] + a * grey[row, column + 1]
    below = (1 - a) * grey[row + 1, column] + a * grey[row + 1, column + 1]
    return (1 - b) * above + b * below
