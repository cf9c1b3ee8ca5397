"""GenXD's two building blocks: each works per picture, across views and over time, and blends the three results.

Both contain the parts of Stable Video Diffusion's blocks and add the part across views, so that names and shapes of those
parts stay the same. ``indicator`` (B,F) says per frame which results are blended: 0 views, 1 time, 2 both; None is 0 for all
frames and skips the temporal part. Source: arXiv 2411.02319, section 4; ``models/{resnet,transformers}.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from diffusers.models.attention import TemporalBasicTransformerBlock
from diffusers.models.attention_dispatch import dispatch_attention_fn
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import SpatioTemporalResBlock, TemporalResnetBlock
from diffusers.models.transformers.transformer_temporal import TransformerSpatioTemporalModel
from torch import Tensor, nn

MULTIVIEW, VIDEO, BOTH = 0, 1, 2
"""Values of ``indicator``."""


class Blend(nn.Module):
    """g * (a * spatial + (1 - a) * multiview) + (1 - g) * temporal; a and g are learned, g is 1 or 0 unless both move."""

    def __init__(self) -> None:
        super().__init__()
        self.spatial_mv_factor = nn.Parameter(torch.tensor([0.5]))
        self.gamma = nn.Parameter(torch.tensor([5.0]))

    def views(self, spatial: Tensor, multiview: Tensor) -> Tensor:
        return torch.lerp(multiview, spatial, self.spatial_mv_factor.sigmoid().to(spatial.dtype))

    def weight_of_views(self, indicator: Tensor) -> Tensor:
        """g in the shape of ``indicator``, in the dtype of the factors."""
        learned = self.gamma.sigmoid().expand(indicator.shape)
        return torch.where(indicator == BOTH, learned, (indicator == MULTIVIEW).to(learned.dtype))


class DispatchedAttention:
    """Self-attention through diffusers' choice of kernels; scaled_dot_product_attention unless another is set.

    The multiview blocks attend over 12288 tokens at once, which is impossible for kernels that store the whole matrix.
    """

    _attention_backend = None
    of_all_frames: Callable[[Tensor], Tensor] | None = None
    """If frames are split between GPUs: gathers this process's keys or values (B,N,heads,width) from all processes."""

    def __call__(self, attn: Attention, hidden_states: Tensor, **_: object) -> Tensor:
        """(B,N,C) to the same shape."""
        projections = cast(tuple[nn.Linear, ...], (attn.to_q, attn.to_k, attn.to_v))
        query, key, value = (project(hidden_states).unflatten(-1, (attn.heads, -1)) for project in projections)
        if self.of_all_frames is not None:
            key, value = self.of_all_frames(key), self.of_all_frames(value)
        attended = dispatch_attention_fn(query, key, value, backend=self._attention_backend)
        out, dropout = cast(nn.ModuleList, attn.to_out)
        return dropout(out(attended.flatten(2).to(hidden_states.dtype)))


class CascadeResBlock(nn.Module):
    """Residual convolutions: 3x3 per frame, 3 along the views, 3 along time."""

    def __init__(self, block: SpatioTemporalResBlock) -> None:
        super().__init__()
        self.spatial_res_block = block.spatial_res_block
        self.temporal_res_block = block.temporal_res_block
        channels = block.temporal_res_block.out_channels
        self.time_channels = cast(nn.Linear, block.spatial_res_block.time_emb_proj).in_features
        self.mv_res_block = TemporalResnetBlock(
            channels, channels, temb_channels=self.time_channels, eps=block.temporal_res_block.norm1.eps
        )
        self.time_mixer = Blend()

    def forward(self, hidden_states: Tensor, temb: Tensor, image_only_indicator: tuple[int, Tensor | None]) -> Tensor:
        """(B*F,C,h,w) and ``temb`` (B*F,T) or (B*F,2T) to (B*F,C',h,w).

        The second half of a wide ``temb`` is the motion embedding; only the temporal part uses it, without the first half.
        """
        frames, indicator = image_only_indicator
        time, motion = temb[:, : self.time_channels], temb[:, -self.time_channels :]
        spatial = _split_frames(self.spatial_res_block(hidden_states, time), frames)
        multiview = self.mv_res_block(spatial, time.unflatten(0, (-1, frames)))
        mixed = self.time_mixer.views(spatial, multiview)
        if indicator is not None:
            temporal = self.temporal_res_block(multiview, motion.unflatten(0, (-1, frames)))
            weight = self.time_mixer.weight_of_views(indicator)[:, None, :, None, None]
            mixed = torch.lerp(temporal, mixed, weight.to(mixed.dtype))
        return mixed.transpose(1, 2).flatten(0, 1)


class CascadeTransformer(nn.Module):
    """Attention: within a frame, over all pixels of all frames, and per pixel along time."""

    def __init__(self, model: TransformerSpatioTemporalModel) -> None:
        super().__init__()
        self.norm, self.proj_in, self.proj_out = model.norm, model.proj_in, model.proj_out
        self.transformer_blocks = model.transformer_blocks
        self.temporal_transformer_blocks = model.temporal_transformer_blocks
        width, heads = model.inner_dim, model.num_attention_heads
        self.multiview_transformer_blocks = nn.ModuleList(
            TemporalBasicTransformerBlock(width, width, heads, model.attention_head_dim)
            for _ in model.transformer_blocks
        )
        self.time_proj, self.time_pos_embed = model.time_proj, model.time_pos_embed
        self.time_mixer = Blend()
        for module in self.modules():
            if isinstance(module, Attention):
                module.set_processor(cast(Any, DispatchedAttention()))

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: None,
        image_only_indicator: tuple[int, Tensor | None],
        return_dict: bool = False,
    ) -> tuple[Tensor]:
        """(B*F,C,h,w) to the same shape, in a tuple as diffusers' containers expect."""
        frames, indicator = image_only_indicator
        height, width = hidden_states.shape[-2:]
        tokens = self.proj_in(self.norm(hidden_states).flatten(2).transpose(1, 2))  # (B*F, h*w, C)
        layers = zip(self.transformer_blocks, self.multiview_transformer_blocks, self.temporal_transformer_blocks)
        for in_frame, across_views, in_time in layers:
            spatial = in_frame(tokens)
            multiview = _attend_all_frames(across_views, spatial, frames)
            tokens = self.time_mixer.views(spatial, multiview)
            if indicator is not None:
                temporal = in_time(multiview + self._frame_embedding(frames, multiview), num_frames=frames)
                weight = self.time_mixer.weight_of_views(indicator).flatten()[:, None, None]
                tokens = torch.lerp(temporal, tokens, weight.to(tokens.dtype))
        change = self.proj_out(tokens).transpose(1, 2).unflatten(2, (height, width))
        return (hidden_states + change,)

    def _frame_embedding(self, frames: int, like: Tensor) -> Tensor:
        """(B*F,1,C): embedding of the frame numbers."""
        numbers = torch.arange(frames, device=like.device).repeat(len(like) // frames)
        return self.time_pos_embed(self.time_proj(numbers).to(like.dtype))[:, None]


def _split_frames(hidden_states: Tensor, frames: int) -> Tensor:
    """(B*F,C,h,w) to (B,C,F,h,w)."""
    return hidden_states.unflatten(0, (-1, frames)).transpose(1, 2)


def _attend_all_frames(block: nn.Module, tokens: Tensor, frames: int) -> Tensor:
    """``block`` over (B*F,h*w,C) as one sequence of F*h*w tokens per sample.

    The block attends along its frames at each pixel; here every token of every frame is a "frame" of one pixel.
    """
    pixels = tokens.shape[1]
    return block(tokens.flatten(0, 1)[:, None], num_frames=frames * pixels).view_as(tokens)
