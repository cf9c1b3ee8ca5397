"""Wan's video autoencoder with upstream's tiled decoding."""

from __future__ import annotations

from typing import Any, cast

import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan
from diffusers.models.autoencoders.vae import DecoderOutput
from diffusers.models.modeling_outputs import AutoencoderKLOutput
from torch import Tensor

SCALE = 8
"""Pixels per latent pixel, along each side."""
TILE, STRIDE = (240, 416), (120, 208)
"""Rows and columns of upstream's tiles, and their strides, in pixels."""


class TiledWanVAE(AutoencoderKLWan):
    """`AutoencoderKLWan` that, with tiling on, decodes as upstream but encodes whole pictures.

    Tiles are blended by the smaller of two ramps and clamped only after blending; diffusers' own tiles blend row by row, which
    differs by up to 0.15. Switch on with ``enable_tiling(*TILE, *STRIDE)``.
    """

    def tiled_decode(self, z: Tensor, return_dict: bool = True) -> Any:
        """Latents (B,16,t,h,w) to pictures (B,3,4t-3,8h,8w) in -1..1, float32 on the CPU, one tile at a time."""
        batch, _, frames, height, width = z.shape
        size = (self.tile_sample_min_height // SCALE, self.tile_sample_min_width // SCALE)
        stride = (int(self.tile_sample_stride_height) // SCALE, int(self.tile_sample_stride_width) // SCALE)
        shape = (batch, 3, (frames - 1) * 4 + 1, height * SCALE, width * SCALE)
        total, weights = torch.zeros(shape), torch.zeros(shape[-2:])
        border = ((size[0] - stride[0]) * SCALE, (size[1] - stride[1]) * SCALE)
        for top in tile_starts(height, size[0], stride[0]):
            for left in tile_starts(width, size[1], stride[1]):
                tile = z[..., top : top + size[0], left : left + size[1]]
                decoded = self._decode_unclamped(tile).float().cpu()
                down, across = decoded.shape[-2:]
                inner = (top > 0, top + size[0] < height, left > 0, left + size[1] < width)
                mask = ramp_mask(down, across, inner, border)
                window = (..., slice(top * SCALE, top * SCALE + down), slice(left * SCALE, left * SCALE + across))
                total[window] += decoded * mask
                weights[window] += mask
        video = (total / weights).clamp(-1, 1)
        return DecoderOutput(sample=video) if return_dict else (video,)

    def _encode(self, x: Tensor) -> Any:
        tiling, self.use_tiling = self.use_tiling, False
        try:
            return super()._encode(x)
        finally:
            self.use_tiling = tiling

    def _decode_unclamped(self, latents: Tensor) -> Tensor:
        """Decode frame by frame with the causal decoder, as ``_decode`` does, without its clamp."""
        self.clear_cache()
        prepared = self.post_quant_conv(latents)
        frames = []
        for index in range(prepared.shape[2]):
            self._conv_idx = [0]
            frame = prepared[:, :, index : index + 1]
            frames.append(
                self.decoder(frame, feat_cache=self._feat_map, feat_idx=self._conv_idx, first_chunk=index == 0)
            )
        self.clear_cache()
        return torch.cat(frames, dim=2)


def tile_starts(length: int, size: int, stride: int) -> list[int]:
    """Start positions of tiles along one axis; no tile starts after one that already reaches the end."""
    return [start for start in range(0, length, stride) if start == 0 or start - stride + size < length]


def ramp_mask(height: int, width: int, inner: tuple[bool, bool, bool, bool], border: tuple[int, int]) -> Tensor:
    """(H,W) weights: 1 inside, falling linearly to 1/border at the edges that have a neighbour.

    ``inner``: whether top, bottom, left and right have a neighbour; ``border``: rows and columns of overlap.
    """
    top, bottom, left, right = inner
    return torch.minimum(_ramp(height, top, bottom, border[0])[:, None], _ramp(width, left, right, border[1])[None])


def _ramp(length: int, before: bool, after: bool, border: int) -> Tensor:
    weights = torch.ones(length)
    rising = (torch.arange(border) + 1) / border
    if before:
        weights[:border] = rising
    if after:
        weights[-border:] = rising.flip(0)
    return weights


def normalise(vae: AutoencoderKLWan, latents: Tensor) -> Tensor:
    """Normalise latents for the denoiser: mean 0 and standard deviation 1 per channel."""
    mean, std = _statistics(vae, latents)
    return (latents - mean) / std


def denormalise(vae: AutoencoderKLWan, latents: Tensor) -> Tensor:
    """Undo `normalise`."""
    mean, std = _statistics(vae, latents)
    return latents * std + mean


def _statistics(vae: AutoencoderKLWan, like: Tensor) -> tuple[Tensor, Tensor]:
    mean, std = (
        torch.tensor(vae.config[name], dtype=like.dtype, device=like.device).view(1, -1, 1, 1, 1)
        for name in ("latents_mean", "latents_std")
    )
    return mean, std


def encode_video(vae: AutoencoderKLWan, video: Tensor) -> Tensor:
    """A video (1,3,F,H,W) in -1..1 to its normalised latents (1,16,(F+3)/4,H/8,W/8), the mode of the posterior."""
    encoded = cast(AutoencoderKLOutput, vae.encode(video))
    return normalise(vae, encoded.latent_dist.mode())


def encode_picture(vae: AutoencoderKLWan, picture: Tensor) -> Tensor:
    """One picture (1,3,H,W) as a video of one frame."""
    return encode_video(vae, picture.unsqueeze(2))


def decode_video(vae: AutoencoderKLWan, latents: Tensor) -> Tensor:
    """Normalised latents (1,16,t,h,w) to a video (1,3,4t-3,8h,8w) in -1..1, float32 on the CPU."""
    video = cast(DecoderOutput, vae.decode(denormalise(vae, latents))).sample
    return video.float().cpu()


def to_bytes(video: Tensor) -> Tensor:
    """(1,3,F,H,W) in -1..1 to (F,H,W,3) uint8; truncated, not rounded, as upstream does."""
    return ((video[0] + 1) * 127.5).clamp(0, 255).to(torch.uint8).permute(1, 2, 3, 0)
