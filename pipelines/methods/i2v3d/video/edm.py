"""Noise levels of Stable Video Diffusion and single steps along them, up (inversion) and down (generation)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

HIGHEST, LOWEST, RHO = 700.0, 0.002, 7.0


@dataclass(frozen=True, eq=False)
class Levels:
    """``sigmas`` (T+1,) float32 of a run of T steps, and the network's time input (T,) for each step."""

    sigmas: Tensor
    times: Tensor


def generation(steps: int) -> Levels:
    """From `HIGHEST` down to 0 (Karras et al. 2022, equation 5)."""
    sigmas = torch.cat([_karras(steps), torch.zeros(1)])
    return Levels(sigmas, 0.25 * sigmas[:-1].log())


def inversion(steps: int) -> Levels:
    """From nearly 0 up to `HIGHEST`: the generation's levels reversed, with its 0 replaced by a level one ratio below the lowest.

    Each step's time input belongs to the level it starts from, beginning with that lowest one.
    """
    if steps < 2:
        raise ValueError(f"an inversion needs at least 2 steps, got {steps}")
    down = _karras(steps)
    nearly_zero = down[-1] ** 2 / down[-2]
    sigmas = torch.cat([nearly_zero[None], down.flip(0)])
    return Levels(sigmas, 0.25 * sigmas[:-1].log())


def scale_input(latents: Tensor, sigma: Tensor) -> Tensor:
    """Latents scaled as the network's input."""
    return latents / (sigma**2 + 1).sqrt()


def euler_step(latents: Tensor, velocity: Tensor, sigma: Tensor, following: Tensor) -> Tensor:
    """An Euler step from level ``sigma`` to ``following``, in float32: an inversion accumulates the rounding of all its steps."""
    now = latents.float()
    clean = -velocity.float() * sigma / (sigma**2 + 1).sqrt() + now / (sigma**2 + 1)
    return now + (now - clean) / sigma * (following - sigma)


def _karras(steps: int) -> Tensor:
    ramp = torch.linspace(0, 1, steps, dtype=torch.float64)
    high, low = HIGHEST ** (1 / RHO), LOWEST ** (1 / RHO)
    return ((high + ramp * (low - high)) ** RHO).float()
