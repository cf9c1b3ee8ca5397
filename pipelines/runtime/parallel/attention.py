"""Attention of diffusers' blocks whose own processors know no context parallelism, with the same numbers otherwise.

Without ``_parallel_config`` a processor is accepted by `enable_parallelism` all the same, and every process attends to its own
tokens only.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from diffusers.models import embeddings
from diffusers.models.attention_dispatch import dispatch_attention_fn
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn

apply_rotary_emb: Any = embeddings.apply_rotary_emb


class CosmosAttention:
    """Self-attention, and cross-attention to text that every process has whole. As diffusers' CosmosAttnProcessor2_0."""

    _attention_backend: Any = None
    _parallel_config: Any = None

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
        query, key, value = _projected(attn, hidden_states, source)
        query, key = cast(Any, attn.norm_q)(query), cast(Any, attn.norm_k)(key)
        if image_rotary_emb is not None:
            query, key = (
                apply_rotary_emb(part, image_rotary_emb, use_real=True, use_real_unbind_dim=-2) for part in (query, key)
            )
        attended: Any = dispatch_attention_fn(
            *(part.transpose(1, 2) for part in (query, key, value)),
            attn_mask=attention_mask,
            backend=self._attention_backend,
            parallel_config=self._parallel_config if encoder_hidden_states is None else None,
        )
        return _out(attn, attended.flatten(2, 3).type_as(query))


class CogVideoXAttention:
    """Text and video tokens attend to each other. As diffusers' CogVideoXAttnProcessor2_0."""

    _attention_backend: Any = None
    _parallel_config: Any = None

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
        query, key, value = _projected(attn, both, both)
        if attn.norm_q is not None and attn.norm_k is not None:
            query, key = attn.norm_q(query), attn.norm_k(key)
        if image_rotary_emb is not None:
            for part in (query, key):
                part[:, :, words:] = apply_rotary_emb(part[:, :, words:], image_rotary_emb)
        attended: Any = dispatch_attention_fn(
            *(part.transpose(1, 2) for part in (query, key, value)),
            attn_mask=attention_mask,
            backend=self._attention_backend,
            parallel_config=self._parallel_config,
        )
        out = _out(attn, attended.flatten(2, 3))
        return out[:, words:], out[:, :words]


def _projected(attn: Attention, queries: Tensor, others: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(B,heads,N,width) each."""
    parts = (
        cast(nn.Linear, attn.to_q)(queries),
        cast(nn.Linear, attn.to_k)(others),
        cast(nn.Linear, attn.to_v)(others),
    )
    query, key, value = (part.unflatten(2, (attn.heads, -1)).transpose(1, 2) for part in parts)
    return query, key, value


def _out(attn: Attention, attended: Tensor) -> Tensor:
    linear, dropout = cast(nn.ModuleList, attn.to_out)
    return dropout(linear(attended))
