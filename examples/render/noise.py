"""Hashes and noise, identical on every machine; values in 0..1 unless stated otherwise."""

from __future__ import annotations

from math import floor, sqrt

import numba

_compiled = numba.njit(nogil=True, fastmath=True, error_model="numpy")


@_compiled
def hash3(i, j, k):
    """A hash in 0..1 of a point on a lattice with spacing 1/8, by integer mixing."""
    n = (floor(i * 8.0) * 73856093) ^ (floor(j * 8.0) * 19349663) ^ (floor(k * 8.0) * 83492791)
    n = ((n ^ (n >> 13)) * 1274126177) & 0x7FFFFFFF
    n = ((n ^ (n >> 15)) * 668265263) & 0x7FFFFFFF
    return ((n ^ (n >> 14)) & 0xFFFFF) / 1048575.0


@_compiled
def _fade(u):
    return u * u * u * (u * (u * 6.0 - 15.0) + 10.0)


@_compiled
def noise2(x, y):
    """2D value noise."""
    i, j = floor(x), floor(y)
    u, v = _fade(x - i), _fade(y - j)
    low = hash3(i, j, 0.0) * (1 - u) + hash3(i + 1, j, 0.0) * u
    high = hash3(i, j + 1, 0.0) * (1 - u) + hash3(i + 1, j + 1, 0.0) * u
    return low * (1 - v) + high * v


@_compiled
def noise3(x, y, z):
    """3D value noise."""
    i, j, k = floor(x), floor(y), floor(z)
    u, v, w = _fade(x - i), _fade(y - j), _fade(z - k)
    a = hash3(i, j, k) * (1 - u) + hash3(i + 1, j, k) * u
    b = hash3(i, j + 1, k) * (1 - u) + hash3(i + 1, j + 1, k) * u
    c = hash3(i, j, k + 1) * (1 - u) + hash3(i + 1, j, k + 1) * u
    d = hash3(i, j + 1, k + 1) * (1 - u) + hash3(i + 1, j + 1, k + 1) * u
    return (a * (1 - v) + b * v) * (1 - w) + (c * (1 - v) + d * v) * w


@_compiled
def fbm2(x, y, octaves):
    """Sum of octaves of 2D noise, each rotated and half the size of the previous; mean 0.5."""
    total, weight, scale = 0.0, 0.5, 0.0
    for _ in range(octaves):
        total += weight * noise2(x, y)
        scale += weight
        x, y = 1.6 * x + 1.2 * y + 3.1, 1.6 * y - 1.2 * x + 7.7
        weight *= 0.5
    return total / scale


@_compiled
def fbm3(x, y, z, octaves):
    """Sum of octaves of 3D noise, each about half the size of the previous; mean 0.5."""
    total, weight, scale = 0.0, 0.5, 0.0
    for _ in range(octaves):
        total += weight * noise3(x, y, z)
        scale += weight
        x, y, z = 1.62 * x + 1.2 * z + 1.7, 2.03 * y + 9.2, 1.62 * z - 1.2 * x + 4.1
        weight *= 0.5
    return total / scale


@_compiled
def ridges2(x, y, octaves):
    """Ridged noise with sharp crests, for mountains."""
    total, weight, scale, last = 0.0, 0.5, 0.0, 1.0
    for _ in range(octaves):
        crest = 1.0 - abs(2.0 * noise2(x, y) - 1.0)
        crest *= crest
        total += weight * crest * last
        scale += weight
        last = 0.35 + 0.65 * crest
        x, y = 1.6 * x + 1.2 * y + 3.1, 1.6 * y - 1.2 * x + 7.7
        weight *= 0.48
    return total / scale


@_compiled
def pebbles(x, y):
    """Jittered cells: (distance to the stone's centre, distance to its border, a random value per stone)."""
    i, j = floor(x), floor(y)
    first, second, own = 9.0, 9.0, 0.0
    for dj in range(-1, 2):
        for di in range(-1, 2):
            a, b = hash3(i + di, j + dj, 5.0), hash3(i + di, j + dj, 11.0)
            px, py = i + di + 0.5 + 0.6 * (a - 0.5) - x, j + dj + 0.5 + 0.6 * (b - 0.5) - y
            d = sqrt(px * px + py * py)
            if d < first:
                second, first, own = first, d, hash3(i + di, j + dj, 23.0)
            elif d < second:
                second = d
    return first, second - first, own
