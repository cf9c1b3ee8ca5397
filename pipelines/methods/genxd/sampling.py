"""The denoising loop: classifier-free guidance over Euler steps of a v-predicting network.

Source: ``genxd_pipeline.py`` of the original code, without its limits: guidance 1 works, with one pass per step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import torch
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from torch import Generator, Tensor

from pipelines.methods.genxd.conditioning import Condition
from pipelines.methods.genxd.network.unet import GenXDUNet
from pipelines.runtime.parallel.branches import run_rows


def noise(shape: tuple[int, ...], generator: Generator, like: Tensor) -> Tensor:
    """Standard normal, drawn on the generator's device so that a seed gives the same noise on every machine."""
    return torch.randn(shape, generator=generator, device=generator.device).to(like)


def first_step(steps: int, strength: float) -> int:
    """The step at which to start if ``strength`` (0 to 1) of the schedule is noised again; at least one step remains."""
    return steps - max(1, int(steps * strength))


def denoise(
    unet: GenXDUNet,
    scheduler: EulerDiscreteScheduler,
    condition: Condition,
    noise: Tensor,
    *,
    steps: int,
    guidance: float,
    start: Tensor | None = None,
    strength: float = 1.0,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield after every step the latents (1,F,4,h,w) and the predicted clean latents.

    ``noise`` is unscaled. ``start``: scaled latents of a video to start from, noised by ``strength`` (SDEdit).
    """
    scheduler.set_timesteps(steps, device=noise.device)
    begin = 0 if start is None else first_step(steps, strength)
    scheduler.set_begin_index(begin)
    if start is None:
        latents = noise * scheduler.init_noise_sigma
    else:
        latents = start + noise * scheduler.sigmas[begin].to(noise)
    for timestep in scheduler.timesteps[begin:]:
        scaled = scheduler.scale_model_input(latents, timestep)
        velocity = _guide(unet, condition, scaled, timestep, guidance)
        step = cast(Any, scheduler.step(velocity, timestep, latents))
        latents = step.prev_sample
        yield latents, step.pred_original_sample


def _guide(unet: GenXDUNet, condition: Condition, scaled: Tensor, timestep: Tensor, guidance: float) -> Tensor:
    inputs = condition.inputs(scaled, guided=guidance != 1)
    inputs["sample"] = inputs["sample"].to(unet.dtype)

    def answer(place: slice) -> Tensor:
        return unet(timestep=timestep, **{name: part[place] for name, part in inputs.items()}).to(scaled.dtype)

    output = run_rows(unet, len(inputs["sample"]), answer)
    if guidance == 1:
        return output
    without, with_condition = output.chunk(2)
    return torch.lerp(without, with_condition, guidance)
