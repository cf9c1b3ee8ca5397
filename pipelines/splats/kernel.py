"""Compositing of splats on a CPU, compiled, with its own gradients: a faster `pipelines.splats.rasterizer.composite_tiles`.

The Gaussians are sorted once per view. Each is then drawn over the pixels of its own ellipse, one span per row, before the next
one, without the surrounding pixels that whole tiles would add. The backward pass sums gradients from the last Gaussian to the
first. A row is stored as tiles of `LANES` pixels, each channel of a tile contiguous, so that a tile's pixels are computed with
SIMD instructions. Threads process interleaved rows, so that they have equal work and share no pixel.
Imports the compiler, so import this module only on first use.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from os import cpu_count
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camera.kernel import kernel, summing_kernel
from pipelines.splats.rasterizer import LEAST_ALPHA, LEAST_LIGHT, MOST_ALPHA, REACH, ProjectedGaussians

CHANNELS = 4
"""Number of values: a colour and a depth."""
SLACK = 1e-3
"""Margin on the exponent at which a Gaussian falls below `LEAST_ALPHA`; pixels in it are tested and skipped."""
LANES = 8
_SEEN, _LEARNT = 6 * LANES, 8 * LANES
"""Numbers per tile: light, four values and the last rank; in the backward pass light, contribution from behind, the last rank, five gradients."""
THREADS = min(cpu_count() or 1, 8)


def composite_spans(flat: ProjectedGaussians, opacities: Tensor, values: Tensor, width: int, height: int) -> Tensor:
    """See `pipelines.splats.rasterizer.Composite`; values (N,4), float32 on the CPU."""
    return _Composited.apply(flat.pixels, flat.conics, opacities, values, flat.depths, flat.reach, width, height)  # type: ignore[return-value]


class _Composited(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, pixels: Tensor, conics: Tensor, opacities: Tensor, values: Tensor, depths: Tensor, reach: Tensor,
        width: int, height: int,
    ) -> Tensor:  # fmt: skip
        arrays = tuple(map(plain, (pixels, conics, opacities, values)))
        tall = plain(reach)[:, 1]
        order = np.argsort(plain(depths), kind="stable").astype(np.int32)
        order = order[tall[order] > 0]
        columns = -(-width // LANES)
        tiles = np.zeros((height, columns, _SEEN // LANES, LANES), np.float32)
        tiles[:, :, 0] = 1
        in_rows(lambda row, step, _: _forward(*arrays, tall, order, row, step, columns, height, tiles.reshape(-1)))
        light, last = np.abs(tiles[:, :, 0]), tiles[:, :, 5]
        ctx.saved = arrays, tall, order, light, last
        picture = np.concatenate([tiles[:, :, 1:5], 1 - light[:, :, None]], axis=2).swapaxes(2, 3)
        return torch.from_numpy(np.ascontiguousarray(picture.reshape(height, columns * LANES, -1)[:, :width]))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor):  # type: ignore[override]
        arrays, tall, order, light, last = ctx.saved
        height, columns, _ = light.shape
        downward = np.zeros((height, columns * LANES, CHANNELS + 1), np.float32)
        downward[:, : gradient.shape[1]] = gradient.numpy()
        tiles = np.zeros((height, columns, _LEARNT // LANES, LANES), np.float32)
        tiles[:, :, 0], tiles[:, :, 2] = light, last
        tiles[:, :, 3:] = downward.reshape(height, columns, LANES, -1).swapaxes(2, 3)
        parts = np.zeros((THREADS, len(tall), 6 + CHANNELS), np.float32)
        in_rows(
            lambda row, step, part: _backward(
                *arrays, tall, order, row, step, columns, height, tiles.reshape(-1), parts[part]
            )
        )
        d_pixels, d_conics, d_opacities, d_values = np.split(parts.sum(axis=0), (2, 5, 6), axis=1)
        return (*map(torch.from_numpy, (d_pixels, d_conics, d_opacities[:, 0], d_values)), None, None, None, None)


def put_over(blended: Tensor, background: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Colour (H,W,3) over ``background`` (3,) or (H,W,3), expected depth and alpha (H,W) from the composited values (H,W,5)."""
    return _Over.apply(blended, background)  # type: ignore[return-value]


class _Over(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, blended: Tensor, background: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[override]
        picture = plain(blended)
        behind = np.broadcast_to(plain(background), (*picture.shape[:2], 3))
        colour, depth = np.empty_like(behind), np.empty_like(picture[..., 0])
        _put_over(picture, behind, colour, depth)
        ctx.saved = picture, behind
        alpha = np.ascontiguousarray(picture[..., CHANNELS])
        return torch.from_numpy(colour), torch.from_numpy(depth), torch.from_numpy(alpha)

    @staticmethod
    def backward(ctx: Any, *given: Tensor):  # type: ignore[override]
        picture, behind = ctx.saved
        gradient = np.empty_like(picture)
        _put_over_back(picture, behind, *map(plain, given), gradient)
        return torch.from_numpy(gradient), None


def in_rows(work: Callable[[int, int, int], None]) -> None:
    """Run ``work(first row, step, thread number)`` on all threads."""
    list(_threads().map(lambda thread: work(thread, THREADS, thread), range(THREADS)))


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="splats")


def plain(tensor: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(tensor.detach().numpy(), dtype=np.float32)


@kernel
def _exp_of_minus(x):
    """exp(-x) for x from 0 to 6, the range in which a Gaussian is drawn: a polynomial of x/8, squared three times; relative error at most 1e-4."""
    y = x * np.float32(-0.125)
    p = np.float32(1 / 5040)
    p = p * y + np.float32(1 / 720)
    p = p * y + np.float32(1 / 120)
    p = p * y + np.float32(1 / 24)
    p = p * y + np.float32(1 / 6)
    p = p * y + np.float32(0.5)
    p = p * y + np.float32(1)
    p = p * y + np.float32(1)
    p *= p
    p *= p
    return p * p


@kernel
def _rows(y, tall, limit, first, step, height):
    """The first and the last row of a Gaussian at row ``y``, among rows that are ``first`` modulo ``step``."""
    reach = tall * math.sqrt(2 * limit) / REACH + 1
    low = max(math.ceil(y - reach), 0)
    low += (first - low) % step
    return low, min(math.floor(y + reach), height - 1)


@kernel
def _span(x, dy, xx, xy, yy, limit, columns):
    """The first tile of a row, and the one after the last, where 0.5 (xx dx^2 + yy dy^2) + xy dx dy is at most ``limit``."""
    x, dy, xx, xy, yy = np.float64(x), np.float64(dy), np.float64(xx), np.float64(xy), np.float64(yy)
    middle = -xy * dy / xx
    inner = middle * middle - (yy * dy * dy - 2 * limit) / xx
    if inner < 0:
        return 0, 0
    half = math.sqrt(inner)
    left, right = max(math.ceil(x + middle - half), 0), min(math.floor(x + middle + half), columns * LANES - 1)
    return (0, 0) if right < left else (left // LANES, right // LANES + 1)


@summing_kernel
def _forward(pixels, conics, opacities, values, tall, order, first, step, columns, height, tiles):
    """``tiles``: flat, see `_SEEN`; light is negative for finished pixels. Offsets are unsigned, so they never index from the end."""
    least, most, dark = np.float32(LEAST_ALPHA), np.float32(MOST_ALPHA), np.float32(LEAST_LIGHT)
    zero, half, one, lanes = np.float32(0), np.float32(0.5), np.float32(1), np.uint64(LANES)
    for rank in range(len(order)):
        i = order[rank]
        if opacities[i] < least:
            continue
        opacity, xx, xy, yy = opacities[i], conics[i, 0], conics[i, 1], conics[i, 2]
        px, py, number = pixels[i, 0], pixels[i, 1], np.float32(rank + 1)
        red, green, blue, depth = values[i, 0], values[i, 1], values[i, 2], values[i, 3]
        limit = np.float32(math.log(opacity / least) + SLACK)
        low, high = _rows(py, tall[i], limit, first, step, height)
        for y in range(low, high + 1, step):
            dy = np.float32(y) - py
            begin, end = _span(px, dy, xx, xy, yy, limit, columns)
            flat, tilt, bent = half * yy * dy * dy, xy * dy, half * xx
            for tile in range(begin, end):
                at, left = np.uint64(y * columns + tile) * np.uint64(_SEEN), np.float32(tile * LANES) - px
                for lane in range(lanes):
                    dx = left + np.float32(np.int32(lane))
                    exponent = (bent * dx + tilt) * dx + flat
                    alpha = min(most, opacity * _exp_of_minus(min(exponent, limit)))
                    alpha = alpha if (exponent >= zero) & (exponent <= limit) & (alpha >= least) else zero
                    light = tiles[at + lane]
                    before = abs(light)
                    after = before * (one - alpha)
                    more = (light > zero) & (after > dark)
                    alpha = alpha if more else zero
                    weight = alpha * before
                    tiles[at + lane] = after if more else -before
                    tiles[at + lanes + lane] += weight * red
                    tiles[at + np.uint64(2) * lanes + lane] += weight * green
                    tiles[at + np.uint64(3) * lanes + lane] += weight * blue
                    tiles[at + np.uint64(4) * lanes + lane] += weight * depth
                    last = tiles[at + np.uint64(5) * lanes + lane]
                    tiles[at + np.uint64(5) * lanes + lane] = number if alpha > zero else last


@summing_kernel
def _backward(pixels, conics, opacities, values, tall, order, first, step, columns, height, tiles, found):
    """From the last Gaussian to the first; ``tiles``: flat, see `_LEARNT`; the contribution from behind is that of later Gaussians to the loss.

    ``found`` (N,10): gradients of two pixels, three conics, opacity and four values; added to.
    """
    least, most = np.float32(LEAST_ALPHA), np.float32(MOST_ALPHA)
    zero, half, one, lanes = np.float32(0), np.float32(0.5), np.float32(1), np.uint64(LANES)
    for rank in range(len(order) - 1, -1, -1):
        i = order[rank]
        if opacities[i] < least:
            continue
        opacity, xx, xy, yy = opacities[i], conics[i, 0], conics[i, 1], conics[i, 2]
        px, py, number = pixels[i, 0], pixels[i, 1], np.float32(rank + 1)
        red, green, blue, depth = values[i, 0], values[i, 1], values[i, 2], values[i, 3]
        limit = np.float32(math.log(opacity / least) + SLACK)
        low, high = _rows(py, tall[i], limit, first, step, height)
        d_red, d_green, d_blue, d_depth, whole = zero, zero, zero, zero, zero
        by_x, by_y, by_xx, by_xy, by_yy = zero, zero, zero, zero, zero
        for y in range(low, high + 1, step):
            dy = np.float32(y) - py
            begin, end = _span(px, dy, xx, xy, yy, limit, columns)
            flat, tilt, bent = half * yy * dy * dy, xy * dy, half * xx
            row, row_x, row_xx = zero, zero, zero
            for tile in range(begin, end):
                at, left = np.uint64(y * columns + tile) * np.uint64(_LEARNT), np.float32(tile * LANES) - px
                for lane in range(lanes):
                    dx = left + np.float32(np.int32(lane))
                    exponent = (bent * dx + tilt) * dx + flat
                    full = opacity * _exp_of_minus(min(exponent, limit))
                    alpha = min(most, full)
                    last = tiles[at + np.uint64(2) * lanes + lane]
                    drawn = (exponent >= zero) & (exponent <= limit) & (alpha >= least) & (last >= number)
                    alpha = alpha if drawn else zero
                    passing = one - alpha
                    before = tiles[at + lane] / passing
                    tiles[at + lane] = before
                    g_red = tiles[at + np.uint64(3) * lanes + lane]
                    g_green = tiles[at + np.uint64(4) * lanes + lane]
                    g_blue = tiles[at + np.uint64(5) * lanes + lane]
                    g_depth = tiles[at + np.uint64(6) * lanes + lane]
                    own = g_red * red + g_green * green + g_blue * blue + g_depth * depth
                    own += tiles[at + np.uint64(7) * lanes + lane]
                    behind = tiles[at + lanes + lane]
                    d_alpha = before * (own - behind)
                    tiles[at + lanes + lane] = alpha * own + passing * behind
                    weight = alpha * before
                    d_red += g_red * weight
                    d_green += g_green * weight
                    d_blue += g_blue * weight
                    d_depth += g_depth * weight
                    pull = d_alpha * alpha if full <= most else zero
                    row += pull
                    row_x += pull * dx
                    row_xx += pull * dx * dx
            whole += row
            by_x += row_x
            by_y += row * dy
            by_xx += row_xx
            by_xy += row_x * dy
            by_yy += row * dy * dy
        found[i, 0] += xx * by_x + xy * by_y
        found[i, 1] += yy * by_y + xy * by_x
        found[i, 2] -= half * by_xx
        found[i, 3] -= by_xy
        found[i, 4] -= half * by_yy
        found[i, 5] += whole / opacity
        found[i, 6] += d_red
        found[i, 7] += d_green
        found[i, 8] += d_blue
        found[i, 9] += d_depth


@kernel
def _put_over(picture, behind, colour, depth):
    height, width, _ = picture.shape
    for y in range(height):
        for x in range(width):
            alpha = picture[y, x, 4]
            for c in range(3):
                colour[y, x, c] = picture[y, x, c] + (np.float32(1) - alpha) * behind[y, x, c]
            depth[y, x] = picture[y, x, 3] / max(alpha, np.float32(1e-10))


@kernel
def _put_over_back(picture, behind, d_colour, d_depth, d_alpha, gradient):
    height, width, _ = picture.shape
    for y in range(height):
        for x in range(width):
            alpha, by_alpha = max(picture[y, x, 4], np.float32(1e-10)), d_alpha[y, x]
            for c in range(3):
                gradient[y, x, c] = d_colour[y, x, c]
                by_alpha -= d_colour[y, x, c] * behind[y, x, c]
            gradient[y, x, 3] = d_depth[y, x] / alpha
            if picture[y, x, 4] > np.float32(1e-10):
                by_alpha -= d_depth[y, x] * picture[y, x, 3] / (alpha * alpha)
            gradient[y, x, 4] = by_alpha
