"""An old street after rain at dusk: lit windows, lanterns, wet cobbles, a clock tower against the last light."""

from __future__ import annotations

from math import floor, sin, sqrt

from examples.render.light import Light, Material, lamps, unit
from examples.render.materials import blend, bricks, closer, clouds, glowing, leaf, plain, towards
from examples.render.noise import fbm2, hash3, noise2, pebbles
from examples.render.scenes import Setting
from examples.render.shapes import (
    box,
    capsule,
    clamp,
    compiled,
    cone,
    cylinder,
    ellipsoid,
    gable,
    leaf_tone,
    leaves,
    mix,
    rectangle,
    smoothstep,
    sphere,
    torus,
)

SUN = unit(0.35, 0.10, 0.92)
HALF_STREET = 3.1
COBBLES, PAVEMENT, WALL, ROOF, PANE, FRAME, IRON, LANTERN, TOWER, CLOCK, BIKE, AWNING, FLOWERS, DOOR, CHAIR = range(15)


@compiled
def _house(side, z):
    """Number, centre, half width, storey height and set-back of the house at z on one side (-1 or 1)."""
    lot = 5.6
    shifted = z + (2.1 if side > 0 else 0.0)
    number = clamp(floor(shifted / lot), -1.0, 8.0)
    own = hash3(number, side, 3.0)
    return (
        number,
        (number + 0.5) * lot - (2.1 if side > 0 else 0.0),
        2.79,
        7.0 + 2.6 * own,
        0.35 * hash3(number, side, 7.0),
    )


@compiled
def _facade(out, y, w, number, side, eaves):
    """Windows, door and frames of a facade: ``out`` metres in front of the wall, ``w`` metres sideways from its centre."""
    storey = clamp(floor((y - 0.2) / 2.75), 0.0, 2.0 if eaves > 8.6 else 1.0)
    u = y - 0.2 - 2.75 * storey - 1.45
    v = abs(w) - 1.35
    half, tall = 0.50, 0.78
    if storey < 0.5 and hash3(number, side, 21.0) > 0.45:
        v, half, tall = w, 1.75, 0.9
    opening = rectangle(u, v, tall, half)
    recess = max(opening, -out - 0.22)
    pane = max(opening, abs(out + 0.13) - 0.02)
    bars = min(abs(u - 0.12), abs(v)) - 0.022 if half < 1.0 else min(abs(u - 0.4), abs(abs(v) - 0.6)) - 0.025
    frame = max(max(min(bars, abs(opening) - 0.045), opening - 0.05), abs(out + 0.08) - 0.07)
    sill = box(out - 0.05, u + tall + 0.05, v, 0.13, 0.045, half + 0.12, 0.01)
    return recess, pane, min(frame, sill)


@compiled
def _houses(x, y, z, best, part):
    side = 1.0 if x > 0.0 else -1.0
    number, middle, half, eaves, back = _house(side, z)
    out = HALF_STREET + 1.35 + back - side * x
    w = z - middle
    body = max(max(out, -out - 5.0), max(abs(w) - half, y - eaves))
    roof = gable(out + 2.4, y - eaves, w, 2.85, half + 0.1, 2.7)
    if out < 1.2 and out > -1.5 and y < eaves:
        recess, pane, frame = _facade(out, y, w, number, side, eaves)
        body = max(body, -recess)
        best, part = closer(best, part, max(pane, abs(w) - half), PANE)
        best, part = closer(best, part, max(frame, abs(w) - half), FRAME)
        cornice = box(out - 0.06, y - eaves + 0.12, w, 0.16, 0.12, half, 0.02)
        best, part = closer(best, part, cornice, FRAME)
        if hash3(number, side, 15.0) > 0.4:
            bank = ellipsoid(out - 0.14, y - 3.58, abs(w) - 1.35, 0.13, 0.17, 0.55)
            best, part = closer(best, part, leaves(x, y, z, 0.085, 0.036, bank), FLOWERS)
        if hash3(number, side, 21.0) > 0.45:
            sloped = abs((y - 2.75) + 0.45 * (out - 0.55)) - 0.025
            awning = max(max(sloped, abs(out - 0.55) - 0.6), abs(w) - 1.95) * 0.85
            best, part = closer(best, part, awning, AWNING)
    best, part = closer(best, part, body, WALL)
    if abs(w) < 2.81:  # limit the step, since the next house may be set further forward
        best, part = closer(best, part, max(2.85 - abs(w), out - 0.45), WALL)
    best, part = closer(best, part, roof, ROOF)
    chimney = box(out + 2.0, y - eaves - 2.0, w - 1.2, 0.3, 1.4, 0.38, 0.02)
    return closer(best, part, chimney, WALL)


@compiled
def _lantern(x, y, z):
    """(iron, glass) of a street lantern."""
    iron = min(cylinder(x, y - 1.6, z, 0.045, 1.6, 0.0), cone(x, y - 0.25, z, 0.13, 0.06, 0.25))
    iron = min(iron, torus(x, y - 2.6, z, 0.055, 0.025))
    cap = cone(x, y - 3.78, z, 0.24, 0.03, 0.11)
    iron = min(min(iron, cap), min(sphere(x, y - 3.93, z, 0.04), cylinder(x, y - 3.22, z, 0.12, 0.02, 0.0)))
    rods = capsule(abs(x), y, abs(z), 0.08, 3.24, 0.08, 0.14, 3.68, 0.14, 0.012, 0.012)
    return min(iron, rods), cone(x, y - 3.46, z, 0.10, 0.17, 0.21)


@compiled
def _tower(x, y, z):
    """(stone, slate, clock) of the tower that closes the street."""
    body = box(x, y - 7.5, z, 2.6, 9.5, 2.6, 0.05)
    band = box(x, y - 12.4, z, 2.8, 0.16, 2.8, 0.03)
    body = max(min(body, band), -max(rectangle(abs(x) - 0.85, y - 14.6, 0.45, 1.1), abs(z + 2.6) - 0.5))
    side, front = abs(x), abs(z)
    spire = (max(side, front) + 0.30 * (y - 17.0) - 2.75) * 0.9
    spire = max(spire, 16.9 - y)
    dial = max(sqrt(x * x + (y - 10.7) ** 2) - 1.35, abs(z + 2.6) - 0.08)
    return body, spire, dial


@compiled
def _bicycle(x, y, z):
    """Along z, standing on y = 0."""
    wheel = torus(y - 0.34, x, abs(z) - 0.52, 0.32, 0.017)
    a = capsule(x, y, z, 0.0, 0.34, 0.52, 0.0, 0.85, 0.28, 0.016, 0.016)
    b = capsule(x, y, z, 0.0, 0.82, 0.30, 0.0, 0.34, -0.05, 0.016, 0.016)
    c = capsule(x, y, z, 0.0, 0.34, -0.05, 0.0, 0.92, -0.22, 0.016, 0.016)
    d = capsule(x, y, z, 0.0, 0.76, 0.33, 0.0, 0.80, -0.18, 0.014, 0.014)
    e = capsule(x, y, z, 0.0, 0.34, -0.52, 0.0, 0.34, -0.05, 0.012, 0.012)
    bar = capsule(abs(x), y, z, 0.0, 0.97, 0.25, 0.26, 1.0, 0.20, 0.014, 0.014)
    seat = ellipsoid(x, y - 0.95, z + 0.24, 0.075, 0.035, 0.14)
    stem = capsule(x, y, z, 0.0, 0.85, 0.28, 0.0, 0.97, 0.25, 0.014, 0.014)
    return min(min(min(wheel, a), min(b, c)), min(min(d, e), min(min(bar, seat), stem)))


@compiled
def _nearest(x, y, z, time):
    _first, gap, _own = pebbles(5.5 * x, 5.5 * z) if y < 0.08 and z < 26.0 else (0.3, 0.3, 0.5)
    cobbles = y + 0.015 - 0.018 * smoothstep(0.0, 0.35, gap) - 0.02 * (0.5 - 0.5 * (x / HALF_STREET) ** 2)
    best, part = closer(
        0.8 * cobbles, COBBLES, box(abs(x) - HALF_STREET - 1.4, y, z - 20.0, 1.4, 0.12, 40.0, 0.03), PAVEMENT
    )
    if abs(x) > 2.6:
        best, part = _houses(x, y, z, best, part)
        side = 1.0 if x > 0.0 else -1.0
        lz = z - 5.5 if side > 0.0 else z - 10.5
        number = clamp(floor(lz / 11.0 + 0.5), 0.0, 2.0)
        iron, glass = _lantern(abs(x) - HALF_STREET - 0.35, y - 0.12, lz - 11.0 * number)
        best, part = closer(best, part, iron, IRON)
        best, part = closer(best, part, glass, LANTERN)
        if side < 0.0 and abs(z - 7.6) < 1.6:
            best, part = closer(best, part, _bicycle(x + HALF_STREET + 0.85 + 0.12 * y, y - 0.12, z - 7.6), BIKE)
    else:
        best, part = closer(best, part, max(2.75 - abs(x), 0.15), WALL)
    stone, slate, dial = _tower(x + 0.8, y, z - 52.0)
    best, part = closer(best, part, stone, TOWER)
    row = z - 62.0
    far_houses = box(x, y - 3.0, row, 30.0, 3.5 + 1.2 * (floor(x / 7.0) % 2.0), 4.0, 0.0) if z > 40.0 else 12.0
    best, part = closer(best, part, 0.7 * far_houses, WALL)
    best, part = closer(best, part, slate, ROOF)
    best, part = closer(best, part, dial, CLOCK)
    if z < 7.0:
        best, part = _cafe(x, y, z, best, part)
    return best, part


@compiled
def _cafe(x, y, z, best, part):
    """A table with two chairs and a flower tub in the foreground, on the right pavement."""
    tx, tz = x - 2.55, z - 3.0
    near = box(tx, y - 0.6, tz, 0.9, 0.9, 1.6, 0.0)
    if near > 0.4:
        return closer(best, part, near, CHAIR)
    table = min(cylinder(tx, y - 0.72, tz, 0.33, 0.014, 0.008), cylinder(tx, y - 0.36, tz, 0.025, 0.36, 0.0))
    best, part = closer(best, part, min(table, cone(tx, y - 0.02, tz, 0.2, 0.03, 0.02)), CHAIR)
    cz = abs(tz) - 0.72
    seat = cylinder(tx, y - 0.45, cz, 0.20, 0.015, 0.01)
    legs = capsule(abs(tx), y, abs(cz), 0.12, 0.45, 0.12, 0.19, 0.0, 0.19, 0.013, 0.013)
    hoop = max(abs(sqrt(tx * tx + (y - 0.60) ** 2) - 0.2) - 0.013, abs(cz - 0.18) - 0.013)
    rest = max(hoop, 0.45 - y)
    best, part = closer(best, part, min(min(seat, legs), rest), IRON)
    best, part = closer(best, part, cylinder(tx - 0.02, y - 0.775, tz + 0.02, 0.028, 0.04, 0.01), LANTERN)
    return best, part


@compiled
def distance(x, y, z, time):
    return _nearest(x, y, z, time)[0]


@compiled
def _wall(x, y, z, nx, ny, nz, width):
    side = 1.0 if x > 0.0 else -1.0
    number = _house(side, z)[0]
    tone = hash3(number, side, 31.0)
    along = z if abs(nx) > abs(nz) else x
    damp = 0.75 + 0.5 * fbm2(0.9 * along, 0.5 * y, 4)
    if tone < 0.34:
        own, stone = bricks(along, y, 0.26, 0.085, 0.014, width)
        brick = blend((0.19, 0.065, 0.045), (0.34, 0.14, 0.09), own)
        r, g, b = blend((0.26, 0.23, 0.20), brick, stone)
    elif tone < 0.56:
        r, g, b = 0.52, 0.40, 0.26
    elif tone < 0.78:
        r, g, b = 0.50, 0.27, 0.20
    else:
        r, g, b = 0.34, 0.42, 0.44
    base = mix(0.6, 1.0, smoothstep(0.2, 1.2, y))
    return plain(r * damp * base, g * damp * base, b * damp * base, 0.0, nx, ny, nz)


@compiled
def _pane(x, y, z, nx, ny, nz):
    """Lit or dark glass; lit glass shows a warm room that gets brighter towards its lamp."""
    side = 1.0 if x > 0.0 else -1.0
    number, middle, _, _, _ = _house(side, z)
    storey = floor((y - 0.2) / 2.75)
    right = 1.0 if z > middle else 0.0
    shop = storey < 0.5 and hash3(number, side, 21.0) > 0.45
    lit = hash3(number + 2.0 * right * (0.0 if shop else 1.0), side + 3.0 * storey, 12.0)
    if shop or lit > 0.42:
        u, v = y - 0.2 - 2.75 * storey - 1.7, z - middle - (0.0 if shop else 2.7 * right - 1.35)
        lamp = 0.5 + 1.3 / (1.0 + 9.0 * (u * u + 0.6 * v * v))
        shapes = 0.55 + 0.6 * smoothstep(0.4, 0.6, noise2(4.0 * z, 3.0 * y + 9.0)) if u < 0.1 else 1.0
        warm = 1.0 if lit < 0.85 else 0.75
        return glowing(1.0 * shapes, 0.56 * shapes, 0.20 * shapes * warm, 1.25 * lamp, nx, ny, nz)
    return Material(0.015, 0.02, 0.03, 0.9, 0.07, 0.0, 0.0, nx, ny, nz)


@compiled
def surface(x, y, z, nx, ny, nz, time, width):
    part = _nearest(x, y, z, time)[1]
    if part == COBBLES:
        _first, gap, own = pebbles(5.5 * x, 5.5 * z)
        stone = smoothstep(0.02, 0.14 + 6.0 * width, gap)
        r, g, b = blend((0.075, 0.07, 0.075), (0.17, 0.155, 0.15), own)
        puddle = smoothstep(0.50, 0.62, fbm2(0.55 * x + 3.0, 0.35 * z, 3))
        shade = mix(0.35, 1.0, stone) * mix(1.0, 0.45, puddle)
        flat = 0.75 * puddle
        nx, ny, nz = mix(nx, 0.0, flat), mix(ny, 1.0, flat), mix(nz, 0.0, flat)
        length = sqrt(nx * nx + ny * ny + nz * nz)
        return Material(
            r * shade, g * shade, b * shade, 0.7, 0.025 + 0.05 * puddle, 0.0, 0.0, nx / length, ny / length, nz / length
        )
    if part == PAVEMENT:
        u, v = x - 0.9 * floor(x / 0.9), z - 0.7 * floor(z / 0.7)
        joint = smoothstep(0.0, 0.02 + width, min(u, v))
        own = (0.8 + 0.4 * hash3(floor(x / 0.9), floor(z / 0.7), 2.0)) * mix(0.4, 1.0, joint)
        return Material(0.15 * own, 0.145 * own, 0.14 * own, 0.6, 0.03, 0.0, 0.0, nx, ny, nz)
    if part == WALL:
        return _wall(x, y, z, nx, ny, nz, width)
    if part == PANE:
        return _pane(x, y, z, nx, ny, nz)
    if part == FRAME:
        return plain(0.52, 0.50, 0.46, 0.2, nx, ny, nz)
    if part == ROOF:
        tiles = 0.7 + 0.5 * hash3(floor(z / 0.3), floor(y / 0.2), 1.0)
        return plain(0.09 * tiles, 0.07 * tiles, 0.08 * tiles, 0.3, nx, ny, nz)
    if part == LANTERN:
        return glowing(1.0, 0.62, 0.26, 5.0, nx, ny, nz)
    if part == TOWER:
        own, stone = bricks(x if abs(nz) > abs(nx) else z, y, 1.1, 0.55, 0.04, width)
        tone = (0.75 + 0.3 * own) * mix(0.7, 1.0, stone)
        return plain(0.30 * tone, 0.27 * tone, 0.26 * tone, 0.0, nx, ny, nz)
    if part == CLOCK:
        return _clock(x + 0.8, y - 10.7, nx, ny, nz)
    if part == AWNING:
        number = _house(1.0 if x > 0.0 else -1.0, z)[0]
        stripe = smoothstep(-0.1, 0.1, sin(15.0 * z))
        red = (0.45, 0.07, 0.05) if hash3(number, 5.0, 5.0) > 0.5 else (0.06, 0.20, 0.15)
        r, g, b = blend(red, (0.66, 0.60, 0.50), stripe)
        return leaf(r, g, b, 0.5, nx, ny, nz)
    if part == FLOWERS:
        own = leaf_tone(x, y, z, 0.085)
        r, g, b = (0.6, 0.06, 0.10) if own > 0.62 else (0.05, 0.13, 0.04)
        return leaf(r, g, b, 0.4, nx, ny, nz)
    if part == BIKE:
        return plain(0.03, 0.09, 0.09, 0.7, nx, ny, nz)
    return plain(0.05, 0.05, 0.055, 0.6, nx, ny, nz)


@compiled
def _clock(u, v, nx, ny, nz):
    radius = sqrt(u * u + v * v)
    hands = min(max(abs(u - 0.25 * v) - 0.05, max(-v, v - 0.7)), max(abs(v + 0.15 * u) - 0.04, max(-u, u - 1.05)))
    ring = smoothstep(0.05, 0.08, abs(radius - 1.2))
    face = 0.15 if hands < 0.0 else ring
    return glowing(1.0 * face, 0.80 * face, 0.48 * face, 1.5, nx, ny, nz)


@compiled
def sky(dx, dy, dz):
    r, g, b = blend((1.15, 0.50, 0.24), (0.36, 0.30, 0.46), smoothstep(0.0, 0.30, dy))
    r, g, b = blend((r, g, b), (0.055, 0.10, 0.26), smoothstep(0.18, 0.75, dy))
    glow = towards(dx, dy, dz, SUN, 6.0)
    cover = clouds(dx, dy, dz, 0.9, 0.56, 0.3)
    r, g, b = blend((r, g, b), (0.30 + 0.9 * glow, 0.20 + 0.30 * glow, 0.26 + 0.08 * glow), 0.7 * cover)
    return r + 0.45 * glow, g + 0.18 * glow, b + 0.05 * glow


_GLOW = (5.2, 2.9, 1.05, 0.30)
SETTING = Setting(
    distance,
    surface,
    sky,
    Light(
        sun=SUN,
        sun_colour=(0.9, 0.42, 0.20),
        sun_size=0.12,
        above=(0.17, 0.20, 0.36),
        below=(0.10, 0.065, 0.05),
        reach=2.2,
        haze=(0.26, 0.19, 0.27),
        haze_per_metre=0.0028,
        haze_top=30.0,
        glare=(0.45, 0.18, 0.06),
        lamps=lamps(
            (3.45, 3.58, 5.5, *_GLOW),
            (3.45, 3.58, 16.5, *_GLOW),
            (-3.45, 3.58, 10.5, *_GLOW),
            (-3.45, 3.58, 21.5, *_GLOW),
            (-3.2, 1.7, 3.0, 1.5, 0.8, 0.26, 0.6),
            (3.2, 1.7, 9.0, 1.5, 0.8, 0.26, 0.6),
            (2.57, 0.84, 3.0, 0.16, 0.09, 0.03, 0.03),
        ),
        far=160.0,
        exposure=1.05,
        bloom=0.16,
    ),
    eye=(0.55, 1.75, -1.6),
    target=(-0.12, 2.55, 12.0),
    fov_degrees=64.0,
)
