"""Encodes prompts for SDXL: the concatenated second-to-last layers of two CLIP encoders, and the second one's pooled output."""

from __future__ import annotations

from typing import Any

import torch

from pipelines.methods.i2v3d.keyframes.sampling import PromptEmbeddings
from pipelines.methods.i2v3d.load import KeyframeNetworks


def encode(networks: KeyframeNetworks, prompts: list[str], device: torch.device) -> PromptEmbeddings:
    """One row per prompt, 77 tokens each; longer prompts are cut off. Differentiable with respect to the encoders' LoRA."""
    hidden, pooled = [], None
    pairs: list[tuple[Any, Any]] = [
        (networks.tokenizer, networks.text_encoder),
        (networks.tokenizer_2, networks.text_encoder_2),
    ]
    for tokenizer, encoder in pairs:
        tokens = tokenizer(prompts, padding="max_length", max_length=77, truncation=True, return_tensors="pt")
        read = encoder(tokens.input_ids.to(device), output_hidden_states=True)
        hidden.append(read.hidden_states[-2])
        pooled = getattr(read, "text_embeds", None)
    assert pooled is not None
    return PromptEmbeddings(torch.cat(hidden, dim=-1), pooled)


def tokens_too_many(networks: KeyframeNetworks, prompt: str) -> int:
    """The number of tokens of a prompt that are cut off."""
    tokenizer: Any = networks.tokenizer
    return max(0, len(tokenizer(prompt, truncation=False).input_ids) - 77)
