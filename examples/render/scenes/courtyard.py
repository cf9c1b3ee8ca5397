"""A courtyard at noon with a fountain in its middle: arcades, terracotta pots with lemon trees, patterned tiles."""

from __future__ import annotations

from math import floor, sqrt

from examples.render.light import Light, Material, unit
from examples.render.materials import blend, bricks, closer, clouds, leaf, plain, ripple
from examples.render.noise import fbm2, fbm3, hash3, noise3
from examples.render.scenes import Setting
from examples.render.shapes import (
    box,
    capsule,
    clamp,
    compiled,
    cone,
    cylinder,
    ellipsoid,
    leaf_tone,
    leaves,
    mix,
    sector,
    shell,
    smooth_union,
    smoothstep,
    sphere,
    torus,
)

SUN = unit(-0.48, 0.72, -0.50)
HALF = 6.2
TILES, STONE, WATER, PLASTER, ARCH, ROOF, POT, LEAF, LEMON, WOOD, SHADE, SPRAY = range(12)


@compiled
def _fountain(x, y, z):
    """(stone, water): an octagonal basin and a column with two bowls."""
    out, _side, _ = sector(x, z, 8.0)
    wall = max(abs(out - 1.42) - 0.13, abs(y - 0.27) - 0.27)
    rim = max(abs(out - 1.42) - 0.20, abs(y - 0.55) - 0.045)
    step = max(out - 1.85, y - 0.10)
    stone = min(min(wall, rim - 0.01), step)
    column = min(cylinder(x, y - 0.6, z, 0.17, 0.6, 0.03), cone(x, y - 0.28, z, 0.36, 0.20, 0.16))
    column = min(column, torus(x, y - 0.86, z, 0.18, 0.045))
    bowl = max(shell(ellipsoid(x, y - 1.36, z, 0.78, 0.30, 0.78), 0.06), y - 1.34) * 0.8
    upper = min(cylinder(x, y - 1.55, z, 0.085, 0.35, 0.02), torus(x, y - 1.52, z, 0.10, 0.03))
    small = max(shell(ellipsoid(x, y - 2.02, z, 0.40, 0.20, 0.40), 0.05), y - 2.0) * 0.8
    finial = smooth_union(ellipsoid(x, y - 2.14, z, 0.09, 0.14, 0.09), sphere(x, y - 2.30, z, 0.055), 0.05)
    stone = min(min(stone, column), min(min(bowl, upper), min(small, finial)))
    water = min(max(out - 1.32, abs(y - 0.40) - 0.02), max(sqrt(x * x + z * z) - 0.72, abs(y - 1.29) - 0.01))
    return stone, min(water, max(sqrt(x * x + z * z) - 0.36, abs(y - 1.965) - 0.01))


@compiled
def _jets(x, y, z):
    """Thin jets of water falling from bowl to bowl to basin."""
    away = max(sqrt(x * x + z * z) - 1.1, y - 2.1)
    if away > 0.1:
        return away
    out, side, _ = sector(x, z, 8.0)
    u = clamp((out - 0.76) / 0.25, 0.0, 1.0)
    lower = sqrt((y - 1.36 + 0.95 * u * u) ** 2 + side * side) if 0.70 < out < 1.05 else 0.25
    v = clamp((out - 0.39) / 0.17, 0.0, 1.0)
    upper = sqrt((y - 2.02 + 0.72 * v * v) ** 2 + side * side) if 0.36 < out < 0.60 else 0.22
    return 0.25 * (min(lower, upper) - 0.012)


@compiled
def _arcade(x, y, z, best, part):
    """Four sides of arches on columns, a storey with small windows above, a tiled roof."""
    a, b = abs(x), abs(z)
    out, along = (a, z) if a > b else (b, x)
    wall = HALF - out
    bay = along - 2.05 * clamp(floor(along / 2.05 + 0.5), -2.0, 2.0)
    opening = max(abs(bay) - 0.78, y - 2.25)
    round_top = sqrt(bay * bay + (max(y - 2.25, 0.0)) ** 2) - 0.78
    hole = max(min(opening, max(round_top, 2.0 - y)), abs(wall + 0.17) - 0.4)
    front = max(max(wall, -wall - 0.34), y - 5.1)
    front = max(front, -hole)
    window = max(box(bay, y - 4.1, 0.0, 0.34, 0.52, 1.0, 0.0), abs(wall) - 0.2)
    front = max(front, -window)
    best, part = closer(best, part, front, PLASTER)
    best, part = closer(best, part, max(max(window - 0.02, abs(wall + 0.22) - 0.03), y - 5.0), WOOD)
    ceiling = max(max(abs(y - 3.3) - 0.08, wall + 0.3), -wall - 2.7)
    best, part = closer(best, part, ceiling, SHADE)
    trim = max(abs(round_top if y > 2.25 else abs(bay) - 0.78) - 0.09, abs(wall + 0.15) - 0.20)
    trim = max(trim, max(y - 3.2, -y))
    band = max(abs(y - 3.28) - 0.07, abs(wall) - 0.08)
    base = max(y - 0.35, max(abs(abs(bay) - 1.025) - 0.30, abs(wall + 0.15) - 0.24))
    best, part = closer(best, part, 0.9 * min(min(trim, band), base), ARCH)
    best, part = closer(best, part, max(2.6 + wall, y - 5.0), SHADE)
    slope = (y - 5.35 - 0.42 * (out - HALF + 0.45)) * 0.92
    roof = max(max(abs(slope) - 0.06, HALF - 0.45 - out), out - HALF - 3.0)
    ripple_ = 0.035 * abs(along / 0.24 - floor(along / 0.24) - 0.5)
    return closer(best, part, 0.85 * (roof + ripple_), ROOF)


@compiled
def _pots(x, y, z, best, part):
    """Lemon trees in terracotta at the corners of an inner square, and small pots between them."""
    px, pz = abs(x) - 3.35, abs(z) - 3.35
    pot = max(shell(cone(px, y - 0.32, pz, 0.25, 0.36, 0.32), 0.05), y - 0.62)
    pot = min(pot, torus(px, y - 0.60, pz, 0.36, 0.04))
    best, part = closer(best, part, pot, POT)
    best, part = closer(best, part, cylinder(px, y - 0.28, pz, 0.28, 0.26, 0.0), SHADE)
    best, part = closer(best, part, capsule(px, y, pz, 0.0, 0.5, 0.0, 0.03, 1.5, 0.0, 0.045, 0.03), WOOD)
    crown = sphere(px, y - 1.85, pz, 0.62)
    best, part = closer(best, part, leaves(x, y, z, 0.14, 0.062, crown), LEAF)
    if crown < 0.2:
        cell = 0.31
        i, j, k = floor(x / cell), floor(y / cell), floor(z / cell)
        lemon = ellipsoid(x - (i + 0.5) * cell, y - (j + 0.5) * cell, z - (k + 0.5) * cell, 0.042, 0.055, 0.042)
        if crown > -0.16 and hash3(i, j, k) > 0.55:
            best, part = closer(best, part, lemon, LEMON)
    return best, part


@compiled
def _nearest(x, y, z, time):
    best, part = y, TILES
    stone, water = _fountain(x, y, z)
    best, part = closer(best, part, stone, STONE)
    best, part = closer(best, part, water, WATER)
    best, part = closer(best, part, _jets(x, y, z), SPRAY)
    best, part = _pots(x, y, z, best, part)
    return _arcade(x, y, z, best, part)


@compiled
def distance(x, y, z, time):
    return _nearest(x, y, z, time)[0]


@compiled
def _tile(x, z, width):
    """Star-and-cross floor in cream, terracotta and blue."""
    size = 0.62
    i, j = floor(x / size), floor(z / size)
    u, v = abs(x / size - i - 0.5), abs(z / size - j - 0.5)
    star = min(max(u, v) / 0.30, (u + v) / 0.42)
    own = 0.82 + 0.30 * hash3(i, j, 1.0)
    r, g, b = blend((0.60, 0.33, 0.20), (0.72, 0.64, 0.52), smoothstep(0.95, 1.0 + 4.0 * width, star))
    if star < 0.45:
        r, g, b = 0.12, 0.26, 0.40
    joint = smoothstep(0.0, 0.012 + 2.0 * width, min(0.5 - max(u, v), abs(star - 1.0) * 0.2))
    own *= mix(0.55, 1.0, joint) * (0.8 + 0.35 * fbm2(1.5 * x, 1.5 * z, 3))
    return r * own, g * own, b * own


@compiled
def surface(x, y, z, nx, ny, nz, time, width):
    part = _nearest(x, y, z, time)[1]
    if part == TILES:
        r, g, b = _tile(x, z, width)
        return Material(r, g, b, 0.3, 0.010, 0.0, 0.0, nx, ny, nz)
    if part in (STONE, ARCH):
        tone = fbm3(3.0 * x, 5.0 * y, 3.0 * z, 4)
        r, g, b = blend((0.40, 0.35, 0.28), (0.74, 0.68, 0.57), tone)
        moss = smoothstep(0.55, 0.75, fbm3(2.0 * x, 2.0 * y, 2.0 * z, 3)) * smoothstep(1.2, 0.2, y)
        r, g, b = blend((r, g, b), (0.20, 0.22, 0.11), 0.5 * moss)
        return plain(r, g, b, 0.1, nx, ny, nz)
    if part == WATER:
        nx, ny, nz = ripple(x, z, 3.2, 0.02, time)
        return Material(0.02, 0.14, 0.15, 0.9, 0.06, 0.0, 0.0, nx, ny, nz)
    if part == SPRAY:
        return Material(0.75, 0.82, 0.86, 0.9, 0.0, 0.25, 0.5, nx, ny, nz)
    if part == PLASTER:
        stain = fbm3(0.8 * x, 0.5 * y, 0.8 * z, 4)
        r, g, b = blend((0.66, 0.40, 0.20), (0.86, 0.62, 0.36), smoothstep(0.3, 0.65, stain))
        if y > 3.3:
            r, g, b = r * 1.03, g * 1.08, b * 1.15
        bare = smoothstep(0.66, 0.70, fbm3(0.9 * x + 3.0, 0.9 * y, 0.9 * z, 4)) * smoothstep(3.0, 1.5, y)
        own, stone = bricks(x if abs(nz) > 0.5 else z, y, 0.28, 0.09, 0.015, width)
        brick = blend((0.45, 0.38, 0.30), (0.45 + 0.1 * own, 0.20, 0.12), stone)
        r, g, b = blend((r, g, b), brick, bare)
        return plain(r, g, b, 0.0, nx, ny, nz)
    if part == ROOF:
        tone = 0.7 + 0.5 * noise3(4.0 * x, 9.0 * y, 4.0 * z)
        return plain(0.52 * tone, 0.22 * tone, 0.12 * tone, 0.0, nx, ny, nz)
    if part == POT:
        ring = 0.85 + 0.2 * noise3(3.0 * x, 30.0 * y, 3.0 * z)
        return plain(0.58 * ring, 0.26 * ring, 0.14 * ring, 0.1, nx, ny, nz)
    if part == LEAF:
        own = leaf_tone(x, y, z, 0.14)
        r, g, b = blend((0.045, 0.13, 0.025), (0.17, 0.30, 0.06), own)
        return leaf(r, g, b, 0.6, nx, ny, nz)
    if part == LEMON:
        return plain(0.88, 0.66, 0.06, 0.5, nx, ny, nz)
    if part == WOOD:
        return plain(0.13, 0.25, 0.24, 0.2, nx, ny, nz) if y > 3.3 else plain(0.22, 0.14, 0.08, 0.0, nx, ny, nz)
    return plain(0.66, 0.47, 0.30, 0.0, nx, ny, nz)


@compiled
def sky(dx, dy, dz):
    r, g, b = blend((0.72, 0.84, 0.98), (0.14, 0.34, 0.74), smoothstep(0.0, 0.7, dy))
    cover = clouds(dx, dy, dz, 0.8, 0.50, 0.3)
    return blend((r, g, b), (1.15, 1.12, 1.08), 0.8 * cover)


SETTING = Setting(
    distance,
    surface,
    sky,
    Light(
        sun=SUN,
        sun_colour=(3.4, 2.85, 2.15),
        sun_size=0.014,
        above=(0.36, 0.43, 0.55),
        below=(0.42, 0.32, 0.22),
        reach=1.0,
        haze=(0.7, 0.75, 0.8),
        haze_per_metre=0.002,
        haze_top=20.0,
        far=60.0,
        exposure=0.76,
        bloom=0.05,
    ),
    eye=(-1.6, 1.75, -5.4),
    target=(0.0, 1.35, 0.0),
    fov_degrees=62.0,
)
