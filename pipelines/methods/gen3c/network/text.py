"""Encodes prompts for the denoiser: T5 embeddings of 512 tokens, zero after the end of the text."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase, T5EncoderModel

TOKENS = 512
_PAD = 0
"""T5's padding token; padded positions are masked out."""


@torch.inference_mode()
def encode_text(
    tokenizer: PreTrainedTokenizerBase, encoder: T5EncoderModel, prompt: str, *, device: torch.device
) -> tuple[Tensor, int]:
    """(1,512,D) embeddings, and the number of prompt tokens that did not fit. The empty prompt is one end token."""
    ids = tokenizer(prompt).input_ids
    truncated = torch.tensor([ids if len(ids) <= TOKENS else [*ids[: TOKENS - 1], ids[-1]]], device=device)
    padded = torch.full((1, TOKENS), _PAD, device=device)
    padded[:, : truncated.shape[1]] = truncated
    mask = (torch.arange(TOKENS, device=device) < truncated.shape[1])[None]
    embedded = encoder(padded, attention_mask=mask).last_hidden_state
    return embedded * mask[..., None], max(len(ids) - TOKENS, 0)
