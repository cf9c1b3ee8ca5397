"""Generates one clip step by step: text and a first frame in, latents and frames out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from pipelines.method import Frames, Progress
from pipelines.methods.dimensionx.framing import fit_to_frame
from pipelines.methods.dimensionx.latents import LatentColours, decode_video, encode_picture, latent_count
from pipelines.methods.dimensionx.method import DimensionXSettings
from pipelines.methods.dimensionx.network.load import Networks
from pipelines.methods.dimensionx.network.rope import rotary_tables
from pipelines.methods.dimensionx.sampling import Conditions, Scheduler, Step, denoise, scheduler_named
from pipelines.methods.dimensionx.sat_sampler import sat_denoise

PREVIEW_EVERY = 5
OFFSET = 2.0
"""Additional constant input of CogVideoX 1.5, beside the timestep."""


@dataclass(frozen=True, eq=False)
class Shot:
    """``latents`` (1,T,C,h,w) and ``frames`` (F,H,W,3) uint8 of a finished clip."""

    latents: Tensor
    frames: Frames


@dataclass(frozen=True, eq=False)
class Start:
    """Start of denoising: latents (1,T,C,h,w) of an earlier clip, noised again to the strength ``noise`` in (0..1]."""

    latents: Tensor
    noise: float


@torch.no_grad()
def shoot(
    networks: Networks,
    settings: DimensionXSettings,
    *,
    text: Tensor,
    picture: NDArray[np.uint8] | None,
    frames: int,
    generator: Generator,
    device: torch.device,
    phase: str = "Shooting",
    start: Start | None = None,
    before_step: Callable[[int], None] = lambda number: None,
) -> Iterator[Progress | Shot]:
    """Yield `Progress` after every step, then the `Shot`.

    ``text`` (G,L,D): unconditional first. ``picture`` (H,W,3): the first frame; None for text-to-video.
    """
    count, extra = latent_count(networks, frames)
    image, colours = _first_frame(networks, settings, picture, count + extra, generator)
    conditions = Conditions(
        text,
        image,
        rotary_tables(networks.transformer, count + extra, networks.height, networks.width, device=device),
        torch.full((1,), OFFSET, device=device, dtype=text.dtype) if networks.geometry.ofs_embed_dim else None,
    )
    latents: Tensor | None = None
    for step in _steps(networks, settings, conditions, count + extra, generator, start, before_step):
        latents = step.latents
        yield Progress(phase, step.number, settings.steps, _preview(colours, step))
    assert latents is not None
    latents = latents[:, extra:]
    yield Progress("Decoding", 0, 1)
    yield Shot(latents, decode_video(networks, latents))


_SHAPES: dict[str, Any] = {
    "crop": {"fit": "crop"},
    "pad": {"fit": "pad"},
    "stretch as the demo": {"fit": "stretch", "stretch_by": "bicubic"},
    "stretch as the script": {"fit": "stretch", "stretch_by": "lanczos"},
}


def _first_frame(
    networks: Networks,
    settings: DimensionXSettings,
    picture: NDArray[np.uint8] | None,
    latent_frames: int,
    generator: Generator,
) -> tuple[Tensor | None, LatentColours | None]:
    if picture is None:
        return None, None
    framed_picture = fit_to_frame(picture, networks.width, networks.height, **_SHAPES[settings.shape])
    image = encode_picture(networks, framed_picture, latent_frames, generator=generator)
    return image, LatentColours.learnt(framed_picture, image[0, 0])


def _steps(
    networks: Networks,
    settings: DimensionXSettings,
    conditions: Conditions,
    latent_frames: int,
    generator: Generator,
    start: Start | None,
    before_step: Callable[[int], None],
) -> Iterator[Step]:
    geometry = networks.geometry
    shape = (1, latent_frames, geometry.out_channels, geometry.sample_height, geometry.sample_width)
    sat = settings.sampler == "SAT"
    dtype = torch.float32 if sat else conditions.text.dtype
    noise = torch.randn(shape, generator=generator, dtype=dtype).to(conditions.text.device)
    run = {"steps": settings.steps, "guidance": settings.guidance, "dynamic": settings.dynamic_guidance}
    if sat:
        before_step(0)
        return sat_denoise(networks.transformer, latents=noise, conditions=conditions, generator=generator, **run)
    scheduler = scheduler_named(settings.sampler, networks.schedule)
    first, latents = (0, noise) if start is None else _resume(scheduler, settings.steps, start, noise)
    return denoise(
        networks.transformer,
        scheduler,
        latents=latents,
        conditions=conditions,
        generator=generator,
        first_step=first,
        before_step=before_step,
        **run,
    )


def _resume(scheduler: Scheduler, steps: int, start: Start, noise: Tensor) -> tuple[int, Tensor]:
    """The first step of the last ``start.noise`` of the schedule, and the given latents at that step's noise level."""
    scheduler.set_timesteps(steps)
    first = min(steps - max(1, round(steps * start.noise)), steps - 1)
    if first == 0:
        return 0, noise
    level = scheduler.timesteps[first : first + 1]
    return first, scheduler.add_noise(start.latents.to(noise), noise, level)  # type: ignore[arg-type]


def _preview(colours: LatentColours | None, step: Step) -> NDArray[np.uint8] | None:
    """The predicted middle frame, every few steps."""
    if colours is None or step.number % PREVIEW_EVERY:
        return None
    return colours.picture(step.guess[0, step.guess.shape[1] // 2])
