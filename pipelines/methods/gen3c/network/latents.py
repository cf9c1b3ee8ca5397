"""Encodes pictures to latents and back, and encodes the cache renders that condition the denoiser.

The tokenizer normalises with a mean and a standard deviation per channel and per latent frame, counted from the start of each
clip, and the denoiser's latents are scaled to a standard deviation of 0.5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl_cosmos import AutoencoderKLCosmos
from torch import Tensor

from camera.errors import InputError
from pipelines.methods.gen3c.network.tiles import decode_tiles

SIGMA_DATA = 0.5
BUFFERS = 2
"""Number of cache buffers that the network receives."""

Encode = Callable[[Tensor], Tensor]
"""(B,3,F,H,W) pictures in [-1,1] to (B,16,t,H/8,W/8) scaled latents."""


def statistics(vae: AutoencoderKLCosmos, frames: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (1,16,frames,1,1) of the first ``frames`` latent frames, in the tokenizer's precision."""
    channels = vae.config["latent_channels"]
    tables = []
    for name in ("latents_mean", "latents_std"):
        table = torch.tensor(vae.config[name], dtype=torch.float32).reshape(1, channels, -1, 1, 1)
        if table.shape[2] < frames:
            raise InputError(
                f"The tokenizer supports {table.shape[2]} latent frames, the clip needs {frames}; shorten it."
            )
        tables.append(table[:, :, :frames].to(device, vae.dtype))
    return tables[0], tables[1]


@torch.inference_mode()
def encode(vae: AutoencoderKLCosmos, video: Tensor) -> Tensor:
    """(B,16,t,H/8,W/8) scaled latents of one clip (B,3,F,H,W) in [-1,1], F = 8k+1; computed on the clip's device."""
    distribution: Any = vae.encode(video.to(vae.dtype), return_dict=False)[0]
    latents = distribution.mode()
    mean, std = statistics(vae, latents.shape[2], latents.device)
    return (latents - mean) / std * SIGMA_DATA


@torch.inference_mode()
def decode(vae: AutoencoderKLCosmos, latents: Tensor) -> Tensor:
    """(B,3,F,H,W) frames in about [-1,1] from scaled latents (B,16,t,h,w); in tiles if the tokenizer is set to."""
    mean, std = statistics(vae, latents.shape[2], latents.device)
    plain = latents.to(vae.dtype) / SIGMA_DATA * std + mean
    if not vae.use_tiling:
        return vae.decode(plain, return_dict=False)[0]
    side = int(vae.config["spatial_compression_ratio"])
    tile = (vae.tile_sample_min_height // side, vae.tile_sample_min_width // side)
    stride = (int(vae.tile_sample_stride_height) // side, int(vae.tile_sample_stride_width) // side)
    return decode_tiles(lambda part: vae.decode(part, return_dict=False)[0], plain, tile=tile, stride=stride)


def to_bytes(video: Tensor) -> Tensor:
    """(F,H,W,3) uint8 of one clip (1,3,F,H,W); truncated, not rounded, as upstream writes it."""
    scaled = (1 + video[0].float()).clamp(0, 2) / 2 * 255
    return scaled.to(torch.uint8).permute(1, 2, 3, 0).cpu()


def to_pictures(frames: Tensor, *, darkened: bool = False) -> Tensor:
    """(1,3,F,H,W) float32 in [-1,1] of bytes (F,H,W,3).

    ``darkened``: divide by 128 instead of 127.5 and round to bfloat16, as upstream reads its first condition frame.
    """
    pictures = frames.permute(3, 0, 1, 2)[None].float()
    if darkened:
        return (pictures / 128 - 1).bfloat16().float()
    return pictures / 127.5 - 1


@dataclass(frozen=True, eq=False)
class Condition:
    """The conditions of one chunk. ``pose``: (1,64,t,h,w) cache latents. ``first``: (1,16,1,h,w) latent of the given frame.

    ``text``, ``other_text``: (1,L,D) prompt embeddings of the passes with and without the cache.
    """

    pose: Tensor
    first: Tensor
    text: Tensor
    other_text: Tensor


def pose_latents(encode: Encode, renders: Tensor, masks: Tensor) -> Tensor:
    """(1,64,t,h,w) from cache renders (F,N,3,H,W) in [-1,1] and masks (F,N,1,H,W) of N = 1 or 2 buffers.

    For each buffer: sixteen channels of its picture, then sixteen of its mask encoded as a picture; a missing buffer is zeros,
    not black pictures (model_gen3c.py).
    """
    groups = []
    for buffer in range(renders.shape[1]):
        groups.append(encode(renders[:, buffer].transpose(0, 1)[None]))
        drawn = (masks[:, buffer] * 2 - 1).expand(-1, 3, -1, -1)
        groups.append(encode(drawn.transpose(0, 1)[None]))
    missing = 2 * (BUFFERS - renders.shape[1])
    groups += [torch.zeros_like(groups[0])] * missing
    return torch.cat(groups, dim=1)
