"""Guidance of phase 2 in SDXL's UNet: features of the coarse renders, and attention across the keyframes' backgrounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional

ATTENTION = tuple(
    f"up_blocks.{block}.attentions.{layer}.transformer_blocks.{depth}.attn1"
    for block, depths in ((0, 10), (1, 2))
    for layer in range(3)
    for depth in range(depths)
)
FEATURES = tuple(f"up_blocks.{block}.resnets.{layer}" for block in range(3) for layer in range(3))


@dataclass(frozen=True, eq=False)
class Masks:
    """Masks of the foreground and of all rendered pixels, (n,tokens) bool by (height, width) of a resolution."""

    foreground: Mapping[tuple[int, int], Tensor]
    visible: Mapping[tuple[int, int], Tensor]

    def of(self, frames: list[int]) -> Masks:
        """The masks of some frames."""
        return Masks(*({size: mask[frames] for size, mask in by.items()} for by in (self.foreground, self.visible)))

    def to(self, device: torch.device) -> Masks:
        return Masks(*({size: mask.to(device) for size, mask in by.items()} for by in (self.foreground, self.visible)))


@dataclass(frozen=True, eq=False)
class KeyframeInjection:
    """Injection from the source rows into the others in one step: features on the foreground, attention on ``attention``.

    ``attention``: "visible", "foreground" or "" for none. ``everywhere``: both are injected in the whole picture, whatever the masks.
    """

    masks: Masks
    features: bool
    attention: str
    everywhere: bool = False

    @property
    def attended(self) -> Mapping[tuple[int, int], Tensor] | None:
        """Masks of the pixels whose attention comes from the source; None for no injection."""
        if not self.attention:
            return None
        if self.everywhere:
            return _whole(self.masks.foreground)
        return self.masks.visible if self.attention == "visible" else self.masks.foreground


def scale_masks(masks: Tensor) -> dict[tuple[int, int], Tensor]:
    """(n,H,W) bool as (n,tokens) bool at an eighth, a sixteenth and a thirty-second of the size, nearest pixel."""
    height, width = masks.shape[1] // 8, masks.shape[2] // 8
    found = {}
    for _ in range(3):
        found[height, width] = (functional.interpolate(masks[:, None].float(), (height, width)) > 0.5).flatten(1)
        height, width = -(-height // 2), -(-width // 2)
    return found


def extend_mask(foreground: Tensor) -> Tensor:
    """(n,N,n*N) bool from (n,N): the tokens of all frames that each token of a frame attends to.

    A token attends to all tokens of its own frame; a background token also to the background of the other frames.
    """
    frames, tokens = foreground.shape
    background = ~foreground
    across = background[:, :, None] & background.reshape(1, 1, -1)
    own = torch.eye(frames, dtype=torch.bool, device=foreground.device).repeat_interleave(tokens, dim=1)
    return across | own[:, None, :]


@contextmanager
def inject(unet: UNet2DConditionModel, injection: KeyframeInjection) -> Iterator[None]:
    """A context that guides a batch of source, unconditional and conditional rows (n frames each); undone afterwards."""
    masks, stock, handles = injection.masks, {}, []
    extended = _OncePerSize(masks.foreground)
    try:
        for name in ATTENTION:
            module = unet.get_submodule(name)
            stock[name] = module.processor
            module.processor = _ExtendedAttention(injection, extended)  # type: ignore[assignment]
        if injection.features:
            where = _whole(masks.foreground) if injection.everywhere else masks.foreground
            for name in FEATURES:
                conv: nn.Module = unet.get_submodule(name).conv2  # type: ignore[assignment]
                handles.append(conv.register_forward_hook(_features_from_source(where)))
        yield
    finally:
        for name, processor in stock.items():
            unet.get_submodule(name).processor = processor  # type: ignore[assignment]
        for handle in handles:
            handle.remove()


def _whole(masks: Mapping[tuple[int, int], Tensor]) -> dict[tuple[int, int], Tensor]:
    """The masks with all values True."""
    return {size: torch.ones_like(mask) for size, mask in masks.items()}


def _features_from_source(foreground: Mapping[tuple[int, int], Tensor]):
    def hook(module: nn.Module, args: tuple, output: Tensor) -> Tensor:
        """(3n,C,h,w): the first third replaces the others on the foreground."""
        height, width = output.shape[-2:]
        mask = foreground[height, width].view(1, -1, 1, height, width)
        return _from_source(output, mask)

    return hook


class _OncePerSize:
    """Extended masks (2n,1,N,n*N) by number of tokens, computed on first use."""

    def __init__(self, foreground: Mapping[tuple[int, int], Tensor]) -> None:
        self._foreground = {mask.shape[1]: mask for mask in foreground.values()}
        self._made: dict[int, Tensor] = {}

    def of(self, tokens: int) -> Tensor:
        if tokens not in self._made:
            self._made[tokens] = extend_mask(self._foreground[tokens])[:, None]
        return self._made[tokens]


class _ExtendedAttention:
    """Self-attention: each source frame by itself, the other rows over all frames of the window."""

    def __init__(self, injection: KeyframeInjection, extended: _OncePerSize) -> None:
        self.extended = extended
        chosen = injection.attended
        self.injected = None if chosen is None else {mask.shape[1]: mask for mask in chosen.values()}

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        query, key, value = attn.to_q(hidden_states), attn.to_k(hidden_states), attn.to_v(hidden_states)
        rows, tokens, _ = query.shape
        if self.injected is not None:
            mask = self.injected[tokens][None, ..., None]
            query, key = _from_source(query, mask), _from_source(key, mask)
        frames = rows // 3
        parts = [_by_heads(attn, query[:frames], key[:frames], value[:frames], None)]
        for row in (1, 2):
            own = slice(row * frames, (row + 1) * frames)
            keys, values = (part[own].flatten(0, 1).expand(frames, -1, -1) for part in (key, value))
            parts.append(_by_heads(attn, query[own], keys, values, self.extended.of(tokens)))
        return attn.to_out[0](torch.cat(parts))


def _by_heads(attn: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    query, key, value = (part.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for part in (query, key, value))
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2).flatten(2)


def _from_source(values: Tensor, mask: Tensor) -> Tensor:
    """(3n,...): replaces the second and third thirds by the first where ``mask``, broadcast to (3,n,...), is True."""
    rows = values.unflatten(0, (3, -1))
    return torch.where(mask, rows[:1], rows).flatten(0, 1)
