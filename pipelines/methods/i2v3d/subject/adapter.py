"""The matrices that phase 1 trains in SDXL's UNet and text encoders, and the files that contain them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from peft import LoraConfig, inject_adapter_in_model
from safetensors.torch import save_file
from torch import Tensor, nn

from pipelines.methods.i2v3d.subject.lora import KOHYA, UNET, Parts, name_in_file

ADAPTER = "subject_in_training"
TARGETS = ("to_k", "to_q", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2")
TEXT_TARGETS = ("q_proj", "k_proj", "v_proj", "out_proj")
"""Trained layers of diffusers' DreamBooth training of SDXL, which upstream's is derived from."""


def add_subject_adapter(unet: UNet2DConditionModel, *, rank: int, seed: int, dora: bool = False) -> list[nn.Parameter]:
    """Add the trainable matrices, in float32: A normal with standard deviation 1/rank, B zeros."""
    return _add_adapter(unet, TARGETS, rank=rank, seed=seed, dora=dora)


def add_text_adapters(
    encoders: Sequence[nn.Module], *, rank: int, seed: int, dora: bool = False
) -> list[list[nn.Parameter]]:
    """Like `add_subject_adapter` for text encoders, each with its own random numbers."""
    return [
        _add_adapter(encoder, TEXT_TARGETS, rank=rank, seed=seed + number, dora=dora)
        for number, encoder in enumerate(encoders, 1)
    ]


def _add_adapter(network: nn.Module, targets: Sequence[str], *, rank: int, seed: int, dora: bool) -> list[nn.Parameter]:
    network.requires_grad_(False)
    config = LoraConfig(
        r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=list(targets), use_dora=dora
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        inject_adapter_in_model(config, network, adapter_name=ADAPTER)
    matrices = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for matrix in matrices:
        matrix.data = matrix.data.float()
    return matrices


def subject_state(parts: Parts) -> dict[str, Tensor]:
    """The trained matrices under the names of upstream's file: attention in the old diffusers style, feed-forward in peft's, and
    the text encoders' as diffusers writes them."""
    state = {}
    for part, network in parts.items():
        for name, value in network.named_parameters():
            if f".{ADAPTER}" in name:
                state[key_in_file(part, name)] = value.detach().float().cpu().contiguous().clone()
    return state


def key_in_file(part: str, name: str) -> str:
    """Name of the matrix ``name`` of a network in upstream's file."""
    name, old = name.replace(f".{ADAPTER}", ""), "lora" if part == UNET else "lora_linear_layer"
    if ".ff." not in name:
        name = name.replace(".lora_A.", f".{old}.down.").replace(".lora_B.", f".{old}.up.")
    return f"{part}.{name_in_file(part, name)}"


def kohya_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same matrices in the layout of Kohya's scripts: one name per module, with the rank as alpha, so that the scale is 1."""
    made: dict[str, Tensor] = {}
    for key, value in state.items():
        plain = key.replace(".lora_linear_layer.", ".lora.")
        plain = plain.replace(".lora.down.", ".lora_A.").replace(".lora.up.", ".lora_B.")
        place, _, side = plain.removesuffix(".weight").rpartition(".lora_")
        part, _, module = place.partition(".")
        name = KOHYA[part] + module.replace(".", "_")
        if side == "A":
            made[f"{name}.lora_down.weight"], made[f"{name}.alpha"] = value, torch.tensor(float(len(value)))
        elif side == "B":
            made[f"{name}.lora_up.weight"] = value
        else:
            made[f"{name}.dora_scale"] = value.reshape(-1, 1)
    return made


def save_subject(file: Path, state: dict[str, Tensor]) -> None:
    part = file.with_name(f"{file.name}.part")
    save_file(state, part, metadata={"format": "pt"})
    os.replace(part, file)


def set_checkpointing(network: Any, *, on: bool) -> None:
    """Switch gradient checkpointing of a network of diffusers or transformers on or off; needs no gradient of the inputs."""
    if isinstance(network, UNet2DConditionModel):
        network.enable_gradient_checkpointing() if on else network.disable_gradient_checkpointing()
    else:
        network.activation_checkpointing_enable() if on else network.activation_checkpointing_disable()
