"""DualCamCtrl's training loss: the velocity error of both branches at one noise level."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.methods.dualcamctrl.schedule import sigmas

LEVELS = 1000
"""Noise levels of the training schedule, shifted by 5 as in sampling."""


def training_sigmas() -> Tensor:
    """(1000,) in decreasing order from 1; timesteps are 1000 times as large."""
    return sigmas(LEVELS)[:-1]


def level_weights() -> Tensor:
    """(1000,) with mean 1: a bump around timestep 500, 0 at the least important level."""
    bump = torch.exp(-2 * ((1000 * training_sigmas() - LEVELS / 2) / LEVELS) ** 2)
    bump = bump - bump.min()
    return bump * (LEVELS / bump.sum())


def nearest_level(timestep: Tensor) -> int:
    """Index of the level nearest to a timestep, since rounding (to bfloat16) may have moved it to the next one."""
    return int(torch.argmin((1000 * training_sigmas() - timestep.float().cpu()).abs()))


def noisy(clean: Tensor, noise: Tensor, level: int) -> Tensor:
    """Latents of ``clean`` with noise at a noise level."""
    sigma = training_sigmas()[level].item()
    return (1 - sigma) * clean + sigma * noise


@dataclass(frozen=True, eq=False)
class Loss:
    """``total``: the level's weight times the sum of the other two, which are unweighted mean squared errors."""

    total: Tensor
    rgb: Tensor
    depth: Tensor


def loss(velocities: tuple[Tensor, Tensor], clean: tuple[Tensor, Tensor], noise: Tensor, level: int, drop: int) -> Loss:
    """RGB first in every pair (B,16,t,h,w); the target velocity is noise minus clean.

    ``drop``: how many of the largest squared errors of the depth count as 0 (they remain in the mean); upstream calls this
    number a rate.
    """
    rgb = F.mse_loss(velocities[0].float(), (noise - clean[0]).float())
    errors = F.mse_loss(velocities[1].float(), (noise - clean[1]).float(), reduction="none").flatten()
    if drop:
        errors = errors.scatter(0, errors.topk(min(drop, errors.numel())).indices, 0.0)
    depth = errors.mean()
    return Loss(level_weights()[level].item() * (rgb + depth), rgb, depth)
