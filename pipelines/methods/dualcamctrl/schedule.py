"""Noise levels of a run: Euler flow matching with explicit sigmas (1 is noise, 0 is the picture)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from camera.errors import InputError

_SHARES = {"early": (1, 1, 4), "mid": (1, 4, 1), "late": (4, 1, 1)}
"""Shares of the steps for sigmas 1 to 0.9, 0.9 to 0.75 and 0.75 to 0."""
_EDGES = (1.0, 0.9, 0.75, 0.0)


def sigmas(steps: int, *, shift: float = 5.0, stage: str = "naive") -> Tensor:
    """Decreasing sigmas (N+1,) float32 for N evaluations of the network; the last is 0. Timesteps are 1000 times as large.

    "naive" has N = ``steps``: s = 1 - i/steps, shifted to shift*s / (1 + (shift-1)*s). diffusers' own schedules for
    shifted flow matching differ from it by up to 69 timesteps (50 steps). The stages ignore ``shift``, are linear between
    the edges 1, 0.9, 0.75 and 0, and have slightly fewer evaluations (47 for 50), because upstream drops duplicate edges and
    pads the end with zeros, which have no effect and are left out here.
    """
    if stage == "naive":
        linear = 1 - np.arange(steps) / steps
        falling = shift * linear / (1 + (shift - 1) * linear)
    elif stage in _SHARES:
        falling = _stage_sigmas(steps, _SHARES[stage])
    else:
        raise InputError(f"Unknown schedule {stage!r}; choose naive, {', '.join(_SHARES)}.")
    return torch.tensor([*falling, 0.0], dtype=torch.float32)


def _stage_sigmas(steps: int, shares: tuple[int, int, int]) -> np.ndarray:
    points = [steps * share // 6 for share in shares]
    points[0] = steps - points[1] - points[2]
    parts = [
        np.linspace(start, end, max(count - 1, 1), endpoint=False)
        for start, end, count in zip(_EDGES[:-1], _EDGES[1:], points, strict=True)
    ]
    return np.concatenate(parts)


def euler_step(latents: Tensor, velocity: Tensor, sigma: Tensor, next_sigma: Tensor) -> Tensor:
    """Latents at ``next_sigma`` from those at ``sigma``, in the latents' dtype."""
    return latents + velocity * (next_sigma - sigma)
