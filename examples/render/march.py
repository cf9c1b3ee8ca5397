"""Ray marching of signed distances: exact depth, soft shadows, ambient occlusion, one mirror bounce, haze.

`renderer` compiles one scene. Kernels take lists of picture points, so that pictures, antialiasing samples and the few pixels of a
check use the same code.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, sqrt
from typing import Any

from examples.render.shapes import clamp, compiled, mix, smoothstep


@compiled
def _fresnel(mirror, cosine):
    return mirror + (1.0 - mirror) * (1.0 - clamp(cosine, 0.0, 1.0)) ** 5


@compiled
def _haze_amount(light, y, dy, length):
    """Fraction of the light along a ray of ``length`` metres that is replaced by haze."""
    fall = dy / light.haze_top
    column = length if abs(fall * length) < 1e-3 else (1.0 - exp(-min(max(fall * length, -60.0), 60.0))) / fall
    return 1.0 - exp(-min(light.haze_per_metre * exp(-max(y, -light.haze_top) / light.haze_top) * column, 60.0))


def renderer(distance: Callable, surface: Callable, sky: Callable) -> tuple[Any, Any, Any]:
    """Three kernels of a scene: ``depths``, ``colours`` and ``shafts``.

    ``distance(x, y, z, time)``: signed distance in metres, never an overestimate along a ray.
    ``surface(x, y, z, nx, ny, nz, time, width)``: the `Material` there; ``width`` is a pixel's size in metres.
    ``sky(dx, dy, dz)``: linear RGB of a direction.
    """

    @compiled
    def refined(ox, oy, oz, dx, dy, dz, time, s, angle):
        """Refine ``s`` to the surface by Newton's method, for grazing rays; unchanged where that diverges."""
        d = distance(ox + s * dx, oy + s * dy, oz + s * dz, time)
        for _ in range(3):
            e = 0.3 * angle * s
            slope = (distance(ox + (s + e) * dx, oy + (s + e) * dy, oz + (s + e) * dz, time) - d) / e
            if slope > -1e-3:
                break
            u = s - clamp(d / slope, -0.02 * s, 0.02 * s)
            residual = distance(ox + u * dx, oy + u * dy, oz + u * dz, time)
            if abs(residual) >= abs(d):
                break
            s, d = u, residual
        return s

    @compiled
    def hit(ox, oy, oz, dx, dy, dz, time, near, far, angle):
        """Distance along the ray to the first surface, or -1 for sky; ``angle``: angular size of a pixel."""
        s, d = near, 0.0
        for _ in range(640):
            d = distance(ox + s * dx, oy + s * dy, oz + s * dz, time)
            if d < 0.08 * angle * s:
                return refined(ox, oy, oz, dx, dy, dz, time, s, angle)
            s += d
            if s > far:
                return -1.0
        return refined(ox, oy, oz, dx, dy, dz, time, s, angle) if d < 6.0 * angle * s else -1.0

    @compiled
    def normal(x, y, z, time, e):
        a = distance(x + e, y - e, z - e, time)
        b = distance(x - e, y - e, z + e, time)
        c = distance(x - e, y + e, z - e, time)
        d = distance(x + e, y + e, z + e, time)
        nx, ny, nz = a - b - c + d, -a - b + c + d, -a + b - c + d
        length = sqrt(nx * nx + ny * ny + nz * nz)
        if length < 1e-9:
            return 0.0, 1.0, 0.0
        return nx / length, ny / length, nz / length

    @compiled
    def shadow(x, y, z, dx, dy, dz, time, start, reach, size):
        """Visible fraction of a light of angular radius ``size`` (radians).

        The closest approach between two steps is estimated from both distances (Aaltonen, GDC 2018), which avoids banding.
        """
        visible, s, before = 1.0, start, 1e9
        for _ in range(110):
            d = distance(x + s * dx, y + s * dy, z + s * dz, time)
            back = d * d / (2.0 * before) if d > 0.0 else 0.0
            gap = sqrt(max(d * d - back * back, 0.0)) if d > 0.0 else d
            visible = min(visible, 0.5 + 0.5 * gap / (size * max(s - back, 1e-4)))
            if visible < 0.0 or s > reach:
                break
            step = clamp(0.7 * d, 0.004 + 0.010 * s, 0.2 * reach)
            before = d if step <= d else 1e9  # the estimate holds only for steps within the last distance
            s += step
        return smoothstep(0.0, 1.0, visible)

    @compiled
    def cone_visibility(x, y, z, dx, dy, dz, time, reach):
        """Unoccluded fraction of a wide cone, 0..1."""
        free, step = 1.0, 0.07 * reach
        for _ in range(5):
            d = distance(x + step * dx, y + step * dy, z + step * dz, time)
            free = min(free, 0.12 + 1.25 * d / step)
            step *= 1.85
        return clamp(free, 0.0, 1.0)

    @compiled
    def ambient(x, y, z, nx, ny, nz, time, light):
        """Ambient light with occlusion, and the occlusion itself."""
        if abs(ny) < 0.9:
            tx, ty, tz = nz, 0.0, -nx
        else:
            tx, ty, tz = 1.0, 0.0, 0.0
        dot = tx * nx + ty * ny + tz * nz
        tx, ty, tz = tx - dot * nx, ty - dot * ny, tz - dot * nz
        length = sqrt(tx * tx + ty * ty + tz * tz)
        tx, ty, tz = tx / length, ty / length, tz / length
        bx, by, bz = ny * tz - nz * ty, nz * tx - nx * tz, nx * ty - ny * tx
        red, green, blue, total = 0.0, 0.0, 0.0, 0.0
        for k in range(5):
            a = 0.8 if k == 1 else (-0.8 if k == 2 else 0.0)
            b = 0.8 if k == 3 else (-0.8 if k == 4 else 0.0)
            c = 1.0 if k == 0 else 0.6
            dx, dy, dz = c * nx + a * tx + b * bx, c * ny + a * ty + b * by, c * nz + a * tz + b * bz
            free = c / 3.4 * cone_visibility(x, y, z, dx, dy, dz, time, light.reach)
            up = 0.5 + 0.5 * dy
            red += free * mix(light.below[0], light.above[0], up)
            green += free * mix(light.below[1], light.above[1], up)
            blue += free * mix(light.below[2], light.above[2], up)
            total += free
        return red, green, blue, total

    @compiled
    def lit(x, y, z, vx, vy, vz, m, time, light, start):
        """Radiance of a surface of material ``m`` against the view direction (vx, vy, vz)."""
        sx, sy, sz = light.sun
        facing = m.nx * sx + m.ny * sy + m.nz * sz
        red, green, blue, free = ambient(x, y, z, m.nx, m.ny, m.nz, time, light)
        bounced = 0.12 * free * clamp(-(m.nx * sx + m.nz * sz), 0.0, 1.0)
        direct, sheen = 0.0, 0.0
        if facing > 0.0 or m.thin > 0.0:
            direct = max(facing, 0.0) + m.thin * max(-facing, 0.0)
            direct *= shadow(x, y, z, sx, sy, sz, time, start, light.far, light.sun_size)
        power = 2.0 ** (2.0 + 8.0 * m.gloss)
        if facing > 0.0:
            sheen += direct * _highlight(m, sx - vx, sy - vy, sz - vz, power)
        red += light.sun_colour[0] * (direct + bounced)
        green += light.sun_colour[1] * (direct + bounced)
        blue += light.sun_colour[2] * (direct + bounced)
        hr, hg, hb = (sheen * light.sun_colour[0], sheen * light.sun_colour[1], sheen * light.sun_colour[2])
        for k in range(light.lamps.shape[0]):
            px, py, pz = light.lamps[k, 0] - x, light.lamps[k, 1] - y, light.lamps[k, 2] - z
            square = px * px + py * py + pz * pz
            way = sqrt(square)
            px, py, pz = px / way, py / way, pz / way
            cosine = m.nx * px + m.ny * py + m.nz * pz
            strength = (max(cosine, 0.0) + m.thin * max(-cosine, 0.0)) / (square + 0.05)
            if strength * (light.lamps[k, 3] + light.lamps[k, 4] + light.lamps[k, 5]) < 0.004:
                continue
            radius = light.lamps[k, 6]
            strength *= shadow(x, y, z, px, py, pz, time, start, way - radius, min(radius / way, 0.6))
            shine = strength * _highlight(m, px - vx, py - vy, pz - vz, power)
            red, hr = red + strength * light.lamps[k, 3], hr + shine * light.lamps[k, 3]
            green, hg = green + strength * light.lamps[k, 4], hg + shine * light.lamps[k, 4]
            blue, hb = blue + strength * light.lamps[k, 5], hb + shine * light.lamps[k, 5]
        return m.red * (red + m.glow) + hr, m.green * (green + m.glow) + hg, m.blue * (blue + m.glow) + hb

    @compiled
    def hazed(red, green, blue, ox, oy, oz, dx, dy, dz, s, light):
        amount = _haze_amount(light, oy, dy, s)
        towards = clamp(dx * light.sun[0] + dy * light.sun[1] + dz * light.sun[2], 0.0, 1.0) ** 6
        return (
            mix(red, light.haze[0] + towards * light.glare[0], amount),
            mix(green, light.haze[1] + towards * light.glare[1], amount),
            mix(blue, light.haze[2] + towards * light.glare[2], amount),
        )

    @compiled
    def mirrored(x, y, z, dx, dy, dz, time, light, angle, start):
        """Radiance of a reflected ray: geometry without its own mirrors, or the sky."""
        s = hit(x, y, z, dx, dy, dz, time, start, light.far, 2.0 * angle)
        if s < 0.0:
            return sky(dx, dy, dz)
        px, py, pz = x + s * dx, y + s * dy, z + s * dz
        e = 1e-4 + 0.5 * angle * s
        nx, ny, nz = normal(px, py, pz, time, e)
        m = surface(px, py, pz, nx, ny, nz, time, angle * s)
        red, green, blue = lit(px, py, pz, dx, dy, dz, m, time, light, 4.0 * e)
        return hazed(red, green, blue, x, y, z, dx, dy, dz, s, light)

    @compiled
    def radiance(ox, oy, oz, dx, dy, dz, time, light, angle):
        """Colour along a ray, and the distance to the surface (-1 for sky)."""
        s = hit(ox, oy, oz, dx, dy, dz, time, 0.01, light.far, angle)
        if s < 0.0:
            red, green, blue = sky(dx, dy, dz)
            return red, green, blue, s
        x, y, z = ox + s * dx, oy + s * dy, oz + s * dz
        e = 1e-4 + 0.4 * angle * s
        gx, gy, gz = normal(x, y, z, time, e)
        m = surface(x, y, z, gx, gy, gz, time, angle * s)
        red, green, blue = lit(x, y, z, dx, dy, dz, m, time, light, 4.0 * e)
        if m.mirror > 0.0:
            dot = dx * m.nx + dy * m.ny + dz * m.nz
            share = _fresnel(m.mirror, -dot)
            rx, ry, rz = dx - 2 * dot * m.nx, dy - 2 * dot * m.ny, dz - 2 * dot * m.nz
            into = rx * gx + ry * gy + rz * gz
            if into < 0.02:  # a rippled normal must not reflect into the surface itself
                rx, ry, rz = rx + (0.02 - into) * gx, ry + (0.02 - into) * gy, rz + (0.02 - into) * gz
            a, b, c = mirrored(x + 2 * e * gx, y + 2 * e * gy, z + 2 * e * gz, rx, ry, rz, time, light, angle, 6.0 * e)
            red, green, blue = mix(red, a, share), mix(green, b, share), mix(blue, c, share)
        red, green, blue = hazed(red, green, blue, ox, oy, oz, dx, dy, dz, s, light)
        return red, green, blue, s

    @compiled
    def ray(camera, lens, u, v):
        """Unit direction in authoring axes of picture point (u, v), and the ray's length per metre of depth."""
        a, b = (u - lens[0, 2] - lens[0, 1] * (v - lens[1, 2]) / lens[1, 1]) / lens[0, 0], (v - lens[1, 2]) / lens[1, 1]
        length = sqrt(a * a + b * b + 1.0)
        dx = (camera[0, 0] * a + camera[0, 1] * b + camera[0, 2]) / length
        dy = (camera[1, 0] * a + camera[1, 1] * b + camera[1, 2]) / length
        dz = (camera[2, 0] * a + camera[2, 1] * b + camera[2, 2]) / length
        return dx, -dy, dz, length

    @compiled
    def depths(camera, lens, points, time, far, depth):
        """Fill ``depth`` (N,) along z for ``points`` (N,2) of the picture; 0 for sky."""
        for n in range(len(points)):
            dx, dy, dz, length = ray(camera, lens, points[n, 0], points[n, 1])
            s = hit(camera[0, 3], -camera[1, 3], camera[2, 3], dx, dy, dz, time, 0.01, far, 1.0 / lens[0, 0])
            depth[n] = max(s, 0.0) / length

    @compiled
    def colours(camera, lens, points, time, light, angle, linear, depth):
        """Fill ``linear`` (N,3) RGB and ``depth`` (N,) for ``points`` (N,2); ``angle``: angular size of a sample."""
        for n in range(len(points)):
            dx, dy, dz, length = ray(camera, lens, points[n, 0], points[n, 1])
            red, green, blue, s = radiance(camera[0, 3], -camera[1, 3], camera[2, 3], dx, dy, dz, time, light, angle)
            linear[n, 0], linear[n, 1], linear[n, 2] = red, green, blue
            depth[n] = max(s, 0.0) / length

    @compiled
    def shafts(camera, lens, points, time, light, depth, amount):
        """Fill ``amount`` (N,): metres of sunlit air along the ray up to ``depth`` (N,)."""
        sx, sy, sz = light.sun
        ox, oy, oz = camera[0, 3], -camera[1, 3], camera[2, 3]
        for n in range(len(points)):
            dx, dy, dz, length = ray(camera, lens, points[n, 0], points[n, 1])
            step = depth[n] * length / 40.0
            total = 0.0
            for k in range(40):
                s = (k + 0.5) * step
                total += shadow(ox + s * dx, oy + s * dy, oz + s * dz, sx, sy, sz, time, 0.02, 12.0, light.sun_size)
            amount[n] = total * step

    return depths, colours, shafts


@compiled
def _highlight(m, hx, hy, hz, power):
    """Normalised Blinn highlight around the half vector, scaled by the gloss."""
    if m.gloss <= 0.0:
        return 0.0
    length = max(sqrt(hx * hx + hy * hy + hz * hz), 1e-6)
    cosine = clamp((m.nx * hx + m.ny * hy + m.nz * hz) / length, 0.0, 1.0)
    return 0.04 * m.gloss * (power + 8.0) / 8.0 * cosine**power
