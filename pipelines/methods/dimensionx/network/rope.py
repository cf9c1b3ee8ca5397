"""Rotary position tables for a transformer's own geometry, in both generations of CogVideoX."""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.embeddings import get_3d_rotary_pos_embed
from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXTransformer3DModel
from diffusers.pipelines.cogvideo.pipeline_cogvideox import get_resize_crop_region_for_grid
from torch import Tensor

SPATIAL = 8
"""Pixels per latent."""


def rotary_tables(
    transformer: CogVideoXTransformer3DModel, latent_frames: int, height: int, width: int, *, device: torch.device | str
) -> tuple[Tensor, Tensor] | None:
    """Cosine and sine, each (patches, head width), for a clip of ``height`` x ``width`` pixels; None without rotary tables.

    Positions are whole numbers only if the transformer's sample size equals the clip's; otherwise diffusers stretches them,
    which the 360 degree orbit was not trained with.
    """
    config: Any = transformer.config
    where = torch.device(device)
    if not config.use_rotary_positional_embeddings:
        return None
    patch, patch_t = config.patch_size, config.patch_size_t
    grid = (height // (SPATIAL * patch), width // (SPATIAL * patch))
    base = (config.sample_height // patch, config.sample_width // patch)
    if patch_t is None:
        tables: Any = get_3d_rotary_pos_embed(
            embed_dim=config.attention_head_dim,
            crops_coords=get_resize_crop_region_for_grid(grid, base[1], base[0]),
            grid_size=grid,
            temporal_size=latent_frames,
            device=where,
        )
    else:
        tables = get_3d_rotary_pos_embed(
            embed_dim=config.attention_head_dim,
            crops_coords=None,
            grid_size=grid,
            temporal_size=(latent_frames + patch_t - 1) // patch_t,
            grid_type="slice",
            max_size=base,
            device=where,
        )
    return tables
