"""DualCamCtrl's two-branch transformer: RGB and depth videos denoised side by side (paper section 3, arXiv 2511.23127).

Both branches share patch embedding, condition embeddings, camera adapter and head; each layer holds one Wan block per branch.
The first layers pass RGB to depth, the middle ones depth to RGB, the last ones nothing.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, cast

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.hooks._helpers import TransformerBlockMetadata, TransformerBlockRegistry
from diffusers.loaders.peft import PeftAdapterMixin
from diffusers.models._modeling_parallel import ContextParallelInput, ContextParallelOutput
from diffusers.models.attention import AttentionMixin
from diffusers.models.cache_utils import CacheMixin
from diffusers.models.modeling_utils import ModelMixin
from diffusers.models.normalization import FP32LayerNorm
from diffusers.models.transformers.transformer_wan import (
    WanRotaryPosEmbed,
    WanTimeTextImageEmbedding,
    WanTransformerBlock,
)
from torch import Tensor, nn

from pipelines.runtime.parallel.attention import WanSelfAttention
from pipelines.runtime.parallel.plans import TokenPlan

TEXT_TOKENS = 512
"""Length of the text context; the attention treats everything before the last 512 tokens as image tokens."""

Grid = tuple[int, int, int]
"""Tokens along time, height and width."""


class CameraAdapter(nn.Module):
    """Packed Plücker rays (B,24,t,H,W) at full resolution to one feature per token (B,C,t,H/16,W/16)."""

    def __init__(self, camera_channels: int, dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(camera_channels * 64, dim, kernel_size=2, stride=2)
        self.conv1 = nn.Conv2d(dim, dim, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(dim, dim, kernel_size=3, padding=1)

    def forward(self, camera: Tensor) -> Tensor:
        batch = camera.shape[0]
        frames = camera.transpose(1, 2).flatten(0, 1)  # (B*t,24,H,W)
        x = self.conv(F.pixel_unshuffle(frames, 8))
        x = x + self.conv2(F.relu(self.conv1(x)))
        return x.unflatten(0, (batch, -1)).transpose(1, 2)


class GatedFusion(nn.Module):
    """The update that one branch adds to the other. The RGB feature is the base in both directions; ``proj_out`` starts at zero.

    Source: paper section 3.3 (SIGMA). Depth-wise convolutions over time and space need the whole video, so under context
    parallelism ``whole`` gathers the tokens and the output is split again.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        mid = max(8, dim // 4)
        self.whole = nn.Identity()
        self.main_embed = nn.Conv3d(dim, mid, 1, bias=False)
        self.control_embed = nn.Conv3d(dim, mid, 1, bias=False)
        self.fuse_pw1 = nn.Conv3d(2 * mid, mid, 1, bias=False)
        self.fuse_temporal = nn.Sequential(
            *(nn.Conv3d(mid, mid, 3, padding=1, groups=mid, bias=False) for _ in range(3))
        )
        self.fuse_pw2 = nn.Conv3d(mid, dim, 1, bias=False)
        self.gate_conv = nn.Conv3d(dim, dim, 1, bias=False)
        self.proj_out = nn.Conv3d(dim, dim, 1, bias=False)
        nn.init.zeros_(self.proj_out.weight)

    def forward(self, rgb: Tensor, depth: Tensor, grid: Grid) -> Tensor:
        """Tokens (B,N,C) of both branches, N = t*h*w, to the update (B,N,C)."""
        x, r = (self.whole(tokens).transpose(1, 2).unflatten(2, grid) for tokens in (rgb, depth))
        z = F.silu(self.fuse_pw1(torch.cat([self.main_embed(x), self.control_embed(r)], dim=1)))
        z = self.fuse_pw2(F.silu(self.fuse_temporal(z)))
        fused = self.proj_out(x + z * torch.sigmoid(self.gate_conv(z)))
        return fused.flatten(2).transpose(1, 2)


class DualBranchBlock(nn.Module):
    """One layer of both branches. Depth goes first and uses RGB from before its own block."""

    def __init__(
        self,
        dim: int,
        ffn_dim: int,
        heads: int,
        *,
        eps: float,
        picture_tokens: bool,
        rgb_to_depth: bool,
        depth_to_rgb: bool,
    ) -> None:
        super().__init__()
        added = dim if picture_tokens else None
        self.rgb = WanTransformerBlock(dim, ffn_dim, heads, cross_attn_norm=True, eps=eps, added_kv_proj_dim=added)
        self.depth = WanTransformerBlock(dim, ffn_dim, heads, cross_attn_norm=True, eps=eps, added_kv_proj_dim=added)
        for branch in (self.rgb, self.depth):
            branch.attn1.set_processor(cast(Any, WanSelfAttention()))
        self.rgb_to_depth = GatedFusion(dim) if rgb_to_depth else None
        self.depth_to_rgb = GatedFusion(dim) if depth_to_rgb else None

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        context: Tensor,
        temb: Tensor,
        rotary_emb: tuple[Tensor, Tensor],
        grid: Grid,
    ) -> tuple[Tensor, Tensor]:
        """RGB and depth tokens (B,N,C), with the argument names that diffusers' step caches expect for two streams."""
        rgb, depth = hidden_states, encoder_hidden_states
        if self.rgb_to_depth is not None:
            depth = depth + self.rgb_to_depth(rgb, depth, grid)
        depth = self.depth(depth, context, temb, rotary_emb)
        if self.depth_to_rgb is not None:
            rgb = rgb + self.depth_to_rgb(rgb, depth, grid)
        rgb = self.rgb(rgb, context, temb, rotary_emb)
        return rgb, depth


TransformerBlockRegistry.register(
    model_class=DualBranchBlock,
    metadata=TransformerBlockMetadata(return_hidden_states_index=0, return_encoder_hidden_states_index=1),
)


class DualCamCtrlTransformer(ModelMixin, ConfigMixin, PeftAdapterMixin, CacheMixin, AttentionMixin):
    """The denoiser. Defaults are the released size: 3.25 billion parameters.

    ``rgb_to_depth`` and ``depth_to_rgb`` list the layers at which one branch is added to the other.
    """

    _supports_gradient_checkpointing = True
    _skip_layerwise_casting_patterns: ClassVar = ["patch_embedding", "condition_embedder", "camera_adapter", "norm"]
    _no_split_modules: ClassVar = ["DualBranchBlock"]
    _repeated_blocks: ClassVar = ["DualBranchBlock"]
    _keep_in_fp32_modules: ClassVar = ["rope", "time_embedder", "scale_shift_table", "norm1", "norm2", "norm3"]

    @register_to_config
    def __init__(
        self,
        patch_size: tuple[int, int, int] = (1, 2, 2),
        num_attention_heads: int = 12,
        attention_head_dim: int = 128,
        in_channels: int = 32,
        out_channels: int = 16,
        text_dim: int = 4096,
        freq_dim: int = 256,
        ffn_dim: int = 8960,
        num_layers: int = 30,
        eps: float = 1e-6,
        image_dim: int | None = 1280,
        camera_channels: int = 24,
        rgb_to_depth: tuple[int, ...] = tuple(range(5)),
        depth_to_rgb: tuple[int, ...] = tuple(range(5, 15)),
    ) -> None:
        super().__init__()
        dim = num_attention_heads * attention_head_dim
        self.rope = WanRotaryPosEmbed(attention_head_dim, patch_size, 1024)
        self.patch_embedding = nn.Conv3d(in_channels, dim, kernel_size=patch_size, stride=patch_size)
        self.camera_adapter = CameraAdapter(camera_channels, dim)
        self.condition_embedder = WanTimeTextImageEmbedding(dim, freq_dim, dim * 6, text_dim, image_dim)
        self.branch_tokens = nn.Identity()
        self.blocks = nn.ModuleList(
            DualBranchBlock(
                dim,
                ffn_dim,
                num_attention_heads,
                eps=eps,
                picture_tokens=image_dim is not None,
                rgb_to_depth=layer in rgb_to_depth,
                depth_to_rgb=layer in depth_to_rgb,
            )
            for layer in range(num_layers)
        )
        self.norm_out = FP32LayerNorm(dim, eps, elementwise_affine=False)
        self.proj_out = nn.Linear(dim, out_channels * math.prod(patch_size))
        self.scale_shift_table = nn.Parameter(torch.randn(1, 2, dim) / dim**0.5)
        self.gradient_checkpointing = False
        self._cp_plan = _context_parallel_plan(rgb_to_depth, depth_to_rgb)
        self.parallel_plan = TokenPlan(self._cp_plan, _sequence_lengths, num_attention_heads)

    def forward(
        self,
        hidden_states: Tensor,
        depth_hidden_states: Tensor,
        timestep: Tensor,
        encoder_hidden_states: Tensor,
        encoder_hidden_states_image: Tensor | None = None,
        camera: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Velocities of the RGB and of the depth latents, (B,16,t,H/8,W/8) each.

        ``hidden_states``, ``depth_hidden_states``: (B,32,t,H/8,W/8), noisy latents and picture latents concatenated along the
        channels. ``timestep``: (1,) or (B,), 0 to 1000. ``encoder_hidden_states``: (B,512,text_dim) text.
        ``encoder_hidden_states_image``: (B,257,image_dim) image tokens. ``camera``: (B,24,t,H,W) packed rays, or None.
        """
        if encoder_hidden_states.shape[1] != TEXT_TOKENS:
            raise ValueError(f"text must have {TEXT_TOKENS} tokens, got {encoder_hidden_states.shape[1]}")
        temb, modulation, text, picture = self.condition_embedder(
            timestep, encoder_hidden_states, encoder_hidden_states_image
        )
        modulation = modulation.unflatten(1, (6, -1))
        context = text if picture is None else torch.cat([picture, text], dim=1)
        rotary_emb = self.rope(hidden_states)

        camera_feature = 0 if camera is None else self.camera_adapter(camera)
        rgb, grid = self._tokens(hidden_states, camera_feature)
        depth, _ = self._tokens(depth_hidden_states, camera_feature)
        for block in self.blocks:
            if torch.is_grad_enabled() and self.gradient_checkpointing:
                rgb, depth = cast(Any, self._gradient_checkpointing_func)(
                    block, rgb, depth, context, modulation, rotary_emb, grid
                )
            else:
                rgb, depth = block(rgb, depth, context, modulation, rotary_emb, grid)
        return self._head(rgb, temb, grid), self._head(depth, temb, grid)

    def renew_fusions(self) -> None:
        """Replace the fusion modules by newly initialised ones; they add nothing until trained."""
        dim = self.proj_out.in_features
        for block in self.blocks:
            for name in ("rgb_to_depth", "depth_to_rgb"):
                if getattr(block, name) is not None:
                    setattr(block, name, GatedFusion(dim))

    def _tokens(self, latents: Tensor, camera_feature: Tensor | int) -> tuple[Tensor, Grid]:
        """(B,32,t,H/8,W/8) to (B,N,C), ordered by time, row, column; context parallelism splits these tokens."""
        volume = self.patch_embedding(latents) + camera_feature
        grid = (volume.shape[2], volume.shape[3], volume.shape[4])
        return self.branch_tokens(volume.flatten(2).transpose(1, 2).contiguous()), grid

    def _head(self, tokens: Tensor, temb: Tensor, grid: Grid) -> Tensor:
        """(B,N,C) to (B,16,t,H/8,W/8)."""
        shift, scale = (self.scale_shift_table.to(temb.device) + temb.unsqueeze(1)).chunk(2, dim=1)
        tokens = (self.norm_out(tokens.float()) * (1 + scale) + shift).type_as(tokens)
        patches = self.proj_out(tokens).unflatten(1, grid).unflatten(-1, (*self.patch_embedding.kernel_size, -1))
        latents = patches.permute(0, 7, 1, 4, 2, 5, 3, 6)  # (B,16,t,pt,h,ph,w,pw)
        return latents.flatten(6, 7).flatten(4, 5).flatten(2, 3)


def _sequence_lengths(hidden_states: Tensor, *_: Any, **__: Any) -> tuple[int]:
    return (hidden_states[0, 0].numel() // 4,)


def _context_parallel_plan(rgb_to_depth: tuple[int, ...], depth_to_rgb: tuple[int, ...]) -> dict[str, Any]:
    """Tokens are split after the patch embedding and gathered at the head; fusions use the whole video."""
    split = {0: ContextParallelInput(split_dim=1, expected_dims=3, split_output=True)}
    split_rotary = ContextParallelInput(split_dim=1, expected_dims=4, split_output=True)
    gather = ContextParallelOutput(gather_dim=1, expected_dims=3)
    plan: dict[str, Any] = {"rope": {0: split_rotary, 1: split_rotary}, "branch_tokens": split, "proj_out": gather}
    fusions = [f"blocks.{layer}.rgb_to_depth" for layer in rgb_to_depth]
    fusions += [f"blocks.{layer}.depth_to_rgb" for layer in depth_to_rgb]
    for fusion in fusions:
        plan |= {fusion: split, f"{fusion}.whole": gather}
    return plan
