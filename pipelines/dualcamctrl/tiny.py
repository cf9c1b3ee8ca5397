"""Tiny networks of the real classes, for runs from picture to clip within seconds on a CPU. Their pictures mean nothing."""

from __future__ import annotations

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import CLIPVisionConfig, CLIPVisionModel, PreTrainedTokenizerFast, UMT5Config, UMT5EncoderModel

from pipelines.dualcamctrl.transformer import DualCamCtrlTransformer
from pipelines.dualcamctrl.vae import TiledWanVAE

TEXT_DIM, PICTURE_DIM = 32, 32


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer of the 256 bytes, with UMT5's padding and end tokens at its numbers 0 and 1."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate(["<pad>", "</s>", "<unk>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
    tokenizer.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    tokenizer.post_processor = processors.TemplateProcessing(  # type: ignore[assignment]
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512
    )


def transformer() -> DualCamCtrlTransformer:
    """Six layers of 48 channels, fusing in both directions."""
    return DualCamCtrlTransformer(
        num_attention_heads=4,
        attention_head_dim=12,
        text_dim=TEXT_DIM,
        freq_dim=32,
        ffn_dim=96,
        num_layers=6,
        image_dim=PICTURE_DIM,
        rgb_to_depth=(0, 1),
        depth_to_rgb=(2, 3, 4),
    )


def text_encoder() -> UMT5EncoderModel:
    config = UMT5Config(vocab_size=259, d_model=TEXT_DIM, d_kv=8, d_ff=64, num_layers=2, num_heads=4)
    return UMT5EncoderModel(config)


def image_encoder() -> CLIPVisionModel:
    return CLIPVisionModel(vision_config(PICTURE_DIM, layers=2, heads=4))


def vae() -> TiledWanVAE:
    return TiledWanVAE(base_dim=4, z_dim=16)


def vision_config(width: int, *, layers: int, heads: int) -> CLIPVisionConfig:
    """ViT/14 as open-clip builds it: exact GELU, four times as wide inside."""
    return CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        image_size=224,
        patch_size=14,
        hidden_act="gelu",
        layer_norm_eps=1e-5,
    )
