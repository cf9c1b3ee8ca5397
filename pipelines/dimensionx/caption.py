"""A vision-language model that writes the prompt: what the picture shows, and nothing about cameras."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from pipelines.checkpoints import from_folder
from pipelines.dimensionx.method import checkpoint
from pipelines.runtime.weights import Weights, folder_of

Size = Literal["small", "large"]
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
    """SmolVLM (small) or Qwen2.5-VL (large), both Apache-2.0, from the hub."""
    source = checkpoint(f"caption_{size}")
    folder = folder_of(weights.files(source))
    model = weights.shared(
        ("captioner", source.repo),
        lambda: from_folder(AutoModelForImageTextToText, folder, dtype=weights.dtype, source=source.repo),
    )
    return Captioner(model, AutoProcessor.from_pretrained(folder, local_files_only=True, use_fast=False))
