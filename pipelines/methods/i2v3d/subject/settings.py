"""Settings for learning a subject; cheap to import."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.settings import Settings, setting


@dataclass(frozen=True, kw_only=True)
class SubjectSettings(Settings):
    """Settings of a subject training; the defaults are upstream's."""

    prompt: str = setting("", "Prompt", lines=2, help="With a rare word for the subject: A sks car flying in the sky.")
    steps: int = setting(500, "Steps", minimum=1, maximum=20_000, step=1)
    rank: int = setting(32, "Rank", minimum=1, maximum=256, step=1)
    rate: float = setting(1e-4, "Learning rate", minimum=1e-7, maximum=1e-1)
    resolution: int = setting(512, "Resolution", minimum=64, maximum=1536, step=64)
    view_weight: float = setting(
        1.0, "Weight of the views", minimum=0, maximum=10, step=0.1, help="Training uses only their masked part."
    )
    train_text_encoder: bool = setting(
        False, "Train the text encoders too", help="Binds the rare word more strongly; slower, and needs 2 GB more.",
        advanced=True,
    )  # fmt: skip
    text_encoder_rate: float = setting(
        5e-6, "Learning rate of the text encoders", minimum=1e-8, maximum=1e-1, advanced=True
    )
    mirror: bool = setting(True, "Mirror the picture at random")
    centre_crop: bool = setting(False, "Crop in the middle", advanced=True)
    snr_gamma: float = setting(
        0.0,
        "SNR gamma",
        minimum=0,
        maximum=20,
        step=0.5,
        help="5 is usual; 0 weights all noise levels equally.",
        advanced=True,
    )
    dora: bool = setting(False, "Weight-decomposed (DoRA)", advanced=True)
    seed: int = setting(0, "Seed", minimum=0, maximum=2**31 - 1, step=1)
    save_every: int = setting(100, "Save every", minimum=1, maximum=20_000, step=1, advanced=True)
    sample_every: int = setting(
        100, "Sample every", minimum=0, maximum=20_000, step=1, help="Steps between samples of the prompt; 0 paints none.",
        advanced=True,
    )  # fmt: skip
    checkpointing: bool = setting(False, "Gradient checkpointing", help="Less memory, slower.", advanced=True)
    eight_bit: bool = setting(
        False, "8-bit Adam", help="Less memory; needs an NVIDIA GPU and the package bitsandbytes.", advanced=True
    )
    kohya: bool = setting(
        False, "Also in Kohya's layout", help="A second file, for programs that read this layout.", advanced=True
    )

    @property
    def gigabytes(self) -> float:
        """GPU memory that a training needs; computed, not measured."""
        return _GIGABYTES + self.train_text_encoder * (_TEXT_GIGABYTES + _TEXT_GIGABYTES_PER_RANK * self.rank)


_GIGABYTES = 16.0
"""Weights of SDXL in half precision, a LoRA in float32 with its optimiser, and the activations of one step of two pictures."""
_TEXT_GIGABYTES, _TEXT_GIGABYTES_PER_RANK = 1.9, 0.0064
"""The text encoders in half precision with the activations of one prompt; per rank, their 400,000 values
in float32 with gradient and optimiser."""
RESUMABLE = ("steps", "save_every", "sample_every", "checkpointing", "kohya")
"""Settings that may differ when a training is resumed."""
