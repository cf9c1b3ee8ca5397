"""The training objective of CogVideoX: noise levels, conditioning dropout, loss and learning rate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from pipelines.methods.dimensionx.sat_sampler import TRAINED_STEPS, signal_levels

PICTURE_NOISE = (-3.0, 0.5)
"""Mean and standard deviation of the log of the noise level added to the first frame, for values in -1..1."""
WITHOUT_TEXT, WITHOUT_PICTURE = 0.1, 0.05
WARMUP_STEPS, WARMUP_UNIT, WARMUP_FLOOR = 100, 30, 0.05


@dataclass(frozen=True, eq=False)
class Batch:
    """``latents``, ``image`` (first frame's latent, zeros after), ``noise``: (B,T,C,h,w). ``text`` (B,L,D).
    ``timesteps`` (B,) 0..999 with ``signal`` (B,), the square root of the cumulative alpha at these timesteps.
    ``timesteps`` (B,) 0..999 with ``signal`` (B,), the square root of the cumulative alpha there.
    """

    latents: Tensor
    image: Tensor
    noise: Tensor
    text: Tensor
    timesteps: Tensor
    signal: Tensor


def velocity_loss(transformer: Any, batch: Batch, rope: tuple[Tensor, Tensor] | None) -> Tensor:
    """(B,): mean squared error of the predicted velocity.

    The original code compares clean videos and weights by 1/(1-alpha), which is equivalent.
    """
    signal = batch.signal.view(-1, 1, 1, 1, 1)
    amount = (1 - signal**2).sqrt()
    noisy = signal * batch.latents + amount * batch.noise
    wanted = signal * batch.noise - amount * batch.latents
    dtype = batch.text.dtype
    answer = transformer(
        hidden_states=torch.cat([noisy, batch.image], dim=2).to(dtype),
        encoder_hidden_states=batch.text,
        timestep=batch.timesteps,
        image_rotary_emb=rope,
        return_dict=False,
    )[0]
    return (answer.float() - wanted).square().flatten(1).mean(dim=1)


def draw_timesteps(count: int, generator: Generator, *, rank: int = 0, ranks: int = 1) -> tuple[Tensor, Tensor]:
    """Timesteps (count,) and their signal levels; each of several processes draws from its own stratum."""
    low, high = (TRAINED_STEPS * part // ranks for part in (rank, rank + 1))
    timesteps = torch.randint(low, high, (count,), generator=generator)
    return timesteps, signal_levels()[0].flip(0)[timesteps].float()


def with_picture_noise(picture: Tensor, log_sigma: Tensor, noise: Tensor) -> Tensor:
    """First frames (B,...) with noise of strength exp(log_sigma) (B,), so that the network does not simply copy them."""
    return picture + log_sigma.exp().view(-1, *[1] * (picture.ndim - 1)) * noise


def draw_log_sigma(count: int, generator: Generator) -> Tensor:
    mean, deviation = PICTURE_NOISE
    return mean + deviation * torch.randn(count, generator=generator)


def with_dropout(batch: Batch, generator: Generator) -> Batch:
    """Conditioning dropout: zeros the text of one clip in ten and the picture of one whole batch in twenty."""
    keep_text = torch.rand(len(batch.text), generator=generator) >= WITHOUT_TEXT
    keep_picture = torch.rand(1, generator=generator) >= WITHOUT_PICTURE
    text = batch.text * keep_text.view(-1, 1, 1).to(batch.text)
    return replace(batch, text=text, image=batch.image * keep_picture.to(batch.image))


def learning_rate(step: int, steps: int, peak: float) -> float:
    """The learning rate at update ``step`` (from 1) of ``steps``: a warm-up, then a linear decay towards zero.

    As in the original: at most 5 % of ``peak`` for the first 100 updates, then (steps - step + 30) / steps of it.
    """
    if step <= WARMUP_STEPS:
        return min(WARMUP_FLOOR * peak, peak * step / WARMUP_UNIT)
    return peak * max(steps - (step - WARMUP_UNIT), 0) / steps


def first_frame_only(latent: Tensor, latent_frames: int) -> Tensor:
    """(B,T,C,h,w) from the latent of the first frame (B,1,C,h,w): zeros after it."""
    return F.pad(latent, (0, 0) * 3 + (0, latent_frames - 1))
