"""A vision-language model that writes the prompt: it describes the picture and does not mention cameras."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
)

from pipelines.method import Progress
from pipelines.methods.dimensionx.method import checkpoint
from pipelines.weights.checkpoints import fill_randomly, from_folder
from pipelines.weights.components import byte_tokenizer
from pipelines.weights.hub import Weights, folder_of

Size = Literal["small", "large"]
GIGABYTES: dict[Size, float] = {"small": 2.0, "large": 6.0}
"""GPU memory: 0.5 and 2.2 billion parameters in 16 bits, plus activations."""
WORDS = 110
REQUEST = (
    f"Describe this picture in one paragraph of at most {WORDS} words, in the present tense: what is to be seen, where it "
    "stands, materials and colours, light and atmosphere. Do not mention a camera, a photograph, or any movement."
)
"""Upstream's example prompts are such paragraphs of 60-110 words; the wording is ours, upstream ships no captioner."""


class Captioner:
    """A model of the transformers library with its processor."""

    def __init__(self, model: Any, processor: Any) -> None:
        self.model, self.processor = model, processor

    @torch.no_grad()
    def __call__(self, picture: NDArray[np.uint8], *, device: torch.device) -> str:
        """One paragraph for RGB (H,W,3)."""
        message = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": REQUEST}]}]
        words = self.processor.apply_chat_template(message, add_generation_prompt=True)
        inputs = self.processor(text=words, images=[Image.fromarray(picture)], return_tensors="pt").to(device)
        inputs["pixel_values"] = inputs["pixel_values"].to(self.model.dtype)
        made = self.model.generate(**inputs, max_new_tokens=3 * WORDS, do_sample=False)
        return self.processor.batch_decode(made[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)[0].strip()


def load_captioner(weights: Weights, size: Size) -> Captioner:
    """SmolVLM with 0.5 (small) or 2.2 (large) billion parameters, both Apache-2.0, from the hub.

    For tiny and random weights a network of the same architecture with random numbers, whose output is meaningless.
    """
    if weights.mode != "real":
        return untrained_captioner(weights)
    source = checkpoint(f"caption_{size}")
    folder = folder_of(weights.files(source))
    model = weights.shared(
        ("captioner", source.repo),
        lambda: from_folder(AutoModelForImageTextToText, folder, dtype=weights.dtype, source=source.repo),
    )
    return Captioner(model, AutoProcessor.from_pretrained(folder, local_files_only=True, backend="pil"))


def describe(weights: Weights, picture: NDArray[np.uint8], size: Size) -> Iterator[Progress | str]:
    """Yield `Progress`, then one paragraph about RGB (H,W,3); runs on the device of ``weights``."""
    yield Progress("Loading", 0, 1)
    captioner = load_captioner(weights, size)
    captioner.model.to(weights.device)
    yield Progress("Describing the picture", 0, 1)
    yield captioner(picture, device=torch.device(weights.device))


def untrained_captioner(weights: Weights) -> Captioner:
    """SmolVLM's architecture (Idefics3) at its smallest, with one token per byte."""
    tokenizer = byte_tokenizer(_TINY_TEXT["vocab_size"])
    tokenizer.add_special_tokens({"additional_special_tokens": list(_MARKS)})
    config = Idefics3Config(
        vision_config=_TINY_VISION,  # type: ignore[arg-type]
        text_config=_TINY_TEXT,  # type: ignore[arg-type]
        scale_factor=2,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        tie_word_embeddings=False,
    )
    model = fill_randomly(Idefics3ForConditionalGeneration(config), seed=weights.seed, dtype=weights.dtype)
    size = {"longest_edge": _TINY_VISION["image_size"]}
    pictures = Idefics3ImageProcessorPil(do_image_splitting=False, size=size, max_image_size=size)
    return Captioner(model, Idefics3Processor(pictures, tokenizer, image_seq_len=4, chat_template=_TEMPLATE))


_MARKS = ("<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>")
_TEMPLATE = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endfor %}"
)
_TINY_VISION = {
    "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
    "image_size": 32, "patch_size": 8,
}  # fmt: skip
_TINY_TEXT = {
    "model_type": "llama", "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1,
    "num_attention_heads": 2, "num_key_value_heads": 2, "vocab_size": 400, "pad_token_id": 0, "eos_token_id": 1,
    "bos_token_id": 1,
}  # fmt: skip
