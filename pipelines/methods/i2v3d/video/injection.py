"""Guidance of phase 3 in SVD's UNet: features and attention maps of the coarse renders replace those of the video."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
from torch import Tensor, nn
from torch.nn import functional

FEATURES = "up_blocks.1.resnets.1"
ATTENTION = tuple(
    f"up_blocks.{block}.attentions.{layer}.transformer_blocks.0.attn1"
    for block, layer in ((1, 1), (1, 2), (2, 0), (2, 1), (2, 2), (3, 0), (3, 1), (3, 2))
)


@dataclass(frozen=True, eq=False)
class VideoInjection:
    """Injection from the source rows into the others in one pass.

    ``masks``: by number of tokens (h*w of a resolution) the tokens (F,tokens) bool where attention is injected; None for
    everywhere.
    """

    features: bool
    attention: bool
    masks: Mapping[int, Tensor] | None = None


@contextmanager
def inject(unet: UNetSpatioTemporalConditionModel, injection: VideoInjection) -> Iterator[None]:
    """A context in which a batch of source, unconditional and conditional rows gets the source's features; undone afterwards."""
    attentions = {name: unet.get_submodule(name) for name in ATTENTION} if injection.attention else {}
    stock = {name: module.processor for name, module in attentions.items()}
    handle = unet.get_submodule(FEATURES).register_forward_hook(_from_source) if injection.features else None
    try:
        for module in attentions.values():
            module.processor = _SourceAttention(injection.masks, getattr(unet, "own_frames", None))  # type: ignore[assignment]
        yield
    finally:
        for name, module in attentions.items():
            module.processor = stock[name]
        if handle:
            handle.remove()


def _from_source(module: nn.Module, args: tuple, output: Tensor) -> Tensor:
    """(3F,C,h,w): the first third for all rows."""
    source = output[: len(output) // 3]
    return torch.cat([source, source, source])


class _SourceAttention:
    """Self-attention whose queries and keys come from the source row where the mask is True."""

    def __init__(
        self, masks: Mapping[int, Tensor] | None, own_frames: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        self.masks, self.own_frames = masks, own_frames

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        mask = self._mask(hidden_states)
        query = _replace_from_source(attn.to_q(hidden_states), mask)
        key = _replace_from_source(attn.to_k(hidden_states), mask)
        value = attn.to_v(hidden_states)
        query, key, value = (part.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for part in (query, key, value))
        mixed = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        return attn.to_out[0](mixed)

    def _mask(self, hidden_states: Tensor) -> Tensor | None:
        """(1,F,N,1) for the frames in this process: all, or its share if they are split between GPUs."""
        if self.masks is None:
            return None
        mask = self.masks[hidden_states.shape[1]]
        if self.own_frames is not None:
            mask = self.own_frames(mask)
        return mask[None, ..., None]


def _replace_from_source(values: Tensor, mask: Tensor | None) -> Tensor:
    """(3F,N,C): replaces the second and third thirds by the first where ``mask`` (1,F,N,1) is True, or everywhere."""
    rows = values.unflatten(0, (3, -1))
    source = rows[:1].expand_as(rows)
    return (source if mask is None else torch.where(mask, source, rows)).flatten(0, 1)


def masks_by_tokens(visible: Tensor, levels: int = 3) -> dict[int, Tensor]:
    """(F,H,W) bool at picture size as (F,tokens) bool at an eighth, a sixteenth, ... (``levels`` of them), nearest pixel."""
    height, width = visible.shape[1] // 8, visible.shape[2] // 8
    masks = {}
    for _ in range(levels):
        small = functional.interpolate(visible[:, None].float(), (height, width))
        masks[height * width] = small.flatten(1) > 0.5
        height, width = -(-height // 2), -(-width // 2)
    return masks
