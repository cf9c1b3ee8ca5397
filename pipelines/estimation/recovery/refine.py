"""Sub-pixel refinement of tracks: every observation is aligned with what its whole track shows.

Tracking from frame to frame accumulates small errors, so that tracks drift over the clip, and the drift of whole surfaces
bends the camera path. Here the patch of every observation is aligned with that of its track's middle observation, which
differs least from all others, then with the mean of all aligned patches, in which noise and compression artefacts cancel out:
inverse compositional alignment by an affine warp (Baker and Matthews 2004), as Shi and Tomasi (1994) check tracks.
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
LEAST_CORRELATION = 0.9
"""Normalised cross-correlation of an aligned patch with the template, below which it shows something else."""
FLAT = 1e-3
"""Standard deviation of a patch, in levels, below which it shows nothing."""


def refine_tracks(frames: NDArray[np.uint8], seen: Observations) -> Observations:
    """The observations ``seen`` in ``frames`` (F,H,W,3), refined to a fraction of a pixel; those that cannot be aligned are dropped."""
    greys = np.stack([_smooth(frame) for frame in frames])
    order = np.lexsort((seen.frame, seen.point))
    first = np.searchsorted(seen.point[order], np.arange(seen.count + 1))
    refined, aligned = seen.pixel[order], np.zeros(len(order), np.bool_)
    align_tracks(greys, seen.frame[order], seen.pixel[order], first, HALF_PX, refined, aligned)
    pixel, kept = np.empty_like(refined), np.empty_like(aligned)
    pixel[order], kept[order] = refined, aligned
    return Observations(seen.point, seen.frame, pixel).where(kept)


def _smooth(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), BLUR_PX), np.float32)


@summing_kernel
def align_tracks(greys, frame, pixel, first, half, refined, aligned):
    """Fill ``refined`` (N,2) and ``aligned`` (N,): patches of ``greys`` (F,H,W) at ``pixel`` (N,2), aligned within their tracks.

    Track p has the observations ``first[p]`` to ``first[p + 1]``, by frame. Its middle one stays.
    """
    side = 2 * half + 1
    weight, slopes = np.zeros(side * side), np.zeros((side * side, 6))
    template, patch, wide = np.zeros(side * side), np.zeros(side * side), np.zeros((side + 2) ** 2)
    for v in range(side):
        for u in range(side):
            weight[v * side + u] = np.exp(-((u - half) ** 2 + (v - half) ** 2) / (2 * (0.6 * half) ** 2))
    weight /= weight.sum()
    for p in range(len(first) - 1):
        start, end = first[p], first[p + 1]
        middle = start + (end - start) // 2
        warps = np.zeros((end - start, 2, 3))
        for n in range(start, end):
            warps[n - start, 0, 0], warps[n - start, 1, 1], warps[n - start, :, 2] = 1.0, 1.0, pixel[n]
        aligned[middle] = True
        if not _fill_patch(greys[frame[middle]], warps[middle - start], half + 1, wide):
            continue
        level = _fill_template(wide, half, weight, template, slopes)
        if level < FLAT:
            continue
        inverse = _invert(slopes, weight)
        for step in (1, -1):
            # outwards from the middle: each patch starts from the warp of its neighbour, which it resembles most
            last = middle - start
            n = middle + step
            while start <= n < end:
                warp = warps[n - start]
                warp[:, :2] = warps[last, :, :2]
                grey = greys[frame[n]]
                aligned[n] = _align(grey, warp, pixel[n], half, weight, template, slopes, inverse, level, patch)
                last = n - start if aligned[n] else last
                n += step
        if not _average(greys, frame, warps, aligned, start, half, weight, level, wide):
            continue
        level = _fill_template(wide, half, weight, template, slopes)
        inverse = _invert(slopes, weight)
        for n in range(start, end):
            if aligned[n] and n != middle:
                warp, grey = warps[n - start], greys[frame[n]]
                aligned[n] = _align(grey, warp, pixel[n], half, weight, template, slopes, inverse, level, patch)
                refined[n] = warp[:, 2]


@summing_kernel
def _align(grey, warp, pixel, half, weight, template, slopes, inverse, level, patch):
    """Whether ``warp`` (2,3), which is changed, aligns ``grey`` with the template of standard deviation ``level`` near ``pixel`` (2,)."""
    for _ in range(ROUNDS):
        if not _fill_patch(grey, warp, half, patch):
            return False
        patch -= (weight * patch).sum()
        own = np.sqrt((weight * patch * patch).sum())
        if own < FLAT:
            return False
        patch *= level / own
        step = inverse @ (slopes.T @ (weight * (patch - template)))
        _compose(warp, step)
        stretch = max(abs(warp[0, 0] - 1), abs(warp[0, 1]), abs(warp[1, 0]), abs(warp[1, 1] - 1))
        if not stretch < MOST_STRETCH:
            return False
        if step[0] ** 2 + step[1] ** 2 < CONVERGED_PX**2:
            moved = (warp[0, 2] - pixel[0]) ** 2 + (warp[1, 2] - pixel[1]) ** 2
            return moved < MOST_PX**2 and (weight * patch * template).sum() > LEAST_CORRELATION * level**2
    return False


@summing_kernel
def _average(greys, frame, warps, aligned, start, half, weight, level, wide):
    """Fill ``wide``, a template with a rim of one pixel, with the mean of a track's aligned patches, all of one contrast.

    False where fewer than two are aligned.
    """
    side, count = 2 * half + 1, 0
    patch, total = np.zeros_like(wide), np.zeros_like(wide)
    for n in range(len(warps)):
        if aligned[start + n] and _fill_patch(greys[frame[start + n]], warps[n], half + 1, patch):
            inner = patch.reshape(side + 2, side + 2)[1:-1, 1:-1].copy().reshape(-1)
            mean = (weight * inner).sum()
            total += (patch - mean) / np.sqrt((weight * (inner - mean) ** 2).sum())
            count += 1
    if count < 2:
        return False
    wide[:] = total * (level / count)
    return True


@summing_kernel
def _fill_template(wide, half, weight, template, slopes):
    """The inner part of ``wide`` and its derivatives by the six numbers of the warp, all less their weighted means.

    Returns the standard deviation of the template.
    """
    side = 2 * half + 1
    for v in range(side):
        for u in range(side):
            i, at, a, b = v * side + u, (v + 1) * (side + 2) + u + 1, u - half, v - half
            template[i] = wide[at]
            across, down = (wide[at + 1] - wide[at - 1]) / 2, (wide[at + side + 2] - wide[at - side - 2]) / 2
            slopes[i, 0], slopes[i, 1] = across, down
            slopes[i, 2], slopes[i, 3] = across * a, across * b
            slopes[i, 4], slopes[i, 5] = down * a, down * b
    template -= (weight * template).sum()
    for k in range(6):
        slopes[:, k] -= (weight * slopes[:, k]).sum()
    return np.sqrt((weight * template * template).sum())


@summing_kernel
def _invert(slopes, weight):
    """Inverse (6,6) of the normal equations; a little is added to the diagonal, as those of flat patches have none."""
    return np.linalg.inv(slopes.T @ (slopes * weight.reshape(-1, 1)) + 1e-5 * np.eye(6))


@summing_kernel
def _fill_patch(grey, warp, half, patch):
    """Fill ``patch`` with ``grey`` under ``warp`` (2,3); False where it leaves the frame."""
    height, width = grey.shape
    side = 2 * half + 1
    for v in range(side):
        for u in range(side):
            x = warp[0, 0] * (u - half) + warp[0, 1] * (v - half) + warp[0, 2]
            y = warp[1, 0] * (u - half) + warp[1, 1] * (v - half) + warp[1, 2]
            if not (0 <= x < width - 1 and 0 <= y < height - 1):
                return False
            patch[v * side + u] = _sample(grey, x, y)
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
