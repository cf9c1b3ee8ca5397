"""Conditioning inputs of Stable Video Diffusion: the picture as embedding and latents, depth, micro-conditioning numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
from diffusers.pipelines.stable_video_diffusion.pipeline_stable_video_diffusion import _resize_with_antialiasing
from torch import Generator, Tensor
from transformers import CLIPVisionModelWithProjection

_MEAN = (0.48145466, 0.4578275, 0.40821073)
_DEVIATION = (0.26862954, 0.26130258, 0.27577711)
"""Mean and standard deviation of the pictures that CLIP was trained on."""


@dataclass(frozen=True, eq=False)
class Picture:
    """One conditioning picture: ``embedding`` (1,1,D) and ``latents`` (1,4,h,w), not scaled."""

    embedding: Tensor
    latents: Tensor


def encode_picture(
    vae: AutoencoderKLTemporalDecoder,
    image_encoder: CLIPVisionModelWithProjection,
    picture: Tensor,
    *,
    noise_level: float,
    generator: Generator,
    normalise: bool = True,
) -> Picture:
    """Encode a picture (1,3,H,W) in 0..1 for the network.

    ``noise_level``: standard deviation of the noise added before the VAE. ``normalise``: by CLIP's mean and standard deviation,
    as SVD was trained; the published code of I2V3D does not.
    """
    noise = torch.randn(picture.shape, generator=generator).to(picture)
    latents = _moments(vae, picture * 2 - 1 + noise_level * noise).mode()
    return Picture(_embedding(image_encoder, picture, normalise), latents)


def unconditional(picture: Picture) -> Picture:
    """The unconditional row: zeros."""
    return Picture(torch.zeros_like(picture.embedding), torch.zeros_like(picture.latents))


def added_ids(*, fps: int, motion_bucket: int, noise_level: float, like: Tensor) -> Tensor:
    """(1,3): frame rate minus one, motion bucket, noise level of the picture."""
    return torch.tensor([[fps - 1, motion_bucket, noise_level]], dtype=like.dtype, device=like.device)


def encode_video(vae: AutoencoderKLTemporalDecoder, frames: Tensor) -> Tensor:
    """(F,3,H,W) in 0..1 to scaled latents (1,F,4,h,w) float32, one frame at a time."""
    latents = torch.cat([_moments(vae, frame[None] * 2 - 1).mode().float() for frame in frames])
    return latents[None] * _scale(vae)


def decode_video(vae: AutoencoderKLTemporalDecoder, latents: Tensor, *, together: int) -> Tensor:
    """(1,F,4,h,w) to (F,3,H,W) in 0..1 float32; decodes ``together`` frames at once, which makes them consistent."""
    parts: list[Tensor] = []
    for part in latents[0].split(together):
        decoded: Any = vae.decode((part / _scale(vae)).to(vae.dtype), num_frames=len(part))
        parts.append(decoded.sample.float())
    return (torch.cat(parts) / 2 + 0.5).clamp(0, 1)


def _embedding(encoder: CLIPVisionModelWithProjection, picture: Tensor, normalise: bool) -> Tensor:
    size = encoder.config.image_size
    small = _resize_with_antialiasing(picture.float(), (size, size))
    if normalise:
        mean, deviation = (small.new_tensor(values)[:, None, None] for values in (_MEAN, _DEVIATION))
        small = (small - mean) / deviation
    return encoder(small.to(encoder.dtype)).image_embeds[:, None]


def _moments(vae: AutoencoderKLTemporalDecoder, picture: Tensor) -> Any:
    encoded: Any = vae.encode(picture.to(vae.dtype))
    return encoded.latent_dist


def _scale(vae: AutoencoderKLTemporalDecoder) -> float:
    config: Any = vae.config
    return config.scaling_factor
