"""The tiny transformer of the LoRA goldens, and its recorded inputs and outputs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch


@pytest.fixture(scope="session")
def dimensionx_golden(golden: Path) -> Path:
    return golden / "dimensionx"


@pytest.fixture
def tiny_transformer(dimensionx_golden: Path):
    from diffusers import CogVideoXTransformer3DModel
    from safetensors.torch import load_file

    config = json.loads((dimensionx_golden / "lora_tiny_transformer_config.json").read_text())
    transformer = CogVideoXTransformer3DModel(**config)
    transformer.load_state_dict(load_file(dimensionx_golden / "lora_tiny_transformer.safetensors"))
    return transformer.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def lora_io(dimensionx_golden: Path) -> dict[str, np.ndarray]:
    with np.load(dimensionx_golden / "lora_io.npz") as stored:
        return dict(stored)


@pytest.fixture
def forward(lora_io):
    """Calls a transformer on the recorded inputs; numpy (2,4,4,8,12)."""

    def call(transformer) -> np.ndarray:
        given = {key: torch.from_numpy(lora_io[key]) for key in ("hidden_states", "encoder_hidden_states", "timestep")}
        rope = (torch.from_numpy(lora_io["rope_cos"]), torch.from_numpy(lora_io["rope_sin"]))
        with torch.no_grad():
            return transformer(**given, image_rotary_emb=rope, return_dict=False)[0].numpy()

    return call
