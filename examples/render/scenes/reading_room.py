"""A reading corner on a late afternoon: sun through a tall window, books, an armchair, a lamp."""

from __future__ import annotations

from math import floor, sin

from examples.render.light import Light, Material, lamps, unit
from examples.render.materials import blend, closer, glowing, grain, leaf, plain, plank
from examples.render.noise import fbm3, hash3, noise2, noise3
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
    rectangle,
    shell,
    smooth_union,
    smoothstep,
    sphere,
    torus,
    turned,
)

SUN = unit(-0.80, 0.52, -0.10)
LEFT, RIGHT, BACK, FRONT, CEILING = -2.4, 2.3, 2.6, -3.4, 2.9
FLOOR, WALL, WOOD, BOOK, CUSHION, RUG, LAMP, BRASS, PLANT, POT, PICTURE, CUP, TABLE, CURTAIN, THROW = range(15)


@compiled
def _window(y, z, centre):
    """Opening of one window of the left wall, and its bars, in the plane of the wall."""
    opening = rectangle(y - 1.5, z - centre, 1.05, 0.6)
    bars = min(abs(z - centre), min(abs(y - 1.15), abs(y - 1.85))) - 0.018
    return opening, max(bars, opening)


@compiled
def _room(x, y, z):
    inside = min(min(x - LEFT, RIGHT - x), min(min(z - FRONT, BACK - z), CEILING - y))
    first, bars_first = _window(y, z, 0.75)
    second, bars_second = _window(y, z, -1.05)
    hole = max(min(first, second), x - LEFT - 0.02)
    walls = max(max(inside, -hole), LEFT - 0.22 - x)
    frame = min(shell(first, 0.09), shell(second, 0.09))
    joinery = max(min(min(bars_first, bars_second), frame), abs(x - LEFT + 0.04) - 0.05)
    sill = min(
        box(x - LEFT - 0.06, y - 0.42, z - 0.75, 0.14, 0.02, 0.72, 0.01),
        box(x - LEFT - 0.06, y - 0.42, z + 1.05, 0.14, 0.02, 0.72, 0.01),
    )
    skirting = max(max(inside - 0.015, -inside - 0.03), y - 0.12)
    beam_z = z - 1.3 * floor(z / 1.3 + 0.5)
    beams = max(rectangle(y - CEILING + 0.06, beam_z, 0.11, 0.09), LEFT - 0.05 - x)
    return walls, min(min(min(joinery, sill), skirting), beams)


@compiled
def _shelf(x, y, z):
    """Bookcase at the back wall: (wood, books). x and z are relative to its centre, the back is at z = 0.17."""
    outer = box(x, y - 1.12, z, 0.95, 1.12, 0.17, 0.008)
    row = clamp(floor((y - 0.06) / 0.36), 0.0, 5.0)
    bay = 1.0 if x > 0 else -1.0
    hollow = box(x - 0.465 * bay, y - 0.06 - 0.36 * row - 0.18, z + 0.03, 0.445, 0.163, 0.17, 0.0)
    wood = max(outer, -hollow)
    start = -0.9 if bay < 0 else 0.04
    slot = floor((x - start) / 0.044)
    if slot < 0.0 or slot > 18.0:
        return wood, 0.05
    own = hash3(slot, row, bay + 3.0)
    if own > 0.86 or (row > 3.0 and bay > 0 and slot > 11.0):
        return wood, max(0.012, abs(x - start - 0.044 * (slot + 0.5)) - 0.0)
    tall = 0.20 + 0.10 * hash3(slot, row, bay + 9.0)
    deep = 0.10 + 0.03 * hash3(slot, row, bay + 5.0)
    middle = start + 0.044 * (slot + 0.5)
    book = box(x - middle, y - 0.075 - 0.36 * row - 0.5 * tall, z - 0.14 + deep, 0.019, 0.5 * tall, deep, 0.006)
    return wood, min(book, 0.03)


@compiled
def _armchair(x, y, z):
    """(upholstery, wooden legs), facing -z."""
    seat = box(x, y - 0.36, z, 0.33, 0.10, 0.36, 0.06)
    bulge = ellipsoid(x, y - 0.45, z + 0.02, 0.33, 0.09, 0.34)
    by, bz = turned(y - 0.42, z - 0.3, -0.22)
    back = box(x, by - 0.28, bz, 0.36, 0.42, 0.09, 0.08)
    wings = box(abs(x) - 0.36, by - 0.33, bz + 0.10, 0.055, 0.27, 0.14, 0.05)
    arms = box(abs(x) - 0.40, y - 0.42, z + 0.02, 0.085, 0.19, 0.37, 0.075)
    soft = smooth_union(smooth_union(back, wings, 0.05), smooth_union(seat, bulge, 0.04), 0.03)
    soft = smooth_union(soft, arms, 0.025)
    legs = capsule(abs(x), y, abs(z), 0.33, 0.25, 0.28, 0.37, 0.02, 0.33, 0.028, 0.016)
    return soft, legs


@compiled
def _pillow(x, y, z):
    x, y = turned(x, y, 0.35)
    y, z = turned(y, z, -0.3)
    pinch = 0.075 * (1.0 - 0.55 * (x * x + y * y) / 0.05)
    return (box(x, y, z, 0.21, 0.21, max(pinch, 0.015), 0.015)) * 0.7


@compiled
def _on_book(x, z):
    """Coordinates on the open book: across both pages, and perpendicular to the lines of text."""
    return turned(x - 0.98, z + 1.48, 0.45)


@compiled
def _nearest(x, y, z, time):
    walls, wood = _room(x, y, z)
    best, part = closer(y, FLOOR, walls, WALL)
    best, part = closer(best, part, wood, WOOD)
    rug = box(x + 0.25, y, z - 0.35, 1.25, 0.012, 0.95, 0.01)
    best, part = closer(best, part, rug, RUG)
    if z > 1.9 and x > -1.4:
        case, books = _shelf(x - 0.15, y, z - 2.42)
        best, part = closer(best, part, case, WOOD)
        best, part = closer(best, part, books, BOOK)
    else:
        best, part = closer(best, part, max(max(2.2 - z, -1.0 - x), 0.1), WOOD)
    cx, cz = turned(x - 0.85, z - 1.2, -0.62)
    if box(cx, y - 0.5, cz, 0.55, 0.7, 0.6, 0.0) < 0.12:
        soft, legs = _armchair(cx, y, cz)
        best, part = closer(best, part, soft, CUSHION)
        best, part = closer(best, part, legs, WOOD)
        best, part = closer(best, part, _pillow(cx + 0.03, y - 0.66, cz - 0.10), THROW)
    else:
        best, part = closer(best, part, box(cx, y - 0.5, cz, 0.55, 0.7, 0.6, 0.0), CUSHION)
    lx, lz = x - 1.72, z - 1.75
    stand = min(cylinder(lx, y - 0.75, lz, 0.014, 0.75, 0.0), cylinder(lx, y - 0.015, lz, 0.16, 0.015, 0.01))
    best, part = closer(best, part, stand, BRASS)
    shade = max(shell(cone(lx, y - 1.60, lz, 0.25, 0.16, 0.26), 0.008), abs(y - 1.60) - 0.16)
    best, part = closer(best, part, shade, LAMP)
    tx, tz = x + 0.55, z - 0.75
    table = min(
        cylinder(tx, y - 0.47, tz, 0.34, 0.018, 0.012),
        min(cylinder(tx, y - 0.24, tz, 0.03, 0.23, 0.0), cone(tx, y - 0.03, tz, 0.2, 0.03, 0.035)),
    )
    best, part = closer(best, part, table, TABLE)
    bx, bz = turned(tx + 0.06, tz - 0.05, 0.5)
    stack = box(bx, y - 0.505, bz, 0.12, 0.02, 0.16, 0.005)
    bx, bz = turned(bx, bz, -0.4)
    stack = min(stack, box(bx, y - 0.54, bz, 0.10, 0.015, 0.14, 0.005))
    best, part = closer(best, part, stack, BOOK)
    cup = max(shell(cylinder(tx - 0.17, y - 0.535, tz + 0.14, 0.042, 0.045, 0.01), 0.006), y - 0.572)
    best, part = closer(
        best, part, min(cup, torus(turned(tx - 0.215, 0.0, 0.0)[0], tz + 0.14, y - 0.535, 0.022, 0.006)), CUP
    )
    px, pz = x + 1.75, z - 1.95
    pot = max(shell(cone(px, y - 0.22, pz, 0.15, 0.21, 0.22), 0.02), y - 0.43)
    best, part = closer(best, part, min(pot, cylinder(px, y - 0.2, pz, 0.17, 0.18, 0.0)), POT)
    stems = capsule(px, y, pz, 0.0, 0.4, 0.0, 0.05, 1.1, 0.04, 0.022, 0.012)
    best, part = closer(best, part, stems, WOOD)
    crown = ellipsoid(px - 0.02, y - 1.35, pz, 0.42, 0.58, 0.40)
    best, part = closer(best, part, leaves(px, y, pz, 0.13, 0.055, crown), PLANT)
    frame = box(x + 1.62, y - 1.72, z - BACK, 0.34, 0.44, 0.025, 0.005)
    best, part = closer(best, part, frame, PICTURE)
    fold = 0.035 * sin(26.0 * z) + 0.015 * sin(61.0 * z)
    drape = min(abs(z - 1.58) - 0.2, min(abs(z + 0.15) - 0.24, abs(z + 1.9) - 0.2))
    curtain = max(max(abs(x - LEFT - 0.17 - fold) - 0.012, drape), abs(y - 1.36) - 1.34)
    best, part = closer(best, part, 0.6 * curtain, CURTAIN)
    rod = max((((x - LEFT - 0.17) ** 2 + (y - 2.7) ** 2) ** 0.5 - 0.016), abs(z + 0.1) - 2.1)
    best, part = closer(best, part, rod, BRASS)
    desk = box(x - 1.42, y - 0.72, z + 1.35, 0.7, 0.022, 0.42, 0.012)
    best, part = closer(best, part, desk, TABLE)
    ox, oz = _on_book(x, z)
    page = 0.014 + 0.018 * sin(clamp(abs(ox) / 0.155, 0.0, 1.0) * 3.14) ** 0.5 if abs(ox) < 0.155 else 0.014
    best, part = closer(best, part, 0.6 * box(ox, y - 0.743, oz, 0.155, page, 0.11, 0.004), PICTURE)
    vase = smooth_union(
        sphere(x - 1.27, y - 0.84, z + 1.05, 0.095), cylinder(x - 1.27, y - 0.95, z + 1.05, 0.035, 0.10, 0.01), 0.06
    )
    best, part = closer(best, part, vase, CUP)
    bunch = ellipsoid(x - 1.27, y - 1.09, z + 1.05, 0.13, 0.115, 0.13)
    best, part = closer(best, part, leaves(x, y, z, 0.05, 0.0235, bunch), THROW)
    return best, part


@compiled
def distance(x, y, z, time):
    return _nearest(x, y, z, time)[0]


@compiled
def _rug(x, z, width):
    u, v = abs(x + 0.25) / 1.25, abs(z - 0.35) / 0.95
    border = max(u, v)
    weave = 0.85 + 0.3 * noise2(220 * x, 220 * z) if width < 0.004 else 1.0
    diamond = abs(((x + 0.25) * 2.0) % 1.0 - 0.5) + abs(((z - 0.35) * 2.0) % 1.0 - 0.5)
    r, g, b = 0.42, 0.07, 0.05
    if border > 0.93:
        r, g, b = 0.55, 0.42, 0.27
    elif border > 0.82:
        r, g, b = blend((0.05, 0.09, 0.16), (0.55, 0.42, 0.27), 1.0 if (7 * (u + v)) % 1.0 < 0.35 else 0.0)
    elif diamond < 0.17:
        r, g, b = 0.58, 0.40, 0.2
    elif diamond < 0.30:
        r, g, b = 0.06, 0.1, 0.17
    return r * weave, g * weave, b * weave


@compiled
def _book(x, y, z):
    slot, row = floor((x - 0.15 + 10.0) / 0.044), floor((y - 0.06) / 0.36)
    own, tone = hash3(slot, row, 4.0), 0.6 + 0.6 * hash3(slot, row, 8.0)
    if own < 0.25:
        r, g, b = 0.30, 0.06, 0.04
    elif own < 0.45:
        r, g, b = 0.06, 0.14, 0.12
    elif own < 0.62:
        r, g, b = 0.45, 0.33, 0.16
    elif own < 0.8:
        r, g, b = 0.07, 0.10, 0.20
    else:
        r, g, b = 0.55, 0.5, 0.4
    height = (y - 0.075 - 0.36 * row) / 0.3
    if abs(height - 0.16) < 0.03 or abs(height - 0.55) < 0.05:
        r, g, b = blend((r, g, b), (0.6, 0.45, 0.2), 0.6)
    return r * tone, g * tone, b * tone


@compiled
def surface(x, y, z, nx, ny, nz, time, width):
    part = _nearest(x, y, z, time)[1]
    if part == FLOOR:
        wood, joint = plank(x, z, 0.14, 1.7, width)
        r, g, b = blend((0.20, 0.09, 0.035), (0.46, 0.25, 0.11), wood)
        shade = mix(0.25, 1.0, joint)
        return Material(r * shade, g * shade, b * shade, 0.45, 0.035 * joint, 0.0, 0.0, nx, ny, nz)
    if part == WALL:
        spots = 0.94 + 0.1 * fbm3(3 * x, 3 * y, 3 * z, 3)
        if y < CEILING - 0.01 and (z > BACK - 0.02):
            return plain(0.30 * spots, 0.42 * spots, 0.38 * spots, 0.0, nx, ny, nz)
        return plain(0.74 * spots, 0.66 * spots, 0.54 * spots, 0.0, nx, ny, nz)
    if part == WOOD:
        if x < LEFT + 0.3 or (y < 0.13 and z > BACK - 0.1):
            return plain(0.72, 0.68, 0.6, 0.3, nx, ny, nz)
        figure = grain(y if abs(x) < 1.2 and z > 1.8 else x, z, y, width)
        r, g, b = blend((0.12, 0.05, 0.02), (0.30, 0.15, 0.07), figure)
        return plain(r, g, b, 0.35, nx, ny, nz)
    if part == TABLE:
        r, g, b = blend((0.22, 0.09, 0.03), (0.48, 0.24, 0.1), grain(x, z, y, width))
        return Material(r, g, b, 0.6, 0.03, 0.0, 0.0, nx, ny, nz)
    if part == BOOK:
        if z < 1.8:
            return plain(0.12, 0.2, 0.25, 0.2, nx, ny, nz) if y > 0.525 else plain(0.5, 0.12, 0.07, 0.2, nx, ny, nz)
        r, g, b = _book(x, y, z)
        return plain(r, g, b, 0.3, nx, ny, nz)
    if part == CUSHION:
        weave = 0.85 + 0.3 * noise3(90 * x, 90 * y, 90 * z) if width < 0.006 else 1.0
        return plain(0.07 * weave, 0.22 * weave, 0.21 * weave, 0.1, nx, ny, nz)
    if part == RUG:
        r, g, b = _rug(x, z, width)
        return plain(r, g, b, 0.0, nx, ny, nz)
    if part == LAMP:
        return glowing(1.0, 0.72, 0.38, 1.5, nx, ny, nz)
    if part == BRASS:
        return plain(0.5, 0.34, 0.12, 0.8, nx, ny, nz)
    if part == PLANT:
        tone = leaf_tone(x + 1.75, y, z - 1.95, 0.13)
        r, g, b = blend((0.05, 0.14, 0.03), (0.17, 0.30, 0.06), tone)
        return leaf(r, g, b, 0.6, nx, ny, nz)
    if part == POT:
        return plain(0.62, 0.27, 0.14, 0.1, nx, ny, nz) if ny < 0.9 else plain(0.08, 0.05, 0.03, 0.0, nx, ny, nz)
    if part == PICTURE:
        return _print(x, y, z, nx, ny, nz)
    if part == CUP:
        return plain(0.75, 0.74, 0.70, 0.8, nx, ny, nz)
    if part == CURTAIN:
        return leaf(0.78, 0.68, 0.52, 0.55, nx, ny, nz)
    if z < 0.0:
        tone = leaf_tone(x, y, z, 0.05)
        r, g, b = blend((0.95, 0.36, 0.22), (0.98, 0.88, 0.62), 2.0 * tone - 0.9) if tone > 0.45 else (0.12, 0.22, 0.06)
        return leaf(r, g, b, 0.5, nx, ny, nz)
    stripe = 0.5 + 0.5 * sin(90.0 * x + 30.0 * y)
    r, g, b = blend((0.72, 0.38, 0.08), (0.80, 0.60, 0.30), smoothstep(0.4, 0.6, stripe))
    return plain(r, g, b, 0.0, nx, ny, nz)


@compiled
def _print(x, y, z, nx, ny, nz):
    if z < 0.0:  # the open book: lines of text
        ox, oz = _on_book(x, z)
        line = smoothstep(0.2, 0.5, sin(6.283 * oz / 0.016)) * smoothstep(
            0.30, 0.40, noise2(110 * ox, floor(oz / 0.016))
        )
        ink = (
            line
            * smoothstep(0.14, 0.135, abs(ox))
            * smoothstep(0.012, 0.018, abs(ox))
            * smoothstep(0.095, 0.09, abs(oz))
        )
        return plain(0.8 - 0.5 * ink, 0.76 - 0.48 * ink, 0.66 - 0.42 * ink, 0.0, nx, ny, nz)
    u, v = (x + 1.62) / 0.34, (y - 1.72) / 0.44
    if max(abs(u), abs(v)) > 0.9:
        return plain(0.35, 0.22, 0.08, 0.5, nx, ny, nz)
    if max(abs(u) * 1.1, abs(v)) > 0.68:
        return plain(0.75, 0.72, 0.64, 0.1, nx, ny, nz)
    hills = 0.1 * sin(5 * u + 1) + 0.25 * noise2(3 * u, 1.0)
    if v < hills - 0.25:
        return plain(0.12, 0.24, 0.18, 0.1, nx, ny, nz)
    if (u - 0.2) ** 2 + (v - 0.25) ** 2 < 0.04:
        return plain(0.85, 0.4, 0.12, 0.1, nx, ny, nz)
    return plain(0.75 - 0.2 * v, 0.55, 0.38 + 0.2 * v, 0.1, nx, ny, nz)


@compiled
def sky(dx, dy, dz):
    """A garden out of focus: bright air above, green below."""
    r, g, b = blend(
        (0.30, 0.44, 0.15),
        (1.30, 1.42, 1.45),
        smoothstep(0.0, 0.42, dy + 0.35 * (fbm3(9 * dz, 9 * dy, 9 * dx, 4) - 0.5)),
    )
    return r, g, b


SETTING = Setting(
    distance,
    surface,
    sky,
    Light(
        sun=SUN,
        sun_colour=(5.2, 3.9, 2.3),
        sun_size=0.016,
        above=(0.16, 0.155, 0.16),
        below=(0.19, 0.13, 0.08),
        reach=1.3,
        shafts=0.008,
        lamps=lamps(
            (1.72, 1.86, 1.75, 0.60, 0.36, 0.14, 0.05),
            (1.72, 1.37, 1.75, 0.55, 0.32, 0.12, 0.05),
            (-2.2, 1.9, 0.75, 0.50, 0.58, 0.70, 0.6),
            (-2.2, 1.2, 0.75, 0.35, 0.40, 0.50, 0.6),
            (-2.2, 1.7, -1.05, 0.50, 0.58, 0.70, 0.6),
        ),
        far=30.0,
        exposure=1.0,
        bloom=0.10,
    ),
    eye=(0.78, 1.5, -3.2),
    target=(-0.22, 1.0, 1.2),
    fov_degrees=62.0,
)
