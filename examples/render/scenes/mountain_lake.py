"""An alpine lake in the morning: snow peaks and their reflection, pines, a jetty with a rowing boat, a cabin."""

from __future__ import annotations

from math import floor, sin, sqrt

from examples.render.light import Light, Material, unit
from examples.render.materials import blend, closer, clouds, grain, leaf, plain, ripple, towards
from examples.render.noise import fbm2, fbm3, hash3, noise2, ridges2
from examples.render.scenes import Setting
from examples.render.shapes import box, capsule, clamp, compiled, cylinder, ellipsoid, gable, mix, smoothstep, turned

SUN = unit(-0.62, 0.42, 0.30)
GROUND, WATER, PINE, TRUNK, JETTY, BOAT, CABIN, ROOF, WINDOW, STONE = range(10)


@compiled
def _height(x, z):
    """Ground above the lake's level: shore near the camera, a wooded rise, peaks in the distance."""
    shore = 4.6 + 9.5 * smoothstep(-1.4, -6.5, x) + 2.0 * noise2(0.3 * x, 3.0) + 3.0 * smoothstep(7.0, 14.0, x)
    near = mix(0.75, -1.6, smoothstep(-4.0, 7.0, z - shore)) + 0.3 * (noise2(0.7 * x, 0.7 * z) - 0.5)
    far_shore = 190.0 + 60.0 * noise2(0.011 * x, 1.0) - 0.25 * abs(x + 20.0)
    rise = z - far_shore
    if rise < -12.0:
        return near
    slope = 0.10 * rise * smoothstep(-10.0, 250.0, rise) + 8.0 * (fbm2(0.02 * x, 0.02 * z, 3) - 0.5)
    if rise < 180.0:
        return max(near, max(slope, -2.0) + min(0.0, rise) * 0.12)
    massif = smoothstep(180.0, 1150.0, rise)
    valley = 0.30 + 0.70 * smoothstep(60.0, 700.0, abs(x - 60.0 - 0.22 * rise))
    peaks = 520.0 * massif * valley * ridges2(0.00125 * x + 3.35, 0.00125 * z + 0.4, 7)
    peaks += 26.0 * massif * (fbm2(0.012 * x, 0.012 * z, 4) - 0.5)
    return max(near, max(slope, -2.0) + peaks + min(0.0, rise) * 0.12)


@compiled
def _pines(x, y, z, ground):
    """Spruces on a jittered grid over wooded ground: (needles, trunks)."""
    if 24.0 < z < 165.0:
        return 3.0, 3.0
    cell = 3.4 if z < 24.0 else 7.5
    i, j = floor(x / cell), floor(z / cell)
    own = hash3(i, j, 2.0)
    cx, cz = (i + 0.5 + 0.34 * (own - 0.5)) * cell, (j + 0.5 + 0.34 * (hash3(i, j, 6.0) - 0.5)) * cell
    foot = _height(cx, cz)
    tall = (6.5 if z < 24.0 else 13.0) * (0.55 + 0.6 * hash3(i, j, 8.0))
    edge = 0.5 * cell - max(abs(x - (i + 0.5) * cell), abs(z - (j + 0.5) * cell)) + (0.12 if z < 24.0 else 1.2)
    grows = foot > 1.0 and foot < 75.0 + 50.0 * own and own > 0.14
    if z < 24.0:
        grows = foot > 0.25 and (cx < -4.2 or cx > 10.0) and cz > 4.0 and own > 0.2
    if not grows:
        return edge, edge
    px, py, pz = x - cx, y - foot, z - cz
    radius = sqrt(px * px + pz * pz)
    up = clamp(py / tall, 0.0, 1.0)
    tiers = 0.20 * (1.0 - (up * 11.0 - floor(up * 11.0))) * (1.0 - 0.7 * up)
    branches = 0.28 * noise2(9.0 * px + own * 50.0, 9.0 * pz + 3.0 * py)
    spread = 0.25 * tall * (1.0 - up) * (0.72 + tiers + branches)
    needles = max(radius - spread, max(0.11 * tall - py, py - tall)) * 0.55
    trunk = max(radius - 0.022 * tall, py - 0.5 * tall)
    return min(needles, edge), min(trunk, edge)


@compiled
def _jetty(x, y, z):
    z = z - 9.2
    board = z - 0.22 * floor(z / 0.22 + 0.5)
    deck = max(box(x, y - 0.42, board, 0.85, 0.03, 0.1, 0.008), abs(z) - 6.2)
    beams = max(max(abs(abs(x) - 0.62) - 0.06, abs(y - 0.33) - 0.06), abs(z) - 6.2)
    post = z - 2.4 * clamp(floor(z / 2.4 + 0.5), -2.0, 2.0)
    posts = cylinder(abs(x) - 0.82, y + 0.2, post, 0.075, 1.05, 0.02)
    return min(min(deck, beams), posts)


@compiled
def _boat(x, y, z):
    """Rowing boat along z."""
    x, z = turned(x, z, 0.35)
    taper = 1.0 - 0.55 * smoothstep(0.2, 1.7, abs(z)) ** 1.5
    sheer = 0.10 * (z / 1.6) ** 2
    outer = max(ellipsoid(x / taper, y - 0.36 - sheer, z, 0.62, 0.52, 1.75), y - 0.38 - sheer)
    inner = ellipsoid(x / taper, y - 0.38 - sheer, z, 0.57, 0.44, 1.68)
    seats = max(box(x, y - 0.24, abs(z) - 0.55, 0.55, 0.02, 0.12, 0.0), inner)
    return 0.6 * min(max(outer, -inner), seats)


@compiled
def _cabin(x, y, z):
    """(logs, roof, windows); ridge along x, front at negative z."""
    x, z = turned(x, z, 0.4)
    layer = y - 0.24 * floor(y / 0.24) - 0.12
    logs = max(
        box(x, y - 1.2, z, 2.6, 1.25, 1.9, 0.0) - 0.05 * sqrt(max(0.0, 1.0 - (layer / 0.13) ** 2)), 0.0 - y - 1.5
    )
    gable_wall = gable(z, y - 2.4, x, 1.9, 2.55, 1.35)
    roof = max(gable(z, y - 2.38, x, 2.35, 3.0, 1.68), -gable(z, y - 2.26, x, 2.3, 3.2, 1.62))
    chimney = box(x - 1.3, y - 3.6, z - 0.5, 0.28, 0.9, 0.28, 0.02)
    windows = box(abs(x - 0.1) - 1.35, y - 1.35, z + 1.95, 0.38, 0.42, 0.05, 0.0)
    door = box(x - 0.1, y - 0.95, z + 1.95, 0.42, 0.95, 0.05, 0.0)
    return min(logs, gable_wall), roof, windows, min(chimney, door)


@compiled
def _stones(x, y, z):
    i, j = floor(x / 1.1), floor(z / 1.1)
    own = hash3(i, j, 9.0)
    size = 0.12 + 0.28 * own * own
    px, pz = x - (i + 0.5) * 1.1 - 0.3 * (own - 0.5), z - (j + 0.5) * 1.1 - 0.3 * (hash3(i, j, 4.0) - 0.5)
    foot = _height(x - px, z - pz)
    if foot < -0.35 or foot > 0.5 or own < 0.35 or z > 24.0:
        return max(0.35, y - foot - 0.5)
    return min(max(0.35, y - foot - 0.5), 0.75 * ellipsoid(px, y - foot - 0.05, pz, size, 0.62 * size, 0.8 * size))


@compiled
def _nearest(x, y, z, time):
    ground = _height(x, z)
    steep = 0.85 if z < 60.0 else 0.48
    best, part = closer((y - ground) * steep, GROUND, y, WATER)
    if y < ground + 17.0 and y < 260.0:
        needles, trunk = _pines(x, y, z, ground)
        best, part = closer(best, part, needles, PINE)
        best, part = closer(best, part, trunk, TRUNK)
    if z < 24.0:
        best, part = closer(best, part, _jetty(x - 2.2, y, z), JETTY)
        best, part = closer(best, part, _boat(x - 4.6, y + 0.12, z - 11.0), BOAT)
        best, part = closer(best, part, _stones(x, y, z), STONE)
        rope = capsule(x, y, z, 3.02, 0.75, 11.5, 4.1, 0.45, 10.0, 0.016, 0.016)
        best, part = closer(best, part, rope, JETTY)
    elif z < 120.0:
        best, part = closer(best, part, max(z - 24.0, 0.2), STONE)
    near_cabin = box(x + 46.0, y - 4.5, z - 196.0, 5.0, 5.0, 5.0, 0.0)
    if near_cabin < 1.0:
        s = 1.25
        walls, roof, windows, stone = _cabin((x + 46.0) / s, (y - 2.0) / s, (z - 196.0) / s)
        best, part = closer(best, part, walls * s, CABIN)
        best, part = closer(best, part, roof * s, ROOF)
        best, part = closer(best, part, windows * s, WINDOW)
        best, part = closer(best, part, stone * s, STONE)
    else:
        best, part = closer(best, part, near_cabin, CABIN)
    return best, part


@compiled
def distance(x, y, z, time):
    return _nearest(x, y, z, time)[0]


@compiled
def _ground(x, y, z, nx, ny, nz, width):
    grass = blend((0.045, 0.085, 0.02), (0.17, 0.19, 0.05), fbm2(0.35 * x, 0.35 * z, 4))
    rock = blend(
        (0.07, 0.065, 0.065), (0.30, 0.27, 0.25), smoothstep(0.25, 0.75, fbm3(0.03 * x, 0.12 * y, 0.03 * z, 5))
    )
    if z < 60.0:
        fine = 0.6 + 0.8 * noise2(25 * x, 25 * z) if width < 0.03 else 1.0
        wet = smoothstep(0.05, 0.35, y)
        r, g, b = blend(
            (0.16 * fine, 0.13 * fine, 0.09 * fine), (grass[0] * fine, grass[1] * fine, grass[2] * fine), wet
        )
        return plain(r, g, b, 0.0, nx, ny, nz)
    forest = smoothstep(150.0, 80.0, y + 50.0 * fbm2(0.012 * x, 0.012 * z, 3))
    r, g, b = blend(rock, (grass[0] * 0.8, grass[1] * 0.85, grass[2] * 0.8), forest * smoothstep(0.55, 0.8, ny))
    snow_line = 105.0 + 200.0 * (fbm2(0.007 * x, 0.007 * z, 5) - 0.5)
    snow = smoothstep(snow_line, snow_line + 90.0, y) * smoothstep(0.42, 0.66, ny + 0.0004 * (y - 300.0))
    r, g, b = blend((r, g, b), (0.86, 0.89, 0.95), snow)
    return plain(r, g, b, 0.0, nx, ny, nz)


@compiled
def surface(x, y, z, nx, ny, nz, time, width):
    part = _nearest(x, y, z, time)[1]
    if part == WATER:
        calm = 0.045 / (1.0 + 40.0 * width)
        nx, ny, nz = ripple(x, z, 0.9, calm * (0.35 + noise2(0.05 * x, 0.02 * z)), time)
        deep = clamp(-_height(x, z) / 1.2, 0.0, 1.0)
        r, g, b = blend((0.13, 0.14, 0.085), (0.01, 0.045, 0.055), deep)
        return Material(r, g, b, 0.9, 0.035, 0.0, 0.0, nx, ny, nz)
    if part == GROUND:
        return _ground(x, y, z, nx, ny, nz, width)
    if part == PINE:
        tone = noise2(3.0 * x + 7.0 * y, 3.0 * z) if z < 24.0 else hash3(floor(x / 7.5), floor(z / 7.5), 1.0)
        r, g, b = blend((0.018, 0.05, 0.022), (0.06, 0.115, 0.035), tone)
        return leaf(r, g, b, 0.25, nx, ny, nz)
    if part == JETTY:
        r, g, b = blend((0.14, 0.105, 0.075), (0.42, 0.35, 0.27), grain(x, z, y, width))
        own = 0.75 + 0.4 * hash3(floor((z - 9.2) / 0.22 + 0.5), 1.0, 1.0)
        return plain(r * own, g * own, b * own, 0.1, nx, ny, nz)
    if part == BOAT:
        if y > 0.2 + 0.01 * sin(3 * z) and abs(nx) > 0.3:
            return plain(0.72, 0.70, 0.62, 0.5, nx, ny, nz)
        return plain(0.55, 0.10, 0.055, 0.5, nx, ny, nz) if ny < 0.5 else plain(0.36, 0.21, 0.1, 0.3, nx, ny, nz)
    if part == STONE:
        r, g, b = blend((0.14, 0.135, 0.13), (0.36, 0.34, 0.31), fbm3(4 * x, 4 * y, 4 * z, 3))
        return plain(r, g, b, 0.1, nx, ny, nz)
    if part == WINDOW:
        return Material(1.0, 0.66, 0.3, 0.0, 0.0, 2.2, 0.0, nx, ny, nz)
    if part == ROOF:
        return plain(0.16, 0.06, 0.045, 0.0, nx, ny, nz)
    r, g, b = (0.20, 0.10, 0.05) if part == CABIN else (0.10, 0.07, 0.05)
    return plain(r, g, b, 0.0, nx, ny, nz)


@compiled
def sky(dx, dy, dz):
    r, g, b = blend((0.98, 0.78, 0.60), (0.13, 0.32, 0.70), smoothstep(-0.05, 0.42, dy))
    glow = towards(dx, dy, dz, SUN, 5.0)
    cover = clouds(dx, dy, dz, 1.0, 0.47, 0.32)
    lit = 0.75 + 0.8 * glow
    r, g, b = blend((r, g, b), (1.05 * lit, 0.92 * lit, 0.82 * lit), 0.8 * cover)
    return r + 0.5 * glow, g + 0.34 * glow, b + 0.18 * glow


SETTING = Setting(
    distance,
    surface,
    sky,
    Light(
        sun=SUN,
        sun_colour=(3.9, 2.9, 1.9),
        sun_size=0.012,
        above=(0.30, 0.40, 0.56),
        below=(0.13, 0.12, 0.10),
        reach=2.0,
        haze=(0.50, 0.58, 0.68),
        haze_per_metre=0.00045,
        haze_top=160.0,
        glare=(0.55, 0.34, 0.14),
        far=4500.0,
        exposure=0.95,
        bloom=0.05,
    ),
    eye=(-0.6, 2.35, -1.2),
    target=(1.5, 3.0, 14.0),
    fov_degrees=58.0,
)
