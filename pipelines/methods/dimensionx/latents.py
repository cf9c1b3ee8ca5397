"""Encoding of prompts and pictures for the transformer, and decoding of latents."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.autoencoder_kl_cogvideox import AutoencoderKLCogVideoX
from numpy.typing import NDArray
from torch import Generator, Tensor

from pipelines.method import Frames
from pipelines.methods.dimensionx.network.load import Networks


def encode_text(networks: Networks, text: str, *, device: torch.device) -> tuple[Tensor, int]:
    """(1,L,D) for one prompt, padded to the transformer's text length, and the number of tokens cut off."""
    length = networks.geometry.max_text_seq_length
    ids = networks.tokenizer(
        text, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
    ).input_ids
    cut = len(networks.tokenizer(text).input_ids) - length
    return networks.text_encoder(ids.to(device))[0], max(cut, 0)


def latent_count(networks: Networks, frames: int) -> tuple[int, int]:
    """Number of latent frames for ``frames`` frames, and of padding frames that the transformer needs in front (1.5 uses pairs)."""
    config: Any = networks.vae.config
    count = (frames - 1) // int(config.temporal_compression_ratio) + 1
    group = networks.geometry.patch_size_t or 1
    return count, -count % group


def encode_picture(networks: Networks, picture: Tensor, latent_frames: int, *, generator: Generator) -> Tensor:
    """(1,T,C,h,w) from (1,3,H,W) in -1..1: a sample of the picture's latent, then zeros."""
    picture = picture.to(networks.vae.device, networks.vae.dtype)
    with _whole(networks.vae):
        encoded: Any = networks.vae.encode(picture[:, :, None])
    latent = encoded.latent_dist.sample(generator) * _scale(networks, encoding=True)
    first = latent.transpose(1, 2)
    return F.pad(first, (0, 0) * 3 + (0, latent_frames - 1))


def decode_video(networks: Networks, latents: Tensor) -> Frames:
    """(F,H,W,3) uint8 from (1,T,C,h,w)."""
    latents = latents.to(networks.vae.dtype).transpose(1, 2) / _scale(networks, encoding=False)
    decoded: Any = networks.vae.decode(latents)
    video = (decoded.sample[0].float() / 2 + 0.5).clamp(0, 1) * 255
    return video.round().to(torch.uint8).permute(1, 2, 3, 0).cpu().numpy()


@contextmanager
def _whole(vae: AutoencoderKLCogVideoX) -> Iterator[None]:
    """Encode without tiles: a single frame fits in one piece, and tiles would leave seams."""
    tiling, vae.use_tiling = vae.use_tiling, False
    try:
        yield
    finally:
        vae.use_tiling = tiling


def _scale(networks: Networks, *, encoding: bool) -> float:
    """Scale factor of latents; one generation of the base model was trained with the image latents divided by it instead."""
    config: Any = networks.vae.config
    return 1 / config.scaling_factor if encoding and config.invert_scale_latents else config.scaling_factor


@dataclass(frozen=True, eq=False)
class LatentColours:
    """A linear map (C+1,3) from latents to preview colours (RGB), fitted to the one picture whose latent is known."""

    matrix: Tensor

    @staticmethod
    def learnt(picture: Tensor, latent: Tensor) -> LatentColours:
        """Fit by least squares to a picture (1,3,H,W) in -1..1 and its latent (C,h,w)."""
        small = F.interpolate(picture.float().cpu(), size=latent.shape[-2:], mode="area")[0]
        features = _append_ones(latent.float().cpu())
        return LatentColours(torch.linalg.lstsq(features, small.flatten(1).T, driver="gelsd").solution)

    def picture(self, latent: Tensor) -> NDArray:
        """(h,w,3) uint8 from (C,h,w)."""
        colours = (_append_ones(latent.float().cpu()) @ self.matrix).view(*latent.shape[-2:], 3)
        return ((colours / 2 + 0.5).clamp(0, 1) * 255).to(torch.uint8).numpy()


def _append_ones(latent: Tensor) -> Tensor:
    """(h*w, C+1)."""
    flat = latent.flatten(1).T
    return torch.cat([flat, torch.ones(len(flat), 1)], dim=1)
