"""A kitchen still life: pears, oranges and grapes, a copper pot, a jug, bread and a cloth in side light."""

from __future__ import annotations

from math import floor, sin, sqrt

from examples.render.light import Light, Material, lamps, unit
from examples.render.materials import blend, closer, glowing, grain, leaf, plain
from examples.render.noise import fbm2, fbm3, hash3, noise2, noise3
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
    turned,
)

SUN = unit(-0.78, 0.50, -0.42)
TABLE, WALL, PEAR, ORANGE, GRAPE, COPPER, JUG, BREAD, CLOTH, BOWL, CANDLE, FLAME, STALK, BOARD, LEMON, HERB, GLASS = (
    range(17)
)


@compiled
def _pear(x, y, z, lean):
    x, y = turned(x, y, lean)
    body = smooth_union(sphere(x, y, z, 0.044), capsule(x, y, z, 0.0, 0.03, 0.0, 0.004, 0.068, 0.0, 0.03, 0.019), 0.035)
    return body, capsule(x, y, z, 0.004, 0.085, 0.0, 0.012, 0.112, 0.004, 0.0025, 0.0035)


@compiled
def _citrus(x, y, z, radius):
    return sphere(x, y, z, radius) + 0.0006 * noise3(220 * x, 220 * y, 220 * z)


@compiled
def _grapes(x, y, z):
    """A bunch lying on the board, berries on a jittered lattice inside an ellipsoid."""
    outline = ellipsoid(x, y - 0.022, z, 0.105, 0.042, 0.06)
    if outline > 0.03:
        return outline
    cell = 0.024
    best = 0.02
    for dj in range(-1, 2):
        for di in range(-1, 2):
            for dk in range(-1, 2):
                i, j, k = floor(x / cell) + di, floor(y / cell) + dj, floor(z / cell) + dk
                a, b, c = hash3(i, j, k), hash3(i + 5, j, k), hash3(i, j, k + 5)
                px, py, pz = (
                    (i + 0.5 + 0.35 * (a - 0.5)) * cell,
                    (j + 0.5 + 0.35 * (b - 0.5)) * cell,
                    (k + 0.5 + 0.35 * (c - 0.5)) * cell,
                )
                if ellipsoid(px, py - 0.022, pz, 0.105, 0.042, 0.06) < 0.0:
                    best = min(best, sphere(x - px, y - py, z - pz, 0.0135))
    return best


@compiled
def _jug(x, y, z):
    """Stoneware jug with a handle and a lip."""
    up = clamp((y - 0.0) / 0.27, 0.0, 1.0)
    profile = (
        0.062
        + 0.042 * sin(3.14 * clamp(1.15 * up + 0.08, 0.0, 1.0)) ** 1.5
        - 0.012 * smoothstep(0.7, 0.9, up)
        + 0.02 * smoothstep(0.88, 1.0, up)
    )
    lip = 0.02 * smoothstep(0.8, 1.0, up) * smoothstep(0.5, 1.0, -x / max(sqrt(x * x + z * z), 1e-4))
    wall = abs(sqrt(x * x + z * z) - profile - lip) - 0.004
    body = max(wall, max(y - 0.27, -y)) * 0.75
    floor_ = cylinder(x, y - 0.008, z, 0.062, 0.008, 0.0)
    hx, hy = x - 0.092, y - 0.165
    handle = torus(hx, z, hy, 0.058, 0.0095)
    handle = max(handle, -(hx + 0.012))
    return smooth_union(min(body, floor_), handle, 0.012)


@compiled
def _copper(x, y, z):
    """Copper pot with a brass handle on either side."""
    pot = max(shell(cylinder(x, y - 0.085, z, 0.115, 0.085, 0.02), 0.004), y - 0.16) * 0.9
    rim = torus(x, y - 0.16, z, 0.114, 0.004)
    ears = torus(abs(x) - 0.118, y - 0.118, z, 0.026, 0.005)
    return min(min(pot, rim), ears)


@compiled
def _stems(x, y, z):
    """Stalks of the herb, fanning out of the pot."""
    out, side, number = sector(x, z, 9.0)
    tall = 0.14 + 0.05 * hash3(number, 1.0, 1.0)
    return capsule(out, y, side, 0.01, 0.0, 0.0, 0.02 + 0.06 * hash3(number, 2.0, 2.0), tall, 0.0, 0.002, 0.0015)


@compiled
def _cloth(x, y, z):
    """A linen cloth that lies in folds over the table's front edge."""
    wave = 0.010 * sin(46.0 * x + 6.0 * sin(7.0 * z)) + 0.006 * sin(23.0 * x - 11.0 * z)
    lying = max(abs(y - 0.012 - max(wave, -0.008)) - 0.003, abs(z + 0.26) - 0.14)
    hanging = max(abs(z + 0.398 + 1.3 * wave * smoothstep(0.02, -0.2, y)) - 0.004, max(y - 0.01, -0.32 - y))
    return 0.55 * max(min(lying, hanging), abs(x - 0.17 - 0.03 * sin(9.0 * z)) - 0.155)


@compiled
def _nearest(x, y, z, time):
    best, part = closer(
        box(x, y + 0.02, z - 0.1, 0.95, 0.02, 0.5, 0.006), TABLE, 0.95 - z + 0.012 * fbm2(5 * x, 5 * y, 3), WALL
    )
    best, part = closer(best, part, y + 0.9, WALL)
    best, part = closer(best, part, _cloth(x, y, z), CLOTH)
    bx, bz = turned(x + 0.20, z + 0.13, 0.25)
    board = max(box(bx, y - 0.009, bz, 0.20, 0.009, 0.105, 0.006), 0.014 - sqrt((bx - 0.175) ** 2 + bz * bz))
    best, part = closer(best, part, board, BOARD)
    best, part = closer(best, part, _grapes(bx + 0.045, y - 0.018, bz + 0.005), GRAPE)
    half = max(_citrus(bx - 0.10, y - 0.018, bz + 0.01, 0.034), 0.35 * (y - 0.034) - 0.94 * (bz + 0.03))
    best, part = closer(best, part, half, LEMON)
    best, part = closer(best, part, _jug(x - 0.07, y, z - 0.30), JUG)
    best, part = closer(best, part, _copper(x + 0.30, y, z - 0.23), COPPER)
    sprig = ellipsoid(x + 0.30, y - 0.22, z - 0.23, 0.13, 0.10, 0.12)
    best, part = closer(
        best, part, min(leaves(x, y, z, 0.034, 0.0150, sprig), _stems(x + 0.30, y - 0.12, z - 0.23)), HERB
    )
    px, pz = x - 0.33, z - 0.13
    bowl = max(shell(ellipsoid(px, y - 0.10, pz, 0.155, 0.10, 0.155), 0.006), y - 0.095)
    best, part = closer(best, part, 0.8 * min(bowl, cylinder(px, y - 0.008, pz, 0.06, 0.008, 0.003)), BOWL)
    fruit = min(_citrus(px + 0.055, y - 0.082, pz + 0.045, 0.042), _citrus(px - 0.05, y - 0.085, pz + 0.035, 0.044))
    fruit = min(fruit, _citrus(px - 0.01, y - 0.085, pz - 0.06, 0.043))
    best, part = closer(best, part, fruit, ORANGE)
    pear, stalk = _pear(px + 0.0, y - 0.138, pz + 0.01, 0.55)
    first, first_stalk = _pear(x - 0.095, y - 0.044, z + 0.10, 0.12)
    lx, ly = turned(x + 0.005, y - 0.043, -1.35)
    second, second_stalk = _pear(lx, ly, z + 0.025, 0.0)
    best, part = closer(best, part, min(pear, min(first, second)), PEAR)
    best, part = closer(best, part, min(stalk, min(first_stalk, second_stalk)), STALK)
    cx, cz = x - 0.60, z - 0.34
    holder = min(cone(cx, y - 0.012, cz, 0.07, 0.05, 0.012), cylinder(cx, y - 0.09, cz, 0.013, 0.09, 0.003))
    holder = min(holder, cylinder(cx, y - 0.18, cz, 0.028, 0.008, 0.004))
    best, part = closer(best, part, holder, COPPER)
    best, part = closer(best, part, cylinder(cx, y - 0.25, cz, 0.0125, 0.07, 0.004), CANDLE)
    best, part = closer(best, part, ellipsoid(cx, y - 0.342, cz, 0.007, 0.022, 0.007), FLAME)
    rx, rz = turned(x + 0.56, z - 0.12, 0.35)
    crust = ellipsoid(rx, y - 0.05, rz, 0.17, 0.075, 0.085) + 0.004 * fbm3(40 * rx, 40 * y, 40 * rz, 3)
    slash = abs((rx + 0.5 * rz) - 0.075 * floor((rx + 0.5 * rz) / 0.075 + 0.5)) - 0.006
    crust = max(crust, -max(slash, 0.09 - y))
    best, part = closer(best, part, max(0.8 * crust, -y), BREAD)
    return best, part


@compiled
def distance(x, y, z, time):
    return _nearest(x, y, z, time)[0]


@compiled
def _fruit(x, y, z, nx, ny, nz, part):
    if part == PEAR:
        blush = smoothstep(0.45, 0.8, fbm3(22 * x, 16 * y, 22 * z, 3) + 0.25 * nx)
        r, g, b = blend((0.42, 0.42, 0.07), (0.62, 0.24, 0.06), blush)
        freckles = 1.0 - 0.3 * smoothstep(0.62, 0.78, fbm3(300 * x, 300 * y, 300 * z, 2))
        return plain(r * freckles, g * freckles, b * freckles, 0.45, nx, ny, nz)
    if part == ORANGE:
        bump = 0.12 * (noise3(520 * x, 520 * y, 520 * z) - 0.5)
        return plain(0.85, 0.30 + bump * 0.2, 0.02, 0.45, nx + bump, ny + bump, nz)
    if part == LEMON:
        return plain(0.88, 0.78, 0.30, 0.3, nx, ny, nz) if nz < -0.6 else plain(0.86, 0.62, 0.04, 0.4, nx, ny, nz)
    tone = fbm3(60 * x, 60 * y, 60 * z, 2)
    r, g, b = blend((0.10, 0.02, 0.06), (0.20, 0.08, 0.16), tone)
    return Material(r, g, b, 0.75, 0.03, 0.0, 0.3, nx, ny, nz)


@compiled
def surface(x, y, z, nx, ny, nz, time, width):
    part = _nearest(x, y, z, time)[1]
    if part in (TABLE, BOARD):
        scale = 2.2 if part == BOARD else 1.0
        joint = smoothstep(0.001, 0.003 + width, abs(z - 0.19 * floor(z / 0.19 + 0.5))) if part == TABLE else 1.0
        own = hash3(floor(z / 0.19 + 0.5), 1.0, 1.0)
        figure = grain(scale * 2.0 * x + 3.0 * own, scale * z, scale * (y + own), width)
        r, g, b = (
            blend((0.13, 0.06, 0.026), (0.36, 0.19, 0.085), figure)
            if part == TABLE
            else blend((0.34, 0.19, 0.08), (0.62, 0.42, 0.22), figure)
        )
        r, g, b = r * mix(0.3, 1.0, joint), g * mix(0.3, 1.0, joint), b * mix(0.3, 1.0, joint)
        return Material(r, g, b, 0.45, 0.02 if part == TABLE else 0.0, 0.0, 0.0, nx, ny, nz)
    if part == WALL:
        patina = fbm3(2.6 * x, 2.6 * y, z, 5)
        r, g, b = blend((0.04, 0.047, 0.047), (0.125, 0.118, 0.10), smoothstep(0.3, 0.7, patina))
        return plain(r, g, b, 0.0, nx, ny, nz)
    if part in (PEAR, ORANGE, LEMON, GRAPE):
        return _fruit(x, y, z, nx, ny, nz, part)
    if part == COPPER:
        dents = 0.05
        mx, my, mz = (
            nx + dents * (noise3(45 * x, 45 * y, 45 * z) - 0.5),
            ny + dents * (noise3(45 * x + 9, 45 * y, 45 * z) - 0.5),
            nz,
        )
        return Material(0.36, 0.135, 0.06, 0.75, 0.42, 0.0, 0.0, mx, my, mz)
    if part == JUG:
        glaze = smoothstep(-0.01, 0.012, y - 0.105 + 0.012 * sin(5 * x + 40 * z) + 0.02 * noise2(40 * x, 40 * z))
        speck = smoothstep(0.62, 0.74, fbm3(170 * x, 170 * y, 170 * z, 2))
        r, g, b = blend((0.30, 0.20, 0.13), (0.16, 0.29, 0.34), glaze)
        r, g, b = blend((r, g, b), (0.07, 0.06, 0.05), 0.4 * speck)
        return Material(r, g, b, 0.35 + 0.4 * glaze, 0.04 * glaze, 0.0, 0.0, nx, ny, nz)
    if part == BOWL:
        band = smoothstep(0.006, 0.003, abs(y - 0.075))
        r, g, b = blend((0.72, 0.69, 0.62), (0.06, 0.12, 0.34), band)
        return Material(r, g, b, 0.8, 0.04, 0.0, 0.0, nx, ny, nz)
    if part == BREAD:
        flour = smoothstep(0.45, 0.7, fbm3(30 * x, 30 * y, 30 * z, 4)) * smoothstep(0.1, 0.7, ny)
        r, g, b = blend((0.36, 0.15, 0.045), (0.72, 0.58, 0.40), flour)
        return plain(r, g, b, 0.1, nx, ny, nz)
    if part == CLOTH:
        weave = 0.92 + 0.16 * noise3(900 * x, 900 * y, 900 * z) if width < 0.001 else 1.0
        stripe = smoothstep(0.008, 0.006, abs(abs(x - 0.17 - 0.03 * sin(9.0 * z)) - 0.125))
        r, g, b = blend((0.70, 0.67, 0.60), (0.42, 0.08, 0.06), stripe)
        return leaf(r * weave, g * weave, b * weave, 0.15, nx, ny, nz)
    if part == CANDLE:
        return glowing(0.86, 0.74, 0.52, 0.55 * smoothstep(0.22, 0.32, y), nx, ny, nz)
    if part == FLAME:
        return glowing(1.0, 0.72, 0.34, 9.0, nx, ny, nz)
    if part == HERB:
        r, g, b = blend((0.06, 0.12, 0.03), (0.19, 0.27, 0.08), leaf_tone(x, y, z, 0.034))
        return leaf(r, g, b, 0.5, nx, ny, nz)
    return plain(0.16, 0.08, 0.03, 0.1, nx, ny, nz)


@compiled
def sky(dx, dy, dz):
    """Environment reflected by copper and glaze: a tall window on the left, the dark kitchen elsewhere."""
    window = (
        smoothstep(0.55, 0.6, -dx)
        * smoothstep(0.12, 0.16, dy)
        * smoothstep(0.75, 0.7, dy)
        * smoothstep(-0.6, -0.55, -abs(dz + 0.3))
    )
    bar = smoothstep(0.012, 0.02, abs(dz + 0.3)) * smoothstep(0.012, 0.02, abs(dy - 0.42))
    r, g, b = blend((0.05, 0.045, 0.04), (2.6, 2.5, 2.3), window * bar)
    return r, g, b


SETTING = Setting(
    distance,
    surface,
    sky,
    Light(
        sun=SUN,
        sun_colour=(2.3, 1.95, 1.45),
        sun_size=0.10,
        above=(0.10, 0.105, 0.12),
        below=(0.12, 0.085, 0.055),
        reach=0.22,
        lamps=lamps((0.60, 0.35, 0.30, 0.10, 0.058, 0.020, 0.02)),
        far=5.0,
        exposure=0.95,
        bloom=0.08,
    ),
    eye=(0.05, 0.40, -1.02),
    target=(0.045, 0.105, 0.10),
    fov_degrees=50.0,
)
