"""GEN3C's denoiser: Cosmos-Predict1-7B Video2World with 64 more input channels, from diffusers' Cosmos parts.

`CosmosTransformer3DModel` itself is not used: it needs torchvision and supports neither another rotary precision nor step caches.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.hooks._helpers import TransformerBlockMetadata, TransformerBlockRegistry
from diffusers.loaders.peft import PeftAdapterMixin
from diffusers.models._modeling_parallel import ContextParallelInput, ContextParallelOutput
from diffusers.models.attention_processor import Attention
from diffusers.models.cache_utils import CacheMixin
from diffusers.models.modeling_utils import ModelMixin
from diffusers.models.transformers.transformer_cosmos import (
    CosmosAdaLayerNorm,
    CosmosEmbedding,
    CosmosLearnablePositionalEmbed,
    CosmosPatchEmbed,
    CosmosTransformerBlock,
)
from torch import Tensor, nn

from pipelines.runtime.parallel.attention import CosmosAttention
from pipelines.runtime.parallel.plans import TokenPlan

LATENT, MASK, POSE, PADDING = 16, 1, 64, 1
"""Input channels in this order: noisy latent, mask of the given frames, cache renders, padding."""

PATCH = (1, 2, 2)
TRAINED_FPS = 24
TIME_RATIO = 2.0

TransformerBlockRegistry.register(
    CosmosTransformerBlock,
    TransformerBlockMetadata(return_hidden_states_index=0),
)


class Gen3cTransformer(ModelMixin, ConfigMixin, PeftAdapterMixin, CacheMixin):
    """Predicts the EDM-preconditioned output for a noisy latent video (general_dit_video_conditioned.py).

    Defaults are the published network: 570 tensors, 7,237,257,216 parameters. ``max_size``: largest latent (frames, height,
    width) that the learned positions cover.
    """

    _no_split_modules: ClassVar = ["CosmosTransformerBlock"]
    _repeated_blocks: ClassVar = ["CosmosTransformerBlock"]
    _skip_layerwise_casting_patterns: ClassVar = ["patch_embed", "learnable_pos_embed", "time_embed", "norm"]
    _cp_plan: ClassVar = {
        "rope": {number: ContextParallelInput(0, 2, split_output=True) for number in (0, 1)},
        "learnable_pos_embed": {0: ContextParallelInput(1, 3, split_output=True)},
        "transformer_blocks.0": {"hidden_states": ContextParallelInput(1, 3)},
        "proj_out": ContextParallelOutput(1, 3),
    }
    """Tokens of all frames are one sequence in frame order, so a process's share covers consecutive frames."""

    @register_to_config
    def __init__(
        self,
        num_attention_heads: int = 32,
        attention_head_dim: int = 128,
        num_layers: int = 28,
        text_embed_dim: int = 1024,
        adaln_lora_dim: int = 256,
        max_size: tuple[int, int, int] = (128, 240, 240),
    ) -> None:
        super().__init__()
        width = num_attention_heads * attention_head_dim
        self.patch_embed = CosmosPatchEmbed(LATENT + MASK + POSE + PADDING, width, PATCH, bias=False)
        self.rope = RotaryAngles(attention_head_dim)
        self.learnable_pos_embed = CosmosLearnablePositionalEmbed(width, max_size=max_size, patch_size=PATCH)
        self.time_embed = CosmosEmbedding(width, width)
        self.transformer_blocks = nn.ModuleList(
            CosmosTransformerBlock(
                num_attention_heads=num_attention_heads,
                attention_head_dim=attention_head_dim,
                cross_attention_dim=text_embed_dim,
                adaln_lora_dim=adaln_lora_dim,
            )
            for _ in range(num_layers)
        )
        self.norm_out = CosmosAdaLayerNorm(width, adaln_lora_dim)
        self.proj_out = nn.Linear(width, PATCH[1] * PATCH[2] * LATENT, bias=False)
        for module in self.modules():
            if isinstance(module, Attention):
                module.set_processor(CosmosAttention())  # type: ignore[arg-type]
        self.parallel_plan = TokenPlan(self._cp_plan, _sequence_lengths, num_attention_heads)

    def forward(
        self,
        latents: Tensor,
        timestep: Tensor,
        text: Tensor,
        input_mask: Tensor,
        pose: Tensor,
        *,
        fps: float = TRAINED_FPS,
        padding_mask: Tensor | None = None,
        rope_dtype: torch.dtype = torch.float32,
    ) -> Tensor:
        """(B,16,t,h,w) from ``latents`` (B,16,t,h,w), ``timestep`` (B,), ``text`` (B,L,1024), ``input_mask`` (B,1,t,h,w),
        ``pose`` (B,64,t,h,w) and an optional ``padding_mask`` (B,1,H,W), 1 where the picture is padding.

        ``rope_dtype``: precision of the rotary frequencies; upstream's inference rounds them to bfloat16.
        """
        padding = _padding_channel(padding_mask, latents)
        x = self.patch_embed(torch.cat([latents, input_mask, pose, padding], dim=1))  # (B,t,h/2,w/2,D)
        grid = x.shape[1:4]
        x = x.flatten(1, 3)
        positions = self.learnable_pos_embed(latents)
        angles = self.rope(grid, fps, x.device, rope_dtype)
        modulation, embedded_time = self.time_embed(x, timestep)
        for block in self.transformer_blocks:
            x = block(x, text, embedded_time, modulation, angles, positions)
        x = self.proj_out(self.norm_out(x, embedded_time, modulation))
        return _unpatch(x, grid)


def _sequence_lengths(latents: Tensor, *_: Any, **__: Any) -> tuple[int]:
    return (latents[0, 0].numel() // (PATCH[1] * PATCH[2]),)


class RotaryAngles(nn.Module):
    """Cosines and sines for rotary attention over (frame, row, column); holds no weights."""

    def __init__(self, head_dim: int) -> None:
        super().__init__()
        self.space_dim = head_dim // 6 * 2
        self.time_dim = head_dim - 2 * self.space_dim

    def forward(
        self, grid: tuple[int, int, int], fps: float, device: torch.device, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """Cosines and sines, two (frames*rows*columns, head_dim) float32 tensors."""
        frames, rows, columns = grid
        of_time, of_rows, of_columns = self.tables(grid, fps, device, dtype)
        angles = torch.cat(
            [
                of_time[:, None, None].expand(-1, rows, columns, -1),
                of_rows[None, :, None].expand(frames, -1, columns, -1),
                of_columns[None, None].expand(frames, rows, -1, -1),
            ],
            dim=-1,
        )
        angles = torch.cat([angles, angles], dim=-1).flatten(0, 2)
        return angles.cos(), angles.sin()

    def tables(
        self, grid: tuple[int, int, int], fps: float, device: torch.device, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Angles (positions, dim/2) of time, rows and columns, computed in ``dtype`` and returned in float32."""
        frames, rows, columns = (torch.arange(size, device=device).to(dtype) for size in grid)
        time_ratio = TIME_RATIO ** (self.time_dim / (self.time_dim - 2))
        space = _frequencies(self.space_dim, 1.0, device, dtype)
        time = _frequencies(self.time_dim, time_ratio, device, dtype)
        of_time = torch.outer(frames / fps * TRAINED_FPS, time)
        return of_time.float(), torch.outer(rows, space).float(), torch.outer(columns, space).float()


def _frequencies(dim: int, ratio: float, device: torch.device, dtype: torch.dtype) -> Tensor:
    exponents = torch.arange(0, dim, 2, device=device, dtype=torch.float32) / dim
    return 1 / (10000 * ratio) ** exponents.to(dtype)


def _padding_channel(padding_mask: Tensor | None, latents: Tensor) -> Tensor:
    """(B,1,t,h,w): the padding mask at the latent's size, by nearest pixel; zeros without a mask."""
    batch, _, frames, height, width = latents.shape
    if padding_mask is None:
        return latents.new_zeros(batch, 1, frames, height, width)
    small = F.interpolate(padding_mask.to(latents.dtype), size=(height, width), mode="nearest")
    return small[:, :, None].expand(batch, 1, frames, height, width)


def _unpatch(x: Tensor, grid: tuple[int, int, int]) -> Tensor:
    """(B,16,t,h,w) from tokens (B,t*h/2*w/2,2*2*16); inside a token the order is row, column, channel."""
    x = x.unflatten(2, (PATCH[1], PATCH[2], LATENT)).unflatten(1, grid)  # (B,t,y,x,2,2,16)
    return x.permute(0, 6, 1, 2, 4, 3, 5).flatten(5, 6).flatten(3, 4)
