"""The optional checker of prompts and frames (package ``cosmos_guardrail``), used whenever it is installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError

PACKAGE = "cosmos_guardrail"
LICENCE_NOTE = (
    "Commercial use is allowed; the licence ends by itself if a guardrail of the model is bypassed, disabled or weakened "
    "without a substitute. The checker runs whenever the package cosmos_guardrail is installed and has no off switch here."
)


def is_installed() -> bool:
    return find_spec(PACKAGE) is not None


def describe_state() -> str:
    """One sentence for the page: whether prompts and frames are checked."""
    if is_installed():
        return "Guardrail: installed; prompts are checked before and frames after the run, faces are pixelated."
    return (
        "Guardrail: not installed, nothing is checked; install the package cosmos_guardrail to have prompts and frames "
        "checked, as the weights' licence expects."
    )


def load() -> Any | None:
    """The checker, or None if the package is not installed."""
    if not is_installed():
        return None
    from cosmos_guardrail import CosmosSafetyChecker  # pyright: ignore[reportMissingImports]

    return CosmosSafetyChecker()


def check_prompt(checker: Any | None, prompt: str) -> None:
    """Raise `InputError` for a prompt that the checker refuses."""
    if checker is not None and prompt and not checker.check_text_safety(prompt):
        raise InputError("The guardrail refused the prompt; describe something else.")


def check_frames(checker: Any | None, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Frames (F,H,W,3) as the checker returns them, faces pixelated; raises `InputError` when it refuses them."""
    if checker is None:
        return frames
    checked = checker.check_video_safety(frames)
    if checked is None:
        raise InputError("The guardrail refused the generated frames; change the picture or the prompt.")
    return np.asarray(checked, dtype=np.uint8)
