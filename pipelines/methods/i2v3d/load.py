"""I2V3D's networks for real, tiny and random weights: SDXL for keyframes, Stable Video Diffusion for the frames between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
from torch import nn
from transformers import (
    AutoTokenizer,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionModelWithProjection,
    PreTrainedTokenizerBase,
)

from pipelines.methods.i2v3d.method import CHECKPOINTS
from pipelines.methods.i2v3d.video.controlnet import ControlNetSVDModel
from pipelines.runtime.parallel.plans import FramePlan
from pipelines.weights.components import byte_tokenizer, component
from pipelines.weights.hub import Weights, folder_of

_SDXL_BLOCKS = {
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
}
_SDXL_FULL = _SDXL_BLOCKS | {
    "block_out_channels": (320, 640, 1280), "attention_head_dim": (5, 10, 20), "cross_attention_dim": 2048,
    "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": 2816,
}  # fmt: skip
_SDXL_TINY = _SDXL_BLOCKS | {
    "transformer_layers_per_block": (1, 2, 10), "block_out_channels": (16, 32, 32), "attention_head_dim": (1, 2, 2),
    "cross_attention_dim": 32, "addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 64,
    "norm_num_groups": 8,
}  # fmt: skip
_SDXL_UP = {"up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D")}
_VAE_LEVELS = {
    "down_block_types": ("DownEncoderBlock2D",) * 4, "latent_channels": 4,
}  # fmt: skip
_VAE_UP = {"up_block_types": ("UpDecoderBlock2D",) * 4}
_VAE_FULL = _VAE_LEVELS | {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2}
_VAE_TINY = _VAE_LEVELS | {"block_out_channels": (32, 32, 32, 32), "layers_per_block": 1}
_SVD_TINY = {
    "block_out_channels": (32, 32, 64, 64), "addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 24,
    "cross_attention_dim": 16, "num_attention_heads": (1, 2, 4, 4),
}  # fmt: skip

FULL: dict[type, dict[str, Any]] = {
    UNet2DConditionModel: _SDXL_FULL | _SDXL_UP,
    ControlNetModel: _SDXL_FULL,
    AutoencoderKL: _VAE_FULL | _VAE_UP | {"scaling_factor": 0.13025, "force_upcast": False},
    CLIPTextModel: {
        "vocab_size": 49408, "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
        "num_attention_heads": 12, "max_position_embeddings": 77,
    },
    CLIPTextModelWithProjection: {
        "vocab_size": 49408, "hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32,
        "num_attention_heads": 20, "max_position_embeddings": 77, "hidden_act": "gelu", "projection_dim": 1280,
    },
    UNetSpatioTemporalConditionModel: {"num_attention_heads": (5, 10, 20, 20), "num_frames": 14},
    ControlNetSVDModel: {"num_attention_heads": (5, 10, 20, 20), "num_frames": 14},
    AutoencoderKLTemporalDecoder: _VAE_FULL | {"scaling_factor": 0.18215, "force_upcast": True},
    CLIPVisionModelWithProjection: {
        "hidden_size": 1280, "intermediate_size": 5120, "projection_dim": 1024, "num_hidden_layers": 32,
        "num_attention_heads": 16, "image_size": 224, "patch_size": 14, "hidden_act": "gelu",
    },
}  # fmt: skip
TINY: dict[type, dict[str, Any]] = {
    UNet2DConditionModel: _SDXL_TINY | _SDXL_UP,
    ControlNetModel: _SDXL_TINY | {"conditioning_embedding_out_channels": (8, 8, 16, 16)},
    AutoencoderKL: _VAE_TINY | _VAE_UP | {"scaling_factor": 0.13025, "force_upcast": False},
    CLIPTextModel: {
        "vocab_size": 320, "eos_token_id": 1, "bos_token_id": 1, "pad_token_id": 0, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
        "max_position_embeddings": 77,
    },
    CLIPTextModelWithProjection: {
        "vocab_size": 320, "eos_token_id": 1, "bos_token_id": 1, "pad_token_id": 0, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
        "max_position_embeddings": 77, "projection_dim": 16,
    },
    UNetSpatioTemporalConditionModel: _SVD_TINY,
    ControlNetSVDModel: _SVD_TINY | {"conditioning_embedding_out_channels": (8, 8, 16, 16)},
    AutoencoderKLTemporalDecoder: _VAE_TINY | {"scaling_factor": 0.18215, "force_upcast": True},
    CLIPVisionModelWithProjection: {
        "hidden_size": 16, "intermediate_size": 32, "projection_dim": 16, "num_hidden_layers": 2,
        "num_attention_heads": 2, "image_size": 224, "patch_size": 56,
    },
}  # fmt: skip


SDXL, SDXL_VAE, SDXL_DEPTH, SVD, SVD_DEPTH = CHECKPOINTS


@dataclass(frozen=True, eq=False)
class KeyframeNetworks:
    """Phases 1 and 2: SDXL with its depth ControlNet."""

    unet: UNet2DConditionModel
    controlnet: ControlNetModel
    vae: AutoencoderKL
    text_encoder: CLIPTextModel
    text_encoder_2: CLIPTextModelWithProjection
    tokenizer: PreTrainedTokenizerBase
    tokenizer_2: PreTrainedTokenizerBase

    @property
    def trainable(self) -> dict[str, nn.Module]:
        """The networks that a subject's LoRA may change, by the names that its files use."""
        return {"unet": self.unet, "text_encoder": self.text_encoder, "text_encoder_2": self.text_encoder_2}


@dataclass(frozen=True, eq=False)
class VideoNetworks:
    """Phase 3: Stable Video Diffusion with its depth ControlNet."""

    unet: UNetSpatioTemporalConditionModel
    controlnet: ControlNetSVDModel
    vae: AutoencoderKLTemporalDecoder
    image_encoder: CLIPVisionModelWithProjection


def load_keyframe_networks(weights: Weights) -> KeyframeNetworks:
    half = {"variant": "fp16"}
    clip = {"dropped": (r"position_ids$",)}
    return KeyframeNetworks(
        _part(weights, UNet2DConditionModel, SDXL, "unet", **half),
        _part(weights, ControlNetModel, SDXL_DEPTH, **half),
        _part(weights, AutoencoderKL, SDXL_VAE),
        _part(weights, CLIPTextModel, SDXL, "text_encoder", **half, **clip),
        _part(weights, CLIPTextModelWithProjection, SDXL, "text_encoder_2", **half, **clip),
        _tokenizer(weights, CLIPTextModel, "tokenizer"),
        _tokenizer(weights, CLIPTextModelWithProjection, "tokenizer_2"),
    )


def load_video_networks(weights: Weights) -> VideoNetworks:
    half = {"variant": "fp16"}
    unet = _part(weights, UNetSpatioTemporalConditionModel, SVD, "unet", **half)
    unet.parallel_plan = FramePlan({"sample": 1})
    return VideoNetworks(
        unet,
        _part(weights, ControlNetSVDModel, SVD_DEPTH, "controlnet"),
        _part(weights, AutoencoderKLTemporalDecoder, SVD, "vae", **half),
        _part(weights, CLIPVisionModelWithProjection, SVD, "image_encoder", dropped=(r"position_ids$",), **half),
    )


def _part(weights: Weights, kind: Any, checkpoint: Any, subfolder: str = "", **options: Any) -> Any:
    return component(weights, kind, checkpoint, tiny=TINY[kind], full=FULL[kind], subfolder=subfolder, **options)


def _tokenizer(weights: Weights, kind: type, subfolder: str) -> PreTrainedTokenizerBase:
    """SDXL's tokenizer, or one token per byte for untrained weights."""
    if weights.mode == "real":
        folder = folder_of(weights.files(SDXL))
        return AutoTokenizer.from_pretrained(folder, subfolder=subfolder, local_files_only=True)
    sizes = TINY if weights.mode == "tiny" else FULL
    return byte_tokenizer(sizes[kind]["vocab_size"], max_length=77)
