"""A plush fox in a glade; the fox alone is also the source of the rigged model (see `model`)."""

from __future__ import annotations

from math import floor, sin, sqrt

from examples.render.light import Light, unit
from examples.render.materials import blend, closer, leaf, plain, towards
from examples.render.noise import fbm2, fbm3, hash3, noise2, noise3
from examples.render.scenes import Setting
from examples.render.shapes import (
    capsule,
    clamp,
    compiled,
    cone,
    cylinder,
    ellipsoid,
    mix,
    smooth_union,
    smoothstep,
    sphere,
    torus,
)

SUN = unit(-0.60, 0.66, -0.35)
PLUSH, EYE, SCARF, GROUND, TRUNK, CAP, STEM, STUMP, BUSH = range(9)


@compiled
def fox(x, y, z):
    """(distance, part) of the fox: 1 m tall, feet on y = 0, facing -z, arms held out for the rig."""
    a = abs(x)
    body = smooth_union(
        ellipsoid(x, y - 0.40, z, 0.155, 0.20, 0.13), ellipsoid(x, y - 0.30, z, 0.15, 0.13, 0.135), 0.06
    )
    head = ellipsoid(x, y - 0.735, z + 0.005, 0.172, 0.145, 0.145)
    cheeks = ellipsoid(a - 0.115, y - 0.695, z + 0.03, 0.075, 0.055, 0.07)
    head = smooth_union(head, cheeks, 0.06)
    head = smooth_union(head, ellipsoid(x, y - 0.690, z + 0.145, 0.06, 0.05, 0.095), 0.06)
    ex, ey = a - 0.105, y - 0.875
    ears = max(ellipsoid(ex - 0.25 * ey, ey - 0.015, z - 0.02, 0.065, 0.125, 0.045), -0.1 - ey) * 0.85
    head = smooth_union(head, ears, 0.03)
    arms = min(
        capsule(a, y, z, 0.115, 0.525, 0.0, 0.235, 0.425, -0.01, 0.050, 0.047),
        capsule(a, y, z, 0.235, 0.425, -0.01, 0.340, 0.325, -0.03, 0.047, 0.052),
    )
    legs = min(
        capsule(a, y, z, 0.085, 0.27, 0.0, 0.095, 0.15, 0.0, 0.074, 0.058),
        capsule(a, y, z, 0.095, 0.15, 0.0, 0.098, 0.05, 0.0, 0.058, 0.052),
    )
    legs = smooth_union(legs, ellipsoid(a - 0.100, y - 0.042, z + 0.035, 0.058, 0.042, 0.095), 0.03)
    tail = min(
        capsule(x, y, z, 0.0, 0.27, 0.10, 0.0, 0.25, 0.27, 0.042, 0.085),
        capsule(x, y, z, 0.0, 0.25, 0.27, 0.0, 0.40, 0.43, 0.085, 0.030),
    )
    plush = smooth_union(smooth_union(body, legs, 0.03), smooth_union(arms, tail, 0.01), 0.025)
    plush = smooth_union(plush, head, 0.03)
    best, part = closer(0.8 * plush, PLUSH, sphere(x, y - 0.713, z + 0.238, 0.024), EYE)
    eyes = ellipsoid(a - 0.067, y - 0.770, z + 0.126, 0.022, 0.027, 0.018)
    best, part = closer(best, part, eyes, EYE)
    scarf = min(
        torus(x, y - 0.595, z, 0.112, 0.042), capsule(x, y, z, 0.06, 0.58, -0.13, 0.085, 0.42, -0.165, 0.033, 0.040)
    )
    return closer(best, part, scarf, SCARF)


@compiled
def fox_colour(x, y, z, part):
    """Linear RGB of the fox's cloth."""
    if part == EYE:
        return 0.012, 0.010, 0.010
    knit = 0.80 + 0.30 * sin(420.0 * x) * sin(380.0 * y + 2.0 * sin(210.0 * x))
    if part == SCARF:
        stripe = smoothstep(0.3, 0.5, sin(95.0 * (y + 0.25 * x)))
        r, g, b = blend((0.05, 0.26, 0.29), (0.72, 0.66, 0.50), stripe)
        return r * knit, g * knit, b * knit
    a = abs(x)
    orange = (0.66, 0.20, 0.035)
    belly = smoothstep(0.012, -0.004, ellipsoid(x, y - 0.385, z + 0.12, 0.10, 0.16, 0.10))
    muzzle = (
        smoothstep(0.694, 0.682, y - 0.35 * max(a - 0.055, 0.0))
        * smoothstep(-0.02, -0.05, z)
        * smoothstep(0.60, 0.62, y)
    )
    tip = smoothstep(0.325, 0.345, 0.6 * z + 0.25 * y + 0.012 * sin(60.0 * x))
    r, g, b = blend(orange, (0.80, 0.72, 0.60), max(max(belly, muzzle), tip))
    paw = max(smoothstep(0.105, 0.085, y), smoothstep(0.285, 0.300, a) * smoothstep(0.6, 0.5, y))
    ear = smoothstep(0.935, 0.955, y)
    inner = (
        smoothstep(0.034, 0.024, sqrt((a - 0.118) ** 2 + (0.55 * (y - 0.90)) ** 2))
        * smoothstep(-0.005, -0.015, z)
        * smoothstep(0.86, 0.88, y)
    )
    r, g, b = blend((r, g, b), (0.07, 0.035, 0.025), max(paw, ear))
    r, g, b = blend((r, g, b), (0.72, 0.52, 0.44), inner * (1.0 - ear))
    return r * knit, g * knit, b * knit


@compiled
def _mushrooms(x, y, z):
    """(caps, stems) of a few toadstools."""
    cap, stem = 9.0, 9.0
    for k in range(4):
        cx = -0.62 if k == 0 else (-0.78 if k == 1 else (0.60 if k == 2 else 0.95))
        cz = -0.22 if k == 0 else (0.02 if k == 1 else (-0.42 if k == 2 else 0.50))
        size = 1.15 if k == 0 else (0.7 if k == 1 else (0.62 if k == 2 else 1.3))
        px, py, pz = (x - cx) / size, (y + 0.01) / size, (z - cz) / size
        hood = max(ellipsoid(px, py - 0.20, pz, 0.15, 0.11, 0.15), 0.19 - py + 0.15 * (px * px + pz * pz))
        cap = min(cap, 0.9 * hood * size)
        stem = min(stem, cone(px, py - 0.1, pz, 0.045, 0.032, 0.12) * size)
    return cap, stem


@compiled
def _trunks(x, y, z):
    """Birches behind the glade."""
    cell = 1.5
    i, j = floor(x / cell), floor(z / cell)
    own = hash3(i, j, 6.0)
    edge = 0.5 * cell - max(abs(x - (i + 0.5) * cell), abs(z - (j + 0.5) * cell)) + 0.12
    if j < 2.0 or own < 0.3:
        return max(edge, 0.5 * (3.0 - z))
    px = x - (i + 0.5 + 0.24 * (own - 0.5)) * cell + 0.02 * (own - 0.6) * y
    pz = z - (j + 0.5 + 0.24 * (hash3(i, j, 8.0) - 0.5)) * cell
    radius = 0.08 + 0.09 * hash3(i, j, 9.0) + 0.08 * smoothstep(0.4, 0.0, y)
    return min(0.9 * (sqrt(px * px + pz * pz) - radius), edge)


@compiled
def _grass(x, y, z):
    """Blades, one per small cell."""
    cell = 0.055
    i, j = floor(x / cell), floor(z / cell)
    own = hash3(i, j, 3.0)
    tall = (0.05 + 0.11 * own) * (0.45 + 0.9 * noise2(2.2 * x, 2.2 * z))
    if y > 0.16 or z > 3.2 or own < 0.15 or sqrt(x * x + z * z) < 0.53:
        return max(0.045, y - 0.15)
    bend = 0.5 * (hash3(i, j, 4.0) - 0.5) * y + 1.6 * (hash3(i, j, 5.0) - 0.5) * y * y
    px = x - (i + 0.5) * cell - bend
    pz = z - (j + 0.5) * cell - 0.6 * bend
    width = 0.009 * (1.0 - clamp(y / tall, 0.0, 1.0))
    blade = max(sqrt(px * px + 2.5 * pz * pz) - width, y - tall) * 0.6
    return min(blade, 0.5 * cell - max(abs(x - (i + 0.5) * cell), abs(z - (j + 0.5) * cell)) + 0.006)


@compiled
def _nearest(x, y, z, time):
    hill = 0.9 * smoothstep(3.0, 12.0, z)
    ground = y - hill - 0.02 * fbm2(3.0 * x, 3.0 * z, 3)
    best, part = closer(0.8 * ground, GROUND, _trunks(x, y - hill, z), TRUNK)
    if z < 3.5:
        best, part = closer(best, part, _grass(x, y, z), BUSH)
        cap, stem = _mushrooms(x, y, z)
        best, part = closer(best, part, cap, CAP)
        best, part = closer(best, part, stem, STEM)
        stump = cylinder(x, y - 0.01, z, 0.47 + 0.02 * fbm2(6.0 * x, 6.0 * z, 2), 0.09, 0.02)
        best, part = closer(best, part, stump, STUMP)
        near = ellipsoid(x, y - 0.6, z - 0.1, 0.5, 0.62, 0.55)
        if near < 0.1:
            d, which = fox(x, y - 0.10, z)
            best, part = closer(best, part, d, which)
        else:
            best, part = closer(best, part, near, PLUSH)
    return best, part


@compiled
def distance(x, y, z, time):
    return _nearest(x, y, z, time)[0]


@compiled
def surface(x, y, z, nx, ny, nz, time, width):
    part = _nearest(x, y, z, time)[1]
    if part <= SCARF:
        r, g, b = fox_colour(x, y - 0.10, z, part)
        return plain(r, g, b, 0.9 if part == EYE else 0.0, nx, ny, nz)
    if part in (GROUND, BUSH):
        tone = 0.7 * fbm2(1.6 * x, 1.6 * z, 4) + 0.5 * hash3(floor(x / 0.055), floor(z / 0.055), 2.0)
        r, g, b = blend((0.06, 0.12, 0.02), (0.28, 0.34, 0.07), clamp(tone, 0.0, 1.0))
        up = smoothstep(-0.02, 0.10, y) if part == BUSH else 0.6
        return leaf(r * mix(0.45, 1.0, up), g * mix(0.45, 1.0, up), b * mix(0.45, 1.0, up), 0.5, nx, ny, nz)
    if part == TRUNK:
        bark = smoothstep(0.60, 0.68, noise3(2.5 * x, 22.0 * y, 2.5 * z) + 0.35 * smoothstep(0.9, 0.0, y))
        r, g, b = blend((0.62, 0.58, 0.52), (0.06, 0.055, 0.05), bark)
        return plain(r, g, b, 0.0, nx, ny, nz)
    if part == CAP:
        spots = smoothstep(0.60, 0.63, fbm3(19.0 * x, 19.0 * y, 19.0 * z, 2))
        r, g, b = blend((0.60, 0.045, 0.03), (0.82, 0.78, 0.68), max(spots, smoothstep(-0.3, -0.6, ny)))
        return plain(r, g, b, 0.5, nx, ny, nz)
    if part == STEM:
        return plain(0.78, 0.72, 0.60, 0.0, nx, ny, nz)
    rings = 0.5 + 0.5 * sin(150.0 * (sqrt(x * x + z * z) + 0.03 * fbm2(5.0 * x, 5.0 * z, 3)))
    top = blend((0.42, 0.26, 0.13), (0.60, 0.42, 0.24), rings)
    bark = blend((0.08, 0.05, 0.03), (0.22, 0.15, 0.09), fbm3(9.0 * x, 3.0 * y, 9.0 * z, 4))
    r, g, b = blend(bark, top, smoothstep(0.6, 0.9, ny))
    return plain(r, g, b, 0.0, nx, ny, nz)


@compiled
def sky(dx, dy, dz):
    r, g, b = blend((0.78, 0.82, 0.55), (0.60, 0.78, 0.80), smoothstep(0.0, 0.5, dy))
    glow = towards(dx, dy, dz, SUN, 3.0)
    dapple = 0.85 + 0.35 * noise3(9.0 * dx, 9.0 * dy, 9.0 * dz)
    return (r + 0.3 * glow) * dapple, (g + 0.25 * glow) * dapple, (b + 0.12 * glow) * dapple


SETTING = Setting(
    distance,
    surface,
    sky,
    Light(
        sun=SUN,
        sun_colour=(3.1, 2.55, 1.7),
        sun_size=0.05,
        above=(0.34, 0.40, 0.38),
        below=(0.16, 0.17, 0.08),
        reach=0.5,
        haze=(0.55, 0.66, 0.42),
        haze_per_metre=0.030,
        haze_top=5.0,
        glare=(0.35, 0.28, 0.10),
        far=55.0,
        exposure=0.8,
        bloom=0.06,
    ),
    eye=(0.50, 0.92, -2.65),
    target=(-0.02, 0.585, 0.0),
    fov_degrees=42.0,
)
