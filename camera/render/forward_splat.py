"""Soft forward splat with GEN3C's numerics: the compiled form of `camera.render.reference_warp.forward_warp`.

Each point is splatted bilinearly onto the four pixels around it. Points are processed row by row, so that all intermediate
values stay in the first-level cache: a row's projection, logarithm, exponential and bilinear weights are straight-line code
that the compiler vectorises (with polynomials, so no vector mathematics library is needed), then its points are added to the
picture one after another. Frames are independent: render several in threads.

Imports numba, so import this module only on first use.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import ArrayLike, NDArray

from camera.kernel import kernel

FLOAT = np.float32


@dataclass(frozen=True, eq=False)
class Splat:
    """``image`` (H,W,3) in [-1,1], -1 where no point fell; ``known`` (H,W) bool; ``depth`` (H,W), 0 where no point fell."""

    image: NDArray[np.float32]
    known: NDArray[np.bool_]
    depth: NDArray[np.float32] | None


def greatest_depth(points: NDArray[np.float32], camera_from_world: ArrayLike) -> float:
    """Largest z of world ``points`` (...,3) in front of a camera (4,4), at least 0; it scales the depth weights."""
    row = np.asarray(camera_from_world, dtype=np.float32)[2]
    return float(_greatest_depth(points.reshape(-1, 3), row))


def splat(
    image: NDArray[np.float32],
    points: NDArray[np.float32],
    *,
    camera_from_world: ArrayLike,
    intrinsics: ArrayLike,
    size: tuple[int, int],
    strength: NDArray[np.float32] | None = None,
    depth_range: float | None = None,
    with_depth: bool = False,
) -> Splat:
    """Render the pixels of ``image`` (h,w,3), located at world ``points`` (h,w,3), from a camera.

    ``camera_from_world`` (4,4), ``intrinsics`` (3,3) in pixels, ``size`` (H,W) of the result.
    ``strength``: (h,w) weights from 0 (ignored) to 1. ``depth_range``: greatest depth that scales the depth weights; give
    one value to pictures that are splatted separately. None uses this picture's own.
    """
    height, width = size
    if depth_range is None:
        depth_range = greatest_depth(points, camera_from_world)
    if strength is None:
        strength = np.empty((0, 0), np.float32)
    total = np.zeros(((height + 2) * (width + 2), 4), np.float32)
    total_z = np.zeros((height + 2) * (width + 2) if with_depth else 0, np.float32)
    _accumulate(
        total,
        total_z,
        image,
        points,
        strength,
        np.asarray(camera_from_world, dtype=np.float32)[:3],
        np.asarray(intrinsics, dtype=np.float32),
        np.float32(np.log1p(np.float32(depth_range)) + np.float32(1e-7)),
        height,
        width,
    )
    result = np.empty((height, width, 3), np.float32)
    known = np.empty((height, width), np.bool_)
    depth = np.empty((height, width) if with_depth else (0, 0), np.float32)
    _divide(total.reshape(height + 2, width + 2, 4), total_z, result, known, depth)
    return Splat(result, known, depth if with_depth else None)


def put_over(
    drawn: Splat,
    colour: NDArray[np.uint8],
    depth: NDArray[np.float32],
    layer: NDArray[np.uint8],
    *,
    far_from: float,
    advantage: float,
) -> None:
    """Draw a splat with depth over ``colour`` (H,W,3), ``depth`` (H,W) and ``layer`` (H,W), in place, where the splat is nearer.

    ``layer``: 0 hole, 1 surface, 2 far layer, which begins at depth ``far_from`` and is behind every surface.
    Within a layer a pixel is replaced if the splat is nearer by the factor ``advantage`` (1 or more).
    """
    assert drawn.depth is not None
    _put_over(drawn.image, drawn.known, drawn.depth, colour, depth, layer, np.float32(far_from), np.float32(advantage))


@kernel
def _greatest_depth(points, row):
    greatest = FLOAT(0)
    for i in range(len(points)):
        z = row[0] * points[i, 0] + row[1] * points[i, 1] + row[2] * points[i, 2] + row[3]
        greatest = max(greatest, z)
    return greatest


@kernel
def _row_of(points, row, xs, ys, zs):
    for i in range(len(zs)):
        xs[i], ys[i], zs[i] = points[row, i, 0], points[row, i, 1], points[row, i, 2]


@kernel
def _project(pose, lens, xs, ys, zs, us, vs):
    """Project world (x,y,z) to pixels (u,v); ``zs`` becomes the depth. Matrix entries are scalars, so no store can alias them."""
    p00, p01, p02, p03 = pose[0, 0], pose[0, 1], pose[0, 2], pose[0, 3]
    p10, p11, p12, p13 = pose[1, 0], pose[1, 1], pose[1, 2], pose[1, 3]
    p20, p21, p22, p23 = pose[2, 0], pose[2, 1], pose[2, 2], pose[2, 3]
    k00, k01, k02 = lens[0, 0], lens[0, 1], lens[0, 2]
    k10, k11, k12 = lens[1, 0], lens[1, 1], lens[1, 2]
    k20, k21, k22 = lens[2, 0], lens[2, 1], lens[2, 2]
    for i in range(len(zs)):
        x, y, z = xs[i], ys[i], zs[i]
        camera_x = p00 * x + p01 * y + p02 * z + p03
        camera_y = p10 * x + p11 * y + p12 * z + p13
        camera_z = p20 * x + p21 * y + p22 * z + p23
        q_z = k20 * camera_x + k21 * camera_y + k22 * camera_z
        under = q_z + FLOAT(1e-7)
        us[i] = (k00 * camera_x + k01 * camera_y + k02 * camera_z) / under
        vs[i] = (k10 * camera_x + k11 * camera_y + k12 * camera_z) / under
        zs[i] = q_z


@kernel
def _exponents(zs, log_range, out, scratch):
    """out = min(50 log(1 + max(z,0)) / log_range, 80)."""
    bits = scratch.view(np.int32)
    for i in range(len(zs)):
        scratch[i] = FLOAT(1) + max(zs[i], FLOAT(0))
    for i in range(len(zs)):
        z = max(zs[i], FLOAT(0))
        y = FLOAT(1) + z
        lost = (z - (y - FLOAT(1))) / y  # the rounding error of 1 + z
        shifted = bits[i] - np.int32(0x3F3504F3)  # mantissa from sqrt(1/2) to sqrt(2)
        exponent = FLOAT(shifted >> np.int32(23))
        bits[i] = (shifted & np.int32(0x7FFFFF)) + np.int32(0x3F3504F3)
        out[i] = exponent * FLOAT(-2.12194440e-4) + lost
        zs[i] = exponent
    for i in range(len(zs)):
        f = scratch[i] - FLOAT(1)
        p = FLOAT(7.0376836292e-2) * f - FLOAT(1.1514610310e-1)
        p = p * f + FLOAT(1.1676998740e-1)
        p = p * f - FLOAT(1.2420140846e-1)
        p = p * f + FLOAT(1.4249322787e-1)
        p = p * f - FLOAT(1.6668057665e-1)
        p = p * f + FLOAT(2.0000714765e-1)
        p = p * f - FLOAT(2.4999993993e-1)
        p = p * f + FLOAT(3.3333331174e-1)
        logarithm = (f * f * f * p + out[i] - FLOAT(0.5) * f * f + f) + zs[i] * FLOAT(0.693359375)
        out[i] = min(FLOAT(50) * logarithm / log_range, FLOAT(80))


@kernel
def _inverse_exponentials(exponents, out):
    """out = exp(-exponents), for exponents from 0 to 80."""
    bits = out.view(np.int32)
    for i in range(len(out)):
        x = -exponents[i]
        whole = np.floor(x * FLOAT(1.44269504088896341) + FLOAT(0.5))
        r = x - whole * FLOAT(0.693359375) - whole * FLOAT(-2.12194440e-4)
        p = FLOAT(1.9875691500e-4) * r + FLOAT(1.3981999507e-3)
        p = p * r + FLOAT(8.3334519073e-3)
        p = p * r + FLOAT(4.1665795894e-2)
        p = p * r + FLOAT(1.6666665459e-1)
        p = p * r + FLOAT(5.0000001201e-1)
        exponents[i] = p * r * r + r + FLOAT(1)
        bits[i] = (np.int32(whole) + np.int32(127)) << np.int32(23)
    for i in range(len(out)):
        out[i] *= exponents[i]


@kernel
def _shares(row, height, width, us, vs, weights, index, left, right, above, below):
    """Upper left corner (row-major, in the bordered picture), -1 for points outside, and the bilinear weights of each point.

    ``left`` and ``right`` include the point's weight. A point exactly on a pixel centre gives all four shares to that pixel, as
    in GEN3C: twice its weight per axis.
    """
    one, none = FLOAT(1), FLOAT(0)
    last_x, last_y, y = FLOAT(width + 1), FLOAT(height + 1), FLOAT(row)
    for i in range(len(us)):
        x = FLOAT(i)
        # via the optical flow, with GEN3C's rounding; the border of one pixel collects points outside the picture
        u, v = ((us[i] - x) + x) + one, ((vs[i] - y) + y) + one
        inside = (u > none) & (u < last_x) & (v > none) & (v < last_y) & (weights[i] > none)
        u, v = (u if inside else none), (v if inside else none)
        low_x, low_y = np.floor(u), np.floor(v)
        index[i] = np.int32(low_y) * np.int32(width + 2) + np.int32(low_x) if inside else np.int32(-1)
        left[i] = weights[i] * (one - (u - low_x) if u > low_x else FLOAT(2))
        right[i] = weights[i] * (one - ((low_x + one) - u))
        above[i] = one - (v - low_y) if v > low_y else FLOAT(2)
        below[i] = one - ((low_y + one) - v)


@intrinsic
def _add_weighted(typing, total, at, red, green, blue, weight):
    """``total[at : at + 4] += weight * (red, green, blue, 1)`` as one SIMD operation; the compiler would emit four."""

    def generate(context, builder, signature, arguments):
        array, place, *colour, factor = arguments
        data = context.make_array(signature.args[0])(context, builder, array).data
        four = ir.VectorType(ir.FloatType(), 4)
        pointer = builder.bitcast(builder.gep(data, [place]), four.as_pointer())
        values = factors = ir.Constant(four, ir.Undefined)
        for lane, value in enumerate((*colour, ir.Constant(ir.FloatType(), 1.0))):
            values = builder.insert_element(values, value, ir.IntType(32)(lane))
            factors = builder.insert_element(factors, factor, ir.IntType(32)(lane))
        product = builder.fmul(values, factors, flags=["contract"])
        added = builder.fadd(builder.load(pointer, align=4), product, flags=["contract"])
        builder.store(added, pointer, align=4)
        return context.get_dummy_value()

    return types.void(total, types.int64, *[types.float32] * 4), generate


@kernel
def _accumulate(total, total_z, image, points, strength, pose, lens, log_range, height, width):
    count = points.shape[1]
    xs, ys, zs = np.empty(count, np.float32), np.empty(count, np.float32), np.empty(count, np.float32)
    us, vs, depths = np.empty(count, np.float32), np.empty(count, np.float32), np.empty(count, np.float32)
    exponents, scratch, weights = np.empty(count, np.float32), np.empty(count, np.float32), np.empty(count, np.float32)
    left, right = np.empty(count, np.float32), np.empty(count, np.float32)
    above, below = np.empty(count, np.float32), np.empty(count, np.float32)
    index = np.empty(count, np.int32)
    flat, line = total.reshape(-1), width + 2
    for row in range(points.shape[0]):
        _row_of(points, row, xs, ys, zs)
        _project(pose, lens, xs, ys, zs, us, vs)
        for i in range(count):
            depths[i] = zs[i]
        _exponents(zs, log_range, exponents, scratch)
        _inverse_exponentials(exponents, weights)
        for i in range(count):
            weights[i] = weights[i] if depths[i] > 0 else FLOAT(0)
        if strength.size > 0:
            for i in range(count):
                weights[i] *= strength[row, i]
        _shares(row, height, width, us, vs, weights, index, left, right, above, below)
        for i in range(count):
            at = np.int64(index[i])
            if at < 0:
                continue
            red, green, blue = image[row, i, 0], image[row, i, 1], image[row, i, 2]
            w0, w1, w2, w3 = left[i] * above[i], right[i] * above[i], left[i] * below[i], right[i] * below[i]
            _add_weighted(flat, 4 * at, red, green, blue, w0)  # pyright: ignore[reportCallIssue]
            _add_weighted(flat, 4 * at + 4, red, green, blue, w1)
            _add_weighted(flat, 4 * (at + line), red, green, blue, w2)
            _add_weighted(flat, 4 * (at + line) + 4, red, green, blue, w3)
            if len(total_z) > 0:
                total_z[at] += w0 * depths[i]
                total_z[at + 1] += w1 * depths[i]
                total_z[at + line] += w2 * depths[i]
                total_z[at + line + 1] += w3 * depths[i]


@kernel
def _divide(total, total_z, image, known, depth):
    height, width = known.shape
    for y in range(height):
        for x in range(width):
            weight = total[y + 1, x + 1, 3]
            known[y, x] = weight > 0
            inverse = FLOAT(1) / weight
            for channel in range(3):
                value = min(max(total[y + 1, x + 1, channel] * inverse, FLOAT(-1)), FLOAT(1))
                image[y, x, channel] = value if weight > 0 else FLOAT(-1)
        if len(total_z) > 0:
            for x in range(width):
                weight = total[y + 1, x + 1, 3]
                depth[y, x] = total_z[(y + 1) * (width + 2) + x + 1] / weight if weight > 0 else FLOAT(0)


@kernel
def _put_over(image, known, depth_in, colour, depth, layer, far_from, advantage):
    height, width = known.shape
    for y in range(height):
        for x in range(width):
            if not known[y, x]:
                continue
            kind = np.uint8(2) if depth_in[y, x] > far_from else np.uint8(1)
            before = layer[y, x]
            if (before != 0) & (kind > before):
                continue
            if (kind == before) & (depth_in[y, x] * advantage >= depth[y, x]):
                continue
            layer[y, x], depth[y, x] = kind, depth_in[y, x]
            for channel in range(3):
                colour[y, x, channel] = np.uint8(
                    image[y, x, channel] * FLOAT(127.5) + FLOAT(128)
                )  # truncates, so rounds
