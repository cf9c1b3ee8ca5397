"""GenXD's denoiser: Stable Video Diffusion's UNet with a view branch in every block and 15 input channels.

Source: arXiv 2411.02319; ``models/unet_4d.py`` and ``models/unet_cascade_4d_motion.json`` of the original code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from diffusers.models.modeling_utils import ModelMixin
from diffusers.models.unets.unet_3d_blocks import (
    CrossAttnDownBlockSpatioTemporal,
    CrossAttnUpBlockSpatioTemporal,
    DownBlockSpatioTemporal,
    UNetMidBlockSpatioTemporal,
    UpBlockSpatioTemporal,
)
from torch import Tensor, nn

from pipelines.methods.genxd.network.blocks import MULTIVIEW, CascadeResBlock, CascadeTransformer
from pipelines.runtime.parallel.plans import FramePlan

DOWN = "CrossAttnDownBlockMVCascadeTemporal"
DOWN_PLAIN = "DownBlockMVCascadeTemporal"
UP = "CrossAttnUpBlockMVCascadeTemporal"
UP_PLAIN = "UpBlockMVCascadeTemporal"
"""Block names of the published configuration (despite the name "CrossAttn", no block attends to text or a picture)."""


class GenXDUNet(ModelMixin, ConfigMixin):
    """The network. Arguments are the keys of the published configuration; values of other variants raise an error.

    ``sample_size`` and ``num_frames`` exist only for the configuration; the network accepts any.
    """

    _no_split_modules = ("CascadeResBlock", "CascadeTransformer")
    _repeated_blocks = ("CascadeTransformer", "CascadeResBlock")
    parallel_plan = FramePlan({"sample": 1, "added_time_ids": 1}, branches=True)

    @register_to_config
    def __init__(
        self,
        *,
        sample_size: int = 96,
        in_channels: int = 15,
        out_channels: int = 4,
        down_block_types: Sequence[str] = (DOWN, DOWN, DOWN, DOWN_PLAIN),
        up_block_types: Sequence[str] = (UP_PLAIN, UP, UP, UP),
        block_out_channels: Sequence[int] = (320, 640, 1280, 1280),
        addition_time_embed_dim: int = 256,
        projection_class_embeddings_input_dim: int = 512,
        layers_per_block: int = 2,
        cross_attention_dim: None = None,
        transformer_layers_per_block: int = 1,
        num_attention_heads: Sequence[int] = (5, 10, 20, 20),
        num_frames: int = 8,
        camera_embedding_dim: int = -1,
        uncertainty_condition: bool = False,
        camera_add_time: bool = False,
        ray_condition: bool = True,
        scale_add_time: bool = False,
        motion_condition: bool = True,
    ) -> None:
        super().__init__()
        other = cross_attention_dim is not None or camera_embedding_dim > 0 or not (ray_condition and motion_condition)
        if other or uncertainty_condition or camera_add_time or scale_add_time:
            raise ValueError(
                "this configuration is of a GenXD variant that was not published; expected rays and motion"
            )
        widths = tuple(block_out_channels)
        time = widths[0] * 4
        self.conv_in = nn.Conv2d(in_channels, widths[0], 3, padding=1)
        self.time_proj = Timesteps(widths[0], True, downscale_freq_shift=0)
        self.time_embedding = TimestepEmbedding(widths[0], time)
        self.add_time_proj = Timesteps(addition_time_embed_dim, True, downscale_freq_shift=0)
        self.add_embedding = TimestepEmbedding(projection_class_embeddings_input_dim, time)
        self.motion_embedding = TimestepEmbedding(widths[0], time)

        layers = {"num_layers": layers_per_block, "temb_channels": time}
        attention = {"transformer_layers_per_block": transformer_layers_per_block, "cross_attention_dim": None}
        last = len(widths) - 1
        self.down_blocks = nn.ModuleList()
        for i, kind in enumerate(down_block_types):
            sides = {"in_channels": widths[max(i - 1, 0)], "out_channels": widths[i], "add_downsample": i != last}
            attending = {"num_attention_heads": num_attention_heads[i], **attention}
            self.down_blocks.append(_down_block(kind, sides | layers, attending))
        self.mid_block = UNetMidBlockSpatioTemporal(
            widths[-1], temb_channels=time, num_attention_heads=num_attention_heads[-1], **attention
        )
        layers["num_layers"] += 1
        self.up_blocks = nn.ModuleList()
        for i, kind in zip(range(last, -1, -1), up_block_types):
            sides = {"in_channels": widths[max(i - 1, 0)], "out_channels": widths[i], "add_upsample": i != 0}
            sides["prev_output_channel"] = widths[min(i + 1, last)]
            attending = {"num_attention_heads": num_attention_heads[i], **attention}
            self.up_blocks.append(_up_block(kind, sides | layers, attending))
        for block in (*self.down_blocks, self.mid_block, *self.up_blocks):
            _cascade(block)
        self.conv_norm_out = nn.GroupNorm(32, widths[0], eps=1e-5)
        self.conv_act = nn.SiLU()
        self.conv_out = nn.Conv2d(widths[0], out_channels, 3, padding=1)

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor,
        *,
        added_time_ids: Tensor,
        indicator: Tensor,
        motion_ids: Tensor | None = None,
    ) -> Tensor:
        """``sample`` (B,F,15,h,w): latent 4, zeros 4, rays 6, mask 1; ``timestep`` scalar; ``added_time_ids`` (B,F,2);
        ``indicator`` (B,) 0 views, 1 video, 2 both; ``motion_ids`` (B,). Returns (B,F,4,h,w).
        """
        batch, frames = sample.shape[:2]
        temb = self._embedding(timestep, added_time_ids, motion_ids, sample)
        views_only = bool((indicator == MULTIVIEW).all())
        per_frame = (frames, None if views_only else indicator[:, None].expand(batch, frames))
        hidden = self.conv_in(sample.flatten(0, 1))
        skips = (hidden,)
        for block in self.down_blocks:
            hidden, more = block(hidden, temb=temb, image_only_indicator=per_frame)
            skips += more
        hidden = self.mid_block(hidden, temb=temb, image_only_indicator=per_frame)
        for block in cast(Any, self.up_blocks):
            count = len(block.resnets)
            hidden = block(hidden, skips[-count:], temb=temb, image_only_indicator=per_frame)
            skips = skips[:-count]
        return self.conv_out(self.conv_act(self.conv_norm_out(hidden))).unflatten(0, (batch, frames))

    def _embedding(self, timestep: Tensor, added_time_ids: Tensor, motion_ids: Tensor | None, sample: Tensor) -> Tensor:
        """(B*F,T) timestep embedding, or (B*F,2T) with the motion embedding appended."""
        batch, frames = sample.shape[:2]
        time = self.time_embedding(self.time_proj(timestep.expand(batch)).to(sample.dtype))
        added = self.add_time_proj(added_time_ids.flatten()).view(batch * frames, -1)
        temb = time.repeat_interleave(frames, dim=0) + self.add_embedding(added.to(sample.dtype))
        if motion_ids is None:
            return temb
        motion = self.motion_embedding(self.time_proj(motion_ids).to(sample.dtype))
        return torch.cat([temb, motion.repeat_interleave(frames, dim=0)], dim=-1)


def _down_block(kind: str, sides: dict[str, Any], attending: dict[str, Any]) -> nn.Module:
    if kind == DOWN_PLAIN:
        return DownBlockSpatioTemporal(**sides)
    if kind == DOWN:
        return CrossAttnDownBlockSpatioTemporal(**sides, **attending)
    raise ValueError(f"unknown block {kind!r}; expected {DOWN} or {DOWN_PLAIN}")


def _up_block(kind: str, sides: dict[str, Any], attending: dict[str, Any]) -> nn.Module:
    if kind == UP_PLAIN:
        return UpBlockSpatioTemporal(**sides)
    if kind == UP:
        return CrossAttnUpBlockSpatioTemporal(**sides, **attending)
    raise ValueError(f"unknown block {kind!r}; expected {UP} or {UP_PLAIN}")


def _cascade(block: Any) -> None:
    """Add the branch across views to every layer of a Stable Video Diffusion block."""
    block.resnets = nn.ModuleList(CascadeResBlock(layer) for layer in block.resnets)
    if hasattr(block, "attentions"):
        block.attentions = nn.ModuleList(CascadeTransformer(layer) for layer in block.attentions)
