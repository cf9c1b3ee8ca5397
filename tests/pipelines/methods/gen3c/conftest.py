"""A small scene and the tiny networks to shoot it with."""

import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from camera.path import pinhole
from camera.view import Scene, View
from pipelines.weights.hub import Weights

WIDTH, HEIGHT = 96, 64

GOLDEN_TRANSFORMER = {
    "num_attention_heads": 2, "attention_head_dim": 32, "num_layers": 2, "text_embed_dim": 24, "adaln_lora_dim": 16,
    "max_size": (8, 48, 64),
}  # fmt: skip
GOLDEN_VAE = {
    "encoder_block_out_channels": (4, 8, 16, 16), "decode_block_out_channels": (8, 16, 16, 16), "num_layers": 1,
}  # fmt: skip
"""Sizes of the tiny networks whose weights are in the golden files."""


@pytest.fixture(scope="session")
def scene() -> Scene:
    """A textured wall with a box in front of it, 96 x 64."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    colour = np.stack([x * 2 % 256, y * 4 % 256, (x + y) * 3 % 256], axis=-1).astype(np.uint8)
    depth = np.full((HEIGHT, WIDTH), 3.0, np.float32)
    depth[20:44, 36:60] = 2.0
    return Scene((View.of(colour, depth, pinhole(WIDTH, HEIGHT, 60)),), name="box")


@pytest.fixture(scope="session")
def tiny_pipeline():
    from pipelines.methods.gen3c.pipeline import load

    return load(Weights(mode="tiny", device="cpu"))


def _nested(state):
    """A module tree that holds ``state`` under the same names, as the archives do."""
    root = nn.Module()
    for key, value in state.items():
        owner = root
        *path, leaf = key.split(".")
        for part in path:
            if part not in dict(owner.named_children()):
                owner.add_module(part, nn.Module())
            owner = owner.get_submodule(part)
        if value.is_floating_point():
            owner.register_parameter(leaf, nn.Parameter(value, requires_grad=False))
        else:
            owner.register_buffer(leaf, value)
    return root


def archive(state, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(_nested(state)).save(str(path))


@pytest.fixture(scope="session")
def published_tokenizer(golden, tmp_path_factory):
    """encoder.jit and decoder.jit in their published form: two TorchScript archives."""
    folder = tmp_path_factory.mktemp("tokenizer")
    state = load_file(golden / "gen3c/vae_tiny.safetensors")
    halves = {"encoder": ("encoder.", "quant_conv."), "decoder": ("decoder.", "post_quant_conv.")}
    for name, prefixes in halves.items():
        archive({k: v.float() for k, v in state.items() if k.startswith(prefixes)}, folder / f"{name}.jit")
    return folder
