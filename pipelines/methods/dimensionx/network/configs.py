"""Configurations of CogVideoX and of its tiny counterparts."""

from __future__ import annotations

from typing import Any, Literal

Kind = Literal["image", "image_1_5", "text", "orbit"]
"""5B image-to-video, its 1.5 generation, 5B text-to-video, and the 145-frame orbit."""


CHECKPOINT: dict[Kind, str] = {"image": "base", "image_1_5": "base_1_5", "text": "text_only", "orbit": "orbit_360"}


IMAGE_TRANSFORMER: dict[str, Any] = {
    "num_attention_heads": 48,
    "attention_head_dim": 64,
    "in_channels": 32,
    "out_channels": 16,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "time_embed_dim": 512,
    "text_embed_dim": 4096,
    "num_layers": 42,
    "dropout": 0.0,
    "attention_bias": True,
    "sample_width": 90,
    "sample_height": 60,
    "sample_frames": 49,
    "patch_size": 2,
    "temporal_compression_ratio": 4,
    "max_text_seq_length": 226,
    "activation_fn": "gelu-approximate",
    "timestep_activation_fn": "silu",
    "norm_elementwise_affine": True,
    "norm_eps": 1e-5,
    "spatial_interpolation_scale": 1.875,
    "temporal_interpolation_scale": 1.0,
    "use_rotary_positional_embeddings": True,
    "use_learned_positional_embeddings": True,
}


ORBIT_TRANSFORMER = {**IMAGE_TRANSFORMER, "sample_width": 60, "sample_height": 40, "sample_frames": 145}


_TEXT = {"in_channels": 16, "use_learned_positional_embeddings": False}


_ONE_FIVE = {
    "use_learned_positional_embeddings": False,
    "patch_size_t": 2,
    "patch_bias": False,
    "ofs_embed_dim": 512,
    "sample_width": 170,
    "sample_height": 96,
    "sample_frames": 81,
}


TRANSFORMERS: dict[Kind, dict[str, Any]] = {
    "image": IMAGE_TRANSFORMER,
    "image_1_5": {**IMAGE_TRANSFORMER, **_ONE_FIVE},
    "text": {**IMAGE_TRANSFORMER, **_TEXT},
    "orbit": ORBIT_TRANSFORMER,
}


_TINY = {
    "num_attention_heads": 2,
    "attention_head_dim": 16,
    "time_embed_dim": 16,
    "text_embed_dim": 32,
    "num_layers": 2,
    "sample_width": 12,
    "sample_height": 8,
    "max_text_seq_length": 24,
}


VAE = {"scaling_factor": 0.7}


TILED_FROM = 256
"""Minimum width in pixels for tiles; smaller pictures cannot be divided into the VAE's tiles."""


_TINY_VAE = {
    "block_out_channels": (8, 8, 8, 8),
    "layers_per_block": 1,
    "norm_num_groups": 2,
    "sample_width": 96,
    "sample_height": 64,
}


TEXT_ENCODER = {
    "d_model": 4096,
    "d_kv": 64,
    "d_ff": 10240,
    "num_layers": 24,
    "num_heads": 64,
    "vocab_size": 32128,
    "feed_forward_proj": "gated-gelu",
}


_TINY_TEXT_ENCODER = {
    **TEXT_ENCODER,
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 32,
    "num_layers": 1,
    "num_heads": 2,
    "vocab_size": 384,
}
