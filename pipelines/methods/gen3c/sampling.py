"""Denoises a chunk's latents: EDM with Euler steps; every step reinserts the given frame (model_v2w.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import torch
from diffusers.schedulers.scheduling_edm_euler import EDMEulerScheduler
from torch import Tensor

from pipelines.methods.gen3c.network.latents import SIGMA_DATA

SIGMA_MAX, SIGMA_MIN = 80.0, 0.0002
AUGMENT_SIGMA = 0.001
"""Noise level of the given frame; at and below this level it is denoised like the others, but still marked as given."""

Denoise = Callable[[Tensor, Tensor, Tensor, bool], Tensor]
Each = Callable[[Sequence[Callable[[], Tensor]]], list[Tensor]]
"""(scaled latents, timestep (1,), which frames are given (1,1,t,h,w), whether cache and prompt are shown) to the output."""


def schedule(steps: int) -> EDMEulerScheduler:
    """Upstream's noise levels: Karras from 80 to 0.0002, then 0. Diffusers' Cosmos pipelines end at another level."""
    scheduler = EDMEulerScheduler(sigma_max=SIGMA_MAX, sigma_min=SIGMA_MIN, sigma_data=SIGMA_DATA)
    scheduler.set_timesteps(steps)
    return scheduler


def initial_noise(shape: tuple[int, ...], seed: int, *, chunk: int, device: torch.device) -> Tensor:
    """Standard normal noise of chunk number ``chunk``, drawn in bfloat16; chunks continue one stream."""
    generator = torch.Generator(device).manual_seed(seed)
    noise = torch.empty(0)
    for _ in range(chunk + 1):
        noise = torch.randn(shape, generator=generator, device=device, dtype=torch.bfloat16)
    return noise


def augmentation_noise(shape: tuple[int, ...], seed: int) -> Tensor:
    """float32 noise for the given frame, the same in every step; identical to upstream's for seeds below 2^32."""
    source = np.random.RandomState(seed if seed < 2**32 else [seed % 2**32, seed >> 32])
    return torch.from_numpy(source.standard_normal(shape).astype(np.float32))


def sample(
    denoise: Denoise,
    noise: Tensor,
    first: Tensor,
    *,
    steps: int,
    guidance: float,
    augmentation: Tensor,
    each: Each = lambda calls: [call() for call in calls],
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield after every step the latents (1,16,t,h,w) and the predicted clean latents; the last latents are the result.

    ``noise`` has unit standard deviation; its dtype is that of the latents between steps. ``first`` (1,16,1,h,w): latent of
    the given frame; ``augmentation``: noise for it, of the latents' shape. ``guidance`` g: out = c + g (c - u), so 1 equals the
    usual scale 2. ``each`` runs the two calls of a step, see `pipelines.runtime.parallel.branches`.
    """
    scheduler = schedule(steps)
    dtype, device = noise.dtype, noise.device
    first = first.to(device, dtype)
    augmentation = augmentation[:, :, :1].to(device, dtype)
    given = torch.zeros_like(noise[:, :1])
    given[:, :, 0] = 1
    x = noise * scheduler.init_noise_sigma
    for index, timestep in enumerate(scheduler.timesteps):
        sigma = scheduler.sigmas[index].to(device, dtype)
        keeps = float(scheduler.sigmas[index]) > AUGMENT_SIGMA
        if keeps:
            x = torch.cat([_add_noise(first, augmentation, sigma), x[:, :, 1:]], dim=2)
        scaled = scheduler.scale_model_input(x, timestep)
        out = _guide(denoise, scaled, timestep.to(device, dtype)[None], given, guidance, each)
        if keeps:
            out = torch.cat([_output_for(first, x[:, :, :1], sigma), out[:, :, 1:]], dim=2)
        clean = scheduler.precondition_outputs(x.float(), out, scheduler.sigmas[index])
        x = scheduler.step(out, timestep, x, pred_original_sample=clean, return_dict=False)[0]
        yield x, clean


def _add_noise(first: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    """The given latent with a little noise, scaled like the other frames at ``sigma``."""
    scale_in = (AUGMENT_SIGMA**2 + SIGMA_DATA**2) ** 0.5
    return (first + AUGMENT_SIGMA * noise) / scale_in * (sigma**2 + SIGMA_DATA**2) ** 0.5


def _guide(denoise: Denoise, x: Tensor, timestep: Tensor, given: Tensor, guidance: float, each: Each) -> Tensor:
    if guidance == 0:
        return denoise(x, timestep, given, True)
    conditional, unconditional = each(
        [partial(denoise, x, timestep, given, with_words) for with_words in (True, False)]
    )
    return conditional + guidance * (conditional - unconditional)


def _output_for(clean: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
    """The network output that corresponds to ``clean``: the inverse of preconditioning."""
    total = sigma**2 + SIGMA_DATA**2
    skip, scale = SIGMA_DATA**2 / total, sigma * SIGMA_DATA / total**0.5
    return (clean - skip * x) / scale
