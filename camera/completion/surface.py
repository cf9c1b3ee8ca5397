"""Depth of disoccluded surfaces and beyond the picture's borders: the surfaces around a hole are continued as planes.

The inverse depth of a plane is linear in pixel coordinates, so every known pixel near a hole gets a plane of inverse depth,
fitted to its own surface. From a hole's pixel, sixteen directions are searched for the first pixel of a surface that may
continue there. Surfaces that agree are merged, and the one with the greatest weight (nearby and found in many directions) wins;
where two planes meet, as wall and floor do, the nearer is in front. Foreground in front of the hole is never continued.
Imports numba: import this module on first use only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camera.kernel import kernel

DIRECTIONS = 16
WINDOW = 9
"""Radius in pixels of the window in which a plane is fitted."""
SAME = np.float32(0.03)
"""Inverse depths that differ by at most this fraction are on one surface."""
FLAT = np.float32(0.006)
"""Maximum root mean square residual of a plane, as a fraction of the inverse depth."""
MOST_STEEP = np.float32(2.0)
"""Maximum factor by which the depth of a continued surface may change; a plane may also end in the sky."""


def extend_surfaces(
    inverse: NDArray[np.float32],
    holes: NDArray[np.bool_],
    sources: NDArray[np.bool_],
    hiding: NDArray[np.bool_],
    *,
    beyond: NDArray[np.bool_] | None = None,
    below: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """Inverse depth (H,W), 0 on sky, with ``holes`` (H,W) filled by the surfaces that continue there.

    ``inverse`` (H,W): inverse depth, 0 on sky; read outside the holes. ``sources`` (H,W): known pixels whose surface may
    continue. ``hiding`` (H,W): known foreground pixels in front of a hole. ``beyond`` (H,W): pixels that nothing occludes, where
    foreground may continue too. ``below`` (H,W): pixels that cannot be sky. A hole without a source in any direction becomes
    sky.
    """
    height, width = holes.shape
    planes = np.zeros((height, width, 4), np.float32)
    _planes(inverse, sources | hiding, _beside(holes), planes)
    result = np.where(holes, np.float32(0), inverse)
    nowhere = np.zeros_like(holes)
    beyond, below = nowhere if beyond is None else beyond, nowhere if below is None else below
    _continue(inverse, holes & ~beyond, sources, hiding, below, planes, _steps(), result)
    _continue(inverse, holes & beyond, sources | hiding, nowhere, below, planes, _steps(), result)
    _settle(result, holes)
    return result


def match_local_mean(
    picture: NDArray[np.float32], guide: NDArray[np.float32], inverse: NDArray[np.float32], holes: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """``picture`` (H,W,3) with its own detail, but with the mean of ``guide`` over the surface around each pixel of the holes."""
    difference, result = guide - picture, picture.copy()
    means = np.zeros_like(picture)
    _surface_means(difference, inverse, np.ones_like(holes), holes, WINDOW, means)
    result[holes] += means[holes]
    return result


def _beside(holes: NDArray[np.bool_], reach: int = 6) -> NDArray[np.bool_]:
    import cv2

    size = 2 * reach + 1
    return np.asarray(cv2.dilate(holes.view(np.uint8), np.ones((size, size), np.uint8))).astype(bool) & ~holes


def _steps() -> NDArray[np.float32]:
    angles = 2 * np.pi * (np.arange(DIRECTIONS) + 0.5) / DIRECTIONS
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


@kernel
def _planes(inverse, sources, wanted, planes):
    """Per wanted source: slopes along x and y, inverse depth on the plane, and 1 if the surface is flat."""
    height, width = sources.shape
    for y in range(height):
        for x in range(width):
            if wanted[y, x] and sources[y, x]:
                planes[y, x] = _plane(inverse, sources, y, x)


@kernel
def _plane(inverse, sources, y, x):
    here = inverse[y, x]
    result = np.zeros(4, np.float32)
    result[2] = here
    if here <= 0:
        result[3] = 1
        return result
    slope_x, slope_y, centre = np.float64(0), np.float64(0), np.float64(here)
    tolerance = np.float64(SAME * here)
    for turn in range(3):
        n, sx, sy, sw = 0.0, 0.0, 0.0, 0.0
        sxx, sxy, syy, sxw, syw, sww = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for j in range(max(y - WINDOW, 0), min(y + WINDOW + 1, inverse.shape[0])):
            for i in range(max(x - WINDOW, 0), min(x + WINDOW + 1, inverse.shape[1])):
                value = np.float64(inverse[j, i])
                if not sources[j, i] or value <= 0:
                    continue
                dx, dy = np.float64(i - x), np.float64(j - y)
                off = abs(value - (centre + slope_x * dx + slope_y * dy))
                # in the first pass, without slopes, allow a slanted surface 1 % per pixel
                if off > tolerance + (0.01 * here * max(abs(dx), abs(dy)) if turn == 0 else 0.0):
                    continue
                n, sx, sy, sw = n + 1, sx + dx, sy + dy, sw + value
                sxx, sxy, syy = sxx + dx * dx, sxy + dx * dy, syy + dy * dy
                sxw, syw, sww = sxw + dx * value, syw + dy * value, sww + value * value
        if n < 12:
            return result
        cxx, cxy, cyy = sxx - sx * sx / n, sxy - sx * sy / n, syy - sy * sy / n
        cxw, cyw = sxw - sx * sw / n, syw - sy * sw / n
        determinant = cxx * cyy - cxy * cxy
        if determinant < 1e-3 * (cxx + cyy) ** 2:
            return result
        slope_x, slope_y = (cxw * cyy - cyw * cxy) / determinant, (cyw * cxx - cxw * cxy) / determinant
        centre = (sw - slope_x * sx - slope_y * sy) / n
        variance = max(sww - sw * sw / n - slope_x * cxw - slope_y * cyw, 0.0) / n
        tolerance = max(2.5 * np.sqrt(variance), 0.002 * np.float64(here))
    if np.sqrt(variance) <= FLAT * here:
        result[0], result[1], result[2], result[3] = slope_x, slope_y, centre, 1
    return result


@kernel
def _surface_means(values, inverse, sources, wanted, reach, means):
    """Means (H,W,3) of the sources' ``values`` around the wanted pixels, over pixels at the same depth."""
    height, width = sources.shape
    for y in range(height):
        for x in range(width):
            if not wanted[y, x]:
                continue
            here, a, b, c, n = inverse[y, x], np.float32(0), np.float32(0), np.float32(0), np.float32(0)
            for dy in range(-reach, reach + 1, max(reach // 4, 1)):
                for dx in range(-reach, reach + 1, max(reach // 4, 1)):
                    j, i = y + dy, x + dx
                    if j < 0 or i < 0 or j >= height or i >= width or not sources[j, i]:
                        continue
                    if abs(inverse[j, i] - here) <= np.float32(2) * SAME * here:
                        a, b, c, n = a + values[j, i, 0], b + values[j, i, 1], c + values[j, i, 2], n + np.float32(1)
            if n > 0:
                means[y, x, 0], means[y, x, 1], means[y, x, 2] = a / n, b / n, c / n


@kernel
def _search_directions(inverse, holes, wanted, closed, planes, steps, no_sky, y, x, hits, weight, value):
    """Per direction from a hole's pixel: the first wanted pixel, its plane's inverse depth at the hole's pixel, and its weight.

    The weight is 0 if a closed pixel or the picture's border comes first.
    """
    height, width = holes.shape
    for d in range(len(steps)):
        weight[d] = 0
        along, down = np.float32(x) + np.float32(0.5), np.float32(y) + np.float32(0.5)
        length = np.float32(0)
        while True:
            along, down, length = along + steps[d, 0], down + steps[d, 1], length + np.float32(1)
            if along < 0 or down < 0 or along >= width or down >= height:
                break
            j, i = int(down), int(along)
            if closed[j, i]:
                break
            if wanted[j, i]:
                if no_sky and inverse[j, i] == 0:
                    break
                hits[d, 0], hits[d, 1] = j, i
                value[d] = _extrapolate(planes[j, i], inverse[j, i], no_sky, np.float32(x - i), np.float32(y - j))
                weight[d] = np.float32(1) / (length * length)
                break


@kernel
def _extrapolate(plane, here, no_sky, dx, dy):
    """Inverse depth of a plane at an offset in pixels, limited to between half and twice its value ``here``; 0 for sky."""
    if plane[2] <= 0:
        return here
    ahead = plane[2] + plane[0] * dx + plane[1] * dy
    if ahead <= 0 and plane[3] > 0 and not no_sky:
        return np.float32(0)
    return min(max(ahead, plane[2] / MOST_STEEP), plane[2] * MOST_STEEP)


@kernel
def _continue(inverse, holes, sources, hiding, below, planes, steps, result):
    height, width = holes.shape
    count = len(steps)
    hits = np.zeros((count, 2), np.int32)
    weight, value = np.zeros(count, np.float32), np.zeros(count, np.float32)
    for y in range(height):
        for x in range(width):
            if not holes[y, x]:
                continue
            _search_directions(inverse, holes, sources, hiding, planes, steps, below[y, x], y, x, hits, weight, value)
            best = _choose_direction(hits, weight, value, planes)
            if best < 0:  # surrounded by foreground: the farthest of it
                _search_directions(
                    inverse, holes, hiding, sources, planes, steps, below[y, x], y, x, hits, weight, value
                )
                for d in range(count):
                    if weight[d] > 0 and (best < 0 or value[d] < value[best]):
                        best = d
            if best < 0:
                continue
            total, near = np.float32(0), np.float32(0)
            for d in range(count):
                if weight[d] > 0 and abs(value[best] - value[d]) <= SAME * max(value[best], value[d]):
                    total, near = total + weight[d], near + weight[d] * value[d]
            result[y, x] = near / total


@kernel
def _would_hide(planes, from_place, place):
    """Whether the plane at one pixel, extended to another, would occlude the surface there."""
    a, b = planes[from_place[0], from_place[1]], planes[place[0], place[1]]
    ahead = a[2] + a[0] * (place[1] - from_place[1]) + a[1] * (place[0] - from_place[0])
    return ahead > b[2] * (1 + SAME)


@kernel
def _choose_direction(hits, weight, value, planes):
    """The direction whose surface most others agree with; -1 if no direction hit a surface."""
    count = len(weight)
    best, best_score, flat_best, flat_score = -1, np.float32(0), -1, np.float32(0)
    total = np.float32(0)
    for a in range(count):
        if weight[a] == 0:
            continue
        total += weight[a]
        score = np.float32(0)
        for b in range(count):
            if weight[b] > 0 and abs(value[a] - value[b]) <= SAME * max(value[a], value[b]):
                score += weight[b]
        if score > best_score:
            best, best_score = a, score
    if best < 0:
        return best
    if planes[hits[best, 0], hits[best, 1], 3] > 0:  # of two flat surfaces that meet here, the nearer is in front
        for a in range(count):
            flat = planes[hits[a, 0], hits[a, 1], 3] > 0
            if weight[a] == 0 or not flat or value[a] <= value[best] * (1 + SAME):
                continue
            if _would_hide(planes, hits[a], hits[best]):
                continue
            score = np.float32(0)
            for b in range(count):
                if weight[b] > 0 and abs(value[a] - value[b]) <= SAME * max(value[a], value[b]):
                    score += weight[b]
            if score > flat_score and score > np.float32(0.1) * total:
                flat_best, flat_score = a, score
        if flat_best >= 0:
            best = flat_best
    return best


@kernel
def _settle(result, holes):
    """5x5 median filter over the holes, against single pixels that chose another surface than their neighbours."""
    height, width = holes.shape
    before = result.copy()
    values = np.empty(25, np.float32)
    for y in range(height):
        for x in range(width):
            if not holes[y, x]:
                continue
            n = 0
            for j in range(max(y - 2, 0), min(y + 3, height)):
                for i in range(max(x - 2, 0), min(x + 3, width)):
                    if holes[j, i]:
                        values[n] = before[j, i]
                        n += 1
            part = np.sort(values[:n])
            result[y, x] = part[n // 2]
