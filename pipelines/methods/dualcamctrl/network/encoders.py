"""Conditioning inputs of the denoiser: text embeddings, image tokens and picture latents."""

from __future__ import annotations

import html
import re
import unicodedata

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from transformers import CLIPVisionModel, PreTrainedTokenizerBase, UMT5EncoderModel

from pipelines.methods.dualcamctrl.network.transformer import TEXT_TOKENS

_CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
_CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
_STRAIGHT = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"'})


def clean_prompt(prompt: str) -> str:
    """Normalise to composed Unicode with straight quotes; unescape HTML entities (twice) and collapse white space."""
    text = unicodedata.normalize("NFC", prompt).translate(_STRAIGHT)
    return re.sub(r"\s+", " ", html.unescape(html.unescape(text))).strip()


def encode_text(
    tokenizer: PreTrainedTokenizerBase, encoder: UMT5EncoderModel, prompt: str, device: torch.device
) -> Tensor:
    """(1,512,C) embeddings of UMT5; rows after the end of the text are zero."""
    tokens = tokenizer(
        [clean_prompt(prompt)],
        padding="max_length",
        max_length=TEXT_TOKENS,
        truncation=True,
        add_special_tokens=True,
        return_tensors="pt",
    ).to(device)
    return encode_tokens(encoder, tokens.input_ids, tokens.attention_mask)


def tokens_too_many(tokenizer: PreTrainedTokenizerBase, prompt: str) -> int:
    """The number of tokens of a prompt that will be cut off."""
    return max(0, len(tokenizer(clean_prompt(prompt)).input_ids) - TEXT_TOKENS)


def encode_tokens(encoder: UMT5EncoderModel, ids: Tensor, mask: Tensor) -> Tensor:
    """Token ids (1,512) and their mask to embeddings (1,512,C)."""
    return encoder(ids, mask).last_hidden_state * mask.unsqueeze(-1)


def clip_pixels(picture: Tensor) -> Tensor:
    """(1,3,H,W) in -1..1 to CLIP's (1,3,224,224): bicubic, stretched, without crop or antialiasing, unlike CLIP's own preprocessing."""
    square = F.interpolate(picture, size=(224, 224), mode="bicubic", align_corners=False)
    mean, std = (
        torch.tensor(v, dtype=square.dtype, device=square.device).view(3, 1, 1) for v in (_CLIP_MEAN, _CLIP_STD)
    )
    return (square * 0.5 + 0.5 - mean) / std


def encode_clip(encoder: CLIPVisionModel, picture: Tensor) -> Tensor:
    """Image tokens (1,257,C), from before the last layer of ViT-H."""
    return encoder(pixel_values=clip_pixels(picture), output_hidden_states=True).hidden_states[-2]


def resize_picture(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """(H,W,3) or grey (H,W), stretched to ``width`` x ``height`` bicubically as upstream does."""
    return np.asarray(Image.fromarray(picture).resize((width, height)))


def picture_tensor(picture: NDArray[np.uint8], dtype: torch.dtype, device: torch.device) -> Tensor:
    """(H,W,3) or grey (H,W) to (1,3,H,W) in -1..1; converts to ``dtype`` before the affine map, as upstream does."""
    grey = picture if picture.ndim == 3 else picture[..., None].repeat(3, axis=2)
    unit = torch.from_numpy(grey.astype(np.float32) / 255).permute(2, 0, 1).unsqueeze(0)
    return unit.to(device=device, dtype=dtype) * 2 - 1


def beside_noise(latent: Tensor, frames: int) -> Tensor:
    """A picture's latent (1,16,1,h,w) as the first of ``frames`` latent frames, followed by zeros."""
    return F.pad(latent, (0, 0, 0, 0, 0, frames - 1))
