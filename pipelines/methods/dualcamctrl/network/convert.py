"""Converts upstream names to ours: the released wrapper file, the base checkpoint, and the encoders in the wrapper."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import torch
from diffusers.loaders.single_file_utils import convert_wan_vae_to_diffusers
from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan
from torch import Tensor
from transformers import CLIPVisionModel, UMT5EncoderModel

from camera.errors import InputError
from pipelines.methods.dualcamctrl.network.transformer import DualCamCtrlTransformer
from pipelines.weights.checkpoints import LoadReport, State, from_folder, load_strict, strip_prefix

PREFIXES = ("pipe.dit.", "module.pipe.dit.", "module.dit.", "module.", "dit.", "")
"""Possible prefixes of the denoiser in a file, most specific first. Upstream trains a wrapper around its whole pipeline."""

_BLOCK = (
    (r"\.self_attn\.", ".attn1."),
    (r"\.cross_attn\.", ".attn2."),
    (r"(\.attn[12])\.([qkv])\.", r"\1.to_\2."),
    (r"(\.attn[12])\.o\.", r"\1.to_out.0."),
    (r"\.attn2\.([kv])_img\.", r".attn2.add_\1_proj."),
    (r"\.attn2\.norm_k_img\.", ".attn2.norm_added_k."),
    (r"^(blocks\.\d+\.\w+)\.norm3\.", r"\1.norm2."),
    (r"\.ffn\.0\.", ".ffn.net.0.proj."),
    (r"\.ffn\.2\.", ".ffn.net.2."),
    (r"^(blocks\..*)\.modulation$", r"\1.scale_shift_table"),
)
_OUTSIDE = (
    (r"^text_embedding\.0\.", "condition_embedder.text_embedder.linear_1."),
    (r"^text_embedding\.2\.", "condition_embedder.text_embedder.linear_2."),
    (r"^time_embedding\.0\.", "condition_embedder.time_embedder.linear_1."),
    (r"^time_embedding\.2\.", "condition_embedder.time_embedder.linear_2."),
    (r"^time_projection\.1\.", "condition_embedder.time_proj."),
    (r"^img_emb\.proj\.0\.", "condition_embedder.image_embedder.norm1."),
    (r"^img_emb\.proj\.1\.", "condition_embedder.image_embedder.ff.net.0.proj."),
    (r"^img_emb\.proj\.3\.", "condition_embedder.image_embedder.ff.net.2."),
    (r"^img_emb\.proj\.4\.", "condition_embedder.image_embedder.norm2."),
    (r"^head\.head\.", "proj_out."),
    (r"^head\.modulation$", "scale_shift_table"),
    (r"^control_adapter\.conv\.", "camera_adapter.conv."),
    (r"^control_adapter\.residual_blocks\.0\.", "camera_adapter."),
)
_TEXT_ENCODER = (
    (r"^token_embedding\.", "shared."),
    (r"^norm\.", "encoder.final_layer_norm."),
    (r"^blocks\.(\d+)\.attn\.([qkvo])\.", r"encoder.block.\1.layer.0.SelfAttention.\2."),
    (
        r"^blocks\.(\d+)\.pos_embedding\.embedding\.",
        r"encoder.block.\1.layer.0.SelfAttention.relative_attention_bias.",
    ),
    (r"^blocks\.(\d+)\.norm1\.", r"encoder.block.\1.layer.0.layer_norm."),
    (r"^blocks\.(\d+)\.norm2\.", r"encoder.block.\1.layer.1.layer_norm."),
    (r"^blocks\.(\d+)\.ffn\.gate\.0\.", r"encoder.block.\1.layer.1.DenseReluDense.wi_0."),
    (r"^blocks\.(\d+)\.ffn\.fc1\.", r"encoder.block.\1.layer.1.DenseReluDense.wi_1."),
    (r"^blocks\.(\d+)\.ffn\.fc2\.", r"encoder.block.\1.layer.1.DenseReluDense.wo."),
)
_VISION = (
    (r"^visual\.cls_embedding$", "embeddings.class_embedding"),
    (r"^visual\.pos_embedding$", "embeddings.position_embedding.weight"),
    (r"^visual\.patch_embedding\.", "embeddings.patch_embedding."),
    (r"^visual\.pre_norm\.", "pre_layrnorm."),
    (r"^visual\.post_norm\.", "post_layernorm."),
    (r"^visual\.transformer\.(\d+)\.attn\.proj\.", r"encoder.layers.\1.self_attn.out_proj."),
    (r"^visual\.transformer\.(\d+)\.attn\.", r"encoder.layers.\1.self_attn."),
    (r"^visual\.transformer\.(\d+)\.mlp\.0\.", r"encoder.layers.\1.mlp.fc1."),
    (r"^visual\.transformer\.(\d+)\.mlp\.2\.", r"encoder.layers.\1.mlp.fc2."),
    (r"^visual\.transformer\.(\d+)\.norm([12])\.", r"encoder.layers.\1.layer_norm\2."),
)


def transformer_renames(rgb_to_depth: tuple[int, ...], depth_to_rgb: tuple[int, ...]) -> tuple[tuple[str, str], ...]:
    """Renames fusion modules: upstream numbers them by their position in the two lists; ours are part of their layer."""
    fusions = [(rf"^rgb_zero_inits\.{i}\.", f"blocks.{layer}.rgb_to_depth.") for i, layer in enumerate(rgb_to_depth)]
    fusions += [
        (rf"^control_zero_inits\.{i}\.", f"blocks.{layer}.depth_to_rgb.") for i, layer in enumerate(depth_to_rgb)
    ]
    branches = [(r"^blocks\.(\d+)\.", r"blocks.\1.rgb."), (r"^control_blocks\.(\d+)\.", r"blocks.\1.depth.")]
    return (*branches, *_BLOCK, *fusions, *_OUTSIDE)


def _renames_of(network: DualCamCtrlTransformer) -> tuple[tuple[str, str], ...]:
    config = cast(Any, network.config)
    return transformer_renames(tuple(config.rgb_to_depth), tuple(config.depth_to_rgb))


def load_transformer(
    network: DualCamCtrlTransformer, state: State, *, source: str, dtype: torch.dtype | None = None
) -> LoadReport:
    """Fill the denoiser from a released file under any of `PREFIXES`; ignores the wrapper's encoders."""
    return load_strict(network, strip_prefix(state, *PREFIXES), _renames_of(network), source=source, dtype=dtype)


def load_base(
    network: DualCamCtrlTransformer, state: State, *, source: str, dtype: torch.dtype | None = None
) -> LoadReport:
    """Start from the one-branch base model: the depth branch becomes a copy of the RGB branch, fusions are newly initialised.

    Their zero ``proj_out`` makes both branches independent at first.
    """
    inside = strip_prefix(state, *PREFIXES)
    if any(key.startswith(("control_blocks.", "rgb_zero_inits.", "control_zero_inits.")) for key in inside):
        raise InputError(f"{source} already has two branches; load it as a trained model, not as the base.")
    depth = {f"control_{key}": value.clone() for key, value in inside.items() if key.startswith("blocks.")}
    network.renew_fusions()
    fusions = (r"\.rgb_to_depth\.", r"\.depth_to_rgb\.")
    return load_strict(network, {**inside, **depth}, _renames_of(network), optional=fusions, source=source, dtype=dtype)


def load_folder(folder: str | Path, *, dtype: torch.dtype) -> DualCamCtrlTransformer:
    """Load a denoiser saved with ``save_pretrained``."""
    return from_folder(DualCamCtrlTransformer, folder, dtype=dtype)


def has_encoders(state: State) -> bool:
    """Whether a released file contains the whole pipeline, including text, picture and video encoders."""
    parts = ("pipe.text_encoder.", "pipe.image_encoder.", "pipe.vae.")
    return all(any(key.startswith(part) for key in state) for part in parts)


def load_vae(network: AutoencoderKLWan, state: State, *, source: str, dtype: torch.dtype | None = None) -> LoadReport:
    """Fill Wan's autoencoder from upstream names without prefix."""
    return load_strict(network, convert_wan_vae_to_diffusers(dict(state)), source=source, dtype=dtype)


def load_text_encoder(
    network: UMT5EncoderModel, state: State, *, source: str, dtype: torch.dtype | None = None
) -> LoadReport:
    """Fill UMT5's encoder from upstream names without prefix."""
    state = dict(state)
    if "encoder.embed_tokens.weight" in network.state_dict():
        state["encoder.embed_tokens.weight"] = state["token_embedding.weight"]
    report = load_strict(network, state, _TEXT_ENCODER, source=source, dtype=dtype)
    network.tie_weights()
    return report


def load_image_encoder(
    network: CLIPVisionModel, state: State, *, source: str, dtype: torch.dtype | None = None
) -> LoadReport:
    """Fill the image encoder of open-clip ViT-H from upstream names without prefix; its projection head is not used."""
    own_prefix = "vision_model." if any(key.startswith("vision_model.") for key in network.state_dict()) else ""
    renames = (*_VISION, (r"^(?=embeddings|pre_layr|post_layer|encoder)", own_prefix))
    unused = (r"^log_scale$", r"^visual\.head$", r"^textual\.")
    return load_strict(network, _separate_qkv(state), renames, dropped=unused, source=source, dtype=dtype)


def _separate_qkv(state: State) -> dict[str, Tensor]:
    """Split joint query, key and value projections into three; remove the batch axis of class and position embeddings."""
    separate: dict[str, Tensor] = {}
    for key, value in state.items():
        if ".to_qkv." in key:
            names = (re.sub(r"to_qkv", f"{part}_proj", key) for part in "qkv")
            separate |= dict(zip(names, value.chunk(3), strict=True))
        else:
            separate[key] = value.flatten() if key.endswith("cls_embedding") else value
            if key.endswith("pos_embedding"):
                separate[key] = value[0]
    return separate
