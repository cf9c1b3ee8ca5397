"""The networks of a run: CogVideoX's text encoder, VAE and one of four transformers; real, tiny or random."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from diffusers.models.autoencoders.autoencoder_kl_cogvideox import AutoencoderKLCogVideoX
from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXTransformer3DModel
from transformers import T5EncoderModel, T5Tokenizer

from camera.errors import InputError
from pipelines.method import Checkpoint
from pipelines.methods.dimensionx.loras.sat import read_latest, read_sat_file
from pipelines.methods.dimensionx.method import checkpoint
from pipelines.methods.dimensionx.network.configs import (
    _TINY,
    _TINY_TEXT_ENCODER,
    _TINY_VAE,
    CHECKPOINT,
    ORBIT_TRANSFORMER,
    TEXT_ENCODER,
    TILED_FROM,
    TRANSFORMERS,
    VAE,
    Kind,
)
from pipelines.methods.dimensionx.network.convert import convert_checkpoint, merge_lora, orbit_transformer
from pipelines.methods.dimensionx.network.parallel_plan import make_splittable
from pipelines.methods.dimensionx.network.position_table import use_first_rows
from pipelines.methods.dimensionx.sampling import SCHEDULE
from pipelines.weights.checkpoints import read_json
from pipelines.weights.components import byte_tokenizer, component
from pipelines.weights.hub import Weights, folder_of


@dataclass(frozen=True, eq=False)
class Networks:
    """The networks of one run. ``schedule``: the base model's scheduler configuration."""

    kind: Kind
    tokenizer: Any
    text_encoder: T5EncoderModel
    vae: AutoencoderKLCogVideoX
    transformer: CogVideoXTransformer3DModel
    schedule: dict[str, Any]

    @property
    def geometry(self) -> Any:
        """The transformer's configuration."""
        return self.transformer.config

    @property
    def stride(self) -> int:
        """Pixels per latent."""
        config: Any = self.vae.config
        return 2 ** (len(config.block_out_channels) - 1)

    @property
    def width(self) -> int:
        """Width of the frames in pixels that the transformer was trained for."""
        return self.geometry.sample_width * self.stride

    @property
    def height(self) -> int:
        return self.geometry.sample_height * self.stride

    @property
    def components(self) -> dict[str, object]:
        return {"text_encoder": self.text_encoder, "vae": self.vae, "transformer": self.transformer}


def load_networks(weights: Weights, kind: Kind) -> Networks:
    """Networks of ``kind``; text encoder and VAE of the 5B family are loaded once for all of them."""
    base = checkpoint("base_1_5" if kind == "image_1_5" else "base")
    encoder = component(
        weights, T5EncoderModel, _part(base, "text_encoder"), subfolder="text_encoder",
        tiny=_TINY_TEXT_ENCODER, full=TEXT_ENCODER,
    )  # fmt: skip
    vae = component(
        weights, AutoencoderKLCogVideoX, _part(base, "vae"), subfolder="vae", tiny={**VAE, **_TINY_VAE}, full=VAE
    )
    if vae.config.sample_width >= TILED_FROM:
        vae.enable_tiling()  # decoding a clip in one piece would dominate the memory of a run
    tokenizer, schedule = _tokenizer_and_schedule(weights, base, encoder)
    transformer = _orbit(weights) if kind == "orbit" and weights.mode == "real" else _transformer(weights, kind)
    use_first_rows(transformer)
    make_splittable(transformer)
    return Networks(kind, tokenizer, encoder, vae, transformer, schedule)


def _part(base: Checkpoint, folder: str) -> Checkpoint:
    return replace(base, files=(f"{folder}/*",))


def _tokenizer_and_schedule(weights: Weights, base: Checkpoint, encoder: T5EncoderModel) -> tuple[Any, dict[str, Any]]:
    if weights.mode != "real":
        return byte_tokenizer(encoder.config.vocab_size), dict(SCHEDULE)
    files = weights.files(replace(base, files=("tokenizer/*", "scheduler/*")))
    folder = folder_of(files)
    return read_tokenizer(folder / "tokenizer"), read_json(folder / "scheduler" / "scheduler_config.json")


def read_tokenizer(folder: Path) -> T5Tokenizer:
    """T5's tokenizer from its SentencePiece vocabulary; raises `InputError` for a broken one."""
    try:
        return T5Tokenizer.from_pretrained(folder, local_files_only=True)
    except (ImportError, OSError, ValueError) as error:
        raise InputError(
            "T5's vocabulary could not be read: install the packages sentencepiece and protobuf; if they are installed, download "
            "the folder tokenizer again."
        ) from error


def _transformer(weights: Weights, kind: Kind) -> CogVideoXTransformer3DModel:
    tiny = {**TRANSFORMERS[kind], **_TINY, **({"ofs_embed_dim": 16} if kind == "image_1_5" else {})}
    return component(
        weights, CogVideoXTransformer3DModel, _part(checkpoint(CHECKPOINT[kind]), "transformer"),
        subfolder="transformer", tiny=tiny, full=TRANSFORMERS[kind],
    )  # fmt: skip


def _orbit(weights: Weights) -> CogVideoXTransformer3DModel:
    """The published checkpoint, converted and merged."""

    def load() -> CogVideoXTransformer3DModel:
        name = "the 360 degree orbit"
        parts = convert_checkpoint(read_sat_file(_orbit_file(weights.files(checkpoint("orbit_360")))), name=name)
        return orbit_transformer(merge_lora(parts), ORBIT_TRANSFORMER, dtype=weights.dtype, source=name)

    return weights.shared(("CogVideoXTransformer3DModel", checkpoint("orbit_360").repo), load)


def _orbit_file(files: dict[str, str]) -> str:
    """The model state; if a repository contains several, its file ``latest`` names the folder."""
    states = {name: path for name, path in files.items() if name.endswith("mp_rank_00_model_states.pt")}
    if len(states) > 1 and "latest" in files:
        folder = read_latest(Path(files["latest"]).read_text())
        states = {name: path for name, path in states.items() if folder in Path(name).parts[:-1]}
    if len(states) != 1:
        raise InputError(f"The repository of the 360 degree orbit should contain one model state, found {len(states)}.")
    return next(iter(states.values()))
