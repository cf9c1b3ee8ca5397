"""Signed distances in metres from a point to solids, negative inside. Authoring axes: x right, y up, z forward."""

from __future__ import annotations

from math import atan2, cos, floor, pi, sin, sqrt

import numba

from examples.render.noise import hash3

compiled = numba.njit(nogil=True, fastmath=True, error_model="numpy")
"""Decorator of the renderer's functions: compiled on first use, without the interpreter lock."""


@compiled
def clamp(value, low, high):
    return min(max(value, low), high)


@compiled
def mix(a, b, blend):
    return a + (b - a) * blend


@compiled
def smoothstep(low, high, value):
    u = clamp((value - low) / (high - low), 0.0, 1.0)
    return u * u * (3.0 - 2.0 * u)


@compiled
def smooth_union(a, b, radius):
    """Union of two distances with a seam rounded over ``radius``."""
    h = max(radius - abs(a - b), 0.0) / radius
    return min(a, b) - h * h * radius * 0.25


@compiled
def turned(a, b, angle):
    """Coordinates (a, b) in axes rotated by ``angle`` radians."""
    c, s = cos(angle), sin(angle)
    return c * a + s * b, c * b - s * a


@compiled
def repeated(value, period, first, last):
    """Coordinate within the nearest of the copies numbered ``first``..``last``, and its number."""
    number = clamp(floor(value / period + 0.5), first, last)
    return value - period * number, number


@compiled
def sphere(x, y, z, radius):
    return sqrt(x * x + y * y + z * z) - radius


@compiled
def ellipsoid(x, y, z, rx, ry, rz):
    """A distance bound that is exact to first order near the surface."""
    k0 = sqrt((x / rx) ** 2 + (y / ry) ** 2 + (z / rz) ** 2)
    k1 = sqrt((x / (rx * rx)) ** 2 + (y / (ry * ry)) ** 2 + (z / (rz * rz)) ** 2)
    return k0 * (k0 - 1.0) / max(k1, 1e-6)


@compiled
def box(x, y, z, hx, hy, hz, rounding):
    """A box with half sizes ``hx``, ``hy``, ``hz``, which include the rounding."""
    qx, qy, qz = abs(x) - hx + rounding, abs(y) - hy + rounding, abs(z) - hz + rounding
    ox, oy, oz = max(qx, 0.0), max(qy, 0.0), max(qz, 0.0)
    return sqrt(ox * ox + oy * oy + oz * oz) + min(max(qx, max(qy, qz)), 0.0) - rounding


@compiled
def rectangle(x, y, hx, hy):
    qx, qy = abs(x) - hx, abs(y) - hy
    ox, oy = max(qx, 0.0), max(qy, 0.0)
    return sqrt(ox * ox + oy * oy) + min(max(qx, qy), 0.0)


@compiled
def cylinder(x, y, z, radius, half_height, rounding):
    """An upright cylinder, centred on the origin."""
    qr, qy = sqrt(x * x + z * z) - radius + rounding, abs(y) - half_height + rounding
    outer, oy = max(qr, 0.0), max(qy, 0.0)
    return sqrt(outer * outer + oy * oy) + min(max(qr, qy), 0.0) - rounding


@compiled
def cone(x, y, z, bottom, top, half_height):
    """An upright truncated cone with radius ``bottom`` at -half_height and ``top`` at +half_height; a lower bound."""
    slope = (bottom - top) / (2.0 * half_height)
    radius = mix(bottom, top, clamp(y / (2.0 * half_height) + 0.5, 0.0, 1.0))
    side = (sqrt(x * x + z * z) - radius) / sqrt(1.0 + slope * slope)
    return max(side, abs(y) - half_height)


@compiled
def capsule(x, y, z, ax, ay, az, bx, by, bz, start, end):
    """A capsule from a to b with radius ``start`` at a and ``end`` at b; a lower bound if the radii differ."""
    dx, dy, dz = bx - ax, by - ay, bz - az
    px, py, pz = x - ax, y - ay, z - az
    h = clamp((px * dx + py * dy + pz * dz) / (dx * dx + dy * dy + dz * dz), 0.0, 1.0)
    return sphere(px - h * dx, py - h * dy, pz - h * dz, mix(start, end, h))


@compiled
def torus(x, y, z, ring, tube):
    """A horizontal ring around the y axis."""
    outer = sqrt(x * x + z * z) - ring
    return sqrt(outer * outer + y * y) - tube


@compiled
def gable(x, y, z, half_width, half_length, rise):
    """A solid roof: ridge along z at height ``rise`` above eaves at y = 0, ``half_width`` wide on either side."""
    slope = sqrt(half_width * half_width + rise * rise)
    sides = (abs(x) * rise + (y - rise) * half_width) / slope
    return max(max(sides, -y), abs(z) - half_length)


@compiled
def shell(distance, thickness):
    return abs(distance) - 0.5 * thickness


@compiled
def _tilted(x, y, z):
    """Rotate to oblique axes, so that a lattice along them shows no layers."""
    x, y = turned(x, y, 0.5)
    y, z = turned(y, z, 0.65)
    return x, y, z


@compiled
def leaf_tone(x, y, z, cell):
    """A random value in 0..1 per leaf of `leaves`, for the leaf at (x, y, z)."""
    x, y, z = _tilted(x, y, z)
    return hash3(floor(x / cell), floor(y / cell) + 5.1, floor(z / cell))


@compiled
def leaves(x, y, z, cell, size, outline):
    """A volume of small leaves, one per cubic cell of side ``cell``, inside ``outline`` (a distance).

    The distance is bounded by that to the neighbouring cell, so that no cell is skipped.
    """
    if outline > cell:
        return outline - 0.5 * cell
    x, y, z = _tilted(x, y, z)
    i, j, k = floor(x / cell), floor(y / cell), floor(z / cell)
    a, b, c = hash3(i, j, k), hash3(i + 17.3, j, k), hash3(i, j + 31.7, k)
    px, py, pz = x - (i + 0.5) * cell, y - (j + 0.5) * cell, z - (k + 0.5) * cell
    wall = 0.5 * cell - max(abs(px), max(abs(py), abs(pz)))
    room = 0.5 * cell - size
    px, py, pz = px - (2 * a - 1) * room, py - (2 * b - 1) * (room + 0.25 * size), pz - (2 * c - 1) * room
    px, pz = turned(px, pz, 6.283 * c)
    px, py = turned(px, py, 2.2 * (a - 0.5))
    leaf = 1e3 if a + 0.3 * outline / cell > 0.9 else ellipsoid(px, py, pz, size, 0.2 * size, 0.62 * size)
    return min(leaf, wall + 0.04 * cell)


@compiled
def sector(x, z, count):
    """Coordinates within one of ``count`` equal sectors around the y axis: (radial, tangential, number)."""
    radius, step = sqrt(x * x + z * z), 2.0 * pi / count
    number = floor(atan2(z, x) / step + 0.5)
    angle = atan2(z, x) - number * step
    return radius * cos(angle), radius * sin(angle), number
