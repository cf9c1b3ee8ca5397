"""Compiled tile-based compositing of splats, used by fits before `pipelines.splats.kernel`; kept for comparison."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camera.kernel import kernel
from pipelines.splats.rasterizer import LEAST_ALPHA, LEAST_LIGHT, MOST_ALPHA, TILE, ProjectedGaussians, overlaps


def composite_tiles(flat: ProjectedGaussians, opacities: Tensor, values: Tensor, width: int, height: int) -> Tensor:
    """Composite as in `pipelines.splats.rasterizer.Composite`; float32 on the CPU."""
    tiles = overlaps(flat, width, height)
    lists = tuple(array.numpy().astype(np.int32) for array in tiles[:3])
    limits = _plain((opacities / LEAST_ALPHA).clamp(min=1e-20).log() + 1e-3)
    return _Composited.apply(
        flat.pixels, flat.conics, opacities, values, (limits, *lists, tiles.columns), width, height
    )  # type: ignore[return-value]


class _Composited(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pixels: Tensor, conics: Tensor, opacities: Tensor, values: Tensor, lists, width, height):  # type: ignore[override]
        arrays = tuple(map(_plain, (pixels, conics, opacities, values)))
        picture = np.zeros((height, width, values.shape[1] + 1), np.float32)
        last = np.zeros((height, width), np.int32)
        _forward(*arrays, *lists, picture, last)
        ctx.saved = arrays, lists, picture, last
        return torch.from_numpy(picture)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor):  # type: ignore[override]
        arrays, lists, picture, last = ctx.saved
        gradients = tuple(map(np.zeros_like, arrays))
        _backward(*arrays, *lists, picture, last, _plain(gradient), *gradients)
        return (*map(torch.from_numpy, gradients), None, None, None)


def _plain(tensor: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(tensor.detach().numpy(), dtype=np.float32)


@kernel
def _forward(pixels, conics, opacities, values, limits, members, starts, counts, columns, picture, last):
    height, width, channels = picture.shape
    for y in range(height):
        for x in range(width):
            tile = (y // TILE) * columns + x // TILE
            light = np.float32(1)
            for slot in range(starts[tile], starts[tile] + counts[tile]):
                i = members[slot]
                dx, dy = np.float32(x) - pixels[i, 0], np.float32(y) - pixels[i, 1]
                exponent = np.float32(0.5) * (conics[i, 0] * dx * dx + conics[i, 2] * dy * dy) + conics[i, 1] * dx * dy
                if exponent < 0 or exponent > limits[i]:
                    continue
                alpha = min(np.float32(MOST_ALPHA), opacities[i] * np.float32(math.exp(-exponent)))
                if alpha < np.float32(LEAST_ALPHA):
                    continue
                after = light * (np.float32(1) - alpha)
                if after <= np.float32(LEAST_LIGHT):
                    break
                weight = alpha * light
                for c in range(channels - 1):
                    picture[y, x, c] += weight * values[i, c]
                light = after
                last[y, x] = slot + 1
            picture[y, x, channels - 1] = np.float32(1) - light


@kernel
def _backward(
    pixels, conics, opacities, values, limits, members, starts, counts, columns, picture, last, gradient,
    d_pixels, d_conics, d_opacities, d_values,
):  # fmt: skip
    """From the last Gaussian of each pixel to the first. ``behind``: colour composited from those after it; ``light``: transmittance before it."""
    height, width, channels = picture.shape
    behind = np.zeros(channels, np.float32)
    for y in range(height):
        for x in range(width):
            tile = (y // TILE) * columns + x // TILE
            light = np.float32(1) - picture[y, x, channels - 1]
            behind[:] = 0
            for slot in range(last[y, x] - 1, starts[tile] - 1, -1):
                i = members[slot]
                dx, dy = np.float32(x) - pixels[i, 0], np.float32(y) - pixels[i, 1]
                exponent = np.float32(0.5) * (conics[i, 0] * dx * dx + conics[i, 2] * dy * dy) + conics[i, 1] * dx * dy
                if exponent < 0 or exponent > limits[i]:
                    continue
                share = np.float32(math.exp(-exponent))
                whole = opacities[i] * share
                alpha = min(np.float32(MOST_ALPHA), whole)
                if alpha < np.float32(LEAST_ALPHA):
                    continue
                passing = np.float32(1) - alpha
                light /= passing
                d_alpha = np.float32(0)
                for c in range(channels):
                    value = values[i, c] if c < channels - 1 else np.float32(1)
                    d_alpha += gradient[y, x, c] * light * (value - behind[c])
                    behind[c] = alpha * value + passing * behind[c]
                    if c < channels - 1:
                        d_values[i, c] += gradient[y, x, c] * alpha * light
                if whole > np.float32(MOST_ALPHA):
                    continue
                d_opacities[i] += d_alpha * share
                d_exponent = -d_alpha * whole
                d_conics[i, 0] += d_exponent * np.float32(0.5) * dx * dx
                d_conics[i, 1] += d_exponent * dx * dy
                d_conics[i, 2] += d_exponent * np.float32(0.5) * dy * dy
                d_pixels[i, 0] -= d_exponent * (conics[i, 0] * dx + conics[i, 1] * dy)
                d_pixels[i, 1] -= d_exponent * (conics[i, 2] * dy + conics[i, 1] * dx)
