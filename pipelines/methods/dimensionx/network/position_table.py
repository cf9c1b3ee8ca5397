"""The learned position table of the image-to-video transformer, for clips shorter than it was trained for."""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.embeddings import CogVideoXPatchEmbed
from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXTransformer3DModel
from torch import Tensor

from camera.errors import InputError


class FirstRowsOfTable(CogVideoXPatchEmbed):
    """Uses the first rows of the table for fewer frames, as the original training code does.

    diffusers silently replaces it with a sine table, which the network was not trained with.
    """

    def _get_positional_embeddings(
        self, sample_height: int, sample_width: int, sample_frames: int, device: torch.device | None = None
    ) -> Tensor:
        """The table, (1, text tokens + patches, width)."""
        patches = (sample_height // self.patch_size) * (sample_width // self.patch_size)
        table: Any = self.pos_embedding
        rows = self.max_text_seq_length + patches * ((sample_frames - 1) // self.temporal_compression_ratio + 1)
        if rows > table.shape[1]:
            raise InputError(f"This model was trained for {self.sample_frames} frames; {sample_frames} are too many.")
        return table[:, :rows].to(device)


def use_first_rows(transformer: CogVideoXTransformer3DModel) -> None:
    """Make a transformer with a learned table use the table's first rows; leaves other transformers unchanged."""
    config: Any = transformer.config
    if config.use_learned_positional_embeddings:
        transformer.patch_embed.__class__ = FirstRowsOfTable
