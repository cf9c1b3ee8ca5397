"""GEN3C's weights in the diffusers layout, as published by others: safetensors in ``transformer/``, the tokenizer in ``vae/``.

Supports `REPOSITORY`, with the names of FastVideo (hao-ai-lab/FastVideo, ``configs/models/dits/gen3c.py``). Used if it is in
the folder of local weights and NVIDIA's own file is not; loaded as strictly. Real files of it were not available for testing.
"""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_kl_cosmos import AutoencoderKLCosmos
from torch import nn

from camera.errors import InputError
from pipelines.weights.checkpoints import LoadReport, from_folder, load_strict, read_json, read_state
from pipelines.weights.hub import Weights

REPOSITORY = "FastVideo/GEN3C-Cosmos-7B-Diffusers"

RENAMES: tuple[tuple[str, str], ...] = (
    (r"^affine_norm\.", "time_embed.norm."),
    (r"^final_layer\.proj_out\.", "proj_out."),
    (r"^final_layer\.adaln_modulation\.", "norm_out.adaln_modulation."),
    (r"\.to_out\.(?!0\.)", ".to_out.0."),
    (r"\.mlp\.fc_in\.", ".ff.net.0.proj."),
    (r"\.mlp\.fc_out\.", ".ff.net.2."),
    (r"\.adaln_modulation_self_attn\.", ".norm1.adaln_modulation."),
    (r"\.adaln_modulation_cross_attn\.", ".norm2.adaln_modulation."),
    (r"\.adaln_modulation_mlp\.", ".norm3.adaln_modulation."),
    (r"\.adaln_modulation\.1\.", ".linear_1."),
    (r"\.adaln_modulation\.2\.", ".linear_2."),
)
"""FastVideo's names to ours; all others are the same."""


def local_folder(weights: Weights, own: str) -> Path | None:
    """The folder of `REPOSITORY` among local weights, unless that of ``own`` exists too."""
    if weights.folder is None or (weights.folder / own).is_dir():
        return None
    found = weights.folder / REPOSITORY
    return found if (found / "transformer").is_dir() else None


def load_transformer(network: nn.Module, folder: Path, *, dtype: torch.dtype | None = None) -> LoadReport:
    """Fill a `Gen3cTransformer` from all shards of ``folder/transformer``; raises `InputError` for a missing shard."""
    state = read_state(_shards(folder / "transformer"))
    return load_strict(network, state, RENAMES, source=f"{folder.name}/transformer", dtype=dtype)


def load_vae(folder: Path, *, dtype: torch.dtype) -> AutoencoderKLCosmos:
    """The tokenizer of ``folder/vae`` with the mean and standard deviation of latents that its configuration must contain."""
    network = from_folder(AutoencoderKLCosmos, folder, subfolder="vae", dtype=dtype)
    if network.config.latents_mean is None or network.config.latents_std is None:
        raise InputError(
            f"The configuration of {folder.name}/vae has no latents_mean and latents_std; download it again."
        )
    return network


def _shards(folder: Path) -> list[Path]:
    """All safetensors files of a folder; files named in its index must exist."""
    files = sorted(folder.glob("*.safetensors"))
    for index in sorted(folder.glob("*.safetensors.index.json")):
        named = read_json(index).get("weight_map", {})
        for name in sorted(set(map(str, named.values()))):
            if folder / name not in files:
                raise InputError(f"{folder.parent.name} lacks {name}, which {index.name} names; download it again.")
    if not files:
        raise InputError(f"{folder.parent.name}/{folder.name} contains no safetensors file; download it again.")
    return files
