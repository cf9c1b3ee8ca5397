"""Tiny networks with the weights used to compute the golden arrays."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import CLIPVisionConfig, CLIPVisionModel, UMT5Config, UMT5EncoderModel

from pipelines.methods.dualcamctrl.network import convert
from pipelines.methods.dualcamctrl.network.transformer import DualCamCtrlTransformer
from pipelines.methods.dualcamctrl.network.vae import TiledWanVAE

GOLDEN = Path(__file__).parents[3] / "golden" / "dualcamctrl"


def golden_file(name: str) -> dict[str, torch.Tensor]:
    return load_file(GOLDEN / f"{name}.safetensors")


def fusion_layers() -> dict:
    config = json.loads((GOLDEN / "tiny_transformer_config.json").read_text())
    return {"rgb_to_depth": tuple(config["rgb_inject_blocks"]), "depth_to_rgb": tuple(config["depth_inject_blocks"])}


def tiny_transformer() -> DualCamCtrlTransformer:
    config = json.loads((GOLDEN / "tiny_transformer_config.json").read_text())
    return DualCamCtrlTransformer(
        num_attention_heads=config["num_heads"],
        attention_head_dim=config["dim"] // config["num_heads"],
        in_channels=config["in_dim"],
        out_channels=config["out_dim"],
        text_dim=config["text_dim"],
        freq_dim=config["freq_dim"],
        ffn_dim=config["ffn_dim"],
        num_layers=config["num_layers"],
        image_dim=config["clip_dim"],
        **fusion_layers(),
    )


@pytest.fixture(scope="package")
def transformer() -> DualCamCtrlTransformer:
    network = tiny_transformer()
    convert.load_transformer(network, golden_file("tiny_transformer"), source="golden", dtype=torch.float32)
    return network


@pytest.fixture(scope="package")
def encoder_state() -> dict[str, torch.Tensor]:
    return golden_file("tiny_encoders")


def _part(state: dict, prefix: str) -> dict[str, torch.Tensor]:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


@pytest.fixture(scope="package")
def vae(encoder_state) -> TiledWanVAE:
    network = TiledWanVAE(base_dim=4, z_dim=16)
    convert.load_vae(network, _part(encoder_state, "vae.model."), source="golden", dtype=torch.float32)
    return network


@pytest.fixture(scope="package")
def text_encoder(encoder_state) -> UMT5EncoderModel:
    network = UMT5EncoderModel(UMT5Config(vocab_size=96, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4))
    convert.load_text_encoder(network, _part(encoder_state, "text_encoder."), source="golden", dtype=torch.float32)
    return network


@pytest.fixture(scope="package")
def image_encoder(encoder_state) -> CLIPVisionModel:
    config = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        image_size=224,
        patch_size=14,
        hidden_act="gelu",
        layer_norm_eps=1e-5,
    )
    network = CLIPVisionModel(config)
    convert.load_image_encoder(
        network, _part(encoder_state, "image_encoder.model."), source="golden", dtype=torch.float32
    )
    return network
