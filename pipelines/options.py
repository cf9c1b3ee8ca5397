"""Options for how a run executes on this machine; none changes the picture unless its help says so."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.settings import Settings, setting

AUTO, FULL, MODEL_OFFLOAD, GROUP_OFFLOAD = "auto", "full", "model offload", "group offload"
FP8, INT8 = "fp8", "int8"
EXACT: tuple[str, ...] = (FULL, MODEL_OFFLOAD, GROUP_OFFLOAD)
"""Memory modes that leave the picture alone, fastest first."""
MODES: tuple[str, ...] = (*EXACT, FP8, INT8)
"""All memory modes; the last two store weights in 8 bits."""

STEP_CACHES: tuple[str, ...] = ("none", "first block", "TaylorSeer", "MagCache")
ATTENTION: tuple[str, ...] = ("default", "native", "_native_cudnn", "flash", "_flash_3", "sage", "xformers")
MOST_GPUS = 8
"""Most GPUs of one shot."""


@dataclass(frozen=True, kw_only=True)
class RunOptions(Settings):
    """Weights, memory and speed of one run."""

    weights: str = setting(
        "real",
        "Weights",
        choices=("real", "tiny", "random"),
        help="Tiny: small random networks, everything else real, seconds on a CPU. Random: full size without a "
        "download, for memory and speed. Both make noise, not pictures.",
    )
    memory: str = setting(
        AUTO,
        "Memory",
        choices=(AUTO, *MODES),
        help="Auto takes the fastest mode that fits and does not change the picture. fp8 and int8 (needs torchao) store weights in 8 "
        "bits and change it slightly.",
        advanced=True,
    )
    tiling: str = setting(
        "as the method does",
        "Decode",
        choices=("as the method does", "tiles", "whole"),
        help="Decoding in tiles needs less memory; seams are blended.",
        advanced=True,
    )
    attention: str = setting(
        "default", "Attention", choices=ATTENTION, help="Other kernels for attention, where installed.", advanced=True
    )
    cache: str = setting(
        "none",
        "Step cache",
        choices=STEP_CACHES,
        help="Reuses work between steps: faster, and changes the picture.",
        advanced=True,
    )
    cache_threshold: float = setting(
        0.05,
        "Step cache threshold",
        minimum=0.01,
        maximum=0.5,
        step=0.01,
        help="Larger skips more; above 0.2 pictures blur.",
        advanced=True,
    )
    compile: bool = setting(
        False,
        "Compile blocks",
        help="The first run takes a minute longer, later ones are faster. On ZeroGPU only what was compiled ahead.",
        advanced=True,
    )
    correct_turns: bool = setting(
        False,
        "Correct the turns by the method's response",
        help="Requests 34 degrees to get 30, according to the measured response curve of this method with these weights; "
        "the result says what was requested.",
        advanced=True,
    )
    gpus: int = setting(
        1,
        "GPUs for this shot",
        minimum=1,
        maximum=MOST_GPUS,
        step=1,
        help="Number of GPUs that share the work of one shot: faster, and the picture changes only by rounding.",
        advanced=True,
    )
