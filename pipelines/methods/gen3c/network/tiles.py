"""Decodes in overlapping tiles to save memory; diffusers' tokenizer has this switch, but it has no effect."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

NOTE = "Decoded in tiles: the tokenizer normalises each tile separately, so brightness may differ a little across the picture."


def decode_tiles(
    decode: Callable[[Tensor], Tensor], latents: Tensor, *, tile: tuple[int, int], stride: tuple[int, int]
) -> Tensor:
    """Apply ``decode`` to latents (B,C,t,h,w) in tiles of at most ``tile`` = (h,w) latents, one every ``stride`` latents.

    Overlaps are blended linearly, in float32. The result equals ``decode`` of all latents, except for operations that use the
    whole picture.
    """
    rows = [_spans(latents.shape[axis], tile[axis - 3], stride[axis - 3]) for axis in (3, 4)]
    out: Tensor | None = None
    total: Tensor | None = None
    for top, bottom in rows[0]:
        for left, right in rows[1]:
            part = decode(latents[..., top:bottom, left:right])
            scale = part.shape[-1] // (right - left)
            if out is None or total is None:
                height, width = latents.shape[3] * scale, latents.shape[4] * scale
                out = part.new_zeros(*part.shape[:3], height, width, dtype=torch.float32)
                total = torch.zeros(height, width, dtype=torch.float32, device=part.device)
            weight = torch.outer(
                _ramp(top, bottom, latents.shape[3], (tile[0] - stride[0]) * scale, scale, part.device),
                _ramp(left, right, latents.shape[4], (tile[1] - stride[1]) * scale, scale, part.device),
            )
            place = (..., slice(top * scale, bottom * scale), slice(left * scale, right * scale))
            out[place] += part * weight
            total[place] += weight
    assert out is not None and total is not None
    return out.div_(total)


def _spans(length: int, tile: int, stride: int) -> list[tuple[int, int]]:
    """Begin and end of tiles that cover ``length``; the last one is moved back so that it is whole."""
    if length <= tile:
        return [(0, length)]
    starts = [*range(0, length - tile, stride), length - tile]
    return [(start, start + tile) for start in starts]


def _ramp(start: int, stop: int, length: int, overlap: int, scale: int, device: torch.device) -> Tensor:
    """Weights of a tile's pixels along one side: rising and falling over ``overlap``, except at the picture's border."""
    count = (stop - start) * scale
    position = torch.arange(count, dtype=torch.float32, device=device)
    weight = torch.ones(count, device=device)
    if start > 0:
        weight = torch.minimum(weight, (position + 1) / (overlap + 1))
    if stop < length:
        weight = torch.minimum(weight, (count - position) / (overlap + 1))
    return weight
