"""Procedural materials shared by the scenes: wood, bricks, planks, plaster, foliage, water ripples."""

from __future__ import annotations

from math import exp, floor, sin

from examples.render.light import Material
from examples.render.noise import fbm2, fbm3, hash3, noise2, noise3
from examples.render.shapes import clamp, compiled, mix, smoothstep


@compiled
def closer(best, part, distance, number):
    """The nearer of the current part and another one, as (distance, part number)."""
    if distance < best:
        return distance, number
    return best, part


@compiled
def plain(red, green, blue, gloss, nx, ny, nz):
    return Material(red, green, blue, gloss, 0.0, 0.0, 0.0, nx, ny, nz)


@compiled
def glowing(red, green, blue, glow, nx, ny, nz):
    return Material(red, green, blue, 0.0, 0.0, glow, 0.0, nx, ny, nz)


@compiled
def leaf(red, green, blue, thin, nx, ny, nz):
    return Material(red, green, blue, 0.15, 0.0, 0.0, thin, nx, ny, nz)


@compiled
def blend(dark, light, share):
    """Interpolate between two colours (r, g, b)."""
    return mix(dark[0], light[0], share), mix(dark[1], light[1], share), mix(dark[2], light[2], share)


@compiled
def grain(along, across, depth, width):
    """Wood grain, 0..1: rings stretched along the first coordinate; fades out where a pixel (``width``) is coarse."""
    rings = fbm3(0.9 * along, 9.0 * across, 9.0 * depth, 3) * 7.0
    fine = noise3(6.0 * along, 160.0 * across, 160.0 * depth)
    ring = 0.5 + 0.5 * sin(6.283 * rings)
    return clamp(0.25 + 0.4 * ring + 0.35 * mix(fine, 0.5, clamp(160.0 * width, 0.0, 1.0)), 0.0, 1.0)


@compiled
def plank(x, z, board, length, width):
    """Floor boards along z: (share of light wood 0..1; 0 in the joint .. 1 on the board)."""
    row = floor(x / board)
    shift = hash3(row, 3.0, 7.0) * length
    column = floor((z + shift) / length)
    own = hash3(row, column, 1.0)
    u, v = x / board - row, (z + shift) / length - column
    edge = min(min(u, 1.0 - u) * board, min(v, 1.0 - v) * length)
    joint = smoothstep(0.0, 0.003 + 0.6 * width, edge)
    figure = grain(z + 5.0 * own, x + own, 3.0 * own, width)
    return clamp(0.55 * figure + 0.45 * own, 0.0, 1.0), joint


@compiled
def bricks(x, y, length, height, gap, width):
    """Running bond: (a random value per brick; 0 in the mortar .. 1 on the brick)."""
    row = floor(y / height)
    along = x / length + 0.5 * (row - 2.0 * floor(row / 2.0))
    column = floor(along)
    u, v = along - column, y / height - row
    edge = min(min(u, 1.0 - u) * length, min(v, 1.0 - v) * height)
    return hash3(row, column, 2.0), smoothstep(0.4 * gap, 0.7 * gap + 0.7 * width, edge)


@compiled
def ripple(x, z, scale, strength, time):
    """Normal of moving water or wet stone around straight up."""
    e = 0.05
    a = fbm2(scale * x + 0.6 * time, scale * z, 3) + 0.5 * noise2(2.7 * scale * x, 2.7 * scale * z - 0.9 * time)
    b = fbm2(scale * (x + e) + 0.6 * time, scale * z, 3) + 0.5 * noise2(
        2.7 * scale * (x + e), 2.7 * scale * z - 0.9 * time
    )
    c = fbm2(scale * x + 0.6 * time, scale * (z + e), 3) + 0.5 * noise2(
        2.7 * scale * x, 2.7 * scale * (z + e) - 0.9 * time
    )
    nx, nz = strength * (a - b) / e, strength * (a - c) / e
    length = (nx * nx + nz * nz + 1.0) ** 0.5
    return nx / length, 1.0 / length, nz / length


@compiled
def clouds(dx, dy, dz, height, cover, softness):
    """Coverage of a flat cloud layer in a direction, 0..1; thins towards the horizon."""
    if dy < 0.01:
        return 0.0
    x, z = height * dx / (dy + 0.08), height * dz / (dy + 0.08)
    warp = fbm2(0.7 * x + 4.0, 0.7 * z, 3)
    amount = fbm2(x + 1.6 * warp, 1.3 * z + 1.1 * warp, 6)
    return smoothstep(1.0 - cover, 1.0 - cover + softness, amount) * smoothstep(0.01, 0.16, dy)


@compiled
def towards(dx, dy, dz, sun, sharpness):
    """Glow around a direction: 1 at its centre, falling off faster for greater ``sharpness``."""
    return exp(-sharpness * (1.0 - (dx * sun[0] + dy * sun[1] + dz * sun[2])))
