"""ControlNet for Stable Video Diffusion: the encoder half of its UNet, conditioned on a depth video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from diffusers.configuration_utils import register_to_config
from diffusers.models.controlnets.controlnet import ControlNetConditioningEmbedding
from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
from torch import Tensor, nn

from pipelines.runtime.parallel.plans import FramePlan

MULTIPLICITY = (4, 4, 4, 4, 3, 3, 3, 2, 2, 2, 1, 1)
"""How often each of the 12 residuals is added to its skip connection.

The UNet with which these weights were trained adds, after each of its four blocks, to all skip connections collected so far.
"""


class ControlNetSVDModel(UNetSpatioTemporalConditionModel):
    """The UNet's encoder with the same names and shapes, plus an embedding of the depth video and 1x1 convolutions for the
    13 residuals."""

    parallel_plan = FramePlan({"sample": 1, "controlnet_cond": 1}, gather=False)

    @register_to_config
    def __init__(
        self,
        sample_size: int | None = None,
        in_channels: int = 8,
        out_channels: int = 4,
        down_block_types: tuple[str, ...] = (
            *("CrossAttnDownBlockSpatioTemporal",) * 3,
            "DownBlockSpatioTemporal",
        ),
        block_out_channels: tuple[int, ...] = (320, 640, 1280, 1280),
        addition_time_embed_dim: int = 256,
        projection_class_embeddings_input_dim: int = 768,
        layers_per_block: int | tuple[int] = 2,
        cross_attention_dim: int | tuple[int] = 1024,
        transformer_layers_per_block: Any = 1,
        num_attention_heads: int | tuple[int, ...] = (5, 10, 10, 20),
        num_frames: int = 25,
        conditioning_channels: int = 3,
        conditioning_embedding_out_channels: tuple[int, ...] = (16, 32, 96, 256),
    ) -> None:
        super().__init__(
            sample_size=sample_size,
            in_channels=in_channels,
            out_channels=out_channels,
            down_block_types=down_block_types,
            block_out_channels=block_out_channels,
            addition_time_embed_dim=addition_time_embed_dim,
            projection_class_embeddings_input_dim=projection_class_embeddings_input_dim,
            layers_per_block=layers_per_block,
            cross_attention_dim=cross_attention_dim,
            transformer_layers_per_block=transformer_layers_per_block,
            num_attention_heads=num_attention_heads,
            num_frames=num_frames,
        )
        del self.up_blocks, self.conv_norm_out, self.conv_act, self.conv_out
        self.controlnet_cond_embedding = ControlNetConditioningEmbedding(
            block_out_channels[0], conditioning_channels, tuple(conditioning_embedding_out_channels)
        )
        layers = [layers_per_block] * len(block_out_channels) if isinstance(layers_per_block, int) else layers_per_block
        last = len(block_out_channels) - 1
        channels = [block_out_channels[0]]
        for level, width in enumerate(block_out_channels):
            channels += [width] * (layers[level] + (level < last))
        self.controlnet_down_blocks = nn.ModuleList(nn.Conv2d(width, width, 1) for width in channels)
        self.controlnet_mid_block = nn.Conv2d(block_out_channels[-1], block_out_channels[-1], 1)

    def forward(  # type: ignore[override]
        self,
        sample: Tensor,
        timestep: Tensor,
        encoder_hidden_states: Tensor,
        added_time_ids: Tensor,
        controlnet_cond: Tensor,
        conditioning_scale: float = 1.0,
    ) -> tuple[list[Tensor], Tensor]:
        """The residuals: one (B*F,C,h,w) per skip connection, and one for the middle block.

        ``sample`` (B,F,8,h,w): noisy latents, then picture latents. ``encoder_hidden_states`` (B,1,D).
        ``added_time_ids`` (B,3). ``controlnet_cond`` (B,F,3,8h,8w) in -1..1, near is 1.
        """
        batch, frames = sample.shape[:2]
        time = self._time(timestep, added_time_ids, sample).repeat_interleave(frames, dim=0)
        words = encoder_hidden_states.repeat_interleave(frames, dim=0)
        picture_only = torch.zeros(batch, frames, dtype=sample.dtype, device=sample.device)
        hidden = self.conv_in(sample.flatten(0, 1)) + self.controlnet_cond_embedding(controlnet_cond.flatten(0, 1))
        collected = [hidden]
        for block in self.down_blocks:
            text: dict[str, Any] = {"encoder_hidden_states": words} if _has_attention(block) else {}
            hidden, outputs = block(hidden_states=hidden, temb=time, image_only_indicator=picture_only, **text)
            collected += outputs
        hidden = self.mid_block(
            hidden_states=hidden, temb=time, encoder_hidden_states=words, image_only_indicator=picture_only
        )
        down = [conv(skip) * conditioning_scale for conv, skip in zip(self.controlnet_down_blocks, collected)]
        return down, self.controlnet_mid_block(hidden) * conditioning_scale

    def _time(self, timestep: Tensor, added_time_ids: Tensor, sample: Tensor) -> Tensor:
        """(B,T): embedding of noise level, frame rate, motion and noise of the picture."""
        batch = len(sample)
        steps = self.time_proj(timestep.to(sample.device).reshape(-1).expand(batch)).to(sample.dtype)
        ids = self.add_time_proj(added_time_ids.flatten()).reshape(batch, -1).to(sample.dtype)
        return self.time_embedding(steps) + self.add_embedding(ids)


def _add_residual(residual: Tensor) -> Any:
    def hook(module: nn.Module, args: tuple, output: Tensor) -> Tensor:
        return output + residual

    return hook


def _has_attention(block: Any) -> bool:
    return bool(getattr(block, "has_cross_attention", False))


@contextmanager
def add_residuals(unet: UNetSpatioTemporalConditionModel, down: Sequence[Tensor], middle: Tensor) -> Iterator[None]:
    """A context in which ``unet`` adds the residuals to its skip connections (see `MULTIPLICITY`) and after its middle block."""
    weighted = [count * residual for count, residual in zip(MULTIPLICITY, down, strict=True)]

    def to_skips(wanted: list[Tensor]) -> Any:
        def hook(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
            skips = tuple(a + b for a, b in zip(kwargs["res_hidden_states_tuple"], wanted, strict=True))
            return args, {**kwargs, "res_hidden_states_tuple": skips}

        return hook

    handles = []
    try:
        for block in unet.up_blocks:
            count = len(block.resnets)  # type: ignore[arg-type]
            weighted, used = weighted[:-count], weighted[-count:]
            handles.append(block.register_forward_pre_hook(to_skips(used), with_kwargs=True))
        handles.append(unet.mid_block.register_forward_hook(_add_residual(middle)))
        yield
    finally:
        for handle in handles:
            handle.remove()
