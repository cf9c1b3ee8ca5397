"""The networks of a run: CogVideoX's text encoder, VAE and one of four transformers; real, tiny or random."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers.models.autoencoders.autoencoder_kl_cogvideox import AutoencoderKLCogVideoX
from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXTransformer3DModel
from transformers import T5Config, T5EncoderModel, T5Tokenizer

from camera.errors import InputError
from pipelines.checkpoints import dtype_for, filled_randomly, from_folder, read_json, unfilled
from pipelines.dimensionx.convert import converted, merged, orbit_transformer
from pipelines.dimensionx.method import checkpoint
from pipelines.dimensionx.position_table import use_first_rows
from pipelines.dimensionx.sampling import SCHEDULE
from pipelines.lora.sat import read_sat_file, tracked_folder
from pipelines.method import Weights

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
_TINY_TEXT_ENCODER = {"d_model": 32, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2, "vocab_size": 256}


@dataclass(frozen=True, eq=False)
class Networks:
    """What one run needs. ``schedule``: the base model's scheduler configuration."""

    kind: Kind
    tokenizer: T5Tokenizer
    text_encoder: T5EncoderModel
    vae: AutoencoderKLCogVideoX
    transformer: CogVideoXTransformer3DModel
    schedule: dict[str, Any]

    @property
    def width(self) -> int:
        """Of the frames in pixels: what the transformer was made for."""
        return self.transformer.config.sample_width * self.vae_stride

    @property
    def height(self) -> int:
        return self.transformer.config.sample_height * self.vae_stride

    @property
    def vae_stride(self) -> int:
        return 2 ** (len(self.vae.config.block_out_channels) - 1)


def load_networks(weights: Weights, kind: Kind, reuse: Networks | None = None) -> Networks:
    """Networks of ``kind``. Text encoder and VAE are taken over from ``reuse`` where they are the same."""
    if reuse is not None and (kind == "image_1_5") == (reuse.kind == "image_1_5"):
        return replace(reuse, kind=kind, transformer=_transformer(weights, kind))
    builders = {"real": _real, "tiny": _tiny, "random": _random}
    return builders[weights.mode](weights, kind)


def _transformer(weights: Weights, kind: Kind) -> CogVideoXTransformer3DModel:
    if weights.mode == "real":
        transformer = _real_orbit(weights) if kind == "orbit" else _real_transformer(weights, kind)
    else:
        config = {**TRANSFORMERS[kind], **(_tiny_config(kind) if weights.mode == "tiny" else {})}
        transformer = _filled(weights, lambda: CogVideoXTransformer3DModel(**config), "transformer")
    use_first_rows(transformer)
    return transformer


def _real(weights: Weights, kind: Kind) -> Networks:
    shared = replace(
        checkpoint("base_1_5" if kind == "image_1_5" else "base"),
        files=("scheduler/*", "text_encoder/*", "tokenizer/*", "vae/*"),
    )
    folder = Path(weights.files(shared)["vae/config.json"]).parents[1]
    return Networks(
        kind,
        T5Tokenizer.from_pretrained(folder / "tokenizer", local_files_only=True),
        from_folder(T5EncoderModel, folder, subfolder="text_encoder", dtype=_dtype()),
        from_folder(AutoencoderKLCogVideoX, folder, subfolder="vae", dtype=_dtype()),
        _transformer(weights, kind),
        read_json(folder / "scheduler" / "scheduler_config.json"),
    )


def _real_transformer(weights: Weights, kind: Kind) -> CogVideoXTransformer3DModel:
    files = weights.files(replace(checkpoint(CHECKPOINT[kind]), files=("transformer/*",)))
    folder = Path(files["transformer/config.json"]).parents[1]
    return from_folder(CogVideoXTransformer3DModel, folder, subfolder="transformer", dtype=_dtype())


def _real_orbit(weights: Weights) -> CogVideoXTransformer3DModel:
    """The published checkpoint, converted and merged; its file ``latest`` names the folder when there are several."""
    files = weights.files(checkpoint("orbit_360"))
    states = {name: path for name, path in files.items() if name.endswith("mp_rank_00_model_states.pt")}
    if len(states) > 1 and "latest" in files:
        folder = tracked_folder(Path(files["latest"]).read_text())
        states = {name: path for name, path in states.items() if folder in Path(name).parts[:-1]}
    if len(states) != 1:
        raise InputError(f"The repository of the 360 degree orbit should hold one model state, found {len(states)}.")
    (path,) = states.values()
    name = "the 360 degree orbit"
    return orbit_transformer(
        merged(converted(read_sat_file(path), name=name)), ORBIT_TRANSFORMER, dtype=_dtype(), source=name
    )


def _tiny(weights: Weights, kind: Kind) -> Networks:
    return _untrained(weights, kind, _TINY_VAE, _TINY_TEXT_ENCODER)


def _random(weights: Weights, kind: Kind) -> Networks:
    return _untrained(weights, kind, {}, {})


def _untrained(weights: Weights, kind: Kind, vae: dict[str, Any], text_encoder: dict[str, Any]) -> Networks:
    config = T5Config(**{**TEXT_ENCODER, **text_encoder})
    encoder = _filled(weights, lambda: T5EncoderModel(config), "text encoder")
    encoder.tie_weights()
    return Networks(
        kind,
        spelling_tokenizer(),
        encoder,
        _filled(weights, lambda: AutoencoderKLCogVideoX(**{**VAE, **vae}), "vae"),
        _transformer(weights, kind),
        dict(SCHEDULE),
    )


def spelling_tokenizer() -> T5Tokenizer:
    """T5's tokenizer with single characters for pieces: works without a vocabulary file."""
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    return T5Tokenizer(vocab=[*special, *((chr(code), -3.0) for code in range(33, 127))], extra_ids=0)


def _tiny_config(kind: Kind) -> dict[str, Any]:
    return {**_TINY, "ofs_embed_dim": 16} if kind == "image_1_5" else _TINY


def _filled(weights: Weights, build: Any, name: str) -> Any:
    seed = weights.seed + sum(map(ord, name))
    return filled_randomly(unfilled(build), seed=seed, dtype=_dtype() if weights.mode == "random" else torch.float32)


def _dtype() -> torch.dtype:
    return dtype_for("cuda" if torch.cuda.is_available() else "cpu")
