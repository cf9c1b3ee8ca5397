"""Converts the checkpoint of the 360 degree orbit, made with SwissArmyTransformer, to diffusers' CogVideoX transformer.

``python -m pipelines.methods.dimensionx.network.convert orbit mp_rank_00_model_states.pt FOLDER`` writes it once as safetensors;
``... lora CHECKPOINT FILE.safetensors`` extracts the LoRA from a checkpoint trained with the original code.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXTransformer3DModel
from torch import Tensor

from camera.errors import InputError
from pipelines.methods.dimensionx.loras.layouts import LoraFile, lora_of, merge_weight, read_lora, save_lora
from pipelines.methods.dimensionx.loras.sat import NETWORK, read_sat_file
from pipelines.weights.checkpoints import load_strict, on_meta_device

FINAL_NORM_EPS = 1e-6
"""Epsilon of the original's last layer norm; diffusers uses 1e-5 there (everywhere else they agree)."""
TABLE = "patch_embed.pos_embedding"

_DROPPED = re.compile(r"^(mixins\.pos_embed\.freqs_(sin|cos)|transformer\.position_embeddings\.weight)$")
_RENAMES = (
    (r"^mixins\.pos_embed\.pos_embedding$", TABLE),
    (r"^mixins\.patch_embed\.", "patch_embed."),
    (r"^time_embed\.0\.", "time_embedding.linear_1."),
    (r"^time_embed\.2\.", "time_embedding.linear_2."),
    (r"^mixins\.adaln_layer\.query_layernorm_list\.(\d+)\.", r"transformer_blocks.\1.attn1.norm_q."),
    (r"^mixins\.adaln_layer\.key_layernorm_list\.(\d+)\.", r"transformer_blocks.\1.attn1.norm_k."),
    (r"^mixins\.adaln_layer\.adaLN_modulations\.(\d+)\.1\.", r"transformer_blocks.\1.modulation."),
    (r"^mixins\.final_layer\.norm_final\.", "norm_out.norm."),
    (r"^mixins\.final_layer\.linear\.", "proj_out."),
    (r"^mixins\.final_layer\.adaLN_modulation\.1\.", "norm_out.linear."),
    (r"^transformer\.final_layernorm\.", "norm_final."),
    (r"^transformer\.layers\.(\d+)\.input_layernorm\.", r"transformer_blocks.\1.norm1.norm."),
    (r"^transformer\.layers\.(\d+)\.post_attention_layernorm\.", r"transformer_blocks.\1.norm2.norm."),
    (r"^transformer\.layers\.(\d+)\.mlp\.dense_h_to_4h\.", r"transformer_blocks.\1.ff.net.0.proj."),
    (r"^transformer\.layers\.(\d+)\.mlp\.dense_4h_to_h\.", r"transformer_blocks.\1.ff.net.2."),
    (r"^transformer\.layers\.(\d+)\.attention\.dense\.(original\.)?", r"transformer_blocks.\1.attn1.to_out.0."),
    (r"^transformer\.layers\.(\d+)\.attention\.query_key_value\.(original\.)?", r"transformer_blocks.\1.attn1.qkv."),
)
_NORM1, _NORM2 = (0, 1, 2, 6, 7, 8), (3, 4, 5, 9, 10, 11)
"""Twelfths of a block's modulation: shift, scale and gate of attention (video, text) and of the feed-forward part."""


@dataclass(frozen=True, eq=False)
class ConvertedCheckpoint:
    """``state``: tensors by diffusers' names, without the LoRA. ``lora``: the trained LoRA, if any."""

    state: dict[str, Tensor]
    lora: LoraFile | None


def convert_checkpoint(sat: Mapping[str, Tensor], *, name: str = "the checkpoint") -> ConvertedCheckpoint:
    """Rename a whole SAT checkpoint to diffusers' names; skips the text encoder and VAE in the same file.

    Accepts both forms: with the LoRA beside the weights (``.original`` and ``matrix_A``), and merged.
    """
    network = {key.removeprefix(NETWORK): value for key, value in sat.items() if key.startswith(NETWORK)}
    if not network:
        raise InputError(f"{name} contains nothing under {NETWORK!r}; expected DimensionX's 145-frame checkpoint.")
    matrices = {key: value for key, value in network.items() if ".matrix_" in key}
    state: dict[str, Tensor] = {}
    for key in network.keys() - matrices.keys():
        if not _DROPPED.match(key):
            state.update(_split(_rename(key), network[key]))
    return ConvertedCheckpoint(state, lora_of(matrices, name=name) if matrices else None)


def merge_lora(parts: ConvertedCheckpoint) -> dict[str, Tensor]:
    """Add the LoRA to the state at its trained strength, in float32 before the cast back."""
    if parts.lora is None:
        return parts.state
    state = dict(parts.state)
    for module in parts.lora.modules:
        a, b = (parts.lora.tensors[f"{module}.lora_{side}.weight"] for side in "AB")
        state[f"{module}.weight"] = merge_weight(state[f"{module}.weight"], a, b, parts.lora.scale_of(module))
    return state


def orbit_transformer(
    state: Mapping[str, Tensor], config: Mapping[str, Any], *, dtype: torch.dtype, source: str = "the checkpoint"
) -> CogVideoXTransformer3DModel:
    """The network from a converted state. ``config`` must have the orbit's own sample size, or the rotary embedding is wrong.

    The position table comes from the checkpoint; without one it is zeros, as in the original code (diffusers would keep a
    sine table). Raises `InputError` for a table of another length.
    """
    transformer = on_meta_device(lambda: CogVideoXTransformer3DModel(**config))
    expected: Any = transformer.patch_embed.pos_embedding
    table = state.get(TABLE, torch.zeros_like(expected))
    if table.shape != expected.shape:
        raise InputError(
            f"The position table of {source} has {table.shape[1]} rows, expected {expected.shape[1]} for "
            f"{config['sample_frames']} frames; this is not the checkpoint of the 360 degree orbit."
        )
    load_strict(transformer, {**state, TABLE: table}, source=source, dtype=dtype)
    transformer.norm_out.norm.eps = FINAL_NORM_EPS
    return transformer


def _rename(key: str) -> str:
    for pattern, replacement in _RENAMES:
        key = re.sub(pattern, replacement, key)
    return key


def _split(key: str, value: Tensor) -> dict[str, Tensor]:
    """Split fused tensors into diffusers' separate ones: rows of q, k, v; twelfths of the modulation."""
    if ".qkv." in key:
        return {key.replace(".qkv.", f".to_{x}."): part.clone() for x, part in zip("qkv", value.chunk(3))}
    if ".modulation." in key:
        twelfths = value.chunk(12)
        return {
            key.replace(".modulation.", f".{norm}.linear."): torch.cat([twelfths[i] for i in which])
            for norm, which in (("norm1", _NORM1), ("norm2", _NORM2))
        }
    return {key: value}


def main() -> None:
    parser = argparse.ArgumentParser(description="Convert checkpoints of DimensionX's original training code.")
    parser.add_argument("what", choices=("orbit", "lora"))
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("output", type=Path)
    given = parser.parse_args()
    if given.what == "lora":
        save_lora(given.output, read_lora(given.checkpoint, layers_may_differ=True))
    else:
        from pipelines.methods.dimensionx.network.configs import ORBIT_TRANSFORMER

        state = merge_lora(convert_checkpoint(read_sat_file(given.checkpoint), name=given.checkpoint.name))
        orbit_transformer(state, ORBIT_TRANSFORMER, dtype=torch.bfloat16).save_pretrained(given.output)


if __name__ == "__main__":
    main()
