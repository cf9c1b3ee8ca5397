"""Attention processors equal to those of diffusers' blocks, for tokens that are split between processes.

`enable_parallelism` also accepts a processor without ``_parallel_config``, but then every process attends to its own tokens
only. With it, heads are exchanged for tokens (Ulysses). If the heads do not divide evenly, ``gathered`` gathers keys and
values; diffusers' ring sends as much, but needs kernels that return the log-sum-exp, and this works with any kernel.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from diffusers.models import embeddings
from diffusers.models.attention_dispatch import dispatch_attention_fn
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn

apply_rotary_emb: Any = embeddings.apply_rotary_emb


class SplitAttention:
    """``gathered``: gathers the keys or values (B,N,heads,width) of all processes; its number identifies the sequence within a call."""

    _attention_backend: Any = None
    _parallel_config: Any = None
    gathered: Any = None

    def attended(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, *, whole: bool = False
    ) -> Tensor:
        """(B,N,heads,width): the attention output; ``whole``: every process has all keys and values."""
        parallel = None if whole or self.gathered is not None else self._parallel_config
        attended: Any = dispatch_attention_fn(
            query, key, value, attn_mask=mask, backend=self._attention_backend, parallel_config=parallel
        )
        return attended


class CosmosAttention(SplitAttention):
    """Self-attention, and cross-attention to unsplit text. As diffusers' CosmosAttnProcessor2_0."""

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        image_rotary_emb: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """(B,N,C) to the same shape; text (B,L,D)."""
        source = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = _project(attn, hidden_states, source)
        query, key = cast(Any, attn.norm_q)(query), cast(Any, attn.norm_k)(key)
        if image_rotary_emb is not None:
            query, key = (
                apply_rotary_emb(part, image_rotary_emb, use_real=True, use_real_unbind_dim=-2) for part in (query, key)
            )
        query, key, value = (part.transpose(1, 2) for part in (query, key, value))
        crossed = encoder_hidden_states is not None
        if self.gathered is not None and not crossed:
            key, value = self.gathered(key, 0), self.gathered(value, 0)
        attended = self.attended(query, key, value, attention_mask, whole=crossed)
        return _project_out(attn, attended.flatten(2, 3).type_as(query))


class CogVideoXAttention(SplitAttention):
    """Text and video tokens attend to each other. As diffusers' CogVideoXAttnProcessor2_0."""

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        image_rotary_emb: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Video (B,N,C) and text (B,L,C) tokens to the same shapes."""
        words = encoder_hidden_states.shape[1]
        both = torch.cat([encoder_hidden_states, hidden_states], dim=1)
        query, key, value = _project(attn, both, both)
        if attn.norm_q is not None and attn.norm_k is not None:
            query, key = attn.norm_q(query), attn.norm_k(key)
        if image_rotary_emb is not None:
            for part in (query, key):
                part[:, :, words:] = apply_rotary_emb(part[:, :, words:], image_rotary_emb)
        query, key, value = (part.transpose(1, 2) for part in (query, key, value))
        if (gathered := self.gathered) is not None:
            key, value = (
                torch.cat([gathered(part[:, :words], 1), gathered(part[:, words:], 0)], dim=1) for part in (key, value)
            )
        out = _project_out(attn, self.attended(query, key, value, attention_mask).flatten(2, 3))
        return out[:, words:], out[:, :words]


class WanSelfAttention(SplitAttention):
    """Self-attention. As diffusers' WanAttnProcessor for blocks without image tokens."""

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        rotary_emb: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """(B,N,C) to the same shape."""
        query, key = attn.norm_q(attn.to_q(hidden_states)), attn.norm_k(attn.to_k(hidden_states))
        query, key, value = (part.unflatten(2, (attn.heads, -1)) for part in (query, key, attn.to_v(hidden_states)))
        if rotary_emb is not None:
            query, key = _rotate(query, *rotary_emb), _rotate(key, *rotary_emb)
        if self.gathered is not None:
            key, value = self.gathered(key, 0), self.gathered(value, 0)
        attended = self.attended(query, key, value, attention_mask)
        return _project_out(attn, attended.flatten(2, 3).type_as(query))


def _rotate(tokens: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Rotary embedding of (B,N,heads,width), pairs of adjacent channels; angles (1,N,1,width)."""
    first, second = tokens.unflatten(-1, (-1, 2)).unbind(-1)
    cosine, sine = cosines[..., 0::2], sines[..., 1::2]
    turned = torch.stack([first * cosine - second * sine, first * sine + second * cosine], dim=-1)
    return turned.flatten(-2).type_as(tokens)


def _project(attn: Attention, queries: Tensor, others: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values, (B,heads,N,width) each."""
    parts = (
        cast(nn.Linear, attn.to_q)(queries),
        cast(nn.Linear, attn.to_k)(others),
        cast(nn.Linear, attn.to_v)(others),
    )
    query, key, value = (part.unflatten(2, (attn.heads, -1)).transpose(1, 2) for part in parts)
    return query, key, value


def _project_out(attn: Any, attended: Tensor) -> Tensor:
    linear, dropout = cast(nn.ModuleList, attn.to_out)
    return dropout(linear(attended))
