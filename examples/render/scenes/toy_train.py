"""A wooden toy train that goes round its track between blocks, a station and trees, on a playroom floor."""

from __future__ import annotations

from math import cos, floor, pi, sin, sqrt

from examples.render.light import Light, Material, lamps, unit
from examples.render.materials import blend, closer, grain, plain, plank
from examples.render.noise import fbm3, noise2, noise3
from examples.render.scenes import Setting
from examples.render.shapes import (
    box,
    clamp,
    compiled,
    cone,
    cylinder,
    ellipsoid,
    gable,
    mix,
    smoothstep,
    sphere,
    turned,
)

SUN = unit(-0.62, 0.62, -0.48)
STRAIGHT, BEND = 0.34, 0.40
"""The track: two straights of 2 x STRAIGHT metres along x, joined by half circles of radius BEND."""
SPEED = 0.42
"""Metres per second."""
LAP = 4 * STRAIGHT + 2 * pi * BEND
FLOOR, RUG, WALL, TRACK, SLEEPER, RED, BLUE, GREEN, YELLOW, WHEEL, BLOCK, TREE, ROOF, CREAM, BALL, FUR, DARK, STEEL = (
    range(18)
)


@compiled
def _on_track(s):
    """Position and heading at ``s`` metres along the track: x, z, and the heading's cosine and sine."""
    s = s - LAP * floor(s / LAP)
    half = pi * BEND
    if s < 2 * STRAIGHT:
        return s - STRAIGHT, -BEND, 1.0, 0.0
    s -= 2 * STRAIGHT
    if s < half:
        a = s / BEND
        return STRAIGHT + BEND * sin(a), -BEND * cos(a), cos(a), sin(a)
    s -= half
    if s < 2 * STRAIGHT:
        return STRAIGHT - s, BEND, -1.0, 0.0
    a = (s - 2 * STRAIGHT) / BEND
    return -STRAIGHT - BEND * sin(a), BEND * cos(a), -cos(a), -sin(a)


@compiled
def _carriage(x, z, s):
    """Coordinates (forward, left) in a carriage centred ``s`` metres along the track."""
    cx, cz, hx, hz = _on_track(s)
    return (x - cx) * hx + (z - cz) * hz, (z - cz) * hx - (x - cx) * hz


@compiled
def _wheels(f, y, w, gap, radius):
    px = abs(f) - gap
    disc = sqrt(px * px + (y - radius) ** 2) - radius
    return max(disc, abs(abs(w) - 0.036) - 0.006)


@compiled
def _engine(f, y, w, best, part):
    best, part = closer(best, part, box(f, y - 0.033, w, 0.095, 0.010, 0.034, 0.004), DARK)
    boiler = max(sqrt((y - 0.070) ** 2 + w * w) - 0.029, abs(f - 0.028) - 0.064)
    cab = max(
        box(f + 0.062, y - 0.082, w, 0.032, 0.045, 0.034, 0.004), -box(f + 0.062, y - 0.098, w, 0.018, 0.016, 0.05, 0.0)
    )
    best, part = closer(best, part, min(boiler, cab), RED)
    roof = box(f + 0.062, y - 0.131 + 4.0 * w * w, w, 0.040, 0.006, 0.041, 0.004)
    bands = max(abs(sqrt((y - 0.070) ** 2 + w * w) - 0.030) - 0.0012, abs(abs(f - 0.035) - 0.035) - 0.004)
    front = max(sqrt((y - 0.070) ** 2 + w * w) - 0.024, abs(f - 0.093) - 0.004)
    dome = ellipsoid(f - 0.018, y - 0.102, w, 0.014, 0.017, 0.014)
    best, part = closer(best, part, min(min(0.8 * roof, bands), min(front, dome)), YELLOW)
    funnel = min(
        cylinder(f - 0.066, y - 0.115, w, 0.010, 0.024, 0.002), cone(f - 0.066, y - 0.142, w, 0.011, 0.020, 0.010)
    )
    best, part = closer(best, part, min(funnel, box(f - 0.098, y - 0.033, w, 0.006, 0.012, 0.036, 0.003)), DARK)
    return closer(
        best,
        part,
        min(_wheels(f - 0.018, y - 0.008, w, 0.045, 0.020), _wheels(f + 0.063, y - 0.008, w, 0.0, 0.025)),
        WHEEL,
    )


@compiled
def _wagon(f, y, w, colour, best, part):
    best, part = closer(best, part, box(f, y - 0.033, w, 0.072, 0.008, 0.033, 0.003), DARK)
    tub = max(box(f, y - 0.062, w, 0.068, 0.024, 0.034, 0.004), -box(f, y - 0.075, w, 0.060, 0.03, 0.027, 0.0))
    best, part = closer(best, part, tub, colour)
    i = clamp(floor(f / 0.028 + 0.5), -1.0, 1.0)
    load = sphere(f - 0.028 * i, y - 0.078 - 0.006 * i * i, abs(w) - 0.012, 0.0145)
    best, part = closer(best, part, load, BLUE if colour == GREEN else YELLOW)
    hitch = max(max(abs(y - 0.033) - 0.003, abs(w) - 0.003), abs(f - 0.085) - 0.02)
    best, part = closer(best, part, hitch, STEEL)
    return closer(best, part, _wheels(f, y - 0.008, w, 0.042, 0.018), WHEEL)


@compiled
def _train(x, y, z, time, best, part):
    s = SPEED * time - 0.08
    f, w = _carriage(x, z, s)
    if box(f, y - 0.08, w, 0.11, 0.08, 0.05, 0.0) < 0.03:
        best, part = _engine(f, y, w, best, part)
    else:
        best, part = closer(best, part, box(f, y - 0.08, w, 0.11, 0.08, 0.05, 0.0), RED)
    for k in range(3):
        f, w = _carriage(x, z, s - 0.185 - 0.165 * k)
        near = box(f, y - 0.05, w, 0.11, 0.05, 0.045, 0.0)
        if near < 0.03:
            best, part = _wagon(f, y, w, GREEN if k != 1 else BLUE, best, part)
        else:
            best, part = closer(best, part, near, RED)
    return best, part


@compiled
def _track(x, y, z):
    """(rails of light wood, sleepers)."""
    along = max(abs(x) - STRAIGHT, 0.0)
    middle = sqrt(along * along + z * z) - BEND
    base = max(abs(middle) - 0.05, abs(y - 0.006) - 0.006)
    groove = max(abs(abs(middle) - 0.036) - 0.008, 0.0085 - y)
    return max(base, -groove)


@compiled
def _block(x, y, z, cx, cy, cz, half, angle):
    x, z = turned(x - cx, z - cz, angle)
    return box(x, y - cy, z, half, half, half, 0.1 * half)


@compiled
def _blocks(x, y, z):
    tower = min(_block(x, y, z, -0.06, 0.05, 0.06, 0.05, 0.2), _block(x, y, z, 0.055, 0.05, 0.09, 0.05, -0.35))
    tower = min(tower, _block(x, y, z, 0.0, 0.15, 0.07, 0.05, 0.6))
    tower = min(tower, _block(x, y, z, -0.95, 0.055, -0.42, 0.055, 0.5))
    tower = min(tower, _block(x, y, z, 1.02, 0.05, 0.52, 0.05, 0.9))
    return min(tower, _block(x, y, z, 0.36, 0.045, -0.78, 0.045, -0.5))


@compiled
def _station(x, y, z, best, part):
    x, z = x - 0.02, z - 0.66
    best, part = closer(best, part, box(x, y - 0.012, z + 0.03, 0.30, 0.012, 0.13, 0.004), CREAM)
    walls = min(box(x, y - 0.10, z + 0.02, 0.17, 0.09, 0.075, 0.004), gable(z + 0.02, y - 0.185, x, 0.078, 0.168, 0.06))
    holes = min(
        box(abs(x) - 0.11, y - 0.11, z + 0.095, 0.026, 0.034, 0.02, 0.0),
        box(x, y - 0.085, z + 0.095, 0.03, 0.06, 0.02, 0.0),
    )
    best, part = closer(best, part, max(walls, -holes), CREAM)
    best, part = closer(best, part, holes + 0.008, DARK)
    roof = max(gable(z + 0.02, y - 0.182, x, 0.115, 0.20, 0.088), -gable(z + 0.02, y - 0.174, x, 0.112, 0.3, 0.084))
    best, part = closer(best, part, roof, ROOF)
    return closer(best, part, box(x - 0.11, y - 0.27, z, 0.018, 0.045, 0.018, 0.002), RED)


@compiled
def _trees(x, y, z):
    """(crowns, trunks) of turned wooden trees."""
    crown, trunk = 9.0, 9.0
    for k in range(5):
        cx = -0.24 if k == 0 else (0.30 if k == 1 else (-0.90 if k == 2 else (0.98 if k == 3 else -0.30)))
        cz = 0.03 if k == 0 else (-0.04 if k == 1 else (0.30 if k == 2 else (-0.12 if k == 3 else 0.72)))
        tall = 0.9 + 0.25 * (k % 3)
        px, py, pz = (x - cx) / tall, y / tall, (z - cz) / tall
        if k % 2 == 0:
            d = min(cone(px, py - 0.11, pz, 0.075, 0.012, 0.055), cone(px, py - 0.19, pz, 0.055, 0.002, 0.05))
        else:
            d = sphere(px, py - 0.165, pz, 0.075)
        crown, trunk = min(crown, d * tall), min(trunk, cylinder(px, py - 0.04, pz, 0.012, 0.06, 0.0) * tall)
    return crown, trunk


@compiled
def _bear(x, y, z):
    """A sitting teddy bear, 0.42 m: (fur, dark eyes and nose, muzzle)."""
    x, z = turned(x - 0.62, z - 1.12, 0.35)
    fur = min(ellipsoid(x, y - 0.15, z, 0.115, 0.14, 0.10), ellipsoid(x, y - 0.345, z - 0.01, 0.10, 0.092, 0.09))
    fur = min(fur, ellipsoid(abs(x) - 0.078, y - 0.425, z - 0.01, 0.038, 0.038, 0.022))
    ax, ay = turned(abs(x) - 0.13, y - 0.19, 0.7)
    fur = min(fur, ellipsoid(ax, ay, z + 0.03, 0.042, 0.095, 0.042))
    lx, lz = turned(abs(x) - 0.10, z + 0.12, -0.35)
    fur = min(fur, ellipsoid(lx, y - 0.055, lz, 0.053, 0.053, 0.12))
    muzzle = ellipsoid(x, y - 0.32, z + 0.085, 0.042, 0.034, 0.034)
    eyes = min(
        sphere(abs(x) - 0.036, y - 0.365, z + 0.085, 0.010), ellipsoid(x, y - 0.332, z + 0.116, 0.014, 0.010, 0.008)
    )
    return fur + 0.004 * fbm3(90 * x, 90 * y, 90 * z, 2), muzzle, eyes


@compiled
def _nearest(x, y, z, time):
    best, part = closer(y, FLOOR, min(2.4 - z, max(x + 2.6, y - 1.1)), WALL)
    best, part = closer(best, part, max(sqrt(x * x + (1.25 * z) ** 2) - 1.12, y - 0.006) * 0.8, RUG)
    best, part = closer(best, part, max(min(2.4 - z, x + 2.6) - 0.02, y - 0.11), CREAM)
    if y > 0.6:
        return closer(best, part, y - 0.5, WALL)
    y -= 0.006
    best, part = closer(best, part, _track(x, y, z), TRACK)
    best, part = _train(x, y - 0.001, z, time, best, part)
    best, part = closer(best, part, _blocks(x, y, z), BLOCK)
    best, part = _station(x, y, z, best, part)
    crown, trunk = _trees(x, y, z)
    best, part = closer(best, part, crown, TREE)
    best, part = closer(best, part, trunk, TRACK)
    best, part = closer(best, part, sphere(x + 0.70, y - 0.13, z - 0.98, 0.135), BALL)
    fur, muzzle, eyes = _bear(x, y, z)
    best, part = closer(best, part, fur, FUR)
    best, part = closer(best, part, muzzle, CREAM)
    return closer(best, part, eyes, DARK)


@compiled
def distance(x, y, z, time):
    return _nearest(x, y, z, time)[0]


@compiled
def _block_colour(x, y, z):
    """One lacquer colour per block."""
    if y > 0.108:
        return 0.10, 0.30, 0.48
    if abs(x) > 0.5:
        return 0.85, 0.50, 0.07
    if x < 0.0:
        return 0.18, 0.42, 0.16
    return 0.70, 0.10, 0.07


@compiled
def _wallpaper(x, y, z):
    along = x if z > 2.3 else z
    stripe = smoothstep(0.40, 0.45, abs(along / 0.22 - floor(along / 0.22) - 0.5))
    return blend((0.34, 0.50, 0.52), (0.60, 0.68, 0.62), stripe)


@compiled
def surface(x, y, z, nx, ny, nz, time, width):
    part = _nearest(x, y, z, time)[1]
    if part == FLOOR:
        wood, joint = plank(x, z, 0.12, 1.1, width)
        r, g, b = blend((0.36, 0.19, 0.08), (0.60, 0.38, 0.19), wood)
        shade = mix(0.35, 1.0, joint)
        return Material(r * shade, g * shade, b * shade, 0.5, 0.03 * joint, 0.0, 0.0, nx, ny, nz)
    if part == RUG:
        ring = sqrt(x * x + (1.25 * z) ** 2)
        weave = 0.88 + 0.24 * noise2(260.0 * x, 260.0 * z) if width < 0.003 else 1.0
        r, g, b = 0.72, 0.66, 0.54
        if ring > 1.02:
            r, g, b = 0.70, 0.28, 0.16
        elif ring > 0.97 or 0.86 < ring < 0.89:
            r, g, b = 0.16, 0.32, 0.36
        return plain(r * weave, g * weave, b * weave, 0.0, nx, ny, nz)
    if part == WALL:
        r, g, b = _wallpaper(x, y, z)
        return plain(r, g, b, 0.0, nx, ny, nz)
    if part == TRACK:
        r, g, b = blend((0.50, 0.31, 0.15), (0.74, 0.54, 0.31), grain(2.0 * x, z, y, width))
        return plain(r, g, b, 0.3, nx, ny, nz)
    if part == BLOCK:
        r, g, b = _block_colour(x, y, z)
        return Material(r, g, b, 0.6, 0.03, 0.0, 0.0, nx, ny, nz)
    if part == TREE:
        return plain(0.16, 0.40, 0.12, 0.5, nx, ny, nz) if x * z > 0.0 else plain(0.10, 0.31, 0.17, 0.5, nx, ny, nz)
    if part == BALL:
        band = floor(4.0 * (0.5 + 0.5 * (y - 0.13) / 0.135 + 0.4 * (x + 0.70)))
        r, g, b = (0.85, 0.80, 0.70) if band % 2.0 == 0.0 else (0.76, 0.16, 0.10)
        return Material(r, g, b, 0.7, 0.035, 0.0, 0.0, nx, ny, nz)
    if part == FUR:
        tone = 0.8 + 0.4 * noise3(150.0 * x, 150.0 * y, 150.0 * z)
        return plain(0.42 * tone, 0.24 * tone, 0.11 * tone, 0.0, nx, ny, nz)
    return _paint(part, nx, ny, nz)


@compiled
def _paint(part, nx, ny, nz):
    r, g, b = 0.80, 0.76, 0.66
    if part == RED:
        r, g, b = 0.68, 0.06, 0.045
    elif part == BLUE:
        r, g, b = 0.06, 0.20, 0.46
    elif part == GREEN:
        r, g, b = 0.08, 0.33, 0.14
    elif part == YELLOW:
        r, g, b = 0.88, 0.56, 0.06
    elif part == ROOF:
        r, g, b = 0.58, 0.15, 0.09
    elif part in (WHEEL, DARK):
        r, g, b = 0.04, 0.04, 0.045
    elif part == STEEL:
        r, g, b = 0.4, 0.4, 0.4
    return Material(r, g, b, 0.7, 0.04, 0.0, 0.0, nx, ny, nz)


@compiled
def sky(dx, dy, dz):
    """Environment reflected by lacquer: a bright ceiling with a window."""
    r, g, b = blend((0.45, 0.40, 0.34), (0.95, 0.93, 0.88), smoothstep(-0.1, 0.6, dy))
    window = smoothstep(0.30, 0.4, -dx) * smoothstep(0.25, 0.3, dy)
    return r + 1.6 * window, g + 1.6 * window, b + 1.6 * window


SETTING = Setting(
    distance,
    surface,
    sky,
    Light(
        sun=SUN,
        sun_colour=(2.7, 2.2, 1.6),
        sun_size=0.05,
        above=(0.40, 0.41, 0.44),
        below=(0.24, 0.17, 0.11),
        reach=0.3,
        lamps=lamps(),
        far=9.0,
        exposure=0.64,
        bloom=0.05,
    ),
    eye=(-0.62, 0.52, -1.32),
    target=(0.0, 0.07, 0.05),
    fov_degrees=50.0,
)
