"""How alike two pictures are: PSNR and SSIM."""

from __future__ import annotations

import torch
from torch import Tensor

WINDOW, SIGMA = 11, 1.5


_C1, _C2 = 0.01**2, 0.03**2


def ssim(render: Tensor, frame: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean structural similarity (Wang et al. 2004) in a Gaussian window, zeros beyond the border."""
    w = render.new_ones(render.shape[1:]) if weight is None else weight
    moments = torch.stack([render * w, frame * w, render * render * w, frame * frame * w, render * frame * w])
    mean_r, mean_f, rr, ff, rf = _blurred(moments)
    spread_r, spread_f, together = rr - mean_r**2, ff - mean_f**2, rf - mean_r * mean_f
    likeness = (2 * mean_r * mean_f + _C1) * (2 * together + _C2)
    return (likeness / ((mean_r**2 + mean_f**2 + _C1) * (spread_r + spread_f + _C2))).mean()


def psnr(render: Tensor, frame: Tensor) -> float:
    """Decibels; pictures of one shape in 0..1."""
    return float(-10 * torch.log10((render.clamp(0, 1) - frame).square().mean().clamp(min=1e-10)))


def _blurred(pictures: Tensor) -> Tensor:
    """(...,H,W), each picture in the window: a product with a band matrix from either side, quick on any device."""
    down, across = (_band(side, pictures) for side in pictures.shape[-2:])
    return down @ pictures @ across.T


def _band(side: int, like: Tensor) -> Tensor:
    """(side,side): row i holds the window about i; what lies beyond the border counts as zero."""
    place = torch.arange(side, dtype=like.dtype, device=like.device)
    apart = place[:, None] - place
    around = torch.arange(WINDOW, dtype=like.dtype, device=like.device) - WINDOW // 2
    whole = torch.exp(-(around**2) / (2 * SIGMA**2)).sum()
    return torch.where(apart.abs() <= WINDOW // 2, torch.exp(-(apart**2) / (2 * SIGMA**2)) / whole, 0)
