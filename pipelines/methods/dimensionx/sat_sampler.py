"""The sampler with which the 360 degree orbit was published, bit-exact.

SwissArmyTransformer's stochastic DPM-Solver++(2M). It differs from diffusers' in details that add up: the noise table is
rescaled to zero signal on the chosen steps only, the denoiser reads the nearest entry of the full table, and latents stay in
float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXTransformer3DModel
from torch import Generator, Tensor

from pipelines.methods.dimensionx.sampling import (
    SCHEDULE,
    Conditions,
    Step,
    apply_guidance,
    dynamic_guidance,
    velocities,
)

TRAINED_STEPS = 1000


@dataclass(frozen=True, eq=False)
class SatTable:
    """``signal`` (N,) float64: square root of the cumulative alpha of each step, noisiest first. ``snapped`` (N,): the nearest
    entry of the 1000-step table, used by the denoiser. ``timesteps`` (N,): the network's input."""

    signal: Tensor
    snapped: Tensor
    timesteps: Tensor


def signal_levels(steps: int = TRAINED_STEPS) -> tuple[Tensor, Tensor]:
    """(steps,) square roots of cumulative alpha, rescaled to begin at zero, and their timesteps; noisiest first.

    Timesteps decrease evenly from 999, without the end point, truncated to whole numbers.
    """
    start, end = SCHEDULE["beta_start"] ** 0.5, SCHEDULE["beta_end"] ** 0.5
    betas = torch.linspace(start, end, TRAINED_STEPS, dtype=torch.float64) ** 2
    timesteps = torch.tensor([int((TRAINED_STEPS - 1) * (1 - i / steps)) for i in range(steps)])
    signal = torch.cumprod(1 - betas, 0).sqrt()[timesteps]
    signal = (signal - signal[0]) * (signal[-1] / (signal[-1] - signal[0]))
    return signal, timesteps


def sat_table(steps: int) -> SatTable:
    """The three tables of a run of ``steps`` steps."""
    signal, timesteps = signal_levels(steps)
    full, _ = signal_levels()
    nearest = (signal[:, None] - full[None]).abs().argmin(dim=1)
    return SatTable(signal, full[nearest], timesteps)


def sat_denoise(
    transformer: CogVideoXTransformer3DModel,
    *,
    latents: Tensor,
    conditions: Conditions,
    steps: int,
    guidance: float,
    dynamic: bool,
    generator: Generator,
    noises: Tensor | None = None,
) -> Iterator[Step]:
    """Denoise (1,T,C,h,w) to a clean video; yields a `Step` each; the last step adds no noise.

    ``noises`` (steps-1,1,T,C,h,w): used instead of random noise, for comparison with the original.
    """
    table = sat_table(steps)
    x = latents.float()
    previous: Tensor | None = None
    for i in range(steps):
        t = table.timesteps[i].to(x.device)
        scale = dynamic_guidance(guidance, t.item(), steps) if dynamic else guidance
        velocity = apply_guidance(velocities(transformer, x, t, conditions), scale)
        q = table.snapped[i].item()
        clean = q * x - (1 - q * q) ** 0.5 * velocity
        if i == steps - 1:
            yield Step(steps, clean, clean)
            return
        noise = noises[i].to(x) if noises is not None else _second_draw(x, generator)
        x = _dpm_step(table.signal, i, x, clean, previous, noise)
        previous = clean
        yield Step(i + 1, x, clean)


def _dpm_step(signal: Tensor, i: int, x: Tensor, clean: Tensor, previous: Tensor | None, noise: Tensor) -> Tensor:
    """One step of stochastic DPM-Solver++(2M) from level i to i+1 (Lu et al. 2022, with noise)."""
    now, following = signal[i], signal[i + 1]
    ahead = _log_snr(following) - _log_snr(now)
    kept = ((1 - following**2) / (1 - now**2)).sqrt() * (-ahead).exp()
    if previous is not None:
        ratio = (_log_snr(now) - _log_snr(signal[i - 1])) / ahead
        bend = (1 / (2 * ratio)).item()
        clean = (1 + bend) * clean - bend * previous
    fresh = ((1 - following**2) * (1 - (-2 * ahead).exp())).sqrt()
    return kept.item() * x - (torch.expm1(-2 * ahead) * following).item() * clean + fresh.item() * noise


def _log_snr(signal: Tensor) -> Tensor:
    return (signal / (1 - signal**2).sqrt()).log()


def _second_draw(x: Tensor, generator: Generator) -> Tensor:
    """The original draws noise twice per step and discards the first; doing the same gives the same noise for a seed."""
    for _ in range(2):
        noise = torch.randn(x.shape, generator=generator, device=generator.device)
    return noise.to(x)
