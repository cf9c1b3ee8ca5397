"""`pipelines.reconstruct.gaussians.loss.photometric` on a CPU, compiled, with its gradient: fewer passes over less memory.

Imports the compiler, so import this module only on first use.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camera.kernel import kernel
from pipelines.media.image_metrics import SSIM_C1, SSIM_C2, window


def photometric(render: Tensor, frame: Tensor, weight: Tensor | None, ssim_share: float) -> Tensor:
    """Like `loss.photometric`: pictures (3,H,W) float32 in 0..1 on the CPU; only ``render`` gets a gradient."""
    return _Photometric.apply(render, frame, weight, ssim_share)  # type: ignore[return-value]


class _Photometric(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, render: Tensor, frame: Tensor, weight: Tensor | None, share: float) -> Tensor:  # type: ignore[override]
        ours, true = _channels_last(render), _channels_last(frame)
        w = np.ones(ours.shape[:2], np.float32) if weight is None else np.ascontiguousarray(weight.numpy())
        moments = np.empty((5, *ours.shape), np.float32)
        _moments(ours, true, w, moments)
        means, gradient = np.stack([_blurred(moments[k]) for k in range(5)]), np.empty((3, *ours.shape), np.float32)
        total = _ssim(*means, gradient)
        l1 = float(_difference(ours, true, w, moments[0]))
        by_mean, by_square, by_product = (_blurred(gradient[k]) for k in range(3))
        _combine(ours, true, w, by_mean, by_square, by_product, moments[0], share)
        ctx.gradient = torch.from_numpy(moments[0]).permute(2, 0, 1) / ours.size
        return render.new_tensor((1 - share) * l1 / ours.size + share * (1 - total / ours.size))

    @staticmethod
    def backward(ctx: Any, given: Tensor):  # type: ignore[override]
        return ctx.gradient * given, None, None, None


def _channels_last(picture: Tensor) -> NDArray[np.float32]:
    """(H,W,3) from (3,H,W)."""
    return np.ascontiguousarray(picture.detach().permute(1, 2, 0).numpy(), dtype=np.float32)


def _blurred(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Blur with SSIM's window; zero padding."""
    along = window(torch.float32).numpy()
    return np.asarray(cv2.sepFilter2D(picture, -1, along, along, borderType=cv2.BORDER_CONSTANT), np.float32)


@kernel
def _moments(ours, true, weight, moments):
    """Fill the weighted picture, the weighted frame, their squares and their product."""
    height, width, channels = ours.shape
    for y in range(height):
        for x in range(width):
            w = weight[y, x]
            for c in range(channels):
                a, b = ours[y, x, c], true[y, x, c]
                moments[0, y, x, c], moments[1, y, x, c] = a * w, b * w
                moments[2, y, x, c], moments[3, y, x, c], moments[4, y, x, c] = a * a * w, b * b * w, a * b * w


@kernel
def _ssim(mean, true, squares, true_squares, products, gradient):
    """The sum of SSIM over all pixels; ``gradient``: its derivatives by mean, square and product."""
    height, width, channels = mean.shape
    c1, c2, two = np.float32(SSIM_C1), np.float32(SSIM_C2), np.float32(2)
    total = 0.0
    for y in range(height):
        for x in range(width):
            for c in range(channels):
                m, t = mean[y, x, c], true[y, x, c]
                level, level_below = two * m * t + c1, m * m + t * t + c1
                shape = two * (products[y, x, c] - m * t) + c2
                shape_below = squares[y, x, c] - m * m + true_squares[y, x, c] - t * t + c2
                below = level_below * shape_below
                alike = level * shape / below
                total += alike
                gradient[0, y, x, c] = two * t * (shape - level) / below - two * m * alike * (
                    np.float32(1) / level_below - np.float32(1) / shape_below
                )
                gradient[1, y, x, c] = -alike / shape_below
                gradient[2, y, x, c] = two * level / below
    return total


@kernel
def _difference(ours, true, weight, signs):
    """The sum of the weighted differences; ``signs``: its derivative by ``ours``."""
    height, width, channels = ours.shape
    total = 0.0
    for y in range(height):
        for x in range(width):
            w = weight[y, x]
            for c in range(channels):
                d = ours[y, x, c] - true[y, x, c]
                total += abs(d) * w
                signs[y, x, c] = w if d > 0 else -w if d < 0 else np.float32(0)
    return total


@kernel
def _combine(ours, true, weight, by_mean, by_square, by_product, signs, share):
    """Turn ``signs`` into the gradient of the whole loss, times the number of values."""
    height, width, channels = ours.shape
    share = np.float32(share)
    for y in range(height):
        for x in range(width):
            w = weight[y, x]
            for c in range(channels):
                alike = (
                    by_mean[y, x, c]
                    + np.float32(2) * ours[y, x, c] * by_square[y, x, c]
                    + true[y, x, c] * by_product[y, x, c]
                )
                signs[y, x, c] = (np.float32(1) - share) * signs[y, x, c] - share * w * alike
