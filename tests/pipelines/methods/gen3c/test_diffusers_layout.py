"""GEN3C's weights in diffusers' layout, with FastVideo's names, made from our own manifest of upstream's file."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl_cosmos import AutoencoderKLCosmos
from safetensors.torch import save_file

from camera.errors import InputError
from pipelines.methods.gen3c.network.transformer import Gen3cTransformer
from pipelines.methods.gen3c.weights import convert, diffusers_layout
from pipelines.methods.gen3c.weights.load import TINY
from pipelines.weights.checkpoints import build_random, on_meta_device
from pipelines.weights.hub import Weights

THEIRS = (
    (r"^net\.x_embedder\.proj\.1\.", "patch_embed.proj."),
    (r"^net\.t_embedder\.1\.", "time_embed.t_embedder."),
    (r"^net\.affline_norm\.", "affine_norm."),
    (r"^net\.extra_pos_embedder\.", "learnable_pos_embed."),
    (r"^net\.final_layer\.linear\.", "final_layer.proj_out."),
    (r"^net\.final_layer\.adaLN_modulation\.", "final_layer.adaln_modulation."),
    (r"^net\.blocks\.block(\d+)\.blocks\.0\.adaLN_modulation\.", r"transformer_blocks.\1.adaln_modulation_self_attn."),
    (r"^net\.blocks\.block(\d+)\.blocks\.1\.adaLN_modulation\.", r"transformer_blocks.\1.adaln_modulation_cross_attn."),
    (r"^net\.blocks\.block(\d+)\.blocks\.2\.adaLN_modulation\.", r"transformer_blocks.\1.adaln_modulation_mlp."),
    (r"^net\.blocks\.block(\d+)\.blocks\.2\.block\.layer1\.", r"transformer_blocks.\1.mlp.fc_in."),
    (r"^net\.blocks\.block(\d+)\.blocks\.2\.block\.layer2\.", r"transformer_blocks.\1.mlp.fc_out."),
    (r"^net\.blocks\.block(\d+)\.blocks\.0\.block\.attn\.", r"transformer_blocks.\1.attn1."),
    (r"^net\.blocks\.block(\d+)\.blocks\.1\.block\.attn\.", r"transformer_blocks.\1.attn2."),
    (r"\.to_out\.0\.", ".to_out."),
    (r"\.to_([qkv])\.0\.", r".to_\1."),
    (r"\.to_([qk])\.1\.", r".norm_\1."),
)
"""The renames of FastVideo's own table, from NVIDIA's names."""


def of_fastvideo(key: str) -> str:
    for pattern, replacement in THEIRS:
        key = re.sub(pattern, replacement, key)
    return key


@pytest.fixture(scope="module")
def keys(golden: Path) -> dict[str, str]:
    """FastVideo's names by NVIDIA's, for everything that the network needs."""
    with gzip.open(golden / "gen3c/transformer_keys.json.gz") as stream:
        listed = json.load(stream)
    listed = listed.get("keys", listed)
    return {key: of_fastvideo(key) for key in listed if not any(re.search(p, key) for p in convert.TRANSFORMER_DROPPED)}


def test_every_published_tensor_has_its_place_under_both_names(keys, golden):
    network = on_meta_device(Gen3cTransformer)
    own = dict(network.state_dict())
    with gzip.open(golden / "gen3c/transformer_keys.json.gz") as stream:
        shapes = json.load(stream)
    shapes = shapes.get("keys", shapes)
    state = {name: torch.empty(shapes[key], device="meta") for key, name in keys.items()}
    made = {renamed(name): tensor.shape for name, tensor in state.items()}
    assert made == {key: value.shape for key, value in own.items()} and len(made) == len(keys)


def renamed(name: str) -> str:
    for pattern, replacement in diffusers_layout.RENAMES:
        name = re.sub(pattern, replacement, name)
    return name


def tiny_folder(root: Path) -> tuple[Path, Gen3cTransformer]:
    folder = root / diffusers_layout.REPOSITORY
    network = build_random(Gen3cTransformer, TINY[Gen3cTransformer], seed=3, dtype=torch.float32)
    theirs = {name_there(key): value.clone().contiguous() for key, value in network.state_dict().items()}
    names, half = sorted(theirs), len(theirs) // 2
    (folder / "transformer").mkdir(parents=True)
    shards = {"a.safetensors": names[:half], "b.safetensors": names[half:]}
    for file, chosen in shards.items():
        save_file({name: theirs[name] for name in chosen}, folder / "transformer" / file)
    index = {"weight_map": {name: file for file, chosen in shards.items() for name in chosen}}
    (folder / "transformer" / "model.safetensors.index.json").write_text(json.dumps(index))
    vae = build_random(AutoencoderKLCosmos, TINY[AutoencoderKLCosmos], seed=3, dtype=torch.float32)
    vae.save_pretrained(folder / "vae")
    return folder, network


def name_there(key: str) -> str:
    """The inverse of `RENAMES`, written out."""
    for ours, theirs in (("time_embed.norm.", "affine_norm."), ("norm_out.linear_", "final_layer.adaln_modulation.")):
        key = key.replace(ours, theirs)
    for number, part in (("1", "self_attn"), ("2", "cross_attn"), ("3", "mlp")):
        key = key.replace(f".norm{number}.linear_", f".adaln_modulation_{part}.")
    key = (
        key.replace(".ff.net.0.proj.", ".mlp.fc_in.")
        .replace(".ff.net.2.", ".mlp.fc_out.")
        .replace(".to_out.0.", ".to_out.")
    )
    return f"final_layer.{key}" if key.startswith("proj_out.") else key


def test_shards_and_tokenizer_load_as_they_were_saved_and_a_lost_shard_is_named(tmp_path):
    folder, saved = tiny_folder(tmp_path)
    again = on_meta_device(lambda: Gen3cTransformer(**TINY[Gen3cTransformer]))
    diffusers_layout.load_transformer(again, folder)
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in saved.state_dict().items())
    vae = diffusers_layout.load_vae(folder, dtype=torch.float32)
    assert len(vae.config.latents_mean) == len(vae.config.latents_std)
    (folder / "transformer" / "b.safetensors").unlink()
    with pytest.raises(InputError, match=r"lacks b\.safetensors"):
        diffusers_layout.load_transformer(again, folder)


def test_nvidias_own_file_comes_first(tmp_path):
    folder, _ = tiny_folder(tmp_path)
    weights = Weights("real", folder=tmp_path)
    assert diffusers_layout.local_folder(weights, "nvidia/GEN3C-Cosmos-7B") == folder
    (tmp_path / "nvidia/GEN3C-Cosmos-7B").mkdir(parents=True)
    assert diffusers_layout.local_folder(weights, "nvidia/GEN3C-Cosmos-7B") is None
