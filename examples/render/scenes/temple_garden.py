"""A temple garden in autumn: a pond with stepping stones, a red bridge, a pagoda, maples and a stone lantern."""

from __future__ import annotations

from math import floor, sqrt

from examples.render.light import Light, Material, lamps, unit
from examples.render.materials import blend, closer, clouds, glowing, grain, leaf, plain, ripple, towards
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
    smooth_union,
    smoothstep,
    sphere,
    turned,
)

SUN = unit(-0.70, 0.50, -0.22)
GROUND, POND, STONE, RED, ROOF, PLASTER, WOOD, MAPLE, BUSH, LANTERN, PAPER, BAMBOO, LILY = range(13)
PX, PZ, PAGODA_SCALE = -5.2, 27.0, 1.08


@compiled
def _height(x, z):
    """Banks around the pond, a mound for the pagoda, wooded hills behind."""
    u, v = (x - 0.6) / 8.4, (z - 6.2) / 7.6
    rim = sqrt(u * u + v * v) - 1.0 + 0.30 * (noise2(0.35 * x, 0.35 * z) - 0.5)
    bank = -0.9 + 1.35 * smoothstep(-0.22, 0.22, rim) + 0.5 * smoothstep(0.2, 1.4, rim)
    hills = 30.0 * smoothstep(42.0, 120.0, z) * (0.35 + noise2(0.016 * x + 2.2, 0.016 * z))
    return bank + hills + 0.10 * (fbm2(1.3 * x, 1.3 * z, 3) - 0.5)


@compiled
def _roof(x, y, z, half, rise):
    """Square hipped roof with lifted corners, eaves at y = 0."""
    a, b = abs(x), abs(z)
    out = max(a, b)
    lift = 0.16 * rise * (min(a, b) / half) ** 2 * (out / half) ** 2 * 2.0
    up = clamp(1.0 - out / half, 0.0, 1.0)
    curve = rise * (0.55 * up + 0.45 * up * up)
    return 0.55 * max(max(y - curve - lift, curve + lift - 0.16 - 0.35 * up - y), out - half)


@compiled
def _pagoda(x, y, z, best, part):
    best, part = closer(best, part, box(x, y - 0.35, z, 3.1, 0.55, 3.1, 0.04), STONE)
    a, b = abs(x), abs(z)
    for storey in range(3):
        shrink = 1.0 - 0.17 * storey
        base = 0.9 + 2.75 * storey
        half = 1.75 * shrink
        best, part = closer(best, part, box(x, y - base - 0.9, z, half, 0.9, half, 0.0), PLASTER)
        posts = box(
            max(a, b) - half - 0.02,
            y - base - 0.9,
            min(a, b) - half * (0.98 if min(a, b) > 0.65 * half else 0.33),
            0.085,
            0.95,
            0.085,
            0.0,
        )
        beams = box(max(a, b) - half - 0.03, y - base - 1.55, 0.0, 0.11, 0.10, 1.0, 0.0)
        rail = max(
            max(abs(max(a, b) - half - 0.42) - 0.04, min(abs(y - base - 0.55), abs(y - base - 0.3)) - 0.035),
            y - base - 0.6,
        )
        best, part = closer(best, part, min(min(posts, beams), rail), RED)
        deck = box(x, y - base - 0.04, z, half + 0.5, 0.07, half + 0.5, 0.0)
        best, part = closer(best, part, deck, WOOD)
        best, part = closer(best, part, _roof(x, y - base - 1.72, z, 3.05 * shrink, 1.15), ROOF)
    spire = min(
        cylinder(x, y - 10.3, z, 0.05, 1.5, 0.0), min(sphere(x, y - 9.35, z, 0.22), sphere(x, y - 11.6, z, 0.13))
    )
    rings = max(
        abs(y - 10.4 - 0.28 * clamp(floor((y - 10.4) / 0.28 + 0.5), -2.0, 2.0)) - 0.03, sqrt(x * x + z * z) - 0.2
    )
    return closer(best, part, min(spire, rings), WOOD)


@compiled
def _bridge(x, y, z):
    """Arched footbridge along x: (deck and rails in red, planks)."""
    arch = 0.95 * (1.0 - (x / 3.3) ** 2)
    deck = max(abs(y - arch - 0.25) - 0.05, max(abs(z) - 0.75, abs(x) - 3.3))
    side = max(abs(y - arch - 0.22) - 0.12, max(abs(abs(z) - 0.78) - 0.06, abs(x) - 3.3))
    rail = max(
        min(abs(y - arch - 1.02) - 0.055, abs(y - arch - 0.68) - 0.03), max(abs(abs(z) - 0.78) - 0.05, abs(x) - 3.2)
    )
    post = x - 0.8 * clamp(floor(x / 0.8 + 0.5), -4.0, 4.0)
    posts = box(post, y - arch - 0.62, abs(z) - 0.78, 0.06, 0.52, 0.06, 0.01)
    return 0.8 * min(min(side, rail), posts), 0.8 * deck


@compiled
def _lantern(x, y, z):
    """Stone lantern, 1.75 m: (stone, paper-lit opening)."""
    stone = min(cylinder(x, y - 0.1, z, 0.34, 0.12, 0.04), cone(x, y - 0.55, z, 0.15, 0.12, 0.4))
    stone = smooth_union(stone, cone(x, y - 0.98, z, 0.16, 0.34, 0.09), 0.04)
    room = box(x, y - 1.22, z, 0.21, 0.17, 0.21, 0.02)
    windows = min(box(x, y - 1.22, z, 0.12, 0.11, 0.4, 0.0), box(x, y - 1.22, z, 0.4, 0.11, 0.12, 0.0))
    stone = min(stone, max(room, -windows))
    stone = min(stone, _roof(x, y - 1.40, z, 0.46, 0.26))
    return min(stone, ellipsoid(x, y - 1.74, z, 0.075, 0.12, 0.075)), box(x, y - 1.2, z, 0.13, 0.12, 0.13, 0.02)


@compiled
def _maple(x, y, z, best, part):
    """A spreading tree, trunk at the origin: bark and clouds of small red leaves."""
    bark = capsule(x, y, z, 0.0, -0.3, 0.0, -0.15, 1.7, 0.05, 0.19, 0.13)
    bark = smooth_union(bark, capsule(x, y, z, -0.15, 1.6, 0.05, -1.5, 3.0, -0.3, 0.11, 0.045), 0.1)
    bark = smooth_union(bark, capsule(x, y, z, -0.15, 1.65, 0.05, 0.7, 3.3, 0.35, 0.11, 0.045), 0.1)
    bark = smooth_union(bark, capsule(x, y, z, -0.8, 2.3, -0.12, -2.1, 2.7, 0.35, 0.06, 0.03), 0.08)
    best, part = closer(best, part, 0.8 * bark, WOOD)
    crown = min(
        ellipsoid(x + 1.5, y - 3.1, z + 0.2, 1.5, 0.55, 1.25), ellipsoid(x - 0.6, y - 3.55, z - 0.2, 1.55, 0.7, 1.3)
    )
    crown = min(
        crown,
        min(ellipsoid(x + 0.4, y - 4.15, z, 1.3, 0.55, 1.1), ellipsoid(x + 2.3, y - 2.55, z - 0.2, 0.9, 0.35, 0.8)),
    )
    return closer(best, part, leaves(x, y, z, 0.17, 0.078, crown), MAPLE)


@compiled
def _far_trees(x, y, z):
    """Round autumn crowns over the hills."""
    cell = 5.0
    i, j = floor(x / cell), floor(z / cell)
    own = hash3(i, j, 2.0)
    px, pz = x - (i + 0.5 + 0.3 * (own - 0.5)) * cell, z - (j + 0.5 + 0.3 * (hash3(i, j, 4.0) - 0.5)) * cell
    edge = 0.5 * cell - max(abs(x - (i + 0.5) * cell), abs(z - (j + 0.5) * cell)) + 0.5
    if j < 8.0:
        return edge
    foot = _height(x - px, z - pz)
    size = 1.6 + 0.9 * own
    rough = 0.45 * fbm3(1.4 * x, 1.4 * y, 1.4 * z, 3)
    crown = 0.7 * (ellipsoid(px, y - foot - 1.4 * size, pz, size, 1.45 * size, size) + rough)
    return min(crown, edge)


@compiled
def _rocks(x, y, z):
    """Stepping stones across the pond and boulders on its bank."""
    step = x + 2.6 - 1.02 * clamp(floor((x + 2.6) / 1.02 + 0.5), -1.0, 5.0)
    number = floor((x + 2.6) / 1.02 + 0.5)
    line = 3.1 + 0.28 * (x + 2.6) + 0.5 * (hash3(number, 1.0, 1.0) - 0.5)
    flat = cylinder(step + 0.1 * (hash3(number, 2.0, 1.0) - 0.5), y - 0.01, (z - line) * 1.12, 0.40, 0.13, 0.06)
    flat += 0.035 * (noise2(3.0 * x, 3.0 * z) - 0.5)
    big = ellipsoid(x + 5.0, y - 0.25, z - 3.4, 0.95, 0.75, 0.75) + 0.14 * fbm3(2 * x, 2 * y, 2 * z, 3)
    big = min(big, ellipsoid(x + 4.0, y - 0.05, z - 2.55, 0.5, 0.36, 0.42) + 0.09 * fbm3(3 * x, 3 * y, 3 * z, 3))
    big = min(big, ellipsoid(x - 3.3, y - 0.15, z - 11.0, 1.1, 0.7, 0.7) + 0.14 * fbm3(2 * x, 2 * y, 2 * z, 3))
    return 0.75 * min(flat, big)


@compiled
def _nearest(x, y, z, time):
    best, part = closer(0.7 * (y - _height(x, z)), GROUND, y, POND)
    if z < 14.0:
        best, part = closer(best, part, _rocks(x, y, z), STONE)
        best, part = closer(best, part, _lilies(x, y, z), LILY)
        stone, paper = _lantern(x + 3.15, y - 0.28, z - 4.6)
        best, part = closer(best, part, stone, LANTERN)
        best, part = closer(best, part, paper, PAPER)
    bx, bz = turned(x - 1.9, z - 11.2, 0.12)
    near = box(bx, y - 1.0, bz, 3.5, 1.4, 1.0, 0.0)
    if near < 0.5:
        red, planks = _bridge(bx, y, bz)
        best, part = closer(best, part, red, RED)
        best, part = closer(best, part, planks, WOOD)
    else:
        best, part = closer(best, part, near, RED)
    s = PAGODA_SCALE
    near = box(x - PX, y - 7.5, z - PZ, 4.3, 9.0, 4.3, 0.0)
    if near < 0.6:
        d, which = _pagoda((x - PX) / s, (y - 0.5) / s, (z - PZ) / s, best / s, part)
        best, part = d * s, which
    else:
        best, part = closer(best, part, near, ROOF)
    near = ellipsoid(x - 4.3, y - 2.4, z - 5.2, 3.9, 3.2, 2.4)
    if near < 0.5:
        best, part = _maple(x - 4.6, y - 0.4, z - 5.2, best, part)
    else:
        best, part = closer(best, part, max(near, 0.3), MAPLE)
    if near > 0.5 and z > 12.0:
        bush_x = x - 2.6 * floor(x / 2.6 + 0.5)
        own = hash3(floor(x / 2.6 + 0.5), 1.0, 1.0)
        bush = ellipsoid(bush_x, y - 0.55, z - 15.2 - 1.3 * own, 0.9 + 0.3 * own, 0.65 + 0.4 * own, 0.8)
        rough = bush + 0.14 * fbm3(5.0 * x, 5.0 * y, 5.0 * z, 3)
        if z < 20.0:
            best, part = closer(best, part, min(0.7 * rough, 1.0), BUSH)
        if z > 35.0 and y < 70.0:
            best, part = closer(best, part, _far_trees(x, y, z), BAMBOO)
        else:
            best, part = closer(best, part, max(max(35.3 - z, y - 66.0), 0.4), BAMBOO)
    elif z <= 12.0:
        best, part = closer(best, part, max(12.0 - z, 0.4), BUSH)
    return best, part


@compiled
def _lilies(x, y, z):
    cell = 0.72
    i, j = floor(x / cell), floor(z / cell)
    own = hash3(i, j, 3.0)
    patch = noise2(0.5 * x + 8.0, 0.5 * z)
    if own < 0.4 or patch < 0.52 or y > 0.4 or _height(x, z) > -0.3:
        return max(0.3, y - 0.2)
    px, pz = x - (i + 0.5 + 0.2 * (own - 0.5)) * cell, z - (j + 0.5 + 0.2 * (hash3(i, j, 7.0) - 0.5)) * cell
    pad = cylinder(px, y - 0.012, pz, 0.15 + 0.14 * (own - 0.4), 0.008, 0.003)
    cut = max(abs(px + 0.4 * pz) - 0.02 - 0.25 * max(pz, 0.0), -pz)
    flower = ellipsoid(px, y - 0.05, pz, 0.055, 0.05, 0.055) if own > 0.86 else 0.3
    return min(min(max(pad, -cut), flower), max(0.3, y - 0.2))


@compiled
def distance(x, y, z, time):
    return _nearest(x, y, z, time)[0]


@compiled
def _ground(x, y, z, nx, ny, nz, width):
    moss = blend((0.05, 0.095, 0.018), (0.20, 0.24, 0.055), fbm2(1.1 * x, 1.1 * z, 4))
    fine = 0.7 + 0.6 * mix(noise2(28.0 * x, 28.0 * z), 0.5, clamp(28.0 * width, 0.0, 1.0))
    r, g, b = moss[0] * fine, moss[1] * fine, moss[2] * fine
    near_tree = smoothstep(4.2, 0.5, sqrt((x - 4.0) ** 2 + (z - 5.2) ** 2))
    fallen = smoothstep(0.62, 0.7, noise2(9.0 * x, 9.0 * z) + 0.35 * near_tree - 0.08) * smoothstep(0.05, 0.01, width)
    r, g, b = blend((r, g, b), (0.50, 0.10, 0.03), fallen)
    r, g, b = blend((0.09, 0.07, 0.05), (r, g, b), smoothstep(0.0, 0.22, y))
    return plain(r, g, b, 0.0, nx, ny, nz)


@compiled
def surface(x, y, z, nx, ny, nz, time, width):
    part = _nearest(x, y, z, time)[1]
    if part == GROUND:
        return _ground(x, y, z, nx, ny, nz, width)
    if part == POND:
        nx, ny, nz = ripple(x, z, 1.6, 0.010 / (1.0 + 12.0 * width), time)
        floating = smoothstep(0.80, 0.84, noise2(7.5 * x, 7.5 * z)) * smoothstep(
            0.4, 0.7, noise2(0.6 * x, 0.6 * z + 4.0)
        )
        r, g, b = blend((0.018, 0.035, 0.022), (0.55, 0.13, 0.04), floating)
        return Material(r, g, b, 0.9 * (1.0 - floating), 0.05 * (1.0 - floating), 0.0, 0.0, nx, ny, nz)
    if part in (STONE, LANTERN):
        r, g, b = blend((0.13, 0.13, 0.125), (0.38, 0.37, 0.34), fbm3(3.0 * x, 3.0 * y, 3.0 * z, 4))
        moss = smoothstep(0.5, 0.68, fbm3(2.0 * x + 5.0, 2.0 * y, 2.0 * z, 4)) * smoothstep(0.0, 0.8, ny)
        r, g, b = blend((r, g, b), (0.09, 0.15, 0.03), 0.8 * moss)
        return plain(r, g, b, 0.1, nx, ny, nz)
    if part == RED:
        worn = 0.85 + 0.25 * noise3(4.0 * x, 4.0 * y, 4.0 * z)
        return plain(0.60 * worn, 0.075 * worn, 0.035 * worn, 0.35, nx, ny, nz)
    if part == ROOF:
        rib = x - PX if abs(nz) > abs(nx) else z - PZ
        row = smoothstep(0.05, 0.10 + width, abs(rib / 0.32 - floor(rib / 0.32) - 0.5))
        tone = mix(0.6, 1.0, row)
        return plain(0.085 * tone, 0.105 * tone, 0.115 * tone, 0.4, nx, ny, nz)
    if part == PLASTER:
        u, v = (x - PX) if abs(nz) > abs(nx) else (z - PZ), y
        lattice = min(abs(u / 0.3 - floor(u / 0.3 + 0.5)), abs(v / 0.34 - floor(v / 0.34 + 0.5))) * 0.3
        if abs(u) < 0.72:
            shade = smoothstep(0.02, 0.03 + width, lattice)
            return glowing(0.95 * shade, 0.66 * shade, 0.32 * shade, 0.55, nx, ny, nz)
        return plain(0.78, 0.73, 0.62, 0.0, nx, ny, nz)
    if part == WOOD:
        r, g, b = blend((0.075, 0.045, 0.03), (0.25, 0.16, 0.10), grain(y, x, z, width))
        return plain(r, g, b, 0.1, nx, ny, nz)
    if part == MAPLE:
        own = leaf_tone(x - 4.6, y - 0.4, z - 5.2, 0.17)
        r, g, b = blend((0.70, 0.07, 0.03), (1.0, 0.42, 0.07), own * own)
        return leaf(r, g, b, 1.0, nx, ny, nz)
    if part == BUSH:
        r, g, b = blend((0.035, 0.085, 0.02), (0.15, 0.20, 0.045), fbm3(6.0 * x, 6.0 * y, 6.0 * z, 3))
        return leaf(r, g, b, 0.2, nx, ny, nz)
    if part == PAPER:
        return glowing(1.0, 0.66, 0.28, 2.6, nx, ny, nz)
    if part == LILY:
        return leaf(0.80, 0.45, 0.55, 0.5, nx, ny, nz) if y > 0.03 else plain(0.09, 0.19, 0.05, 0.4, nx, ny, nz)
    return _far_tree_colour(x, y, z, nx, ny, nz)


@compiled
def _far_tree_colour(x, y, z, nx, ny, nz):
    own = hash3(floor(x / 5.0), floor(z / 5.0), 9.0)
    r, g, b = blend((0.07, 0.12, 0.03), (0.16, 0.17, 0.04), own)
    if own > 0.6:
        r, g, b = blend((0.42, 0.11, 0.03), (0.52, 0.28, 0.05), (own - 0.6) * 2.5)
    tone = 0.7 + 0.6 * fbm3(1.1 * x, 1.1 * y, 1.1 * z, 3)
    return leaf(r * tone, g * tone, b * tone, 0.2, nx, ny, nz)


@compiled
def sky(dx, dy, dz):
    r, g, b = blend((1.05, 0.88, 0.70), (0.30, 0.48, 0.74), smoothstep(0.0, 0.55, dy))
    glow = towards(dx, dy, dz, SUN, 5.0)
    cover = clouds(dx, dy, dz, 1.2, 0.50, 0.4)
    r, g, b = blend((r, g, b), (1.0, 0.94, 0.88), 0.7 * cover)
    return r + 0.55 * glow, g + 0.38 * glow, b + 0.2 * glow


SETTING = Setting(
    distance,
    surface,
    sky,
    Light(
        sun=SUN,
        sun_colour=(3.6, 2.75, 1.75),
        sun_size=0.02,
        above=(0.30, 0.36, 0.44),
        below=(0.13, 0.12, 0.07),
        reach=1.3,
        haze=(0.72, 0.66, 0.58),
        haze_per_metre=0.0045,
        haze_top=14.0,
        glare=(0.55, 0.36, 0.16),
        lamps=lamps((-3.15, 1.5, 4.6, 0.9, 0.5, 0.18, 0.12)),
        far=260.0,
        exposure=0.9,
        bloom=0.07,
    ),
    eye=(0.1, 1.55, -2.9),
    target=(-0.35, 2.45, 10.0),
    fov_degrees=60.0,
)
