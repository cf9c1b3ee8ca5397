"""The colour correction of a frame on the CPU, compiled, with gradients. Imports the compiler, so import it only on first use."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from camera.kernel import kernel
from pipelines.splats.kernel import plain


def correct_colour(colour: Tensor, correction: Tensor) -> Tensor:
    """Like `cameras.correct_colour_reference`: ``colour`` (H,W,3) float32 on the CPU, ``correction`` (3,4)."""
    return _ColourCorrection.apply(colour, correction)  # type: ignore[return-value]


class _ColourCorrection(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, colour: Tensor, correction: Tensor) -> Tensor:  # type: ignore[override]
        ctx.inputs = plain(colour), plain(correction)
        corrected = np.empty_like(ctx.inputs[0])
        _correct(*ctx.inputs, corrected)
        return torch.from_numpy(corrected)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor):  # type: ignore[override]
        colour, correction = ctx.inputs
        d_colour, d_correction = np.empty_like(colour), np.zeros_like(correction)
        _correct_back(colour, correction, plain(gradient), d_colour, d_correction)
        return torch.from_numpy(d_colour), torch.from_numpy(d_correction)


@kernel
def _correct(colour, m, corrected):
    height, width, _ = colour.shape
    for y in range(height):
        for x in range(width):
            r, g, b = colour[y, x, 0], colour[y, x, 1], colour[y, x, 2]
            for c in range(3):
                corrected[y, x, c] = colour[y, x, c] + m[c, 0] * r + m[c, 1] * g + m[c, 2] * b + m[c, 3]


@kernel
def _correct_back(colour, m, gradient, d_colour, d_m):
    height, width, _ = colour.shape
    for y in range(height):
        row = np.zeros((3, 4), np.float32)
        for x in range(width):
            r, g, b = gradient[y, x, 0], gradient[y, x, 1], gradient[y, x, 2]
            for c in range(3):
                d_colour[y, x, c] = gradient[y, x, c] + m[0, c] * r + m[1, c] * g + m[2, c] * b
                row[c, 0] += gradient[y, x, c] * colour[y, x, 0]
                row[c, 1] += gradient[y, x, c] * colour[y, x, 1]
                row[c, 2] += gradient[y, x, c] * colour[y, x, 2]
                row[c, 3] += gradient[y, x, c]
        d_m += row
