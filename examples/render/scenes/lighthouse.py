"""A lighthouse on a cliff at golden hour: a path through grass and thrift, a keeper's cottage, sea stacks, low sun."""

from __future__ import annotations

from math import floor, sin, sqrt

from examples.render.light import Light, Material, lamps, unit
from examples.render.materials import blend, closer, clouds, glowing, leaf, plain, ripple, towards
from examples.render.noise import fbm2, fbm3, hash3, noise2, noise3
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
    torus,
    turned,
)

SUN = unit(-0.70, 0.24, 0.42)
TX, TZ = 13.0, 50.0
GROUND, SEA, TOWER, IRON, LIGHT_ROOM, ROOF, COTTAGE, WINDOW, FENCE, THRIFT, STACK = range(11)


@compiled
def _land(x, z):
    """Height of the headland (cliffs on its seaward side, rolling grass on top), and distance inland from the edge in metres."""
    coast = -1.5 + 16.0 * (noise2(0.045 * z + 0.7, 1.0) - 0.5) + 5.0 * (noise2(0.17 * z, 5.0) - 0.5)
    coast += 60.0 * smoothstep(58.0, 84.0, z)
    crag = 3.0 * (fbm2(0.21 * x, 0.21 * z, 3) - 0.5)
    inland = x - coast + crag
    top = 13.0 + 1.8 * (noise2(0.06 * x, 0.06 * z) - 0.5) + 1.6 * smoothstep(4.0, 22.0, inland)
    ledge = 0.22 * smoothstep(-4.0, -1.5, inland)
    return mix(-3.0, top, mix(ledge, 1.0, smoothstep(-1.2, 2.2, inland))), inland


@compiled
def _height(x, z):
    return _land(x, z)[0]


@compiled
def _path(z):
    """x of the path's centre at z."""
    return mix(4.6, 12.2, smoothstep(-12.0, 46.0, z)) + 1.7 * sin(0.16 * z + 0.6) * smoothstep(50.0, 20.0, z)


@compiled
def _tower(x, y, z, best, part):
    body = cone(x, y - 6.4, z, 2.25, 1.45, 6.4)
    best, part = closer(best, part, min(body, cylinder(x, y - 0.3, z, 2.6, 0.3, 0.05)), TOWER)
    gallery = min(cylinder(x, y - 12.95, z, 2.05, 0.14, 0.03), cylinder(x, y - 12.6, z, 1.7, 0.3, 0.1))
    rail = min(torus(x, y - 13.95, z, 1.95, 0.035), torus(x, y - 13.5, z, 1.95, 0.025))
    a = x * 0.7071 + z * 0.7071
    b = z * 0.7071 - x * 0.7071
    posts = min(min(abs(x), abs(z)), min(abs(a), abs(b))) - 0.03
    posts = max(max(posts, abs(sqrt(x * x + z * z) - 1.95) - 0.03), abs(y - 13.5) - 0.5)
    mullion = max(
        max(min(min(abs(x), abs(z)), min(abs(a), abs(b))) - 0.05, sqrt(x * x + z * z) - 1.12), abs(y - 14.0) - 0.95
    )
    roof = min(cone(x, y - 15.55, z, 1.35, 0.12, 0.6), sphere(x, y - 16.3, z, 0.2))
    best, part = closer(best, part, min(gallery, min(rail, posts)), IRON)
    best, part = closer(best, part, min(mullion, cylinder(x, y - 16.6, z, 0.03, 0.6, 0.0)), IRON)
    best, part = closer(best, part, cylinder(x, y - 14.0, z, 1.05, 0.95, 0.0), LIGHT_ROOM)
    best, part = closer(best, part, roof, ROOF)
    hole = min(
        box(x + 0.3, y - 4.2, z + 2.0, 0.32, 0.55, 0.35, 0.0), box(x + 0.3, y - 8.6, z + 1.7, 0.28, 0.5, 0.35, 0.0)
    )
    best, part = closer(best, part, hole, WINDOW)
    door = box(x + 0.2, y - 1.3, z + 2.2, 0.55, 1.1, 0.25, 0.0)
    return closer(best, part, door, ROOF)


@compiled
def _cottage(x, y, z, best, part):
    x, z = turned(x, z, -0.30)
    walls = min(box(x, y - 1.4, z, 3.6, 1.5, 2.1, 0.02), gable(z, y - 2.85, x, 2.1, 3.55, 1.5))
    chimney = box(abs(x) - 3.1, y - 4.4, z, 0.35, 0.9, 0.4, 0.02)
    roof = max(gable(z, y - 2.78, x, 2.5, 3.85, 1.85), -gable(z, y - 2.66, x, 2.45, 3.6, 1.80))
    best, part = closer(best, part, min(walls, chimney), COTTAGE)
    best, part = closer(best, part, roof, ROOF)
    windows = min(
        box(abs(x) - 2.0, y - 1.6, z + 2.1, 0.45, 0.5, 0.06, 0.0), box(z, y - 1.6, abs(x) - 3.6, 0.5, 0.5, 0.05, 0.0)
    )
    best, part = closer(best, part, windows, WINDOW)
    return closer(best, part, box(x, y - 1.0, z + 2.1, 0.45, 1.0, 0.07, 0.0), ROOF)


@compiled
def _fence(x, y, z, ground):
    """Posts and two rails on the seaward side of the path."""
    step = 2.3
    number = clamp(floor(z / step + 0.5), -4.0, 17.0)
    pz = z - number * step
    px = x - _path(z) + 1.55
    lean = 0.12 * (hash3(number, 1.0, 1.0) - 0.5)
    posts = box(px - lean * (y - ground), y - ground - 0.45, pz, 0.055, 0.62, 0.055, 0.01)
    sag = 0.03 * (pz / step) ** 2 * 4.0
    rails = min(sqrt(px * px + (y - ground - 0.90 + sag) ** 2), sqrt(px * px + (y - ground - 0.5 + sag) ** 2)) - 0.028
    rails = max(rails, max(-9.5 - z, z - 38.5))
    return 0.8 * min(posts, rails)


@compiled
def _thrift(x, y, z, ground):
    """Cushions of pink flowers and tufts of grass near the camera."""
    cell = 0.62
    i, j = floor(x / cell), floor(z / cell)
    own = hash3(i, j, 5.0)
    if z > 16.0 or own < 0.45 or abs(x - _path(z)) < 1.1:
        return max(0.25, y - ground - 0.4)
    size = 0.07 + 0.15 * (own - 0.45)
    px, pz = x - (i + 0.5 + 0.3 * (own - 0.5)) * cell, z - (j + 0.5 + 0.3 * (hash3(i, j, 8.0) - 0.5)) * cell
    rough = 0.35 * size * noise3(70.0 * x, 70.0 * y, 70.0 * z)
    return min(
        max(0.25, y - ground - 0.4),
        0.6 * (ellipsoid(px, y - ground - 0.02, pz, 1.3 * size, 0.95 * size, 1.3 * size) + rough),
    )


@compiled
def _stack(x, y, z, radius, tall):
    rough = 1.6 * (fbm3(0.35 * x, 0.18 * y, 0.35 * z, 4) - 0.5)
    return 0.55 * (cone(x, y - 0.5 * tall, z, radius, 0.55 * radius, 0.5 * tall + 1.0) + rough * 1.5)


@compiled
def _nearest(x, y, z, time):
    ground, inland = _land(x, z)
    if z < 14.0 and y < ground + 0.5:
        ground += 0.07 * (fbm2(5.0 * x, 5.0 * z, 3) - 0.5) * smoothstep(0.5, 1.0, abs(x - _path(z)))
    above = y - ground
    steep = min(0.6 * above, max(0.13 * above, 0.5 * (abs(inland - 0.5) - 2.2)))
    best, part = closer(steep if above > 0.0 else 0.13 * above, GROUND, y, SEA)
    foot = 13.9
    near_tower = cylinder(x - TX, y - foot - 8.5, z - TZ, 3.0, 9.5, 0.0)
    if near_tower < 1.0:
        best, part = _tower(x - TX, y - foot, z - TZ, best, part)
    else:
        best, part = closer(best, part, near_tower, TOWER)
    near_cottage = box(x - 23.0, y - foot - 2.5, z - 53.0, 5.5, 4.0, 4.5, 0.0)
    if near_cottage < 1.0:
        best, part = _cottage(x - 23.0, y - foot, z - 53.0, best, part)
    else:
        best, part = closer(best, part, near_cottage, COTTAGE)
    if z < 42.0 and y < ground + 2.5:
        best, part = closer(best, part, _fence(x, y, z, _height(_path(z) - 1.55, z)), FENCE)
        if z < 17.0:
            best, part = closer(best, part, _thrift(x, y, z, ground), THRIFT)
    rocks = min(_stack(x + 21.0, y, z - 74.0, 4.6, 15.0), _stack(x + 33.0, y, z - 101.0, 4.0, 9.0))
    rocks = min(rocks, _stack(x + 13.5, y, z - 62.0, 2.2, 4.5))
    return closer(best, part, rocks, STACK)


@compiled
def distance(x, y, z, time):
    return _nearest(x, y, z, time)[0]


@compiled
def _rock(x, y, z):
    strata = fbm2(0.10 * x + 0.1 * z, 1.3 * y + 0.3 * noise2(0.2 * x, 0.2 * z), 4)
    return blend((0.13, 0.095, 0.075), (0.42, 0.31, 0.23), smoothstep(0.25, 0.75, strata))


@compiled
def _ground(x, y, z, nx, ny, nz, width):
    r, g, b = _rock(x, y, z)
    blades = mix(noise2(22.0 * x, 22.0 * z), 0.5, clamp(22.0 * width, 0.0, 1.0))
    tone = clamp(0.55 * fbm2(0.22 * x, 0.22 * z, 4) + 0.6 * blades - 0.05, 0.0, 1.0)
    grass = blend((0.055, 0.105, 0.02), (0.30, 0.29, 0.075), tone)
    r, g, b = blend((r, g, b), grass, smoothstep(0.72, 0.88, ny) * smoothstep(5.0, 9.0, y))
    worn = smoothstep(0.95, 0.55, abs(x - _path(z)) + 0.35 * (fbm2(1.7 * x, 1.7 * z, 3) - 0.5))
    pebble = 0.8 + 0.4 * mix(noise2(30.0 * x, 30.0 * z), 0.5, clamp(30.0 * width, 0.0, 1.0))
    sand = (0.46 * pebble, 0.35 * pebble, 0.22 * pebble)
    r, g, b = blend((r, g, b), sand, worn * smoothstep(0.8, 0.9, ny) * smoothstep(50.0, 44.0, z))
    wet = smoothstep(2.2, 0.6, y)
    return plain(r * mix(1.0, 0.4, wet), g * mix(1.0, 0.4, wet), b * mix(1.0, 0.42, wet), 0.0, nx, ny, nz)


@compiled
def surface(x, y, z, nx, ny, nz, time, width):
    part = _nearest(x, y, z, time)[1]
    if part == GROUND:
        return _ground(x, y, z, nx, ny, nz, width)
    if part == SEA:
        strength = 0.10 / (1.0 + 2.2 * width)
        nx, ny, nz = ripple(x, z, 0.34, strength, 0.5 * time)
        beach = _height(x, z) + 3.0
        surf = smoothstep(0.3, 2.4, beach + 1.3 * (fbm2(0.5 * x, 0.5 * z, 4) - 0.5))
        rocks = min(_stack(x + 21.0, y, z - 74.0, 4.6, 15.0), _stack(x + 13.5, y, z - 62.0, 2.2, 4.5))
        surf = max(surf, smoothstep(1.5, 0.2, rocks + 1.5 * (fbm2(0.6 * x, 0.6 * z, 3) - 0.3)))
        foam = surf * smoothstep(0.35, 0.65, fbm2(1.1 * x, 1.1 * z, 4))
        r, g, b = blend((0.012, 0.07, 0.085), (0.75, 0.78, 0.78), foam)
        return Material(r, g, b, 0.8 * (1.0 - foam), 0.03 * (1.0 - foam), 0.0, 0.0, nx, ny, nz)
    if part == TOWER:
        up = y - 13.9
        r, g, b = (0.62, 0.075, 0.05) if 3.4 < up < 6.4 or 9.2 < up < 11.6 else (0.80, 0.77, 0.71)
        streak = 0.86 + 0.2 * fbm2(2.0 * (x + z), 0.25 * y, 3)
        return plain(r * streak, g * streak, b * streak, 0.25, nx, ny, nz)
    if part == IRON:
        return plain(0.05, 0.055, 0.06, 0.5, nx, ny, nz)
    if part == LIGHT_ROOM:
        return glowing(1.0, 0.74, 0.36, 1.2 + 2.0 * smoothstep(0.9, 0.2, abs(y - 27.9)), nx, ny, nz)
    if part == ROOF:
        return plain(0.33, 0.06, 0.045, 0.3, nx, ny, nz) if y > 26.0 else plain(0.13, 0.13, 0.15, 0.1, nx, ny, nz)
    if part == COTTAGE:
        return plain(0.78, 0.74, 0.66, 0.0, nx, ny, nz)
    if part == WINDOW:
        return glowing(1.0, 0.62, 0.26, 1.1, nx, ny, nz)
    if part == FENCE:
        worn = 0.75 + 0.5 * noise3(3.0 * x, 14.0 * y, 3.0 * z)
        return plain(0.33 * worn, 0.27 * worn, 0.21 * worn, 0.0, nx, ny, nz)
    if part == THRIFT:
        own = hash3(floor(x / 0.62), floor(z / 0.62), 5.0)
        speck = noise3(60.0 * x, 60.0 * y, 60.0 * z)
        r, g, b = (
            blend((0.07, 0.13, 0.03), (0.72, 0.26, 0.40), smoothstep(0.35, 0.5, speck))
            if own > 0.70
            else blend((0.06, 0.11, 0.02), (0.32, 0.32, 0.09), speck)
        )
        return leaf(r, g, b, 0.4, nx, ny, nz)
    r, g, b = _rock(x, y, z)
    return plain(r * 0.8, g * 0.8, b * 0.8, 0.0, nx, ny, nz)


@compiled
def sky(dx, dy, dz):
    r, g, b = blend((1.25, 0.74, 0.40), (0.52, 0.56, 0.66), smoothstep(-0.02, 0.22, dy))
    r, g, b = blend((r, g, b), (0.14, 0.27, 0.52), smoothstep(0.12, 0.62, dy))
    glow = towards(dx, dy, dz, SUN, 7.0)
    cover = clouds(dx, dy, dz, 1.1, 0.60, 0.26)
    r, g, b = blend((r, g, b), (0.62 + 1.3 * glow, 0.46 + 0.75 * glow, 0.46 + 0.30 * glow), 0.85 * cover)
    disc = towards(dx, dy, dz, SUN, 900.0)
    return r + 0.9 * glow + 6.0 * disc, g + 0.5 * glow + 4.0 * disc, b + 0.18 * glow + 2.0 * disc


SETTING = Setting(
    distance,
    surface,
    sky,
    Light(
        sun=SUN,
        sun_colour=(3.9, 2.35, 1.15),
        sun_size=0.05,
        above=(0.30, 0.36, 0.52),
        below=(0.14, 0.11, 0.08),
        reach=1.6,
        haze=(0.60, 0.50, 0.46),
        haze_per_metre=0.0016,
        haze_top=60.0,
        glare=(0.75, 0.40, 0.14),
        lamps=lamps((TX, 28.6, TZ - 0.0, 6.0, 4.0, 1.6, 1.2)),
        far=1600.0,
        exposure=0.95,
        bloom=0.10,
    ),
    eye=(2.9, 16.6, -13.5),
    target=(4.2, 17.2, 30.0),
    fov_degrees=56.0,
)
