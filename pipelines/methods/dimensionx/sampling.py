"""Denoising as in upstream: guidance and samplers, one step at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXTransformer3DModel
from diffusers.schedulers.scheduling_ddim_cogvideox import CogVideoXDDIMScheduler
from diffusers.schedulers.scheduling_dpm_cogvideox import CogVideoXDPMScheduler
from torch import Generator, Tensor

from pipelines.runtime.parallel.branches import run_rows

SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "set_alpha_to_one": True,
    "clip_sample": False,
    "snr_shift_scale": 1.0,
    "timestep_spacing": "trailing",
}
"""Scheduler configuration of the 5B family; diffusers' class defaults (shift 3, leading, epsilon) belong to other models."""

Scheduler = CogVideoXDDIMScheduler | CogVideoXDPMScheduler


@dataclass(frozen=True, eq=False)
class Conditions:
    """The network's inputs besides the noise.

    ``text`` (G,L,D): unconditional first with guidance (G=2), else G=1. ``image`` (1,T,C,h,w): latents of the first frame,
    zeros after it; None for text-to-video. ``rope``: cos and sin (patches, head width). ``offset`` (1,): only for
    CogVideoX 1.5.
    """

    text: Tensor
    image: Tensor | None
    rope: tuple[Tensor, Tensor] | None
    offset: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Step:
    """After step ``number`` (from 1): ``latents`` (1,T,C,h,w) and the predicted clean video ``guess`` of the same shape."""

    number: int
    latents: Tensor
    guess: Tensor


def scheduler_named(name: str, config: dict | None = None) -> Scheduler:
    """ "DPM++" as in upstream's demo, "DDIM" as in its script; ``config``: the base model's scheduler configuration."""
    kind = {"DPM++": CogVideoXDPMScheduler, "DDIM": CogVideoXDDIMScheduler}[name]
    return kind.from_config({**(config or SCHEDULE), "timestep_spacing": "trailing"})


def dynamic_guidance(guidance: float, timestep: float, steps: int) -> float:
    """The published rule 1 + g (1 - cos(pi ((N-t)/N)^5)) / 2 with N the number of steps.

    t is the timestep value (0..999), not the step's number, in both SAT and diffusers; therefore the curve is not monotonic,
    and depends on N.
    """
    return 1 + guidance * (1 - math.cos(math.pi * ((steps - timestep) / steps) ** 5)) / 2


def velocities(
    transformer: CogVideoXTransformer3DModel, latents: Tensor, timestep: Tensor, conditions: Conditions
) -> Tensor:
    """(G,T,C,h,w) float32: the network's output for every text of ``conditions``."""
    count = len(conditions.text)
    x = latents.to(conditions.text.dtype).expand(count, -1, -1, -1, -1)
    if conditions.image is not None:
        x = torch.cat([x, conditions.image.to(x.dtype).expand(count, -1, -1, -1, -1)], dim=2)

    def answer(place: slice) -> Tensor:
        return transformer(
            hidden_states=x[place],
            encoder_hidden_states=conditions.text[place],
            timestep=timestep.expand(count)[place],
            ofs=conditions.offset,
            image_rotary_emb=conditions.rope,
            return_dict=False,
        )[0]

    with transformer.cache_context("cond_uncond"):
        return run_rows(transformer, count, answer).float()


def apply_guidance(answers: Tensor, guidance: float) -> Tensor:
    """(1,...) from (G,...): unconditional + guidance * difference; a single output is returned unchanged."""
    if len(answers) == 1:
        return answers
    without, with_text = answers.chunk(2)
    return without + guidance * (with_text - without)


def denoise(
    transformer: CogVideoXTransformer3DModel,
    scheduler: Scheduler,
    *,
    latents: Tensor,
    conditions: Conditions,
    steps: int,
    guidance: float,
    dynamic: bool,
    generator: Generator,
    first_step: int = 0,
    before_step: Callable[[int], None] = lambda number: None,
) -> Iterator[Step]:
    """Denoise ``latents`` (1,T,C,h,w), at the noise level of ``first_step``, to a clean video; yields a `Step` each.

    ``before_step`` is called with the step's index from 0; it switches directors. Equal to the loop of diffusers'
    `CogVideoXImageToVideoPipeline`.
    """
    scheduler.set_timesteps(steps, device=latents.device)
    timesteps = scheduler.timesteps
    previous: Any = None
    for i in range(first_step, len(timesteps)):
        before_step(i)
        t: Any = timesteps[i]
        scale = dynamic_guidance(guidance, t.item(), steps) if dynamic else guidance
        velocity = apply_guidance(velocities(transformer, latents, t, conditions), scale)
        if isinstance(scheduler, CogVideoXDPMScheduler):
            back: Any = timesteps[i - 1] if i > first_step else None
            moved, previous = scheduler.step(
                velocity, previous, t, back, latents, generator=generator, return_dict=False
            )
            guess = previous
        else:
            moved, guess = scheduler.step(velocity, t, latents, generator=generator, return_dict=False)[:2]
        latents = moved.to(conditions.text.dtype)
        yield Step(i + 1, latents, guess)
