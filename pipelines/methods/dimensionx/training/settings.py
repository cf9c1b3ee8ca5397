"""Settings of a director's training; cheap to import, so that the page can show them."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

from camera.errors import InputError
from pipelines.settings import Settings, setting

PROGRAM = "python -m pipelines.methods.dimensionx.training.train"


@dataclass(frozen=True, kw_only=True)
class Recipe(Settings):
    """Training parameters; the defaults are upstream's, with ``batch`` times ``accumulation`` times GPUs equal to 16."""

    name: str = setting(
        "director", "Name", help="Name of the move, as in orbit_left: the app finds the LoRA by this name."
    )
    camera: str = setting(
        "any",
        "Camera of the clips",
        choices=("any", "still", "moving"),
        help="Leaves out clips of the other kind: still for a T-Director, moving for an S-Director.",
    )
    steps: int = setting(3000, "Steps", minimum=1, maximum=1_000_000, step=1, help="Upstream suggests more than 1000.")
    rank: int = setting(256, "Rank", minimum=1, maximum=1024, step=1, help="256 as in the published directors.")
    peak_rate: float = setting(1e-3, "Learning rate", minimum=1e-7, maximum=1.0, step=1e-5)
    sample_every: int = setting(
        100,
        "Sample every",
        minimum=0,
        maximum=1_000_000,
        step=1,
        help="Number of steps between sample videos; 0 makes none.",
    )
    alpha: float = setting(1.0, "Alpha", minimum=0.001, maximum=1024, step=0.001, advanced=True)
    batch: int = setting(1, "Clips at once", minimum=1, maximum=64, step=1, advanced=True)
    accumulation: int = setting(16, "Batches per step", minimum=1, maximum=256, step=1, advanced=True)
    frames: int = setting(49, "Frames", minimum=9, maximum=49, step=8, advanced=True)
    seed: int = setting(42, "Seed", minimum=0, maximum=2**32 - 1, step=1, advanced=True)
    save_every: int = setting(500, "Save every", minimum=1, maximum=1_000_000, step=1, advanced=True)
    sample_steps: int = setting(50, "Steps of a sample", minimum=1, maximum=100, step=1, advanced=True)
    checkpointing: bool = setting(True, "Gradient checkpointing", help="Less memory, a third slower.", advanced=True)

    @property
    def identity(self) -> str:
        """A short text that differs between recipes that cannot continue each other."""
        values = {name: value for name, value in sorted(self.values().items()) if name not in RESUMABLE}
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:12]

    @property
    def gigabytes(self) -> float:
        """GPU memory of a training of the 5B model, computed and not measured.

        Network and VAE in 16 bits; matrices, gradients, two moments and the moving average in 32; the activations of every
        block, or with checkpointing only its input.
        """
        weights, matrices = 11.7, 168 * 2 * 3072 * self.rank * 4 * 5 / 1e9
        tokens = 226 + ((self.frames - 1) // 4 + 1) * 1350
        block = tokens * 3072 * 2 * self.batch / 1e9
        return weights + matrices + block * (42 + _INNER if self.checkpointing else 42 * _INNER)


_INNER = 24
"""Activations stored per block for the backward pass, in multiples of its input: normalised, q, k, v, their rotations, attention output, MLP."""

RESUMABLE = ("steps", "save_every", "sample_every", "sample_steps", "checkpointing", "output")
"""Settings that may differ when a training is resumed."""


@dataclass(frozen=True, kw_only=True)
class TrainSettings(Recipe):
    """The recipe with its input and output paths."""

    data: str = setting("", "Clips", help="A folder of videos with a .txt caption each, or a CSV: file, caption.")
    output: str = setting("", "Output folder")


def check_name(name: str) -> None:
    """Raise `InputError` for a name that cannot be part of a file name."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}", name):
        raise InputError(
            f"A name has letters, digits, - and _ only and at most 60 of them, as in orbit_left; got {name!r}."
        )
