"""Colour for the holes of a picture from patches of the same surface: sharp, with texture instead of a mean.

Every patch that touches a hole finds its most similar patch of known pixels, from coarse to fine, and the hole's pixels are
averaged from their patches (Wexler, Shechtman and Irani 2007). The search is PatchMatch's: good offsets propagate to neighbours,
and random ones are tried around them (Barnes et al. 2009). Similarity includes depth, so that patches come from the right
surface at the right scale.
Imports numba: import this module on first use only.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.completion.surface import match_local_mean
from camera.kernel import kernel

RADIUS = 3
"""Patches have 7 x 7 pixels."""
SMALLEST = 24
"""Minimum width and height of the coarsest level, pixels."""
SWEEPS = (1, 1, 2, 3, 5, 6)
"""Iterations of search and vote per level, from the finest."""
CHANCES = 1 << 16
"""Random numbers per search iteration, reused in turn."""
DEPTH_WEIGHT = np.float32(2500.0)
"""Cost, in squared levels of colour per pixel, of a depth ratio of 2; it grows with the square of the logarithm."""
SKY_COST = np.float32(20000.0)
FAR_COST = np.float32(150.0)
"""Cost of a patch at the far end of the picture's diagonal."""
AGREEING = np.float32(0.3)
"""A patch's agreement with the known rim falls to 1/e where the difference reaches this fraction of the patch's variance."""
CARRIED = 0.06
"""Standard deviation, as a fraction of the width, with which agreement at the rim is spread into the hole."""


@dataclass(frozen=True, eq=False)
class _Level:
    colour: NDArray[np.float32]
    holes: NDArray[np.bool_]
    sources: NDArray[np.bool_]
    distance: NDArray[np.float32]
    """Logarithm of depth; NaN on sky."""


def synthesise_texture(
    colour: NDArray[np.uint8],
    holes: NDArray[np.bool_],
    sources: NDArray[np.bool_],
    inverse: NDArray[np.float32],
    guide: NDArray[np.float32],
    *,
    seed: int = 0,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """``colour`` (H,W,3) with ``holes`` (H,W) filled by patches of ``sources`` (H,W), and the certainty (H,W), 0 to 1.

    ``inverse`` (H,W): inverse depth, 0 on sky, known everywhere, also in the holes. ``guide`` (H,W,3), 0 to 255: approximate
    colours of the holes; the search is initialised with it, and its local means are kept. Certainty is high for repeating
    texture: where patches at the nearby rim agree with the known pixels. The same ``seed`` gives the same picture. Without
    holes, or if no whole patch is known, the picture is that of ``guide`` with certainty 0.
    """
    uncertain = np.zeros(holes.shape, np.float32)
    if not holes.any():
        return colour.copy(), uncertain
    levels = _levels(np.where(holes[..., None], guide, colour).astype(np.float32), holes, sources, inverse)
    rng = np.random.default_rng(seed)
    offsets: NDArray[np.int32] | None = None
    picture, certainty = levels[-1].colour, uncertain
    for number in range(len(levels) - 1, -1, -1):
        level = levels[number]
        if number < len(levels) - 1:
            picture = _enlarge(picture, level)
        usable = _find_whole_patches(level.sources)
        if not usable.any() or not level.holes.any():
            continue
        targets = np.argwhere(_find_targets(level.holes)).astype(np.int32)
        places = np.argwhere(usable).astype(np.int32)
        offsets = _field(offsets, targets, places, usable, level.holes.shape, rng)
        for sweep in range(SWEEPS[min(number, len(SWEEPS) - 1)]):
            costs = np.empty(len(targets), np.float32)
            _search(
                picture, level.holes, level.distance, usable, targets, offsets, costs, rng.uniform(-1, 1, CHANCES).astype(np.float32), sweep % 2,
                number == 0,
            )  # fmt: skip
            picture = _vote_all(picture, level, targets, offsets, costs, sharp=number < 2)
            if number == 0:
                certainty = _agreement(picture, sources, targets, costs)
    result = colour.copy()
    shown = match_local_mean(picture, guide, inverse, holes)[holes]
    result[holes] = np.clip(shown + 0.5, 0, 255).astype(np.uint8)
    return result, certainty


def _agreement(
    picture: NDArray[np.float32], sources: NDArray[np.bool_], targets: NDArray[np.int32], costs: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(H,W) in 0..1: how well the patches on the ``sources`` next to holes agree with the known pixels, spread into the holes."""
    beside = sources[targets[:, 0], targets[:, 1]]
    if not beside.any():
        return np.zeros(sources.shape, np.float32)
    y, x = targets[beside].T
    size = (2 * RADIUS + 1, 2 * RADIUS + 1)
    variance = (cv2.blur(picture * picture, size) - cv2.blur(picture, size) ** 2).sum(axis=2)[y, x]
    values = np.exp(-((costs[beside] / np.maximum(AGREEING * variance, 1)) ** 2))
    sums = np.zeros((*sources.shape, 2), np.float32)
    sums[y, x] = np.stack([values, np.ones_like(values)], axis=1)
    blurred = cv2.GaussianBlur(sums, (0, 0), CARRIED * sources.shape[1])
    return ((blurred[..., 0] + 1e-6 * values.mean()) / (blurred[..., 1] + 1e-6)).astype(np.float32)


def _levels(colour: NDArray, holes: NDArray, sources: NDArray, inverse: NDArray) -> list[_Level]:
    """An image pyramid: each level is the mean of the known pixels of the previous one, at half size."""
    with np.errstate(divide="ignore"):
        distance = np.where(inverse > 0, -np.log(inverse), np.float32(np.nan)).astype(np.float32)
    levels = [_Level(colour.astype(np.float32), holes, sources, distance)]
    while min(levels[-1].holes.shape) >= 2 * SMALLEST and len(levels) < len(SWEEPS):
        levels.append(_halve(levels[-1]))
    return levels


def _halve(level: _Level) -> _Level:
    height, width = level.holes.shape
    size = (width // 2, height // 2)
    share = _area(~level.holes, size)
    distance = cv2.resize(level.distance, size, interpolation=cv2.INTER_NEAREST)
    return _Level(
        _area(level.colour, size),
        share < 0.5,
        (_area(level.sources, size) > 0.99) & (share >= 0.5),
        np.asarray(distance, np.float32),
    )


def _area(values: NDArray, size: tuple[int, int]) -> NDArray[np.float32]:
    """``values`` downscaled to ``size`` (width, height) by area averaging."""
    return np.asarray(cv2.resize(values.astype(np.float32), size, interpolation=cv2.INTER_AREA), np.float32)


def _enlarge(picture: NDArray[np.float32], level: _Level) -> NDArray[np.float32]:
    height, width = level.holes.shape
    large = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    return np.where(level.holes[..., None], large, level.colour)


def _find_whole_patches(sources: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Centres of patches that are entirely on sources."""
    size = 2 * RADIUS + 1
    eroded = cv2.erode(sources.view(np.uint8), np.ones((size, size), np.uint8), borderValue=0)
    return np.asarray(eroded).astype(bool)


def _find_targets(holes: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Centres of patches that touch a hole."""
    return np.asarray(cv2.dilate(holes.view(np.uint8), np.ones((3, 3), np.uint8))).astype(bool)


def _field(
    coarse: NDArray | None, targets: NDArray, places: NDArray, usable: NDArray, size: tuple, rng: np.random.Generator
) -> NDArray[np.int32]:
    """(H,W,2): source of every target patch, from the coarser level if usable there, else random; -1 elsewhere."""
    field = np.zeros((*size, 2), np.int32)
    chosen = places[rng.integers(0, len(places), len(targets))]
    if coarse is not None:
        y, x = targets[:, 0], targets[:, 1]
        above = coarse[np.minimum(y // 2, coarse.shape[0] - 1), np.minimum(x // 2, coarse.shape[1] - 1)]
        guess = 2 * above + np.stack([y % 2, x % 2], axis=1)
        guess = np.clip(guess, 0, np.array(size) - 1)
        good = usable[guess[:, 0], guess[:, 1]] & (above >= 0).all(axis=1)
        chosen = np.where(good[:, None], guess, chosen)
    field[...] = -1
    field[targets[:, 0], targets[:, 1]] = chosen
    return field


@kernel
def _cost(picture, holes, distance, y, x, j, i, limit):
    """Mean squared difference per pixel of two patches, plus the cost of depth and distance; stops above ``limit``."""
    height, width = holes.shape
    a, b = distance[y, x], distance[j, i]
    sky_a, sky_b = np.isnan(a), np.isnan(b)
    total = np.float32(0)
    if sky_a != sky_b:
        total += SKY_COST
    elif not sky_a:
        apart = (a - b) / np.float32(0.6931)
        total += DEPTH_WEIGHT * min(apart * apart, np.float32(4))
    far = np.float32((y - j) * (y - j) + (x - i) * (x - i)) / np.float32(height * height + width * width)
    total += FAR_COST * far
    if total >= limit:
        return total
    area = np.float32((2 * RADIUS + 1) * (2 * RADIUS + 1))
    for dy in range(-RADIUS, RADIUS + 1):
        row = y + dy
        if row < 0 or row >= height:
            continue
        part = np.float32(0)
        for dx in range(-RADIUS, RADIUS + 1):
            column = x + dx
            if column < 0 or column >= width:
                continue
            red = picture[row, column, 0] - picture[j + dy, i + dx, 0]
            green = picture[row, column, 1] - picture[j + dy, i + dx, 1]
            blue = picture[row, column, 2] - picture[j + dy, i + dx, 2]
            weight = np.float32(0.6) if holes[row, column] else np.float32(1.4)
            part += weight * (red * red + green * green + blue * blue)
        total += part / area
        if total >= limit:
            return total
    return total


@kernel
def _update_source(picture, holes, distance, usable, field, best, y, x, j, i):
    """Make (j, i) the source of the patch at (y, x) if it is usable and costs less than the current source."""
    height, width = usable.shape
    if j < 0 or i < 0 or j >= height or i >= width or not usable[j, i]:
        return
    cost = _cost(picture, holes, distance, y, x, j, i, best[y, x])
    if cost < best[y, x]:
        best[y, x] = cost
        field[y, x, 0], field[y, x, 1] = j, i


@kernel
def _search(picture, holes, distance, usable, targets, field, costs, chances, backward, finest):
    drawn = 0
    height, width = holes.shape
    best = np.full((height, width), np.float32(np.inf), np.float32)
    for n in range(len(targets)):
        y, x = targets[n, 0], targets[n, 1]
        best[y, x] = _cost(picture, holes, distance, y, x, field[y, x, 0], field[y, x, 1], np.float32(np.inf))
    step = -1 if backward else 1
    for k in range(len(targets)):
        n = len(targets) - 1 - k if backward else k
        y, x = targets[n, 0], targets[n, 1]
        for turn in range(2):
            v, u = (y - step, x) if turn == 0 else (y, x - step)
            if v < 0 or u < 0 or v >= height or u >= width or field[v, u, 0] < 0:
                continue
            j, i = field[v, u, 0] + (y - v), field[v, u, 1] + (x - u)
            _update_source(picture, holes, distance, usable, field, best, y, x, j, i)
        reach = np.float32(8) if finest else np.float32(max(height, width))
        while reach >= 1:
            j = field[y, x, 0] + int(np.round(chances[drawn] * reach))
            i = field[y, x, 1] + int(np.round(chances[drawn + 1] * reach))
            drawn = (drawn + 2) % len(chances)
            reach *= np.float32(0.4)
            _update_source(picture, holes, distance, usable, field, best, y, x, j, i)
    for n in range(len(targets)):
        costs[n] = best[targets[n, 0], targets[n, 1]]


def _vote_all(
    picture: NDArray, level: _Level, targets: NDArray, field: NDArray, costs: NDArray, *, sharp: bool
) -> NDArray[np.float32]:
    result = picture.copy()
    scale = max(float(np.quantile(costs, 0.5)), 30.0)
    _vote(
        picture, level.holes, targets, field, costs, np.float32(1 / scale), np.float32(0.5 if sharp else 0.02), result
    )
    return result


@kernel
def _vote(picture, holes, targets, field, costs, scale, middle, result):
    """Set every pixel of a hole to the weighted mean of the patches over it; low cost and near centre weigh most."""
    height, width = holes.shape
    total = np.zeros((height, width, 4), np.float32)
    weights = np.empty((2 * RADIUS + 1, 2 * RADIUS + 1), np.float32)
    for dy in range(-RADIUS, RADIUS + 1):
        for dx in range(-RADIUS, RADIUS + 1):
            weights[dy + RADIUS, dx + RADIUS] = np.exp(-middle * np.float32(dy * dy + dx * dx))
    for n in range(len(targets)):
        y, x = targets[n, 0], targets[n, 1]
        certainty = np.exp(-min(costs[n] * scale, np.float32(20))) + np.float32(1e-6)
        for dy in range(-RADIUS, RADIUS + 1):
            row = y + dy
            if row < 0 or row >= height:
                continue
            for dx in range(-RADIUS, RADIUS + 1):
                column = x + dx
                if column < 0 or column >= width or not holes[row, column]:
                    continue
                weight = certainty * weights[dy + RADIUS, dx + RADIUS]
                j, i = field[y, x, 0] + dy, field[y, x, 1] + dx
                total[row, column, 0] += weight * picture[j, i, 0]
                total[row, column, 1] += weight * picture[j, i, 1]
                total[row, column, 2] += weight * picture[j, i, 2]
                total[row, column, 3] += weight
    for y in range(height):
        for x in range(width):
            if holes[y, x] and total[y, x, 3] > 0:
                for channel in range(3):
                    result[y, x, channel] = total[y, x, channel] / total[y, x, 3]
