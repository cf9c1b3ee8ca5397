"""Phase 2: turns renders into keyframes with SDXL and its depth ControlNet, following the inverted renders, one window of frames at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Generator, Tensor

from pipelines.methods.i2v3d.keyframes.injection import KeyframeInjection, Masks, inject
from pipelines.methods.i2v3d.schedule import sliding_windows

TRAINED_STEPS = 1000


@dataclass(frozen=True, eq=False)
class PromptEmbeddings:
    """Prompts in SDXL's form: ``embeddings`` (P,L,D), ``pooled`` (P,E)."""

    embeddings: Tensor
    pooled: Tensor

    def repeated(self, count: int) -> PromptEmbeddings:
        """Repeat every prompt ``count`` times."""
        return PromptEmbeddings(self.embeddings.repeat_interleave(count, 0), self.pooled.repeat_interleave(count, 0))

    def of(self, rows: list[int]) -> PromptEmbeddings:
        return PromptEmbeddings(self.embeddings[rows], self.pooled[rows])


@dataclass(frozen=True, eq=False)
class CoarseKeyframes:
    """Coarse renders of n keyframes: ``latents`` (n,4,h,w), ``depth`` (n,3,H,W) in 0..1 with near bright, ``masks``."""

    latents: Tensor
    depth: Tensor
    masks: Masks


@dataclass(frozen=True)
class KeyframeOptions:
    """Shares are of the steps. If foreground and background shares are both 0, no injection happens at all. ``late_switch``:
    attention changes from the visible to the foreground one step later than its share says, as in the published code."""

    steps: int = 50
    guidance: float = 7.5
    depth_strength: float = 1.0
    feature_share: float = 0.6
    foreground_share: float = 1.0
    background_share: float = 0.8
    together: int = 4
    overlap: int = 1
    everywhere: bool = False
    late_switch: bool = True

    def injection(self, step: int, masks: Masks) -> KeyframeInjection | None:
        """The injection at a step, counted from 0."""
        foreground, background = (int(self.steps * share) for share in (self.foreground_share, self.background_share))
        if not self.foreground_share and not self.background_share:
            return None
        where = "visible" if step < min(foreground, background) + self.late_switch else "foreground"
        attention = where if step < max(foreground, background) else ""
        return KeyframeInjection(masks, step < int(self.steps * self.feature_share), attention, self.everywhere)


@dataclass(frozen=True, eq=False)
class KeyframeStep:
    """``latents`` (n,4,h,w) after step ``number`` of ``count``; ``windows``: latents of every window before averaging;
    ``clean``: predicted clean latents of the first keyframe (1,4,h,w)."""

    number: int
    count: int
    latents: Tensor
    windows: tuple[Tensor, ...]
    clean: Tensor


@dataclass(frozen=True, eq=False)
class Schedule:
    """DDIM over the 1000 steps of SDXL's training: ``times`` (T,) descending, ``signal`` (1000,) products of alphas."""

    steps: int

    @cached_property
    def times(self) -> Tensor:
        spacing = TRAINED_STEPS // self.steps
        return torch.arange(self.steps).flip(0) * spacing + 1

    @cached_property
    def signal(self) -> Tensor:
        betas = torch.linspace(0.00085**0.5, 0.012**0.5, TRAINED_STEPS) ** 2
        return torch.cumprod(1 - betas, dim=0)

    def before(self, time: int) -> Tensor:
        """The signal at the next, less noisy timestep."""
        return self.signal[max(time - TRAINED_STEPS // self.steps, 0)]

    def moved(self, latents: Tensor, noise: Tensor, now: Tensor, then: Tensor) -> Tensor:
        """Move latents from signal ``now`` to signal ``then`` along the predicted ``noise``."""
        return then.sqrt() * self.clean(latents, noise, now) + (1 - then).sqrt() * noise

    @staticmethod
    def clean(latents: Tensor, noise: Tensor, now: Tensor) -> Tensor:
        return (latents - (1 - now).sqrt() * noise) / now.sqrt()


@dataclass(frozen=True, eq=False)
class SteeredSDXL:
    """SDXL's UNet with the depth ControlNet, for pictures of ``height`` x ``width``."""

    unet: UNet2DConditionModel
    controlnet: ControlNetModel
    height: int
    width: int

    def noise(self, latents: Tensor, time: Tensor, words: PromptEmbeddings, depth: Tensor, strength: float) -> Tensor:
        """(B,4,h,w) float32, predicted for latents (B,4,h,w), a prompt and a depth picture per row.

        The networks compute in the dtype of ``words``; latents between steps stay in float32, since an inversion accumulates the
        rounding errors of all its steps.
        """
        latents = latents.to(words.embeddings.dtype)
        sizes = [self.height, self.width, 0, 0, self.height, self.width]
        ids = torch.tensor([sizes], dtype=words.pooled.dtype, device=words.pooled.device)
        added = {"text_embeds": words.pooled, "time_ids": ids.expand(len(latents), -1)}
        time = time.to(latents.device)
        down, middle = self.controlnet(
            latents, time, encoder_hidden_states=words.embeddings, controlnet_cond=depth.to(latents.dtype),
            conditioning_scale=strength, added_cond_kwargs=added, return_dict=False,
        )  # fmt: skip
        return self.unet(
            latents, time, encoder_hidden_states=words.embeddings, added_cond_kwargs=added,
            down_block_additional_residuals=down, mid_block_additional_residual=middle, return_dict=False,
        )[0].float()  # fmt: skip


def invert(
    networks: SteeredSDXL, coarse: CoarseKeyframes, words: PromptEmbeddings, *, steps: int, together: int = 4
) -> Iterator[tuple[int, Tensor]]:
    """Yield the step number and the latents so far, and last all states (T,n,4,h,w); entry i belongs to denoising step i.

    ``words``: the single prompt of the inversion.
    """
    schedule = Schedule(steps)
    latents, states = coarse.latents, []
    for number, time in enumerate(schedule.times.flip(0), 1):
        lower, level = schedule.before(int(time)), schedule.signal[time]
        moved = []
        for part, depth in zip(latents.split(together), coarse.depth.split(together)):
            noise = networks.noise(part, time, words.repeated(len(part)), depth, 1.0)
            moved.append(schedule.moved(part, noise, lower, level))
        latents = torch.cat(moved)
        states.append(latents)
        if number < steps:
            yield number, latents
    yield steps, torch.stack(states[::-1])


def initial_latents(inverted: Tensor, erased: Tensor, frames: list[int], generator: Generator) -> Tensor:
    """Latents (m,4,h,w) of a window: the most noisy inverted state, new noise where ``erased`` (n,h,w) bool is True."""
    first = inverted[0][frames]
    noise = torch.randn(first.shape, generator=generator).to(first)
    return torch.where(erased[frames][:, None].to(first.device), noise, first)


def denoise(
    networks: SteeredSDXL,
    coarse: CoarseKeyframes,
    inverted: Tensor,
    words: PromptEmbeddings,
    starts: list[Tensor],
    options: KeyframeOptions,
) -> Iterator[KeyframeStep]:
    """Denoise keyframes from the ``starts`` of every window; ``words``: prompts of the inversion, negative and positive (3), or
    of the inversion, negative and one positive per keyframe (2+n)."""
    schedule = Schedule(options.steps)
    windows = sliding_windows(len(coarse.latents), options.together, options.overlap)
    latents: Tensor | None = None
    for i, time in enumerate(schedule.times):
        level, lower = schedule.signal[time], schedule.before(int(time))
        moved, clean = [], None
        for frames, begun in zip(windows, starts, strict=True):
            now = begun if latents is None else latents[frames]
            rows = rows_of(networks, coarse, inverted[i], words, frames, now, time, i, options)
            noise = _guide(rows, len(frames), options.guidance)
            moved.append(schedule.moved(now, noise, level, lower))
            clean = schedule.clean(now[:1], noise[:1], level) if clean is None else clean
        latents = _average(moved, windows, coarse.latents)
        assert clean is not None
        yield KeyframeStep(i + 1, options.steps, latents, tuple(moved), clean)


def _guide(rows: Tensor, frames: int, guidance: float) -> Tensor:
    """Guided noise (m,4,h,w) of a window of m = ``frames`` keyframes, from the last 2*m of its ``rows``: without and with the prompt."""
    without, following = rows.unflatten(0, (-1, frames))[-2:]
    return without + guidance * (following - without)


def rows_of(
    networks: SteeredSDXL,
    coarse: CoarseKeyframes,
    source: Tensor,
    words: PromptEmbeddings,
    frames: list[int],
    now: Tensor,
    time: Tensor,
    step: int,
    options: KeyframeOptions,
) -> Tensor:
    """(R*m,4,h,w): noise of m source, m unconditional and m conditional rows; R is 3, or 2 without the source, which is
    omitted if nothing is injected."""
    injection = options.injection(step, coarse.masks.of(frames).to(now.device))
    rows = [source[frames], now, now] if injection else [now, now]
    given = words.of(_word_rows(len(words.pooled), frames, with_source=injection is not None))
    depth = coarse.depth[frames].repeat(len(rows), 1, 1, 1)
    with inject(networks.unet, injection) if injection else nullcontext():
        return networks.noise(torch.cat(rows), time, given, depth, options.depth_strength)


def _word_rows(prompts: int, frames: list[int], *, with_source: bool) -> list[int]:
    """Index of the prompt of every row of a window."""
    positive = [2] * len(frames) if prompts == 3 else [2 + frame for frame in frames]
    return [0] * len(frames) * with_source + [1] * len(frames) + positive


def _average(moved: list[Tensor], windows: list[list[int]], like: Tensor) -> Tensor:
    """Average the frames that belong to several windows."""
    total, count = torch.zeros_like(like, dtype=torch.float32), torch.zeros(len(like), 1, 1, 1, device=like.device)
    for part, frames in zip(moved, windows):
        total[frames] += part.float()
        count[frames] += 1
    return (total / count).to(like.dtype)


# --- pictures ------------------------------------------------------------------------------------------------------


def encode_pictures(vae: AutoencoderKL, pictures: Tensor) -> Tensor:
    """(n,3,H,W) in 0..1 to scaled latents (n,4,h,w) float32, one picture at a time."""
    moments: list[Any] = [vae.encode((picture[None] * 2 - 1).to(vae.dtype)) for picture in pictures]
    return torch.cat([moment.latent_dist.mode().float() for moment in moments]) * _scale(vae)


def decode_pictures(vae: AutoencoderKL, latents: Tensor) -> Tensor:
    """(n,4,h,w) to (n,3,H,W) in 0..1 float32, one picture at a time."""
    decode: Any = vae.decode
    decoded = [decode((latent[None] / _scale(vae)).to(vae.dtype)) for latent in latents]
    return (torch.cat([one.sample.float() for one in decoded]) / 2 + 0.5).clamp(0, 1)


def _scale(vae: AutoencoderKL) -> float:
    config: Any = vae.config
    return config.scaling_factor
