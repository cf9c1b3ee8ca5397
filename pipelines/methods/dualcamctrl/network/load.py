"""DualCamCtrl's networks for real, tiny and random weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, CLIPVisionModel, PreTrainedTokenizerBase, UMT5EncoderModel

from pipelines.methods.dualcamctrl.method import ENCODERS, RELEASED, TOKENIZER
from pipelines.methods.dualcamctrl.network import convert
from pipelines.methods.dualcamctrl.network.transformer import DualCamCtrlTransformer
from pipelines.methods.dualcamctrl.network.vae import STRIDE, TILE, TiledWanVAE
from pipelines.weights.checkpoints import LoadReport, State, build_random, on_meta_device, read_state, strip_prefix
from pipelines.weights.components import byte_tokenizer, component
from pipelines.weights.hub import Weights

_VISION = {"image_size": 224, "patch_size": 14, "hidden_act": "gelu", "layer_norm_eps": 1e-5}
FULL: dict[type, dict[str, Any]] = {
    UMT5EncoderModel: {
        "vocab_size": 256384, "d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24, "num_heads": 64,
    },
    CLIPVisionModel: _VISION | {
        "hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 16,
    },
    TiledWanVAE: {},
    DualCamCtrlTransformer: {},
}  # fmt: skip
TINY: dict[type, dict[str, Any]] = {
    UMT5EncoderModel: {"vocab_size": 320, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4},
    CLIPVisionModel: _VISION | {
        "hidden_size": 32, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    },
    TiledWanVAE: {"base_dim": 4, "z_dim": 16},
    DualCamCtrlTransformer: {
        "num_attention_heads": 4, "attention_head_dim": 12, "text_dim": 32, "freq_dim": 32, "ffn_dim": 96, "num_layers": 6,
        "image_dim": 32, "rgb_to_depth": (0, 1), "depth_to_rgb": (2, 3, 4),
    },
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Networks:
    """All networks of a run."""

    transformer: DualCamCtrlTransformer
    vae: TiledWanVAE
    text_encoder: UMT5EncoderModel
    image_encoder: CLIPVisionModel
    tokenizer: PreTrainedTokenizerBase


def load_networks(weights: Weights) -> Networks:
    """Load the networks. Real weights come from the released file; if it contains no encoders, Wan's are downloaded.

    A local folder instead of the repository may contain a denoiser saved by training in place of the released file.
    """
    if weights.mode == "real":
        if (own := _find_trained(weights)) is not None:
            transformer = convert.load_folder(own, dtype=weights.dtype)
            return Networks(transformer, *stock_encoders(weights), load_tokenizer(weights))
        (file,) = weights.files(RELEASED).values()
        return _load_released(weights, read_state(file))
    sizes = TINY if weights.mode == "tiny" else FULL
    transformer = build_random(
        DualCamCtrlTransformer, sizes[DualCamCtrlTransformer], seed=weights.seed, dtype=weights.dtype
    )
    return Networks(transformer, *stock_encoders(weights), load_tokenizer(weights))


def _find_trained(weights: Weights) -> Path | None:
    folder = weights.folder / RELEASED.repo if weights.folder else None
    if folder is None or not (folder / "config.json").is_file():
        return None
    weights.revisions[RELEASED.repo] = "local folder"
    return folder


def _load_released(weights: Weights, state: State) -> Networks:
    transformer = empty(DualCamCtrlTransformer)
    convert.load_transformer(transformer, state, source=RELEASED.files[0], dtype=weights.dtype)
    encoders = _own_encoders(weights, state) if convert.has_encoders(state) else stock_encoders(weights)
    return Networks(transformer, *encoders, load_tokenizer(weights))


def load_tokenizer(weights: Weights) -> PreTrainedTokenizerBase:
    """UMT5's tokenizer, or one token per byte for untrained weights."""
    if weights.mode != "real":
        sizes = TINY if weights.mode == "tiny" else FULL
        return byte_tokenizer(sizes[UMT5EncoderModel]["vocab_size"])
    folder = Path(next(iter(weights.files(TOKENIZER).values()))).parent
    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def stock_encoders(weights: Weights) -> tuple[TiledWanVAE, UMT5EncoderModel, CLIPVisionModel]:
    """Wan's own encoders, which training does not change."""

    def stock(kind: type, subfolder: str) -> Any:
        return component(weights, kind, ENCODERS, tiny=TINY[kind], full=FULL[kind], subfolder=subfolder)

    return (
        _tiling(stock(TiledWanVAE, "vae")),
        stock(UMT5EncoderModel, "text_encoder"),
        stock(CLIPVisionModel, "image_encoder"),
    )


def _own_encoders(weights: Weights, state: State) -> tuple[TiledWanVAE, UMT5EncoderModel, CLIPVisionModel]:
    def own(kind: type, prefix: str, fill: Callable[..., LoadReport]) -> Any:
        def load() -> Any:
            network = empty(kind)
            fill(network, strip_prefix(state, prefix), source=RELEASED.files[0], dtype=weights.dtype)
            return network

        return weights.shared((kind.__name__, RELEASED.repo), load)

    return (
        _tiling(own(TiledWanVAE, "pipe.vae.model.", convert.load_vae)),
        own(UMT5EncoderModel, "pipe.text_encoder.", convert.load_text_encoder),
        own(CLIPVisionModel, "pipe.image_encoder.model.", convert.load_image_encoder),
    )


def _tiling(vae: TiledWanVAE) -> TiledWanVAE:
    vae.enable_tiling(*TILE, *STRIDE)
    return vae


def empty(kind: Any) -> Any:
    """A full-size network with unallocated parameters."""
    configuration = getattr(kind, "config_class", None)
    return on_meta_device(lambda: kind(configuration(**FULL[kind])) if configuration else kind(**FULL[kind]))
