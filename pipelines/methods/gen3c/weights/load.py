"""GEN3C's networks for real, tiny and random weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from diffusers.models.autoencoders.autoencoder_kl_cosmos import AutoencoderKLCosmos
from transformers import AutoTokenizer, PreTrainedTokenizerBase, T5EncoderModel

from pipelines.methods.gen3c import guardrail
from pipelines.methods.gen3c.method import TEXT_ENCODER, TOKENIZER, TRANSFORMER
from pipelines.methods.gen3c.network.transformer import Gen3cTransformer
from pipelines.methods.gen3c.weights import convert, diffusers_layout
from pipelines.methods.gen3c.weights.depth_network import FrameDepth, load_depth
from pipelines.weights.checkpoints import build_random, on_meta_device
from pipelines.weights.components import byte_tokenizer, component
from pipelines.weights.hub import Weights, folder_of

TINY: dict[type, dict[str, Any]] = {
    Gen3cTransformer: {
        "num_attention_heads": 2, "attention_head_dim": 32, "num_layers": 2, "text_embed_dim": 32, "adaln_lora_dim": 16,
    },
    AutoencoderKLCosmos: {
        "encoder_block_out_channels": (4, 8, 16, 16), "decode_block_out_channels": (8, 16, 16, 16), "num_layers": 1,
    },
    T5EncoderModel: {"vocab_size": 320, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4},
}  # fmt: skip
FULL: dict[type, dict[str, Any]] = {
    Gen3cTransformer: {},
    AutoencoderKLCosmos: {},
    T5EncoderModel: {
        "vocab_size": 32128, "d_model": 1024, "d_kv": 128, "d_ff": 65536, "num_layers": 24, "num_heads": 128,
    },
}  # fmt: skip

_DECODER_OF_T5 = (r"^decoder\.", r"^lm_head\.")


@dataclass(eq=False)
class Networks:
    """The networks of a run. Text encoder and depth model are loaded by the first run that uses them."""

    transformer: Gen3cTransformer
    vae: AutoencoderKLCosmos
    checker: Any | None
    depth: FrameDepth | None = None
    text_encoder: T5EncoderModel | None = None
    tokenizer: PreTrainedTokenizerBase | None = None

    @property
    def components(self) -> dict[str, object]:
        """The components that the runtime places."""
        named = {
            "text_encoder": self.text_encoder, "transformer": self.transformer, "vae": self.vae,
            "depth": self.depth and self.depth.network, "guardrail": self.checker,
        }  # fmt: skip
        return {name: part for name, part in named.items() if part is not None}


def load_networks(weights: Weights) -> Networks:
    """Denoiser and tokenizer, and with real weights the checker if its package is installed."""
    checker = guardrail.load() if weights.mode == "real" else None
    return Networks(_transformer(weights), _vae(weights), checker)


def add_text_encoder(networks: Networks, weights: Weights) -> None:
    """Load T5 unless it is loaded."""
    if networks.text_encoder is not None:
        return
    sizes = TINY if weights.mode == "tiny" else FULL
    networks.text_encoder = component(
        weights,
        T5EncoderModel,
        TEXT_ENCODER,
        tiny=TINY[T5EncoderModel],
        full=FULL[T5EncoderModel],
        dropped=_DECODER_OF_T5,
    )
    if weights.mode == "real":
        folder = folder_of(weights.files(TEXT_ENCODER))
        networks.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    else:
        networks.tokenizer = byte_tokenizer(sizes[T5EncoderModel]["vocab_size"])


def add_depth(networks: Networks, weights: Weights) -> None:
    """Load the depth model of added frames unless it is loaded."""
    networks.depth = networks.depth or load_depth(weights)


def _transformer(weights: Weights) -> Gen3cTransformer:
    if weights.mode != "real":
        return _build(Gen3cTransformer, weights)
    network = on_meta_device(lambda: Gen3cTransformer(**FULL[Gen3cTransformer]))
    if folder := diffusers_layout.local_folder(weights, TRANSFORMER.repo):
        diffusers_layout.load_transformer(network, folder, dtype=weights.dtype)
        return network
    convert.load_transformer(network, weights.files(TRANSFORMER)["model.pt"], dtype=weights.dtype)
    return network


def _vae(weights: Weights) -> AutoencoderKLCosmos:
    if weights.mode != "real":
        return _build(AutoencoderKLCosmos, weights)
    if folder := diffusers_layout.local_folder(weights, TOKENIZER.repo):
        return diffusers_layout.load_vae(folder, dtype=weights.dtype)
    files = weights.files(TOKENIZER)
    mean, std = convert.read_statistics(files["mean_std.pt"])
    tables: dict[str, Any] = {"latents_mean": mean.flatten().tolist(), "latents_std": std.flatten().tolist()}
    network = on_meta_device(lambda: AutoencoderKLCosmos(**FULL[AutoencoderKLCosmos], **tables))
    convert.load_vae(network, files["encoder.jit"], files["decoder.jit"], dtype=weights.dtype)
    return network


def _build(kind: Any, weights: Weights) -> Any:
    sizes = TINY if weights.mode == "tiny" else FULL
    return build_random(kind, sizes[kind], seed=weights.seed, dtype=weights.dtype)
