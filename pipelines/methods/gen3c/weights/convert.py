"""Loads the published files into our networks with strictly applied rename tables."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from torch import Tensor, nn

from camera.errors import InputError, reading
from pipelines.methods.gen3c.weights.torchscript import read_torchscript
from pipelines.weights.checkpoints import LoadReport, load_strict, read_state

TRANSFORMER_RENAMES: tuple[tuple[str, str], ...] = (
    (r"^net\.", ""),
    (r"^x_embedder\.proj\.1\.", "patch_embed.proj."),
    (r"^extra_pos_embedder\.", "learnable_pos_embed."),
    (r"^t_embedder\.1\.", "time_embed.t_embedder."),
    (r"^affline_norm\.", "time_embed.norm."),
    (r"^final_layer\.linear\.", "proj_out."),
    (r"^final_layer\.adaLN_modulation\.", "norm_out.adaLN_modulation."),
    (r"^blocks\.block(\d+)\.", r"transformer_blocks.\1."),
    (r"\.blocks\.0\.block\.attn\.", ".attn1."),
    (r"\.blocks\.1\.block\.attn\.", ".attn2."),
    (r"\.blocks\.2\.block\.layer1\.", ".ff.net.0.proj."),
    (r"\.blocks\.2\.block\.layer2\.", ".ff.net.2."),
    (r"\.blocks\.0\.adaLN", ".norm1.adaLN"),
    (r"\.blocks\.1\.adaLN", ".norm2.adaLN"),
    (r"\.blocks\.2\.adaLN", ".norm3.adaLN"),
    (r"\.adaLN_modulation\.1\.", ".linear_1."),
    (r"\.adaLN_modulation\.2\.", ".linear_2."),
    (r"\.(attn[12])\.to_([qk])\.1\.", r".\1.norm_\2."),
    (r"\.(attn[12])\.to_([qkv])\.0\.", r".\1.to_\2."),
)
"""`to_out.0` keeps its name; the order matters."""

TRANSFORMER_DROPPED = (r"^net\.pos_embedder\.seq$", r"^logvar\.", r"_extra_state$")
"""A position counter, the training loss's uncertainty, and TransformerEngine's empty states."""

VAE_RENAMES: tuple[tuple[str, str], ...] = (
    (r"\.conv3d\.", "."),
    (r"\.(conv_in|conv_out|conv1|conv2)\.0\.", r".\1.conv_s."),
    (r"\.(conv_in|conv_out|conv1|conv2)\.1\.", r".\1.conv_t."),
    (r"\.mid\.block_1\.", ".mid_block.resnets.0."),
    (r"\.mid\.block_2\.", ".mid_block.resnets.1."),
    (r"\.mid\.attn_1\.0\.", ".mid_block.attentions.0."),
    (r"\.mid\.attn_1\.1\.", ".mid_block.temp_attentions.0."),
    (r"\.(q|k|v)\.", r".to_\1."),
    (r"\.proj_out\.", ".to_out.0."),
    (r"\.nin_shortcut\.", ".conv_shortcut."),
    (r"\.down\.(\d)\.block\.", r".down_blocks.\1.resnets."),
    (r"\.down\.(\d)\.downsample\.", r".down_blocks.\1.downsamplers.0."),
    (r"\.up\.0\.", ".up_blocks.2."),
    (r"\.up\.1\.", ".up_blocks.1."),
    (r"\.up\.2\.", ".up_blocks.0."),
    (r"\.up_blocks\.(\d)\.block\.", r".up_blocks.\1.resnets."),
    (r"\.up_blocks\.(\d)\.upsample\.", r".up_blocks.\1.upsamplers.0."),
)
"""Upstream counts its three decoder levels from the finest, diffusers from the coarsest."""

VAE_DROPPED = (r"\.(wavelets|_arange|patch_size_buffer)$",)
"""Constants of the Haar transform, which the network builds itself."""


def load_transformer(network: nn.Module, path: str | Path, *, dtype: torch.dtype | None = None) -> LoadReport:
    """Fill a `Gen3cTransformer` from upstream's ``model.pt`` (or the same keys as safetensors)."""
    state = read_state(path, allowed=(io.BytesIO, bytes))
    return load_strict(
        network, state, TRANSFORMER_RENAMES, dropped=TRANSFORMER_DROPPED, source="the GEN3C checkpoint", dtype=dtype
    )


def load_vae(
    network: nn.Module, encoder: str | Path, decoder: str | Path, *, dtype: torch.dtype | None = None
) -> LoadReport:
    """Fill an `AutoencoderKLCosmos` from the tensors of the tokenizer's two TorchScript archives."""
    state = {**read_torchscript(encoder), **read_torchscript(decoder)}
    return load_strict(network, state, VAE_RENAMES, dropped=VAE_DROPPED, source="the Cosmos tokenizer", dtype=dtype)


def read_statistics(path: str | Path, *, channels: int = 16, frames: int = 16) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (channels, frames) of latents, one column per latent frame, from ``mean_std.pt``."""
    with reading(f"{Path(path).name} cannot be read; download the tokenizer again."):
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    tensors = [value for value in loaded if isinstance(value, Tensor)] if isinstance(loaded, (tuple, list)) else []
    if len(tensors) != 2 or any(t.numel() % channels or t.numel() < channels * frames for t in tensors):
        raise InputError(
            f"{Path(path).name} should contain two tensors of {channels} x {frames} or more values; it is not the tokenizer's."
        )
    mean, std = (tensor.float().reshape(channels, -1)[:, :frames].contiguous() for tensor in tensors)
    return mean, std
