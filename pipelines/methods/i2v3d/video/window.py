"""One window of phase 3: from renders and two keyframes to the frames between them."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipelines.method import Frames, Progress
from pipelines.methods.i2v3d.load import VideoNetworks
from pipelines.methods.i2v3d.method import I2V3DSettings
from pipelines.methods.i2v3d.scene.coarse import CoarseRenders
from pipelines.methods.i2v3d.video import conditions as given
from pipelines.methods.i2v3d.video import sampling as phase3

PREVIEW_EVERY = 5


@dataclass(frozen=True, eq=False)
class Window:
    """``renders`` of the frames from one keyframe to the next, both included; keyframes (H,W,3) uint8."""

    renders: CoarseRenders
    first: NDArray[np.uint8]
    last: NDArray[np.uint8]


@torch.no_grad()
def shoot(
    networks: VideoNetworks,
    window: Window,
    settings: I2V3DSettings,
    number: int,
    device: torch.device,
    dtype: torch.dtype,
    suffix: str = "",
) -> Iterator[Progress | Frames]:
    """Yield `Progress` of both inversions and of the video, then the frames (F,H,W,3). ``number`` seeds the window's noise."""
    frames = _pictures(window.renders.colour, device, dtype)
    yield Progress(f"Reading the renders{suffix}", 0, 1)
    renders = _renders(networks, window.renders, settings, frames)
    form = phase3.PUBLISHED if settings.is_upstream else phase3.CORRECTED
    for_inversion, for_video = phase3.reverse_renders(renders, form)
    ids = given.added_ids(
        fps=settings.told_fps, motion_bucket=settings.motion_bucket, noise_level=settings.noise_level, like=frames
    )
    steered = phase3.SteeredUnet(networks.unet, networks.controlnet, ids)
    generator = torch.Generator().manual_seed(settings.seed * 1000 + number)

    def seen(picture: Tensor) -> given.Picture:
        return given.encode_picture(
            networks.vae, networks.image_encoder, picture[None], noise_level=settings.noise_level,
            generator=generator, normalise=not settings.is_upstream,
        )  # fmt: skip

    pictures = [
        seen(picture)
        for picture in (*_pictures(np.stack([window.first, window.last]), device, dtype), frames[0], frames[-1])
    ]
    phase = f"Inverting the renders{suffix}"
    onward = yield from _invert(steered, renders, pictures[2], settings.video_steps, phase)
    back = yield from _invert(steered, for_inversion, pictures[3], settings.video_steps, f"{phase}, backwards")
    options = phase3.VideoOptions(
        settings.video_steps, settings.video_guidance, settings.video_depth_strength, settings.video_feature_share,
        settings.video_attention_share, settings.fusion_share, form,
    )  # fmt: skip
    forward = phase3.Direction(renders, onward, pictures[2], pictures[0])
    backward = phase3.Direction(for_video, back, pictures[3], pictures[1])
    latents = noise = phase3.initial_noise(onward, renders.visible, generator)
    phase = f"Shooting between the keyframes{suffix}"
    yield Progress(phase, 0, settings.video_steps)
    for step in phase3.interpolate(steered, noise, forward, backward, options):
        latents = step.latents
        yield Progress(phase, step.number, step.count, _preview(networks, step))
    yield Progress(f"Decoding{suffix}", 0, 1)
    together = 1 if settings.is_upstream else settings.decode_together
    yield _bytes(given.decode_video(networks.vae, latents, together=together))


def _renders(networks: VideoNetworks, coarse: CoarseRenders, settings: I2V3DSettings, frames: Tensor) -> phase3.Renders:
    depth = torch.from_numpy(coarse.depth_pictures).to(frames) * 2 - 1
    return phase3.Renders(
        given.encode_video(networks.vae, frames),
        depth[None, :, None].expand(-1, -1, 3, -1, -1) if settings.use_depth else None,
        torch.from_numpy(coarse.visible) if settings.use_visibility else None,
    )


def _invert(
    steered: phase3.SteeredUnet, renders: phase3.Renders, picture: given.Picture, steps: int, phase: str
) -> Generator[Progress, None, Tensor]:
    states = renders.latents
    for number, so_far in phase3.invert(steered, renders, picture, steps):
        states = so_far
        yield Progress(phase, number, steps)
    return states


def _preview(networks: VideoNetworks, step: phase3.VideoStep) -> NDArray[np.uint8] | None:
    """A preview of the middle frame, every few steps."""
    if step.number % PREVIEW_EVERY or step.number == step.count:
        return None
    middle = step.clean.shape[1] // 2
    return _bytes(given.decode_video(networks.vae, step.clean[:, middle : middle + 1], together=1))[0]


def _pictures(colour: Frames, device: torch.device, dtype: torch.dtype) -> Tensor:
    """(n,3,H,W) in 0..1."""
    return torch.from_numpy(colour).to(device=device, dtype=dtype).permute(0, 3, 1, 2) / 255


def _bytes(pictures: Tensor) -> Frames:
    return (pictures * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
