"""Pictures to latents and back, with Stable Video Diffusion's autoencoder."""

from __future__ import annotations

from typing import Any, cast

import torch
from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
from torch import Generator, Tensor


def encode(vae: AutoencoderKLTemporalDecoder, pictures: Tensor, *, generator: Generator | None = None) -> Tensor:
    """(N,3,H,W) in 0..1 to scaled latents (N,4,H/8,W/8) float32: the mode, or a sample if a generator is given."""
    spread = cast(Any, vae.encode((pictures * 2 - 1).to(vae.dtype))).latent_dist
    latents = spread.mode().float()
    if generator is not None:
        drawn = torch.randn(latents.shape, generator=generator, device=generator.device)
        latents = latents + spread.std.float() * drawn.to(latents)
    return latents * _scale(vae)


def decode(vae: AutoencoderKLTemporalDecoder, latents: Tensor) -> Tensor:
    """Scaled latents (F,4,h,w) of one clip, decoded together, to (F,3,8h,8w) in 0..1, float32."""
    latents = (latents / _scale(vae)).to(vae.dtype)
    frames = cast(Any, vae.decode(latents, num_frames=len(latents))).sample
    return (frames.float() / 2 + 0.5).clamp(0, 1)


def _scale(vae: AutoencoderKLTemporalDecoder) -> float:
    return cast(Any, vae.config).scaling_factor
