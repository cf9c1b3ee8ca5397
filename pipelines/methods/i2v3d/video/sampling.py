"""Phase 3: generates the frames between two keyframes from both ends at once, following inverted coarse renders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
from torch import Generator, Tensor

from pipelines.methods.i2v3d.video import edm
from pipelines.methods.i2v3d.video.conditions import Picture, unconditional
from pipelines.methods.i2v3d.video.controlnet import ControlNetSVDModel, add_residuals
from pipelines.methods.i2v3d.video.injection import VideoInjection, inject, masks_by_tokens


@dataclass(frozen=True)
class VideoForm:
    """Options that reproduce bugs of the published code; all False fixes them."""

    forward_depth_backwards: bool = False
    """The reversed renders are inverted with depth in forward order."""
    forward_masks_backwards: bool = False
    """The reversed pass uses masks in forward order."""
    faint_source: bool = False
    """The first step's source row keeps unit size instead of being scaled to the noise level."""


CORRECTED, PUBLISHED = VideoForm(), VideoForm(True, True, True)


@dataclass(frozen=True, eq=False)
class Renders:
    """The coarse renders of one window: scaled ``latents`` (1,F,4,h,w), ``depth`` (1,F,3,H,W) in -1..1 or None, and
    ``visible`` (F,H,W) bool, False where nothing was drawn, or None for no masks."""

    latents: Tensor
    depth: Tensor | None
    visible: Tensor | None

    def reversed(self, *, depth: bool = True, visible: bool = True) -> Renders:
        """The renders in reverse order; arguments that are False keep their order."""
        return Renders(
            self.latents.flip(1),
            self.depth.flip(1) if depth and self.depth is not None else self.depth,
            self.visible.flip(0) if visible and self.visible is not None else self.visible,
        )


@dataclass(frozen=True, eq=False)
class Direction:
    """One of the two passes: renders in its order, their inverted latents (T+1,1,F,4,h,w), the first render and the
    keyframe that it starts from."""

    renders: Renders
    inverted: Tensor
    render: Picture
    keyframe: Picture


@dataclass(frozen=True)
class VideoOptions:
    """Options of a run; shares are of the steps."""

    steps: int = 25
    guidance: float = 1.5
    depth_strength: float = 1.0
    feature_share: float = 1.0
    attention_share: float = 1.0
    fusion_share: float = 1.0
    form: VideoForm = CORRECTED


@dataclass(frozen=True, eq=False)
class VideoStep:
    """``latents`` (1,F,4,h,w) after step ``number`` of ``count``; ``velocity``: the prediction of this step; ``clean``: the
    predicted clean video."""

    number: int
    count: int
    latents: Tensor
    velocity: Tensor
    clean: Tensor


@dataclass(frozen=True, eq=False)
class SteeredUnet:
    """SVD's UNet with its ControlNet; ``ids`` (1,3) as in `video_conditions.added_ids`."""

    unet: UNetSpatioTemporalConditionModel
    controlnet: ControlNetSVDModel
    ids: Tensor

    def velocity(
        self, latents: Tensor, time: Tensor, pictures: list[Picture], depth: Tensor | None, strength: float
    ) -> Tensor:
        """(R,F,4,h,w) float32 for scaled ``latents`` of that shape, one picture per row, depth (1,F,3,H,W) for all rows.

        The networks compute in the dtype of the pictures' latents.
        """
        rows, frames = latents.shape[:2]
        seen = torch.cat([picture.latents for picture in pictures])[:, None].expand(-1, frames, -1, -1, -1)
        sample = torch.cat([latents.to(seen.dtype), seen], dim=2)
        words = torch.cat([picture.embedding for picture in pictures])
        time, ids = time.to(sample.device), self.ids.expand(rows, -1)
        if depth is None:
            return self._predict_plain(sample, time, words, ids)
        steering = depth.to(sample.dtype).expand(rows, -1, -1, -1, -1)
        down, middle = self.controlnet(sample, time, words, ids, controlnet_cond=steering, conditioning_scale=strength)
        with add_residuals(self.unet, down, middle):
            return self._predict_plain(sample, time, words, ids)

    def _predict_plain(self, sample: Tensor, time: Tensor, words: Tensor, ids: Tensor) -> Tensor:
        return self.unet(sample, time, encoder_hidden_states=words, added_time_ids=ids, return_dict=False)[0].float()


def invert(networks: SteeredUnet, renders: Renders, picture: Picture, steps: int) -> Iterator[tuple[int, Tensor]]:
    """Yield the step number and the states so far, and last all states (T+1,1,F,4,h,w); entry i belongs to generation step i.

    The last entry is the clean latents; the first is scaled to unit size. ``picture`` is the first render.
    """
    levels = edm.inversion(steps)
    now, states = renders.latents, [renders.latents]
    for i in range(steps):
        sigma, following = levels.sigmas[i], levels.sigmas[i + 1]
        velocity = networks.velocity(edm.scale_input(now, sigma), levels.times[i], [picture], renders.depth, 1.0)
        now = edm.euler_step(now, velocity, sigma, following)
        states.append(now)
        if i < steps - 1:
            yield i + 1, now
    states[-1] = edm.scale_input(now, levels.sigmas[-1])
    yield steps, torch.stack(states[::-1])


def initial_noise(inverted: Tensor, visible: Tensor | None, generator: Generator) -> Tensor:
    """Initial noise of unit size (1,F,4,h,w): the inverted renders, new noise where nothing is visible."""
    first = inverted[0]
    if visible is None:
        return first
    noise = torch.randn(first.shape, generator=generator).to(first)
    height, width = first.shape[-2:]
    mask = masks_by_tokens(visible, levels=1)[height * width].view(1, len(visible), 1, height, width)
    return torch.where(mask.to(first.device), first, noise)


def interpolate(
    networks: SteeredUnet, noise: Tensor, forward: Direction, backward: Direction, options: VideoOptions
) -> Iterator[VideoStep]:
    """Denoise unit-size ``noise`` (1,F,4,h,w) from both keyframes; ``backward`` is in reverse time order.

    At frame f of F the backward pass has weight f/(F-1), the forward pass the rest.
    """
    levels, steps = edm.generation(options.steps), options.steps
    highest = (levels.sigmas[0] ** 2 + 1).sqrt()
    latents = noise * highest
    for i in range(steps):
        both = i <= int(steps * options.fusion_share)
        rows = _rows(networks, latents, forward, levels, i, options)
        if both:
            other = _rows(networks, latents.flip(1), backward, levels, i, options).flip(1)
            share = torch.linspace(0, 1, latents.shape[1], device=latents.device).view(1, -1, 1, 1, 1)
            rows = share * other + (1 - share) * rows
        without, following = rows[1:2], rows[2:3]
        velocity = without + options.guidance * (following - without)
        clean = edm.euler_step(latents, velocity, levels.sigmas[i], torch.zeros(()))
        latents = edm.euler_step(latents, velocity, levels.sigmas[i], levels.sigmas[i + 1])
        yield VideoStep(i + 1, steps, latents, velocity, clean)


def _rows(
    networks: SteeredUnet, latents: Tensor, way: Direction, levels: edm.Levels, i: int, options: VideoOptions
) -> Tensor:
    """(3,F,4,h,w): velocities of the source, unconditional and conditional rows in one direction."""
    source = way.inverted[i]
    if i == 0 and not options.form.faint_source:
        source = source * (levels.sigmas[0] ** 2 + 1).sqrt()
    given = edm.scale_input(torch.cat([source, latents, latents]), levels.sigmas[i])
    pictures = [way.render, unconditional(way.keyframe), way.keyframe]
    injection = VideoInjection(
        i < int(options.steps * options.feature_share),
        i < int(options.steps * options.attention_share),
        _masks(way.renders, latents.device),
    )
    with inject(networks.unet, injection):
        return networks.velocity(given, levels.times[i], pictures, way.renders.depth, options.depth_strength)


def _masks(renders: Renders, device: torch.device) -> dict[int, Tensor] | None:
    if renders.visible is None:
        return None
    return {tokens: mask.to(device) for tokens, mask in masks_by_tokens(renders.visible).items()}


def reverse_renders(renders: Renders, form: VideoForm) -> tuple[Renders, Renders]:
    """The reversed renders, once for inversion and once for the backward pass."""
    return (
        renders.reversed(depth=not form.forward_depth_backwards),
        renders.reversed(visible=not form.forward_masks_backwards),
    )
