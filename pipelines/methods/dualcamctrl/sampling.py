"""The denoising loop: RGB and depth latents are denoised together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from pipelines.methods.dualcamctrl.network.transformer import DualCamCtrlTransformer
from pipelines.methods.dualcamctrl.schedule import euler_step
from pipelines.runtime.parallel.branches import run_each


@dataclass(frozen=True, eq=False)
class Conditions:
    """The conditions of both branches, in the dtype and on the device of the run.

    ``text``, ``negative``: (1,512,4096). ``tokens``: (1,257,1280). ``picture``, ``depth``: (1,16,t,h,w), the latents of the
    picture and of its depth at the first frame, zeros elsewhere. ``camera``: (1,24,t,8h,8w) packed rays.
    """

    text: Tensor
    negative: Tensor
    tokens: Tensor
    picture: Tensor
    depth: Tensor
    camera: Tensor


@dataclass(frozen=True, eq=False)
class Step:
    """After step ``index`` of ``count``: latents (1,16,t,h,w) of both branches, and the predicted clean RGB latents."""

    index: int
    count: int
    rgb: Tensor
    depth: Tensor
    clean_rgb: Tensor


def noise(shape: tuple[int, ...], seed: int) -> Tensor:
    """Initial noise of both branches; drawn on the CPU in float32, so that a seed gives the same noise on every machine."""
    return torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed))


def denoise(
    transformer: DualCamCtrlTransformer,
    conditions: Conditions,
    start: Tensor,
    sigmas: Tensor,
    guidance: float,
) -> Iterator[Step]:
    """Yield a `Step` after every step. ``start``: (1,16,t,h,w) noise of both branches; ``sigmas``: see `schedule.sigmas`.

    The timestep is rounded to the latents' dtype, as upstream does; sigmas are not.
    """
    latents = torch.cat([start, start])
    sigmas = sigmas.to(start.device)
    count = len(sigmas) - 1
    for index in range(count):
        timestep = (1000 * sigmas[index : index + 1]).to(latents.dtype)
        velocity = guided_velocity(transformer, conditions, latents, timestep, guidance)
        clean = euler_step(latents[:1], velocity[:1], sigmas[index], sigmas[-1])
        latents = euler_step(latents, velocity, sigmas[index], sigmas[index + 1])
        yield Step(index + 1, count, latents[:1], latents[1:], clean)


def guided_velocity(
    transformer: DualCamCtrlTransformer, conditions: Conditions, latents: Tensor, timestep: Tensor, guidance: float
) -> Tensor:
    """(2,16,t,h,w): positive + guidance * (positive - negative), RGB first; diffusers' guidance_scale is ``guidance`` + 1."""
    branch = partial(_velocity, transformer, conditions, latents, timestep)
    if guidance == 0:
        return branch(conditions.text, "positive")
    both = [partial(branch, conditions.text, "positive"), partial(branch, conditions.negative, "negative")]
    positive, negative = run_each(transformer, both)
    return positive + guidance * (positive - negative)


def _velocity(
    transformer: DualCamCtrlTransformer,
    conditions: Conditions,
    latents: Tensor,
    timestep: Tensor,
    text: Tensor,
    name: str,
) -> Tensor:
    with transformer.cache_context(name) if transformer.is_cache_enabled else nullcontext():
        velocities = transformer(
            torch.cat([latents[:1], conditions.picture], dim=1),
            torch.cat([latents[1:], conditions.depth], dim=1),
            timestep,
            text,
            conditions.tokens,
            conditions.camera,
        )
    return torch.cat(velocities)
