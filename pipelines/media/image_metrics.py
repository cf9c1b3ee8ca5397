"""Image metrics: PSNR and SSIM."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

WINDOW, SIGMA = 11, 1.5

SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2
"""Constants of SSIM for pictures in 0..1."""


def ssim(render: Tensor, frame: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean structural similarity (Wang et al. 2004) with a Gaussian window and zero padding."""
    w = render.new_ones(render.shape[1:]) if weight is None else weight
    moments = torch.stack([render * w, frame * w, render * render * w, frame * frame * w, render * frame * w])
    mean_r, mean_f, rr, ff, rf = _blur(moments)
    spread_r, spread_f, together = rr - mean_r**2, ff - mean_f**2, rf - mean_r * mean_f
    likeness = (2 * mean_r * mean_f + SSIM_C1) * (2 * together + SSIM_C2)
    return (likeness / ((mean_r**2 + mean_f**2 + SSIM_C1) * (spread_r + spread_f + SSIM_C2))).mean()


def psnr(picture: Tensor | NDArray, truth: Tensor | NDArray, where: NDArray[np.bool_] | None = None) -> float:
    """PSNR in decibels, at most 100, of pictures of the same shape, as bytes or in 0..1. ``where`` (H,W): compare only these pixels."""
    ours, true = (np.asarray(each.detach().cpu() if isinstance(each, Tensor) else each) for each in (picture, truth))
    whole = 255.0 if true.dtype == np.uint8 else 1.0
    error = np.square(np.clip(ours / whole, 0, 1) - true / whole)
    return float(-10 * np.log10(max(float(np.mean(error if where is None else error[where])), 1e-10)))


def _blur(pictures: Tensor) -> Tensor:
    """(...,H,W), blurred with the window: a product with a band matrix on either side, fast on any device."""
    down, across = (_band(side, pictures) for side in pictures.shape[-2:])
    return down @ pictures @ across.T


def _band(side: int, like: Tensor) -> Tensor:
    """(side,side): row i contains the window centred at i; zero padding."""
    place = torch.arange(side, dtype=like.dtype, device=like.device)
    apart = place[:, None] - place
    whole = _gaussian(like.dtype).sum().to(like.device)
    return torch.where(apart.abs() <= WINDOW // 2, torch.exp(-(apart**2) / (2 * SIGMA**2)) / whole, 0)


def window(dtype: torch.dtype) -> Tensor:
    """(WINDOW,): the Gaussian window of `ssim`, which sums to one."""
    bell = _gaussian(dtype)
    return bell / bell.sum()


def _gaussian(dtype: torch.dtype) -> Tensor:
    around = torch.arange(WINDOW, dtype=dtype) - WINDOW // 2
    return torch.exp(-(around**2) / (2 * SIGMA**2))
