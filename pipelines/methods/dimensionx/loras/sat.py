"""Safe reading of checkpoints of SwissArmyTransformer, the training library of DimensionX and CogVideo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from camera.errors import InputError
from pipelines.weights.checkpoints import read_state

NETWORK = "model.diffusion_model."
"""Prefix of the network's keys; text encoder and VAE have other prefixes."""

_RECONSTRUCT: Any = np.zeros(1).__reduce__()[0]
_ALLOWED: list[Any] = [
    (_RECONSTRUCT, "numpy.core.multiarray._reconstruct"),
    (_RECONSTRUCT, "numpy._core.multiarray._reconstruct"),
    np.ndarray,
    np.dtype,
    np.dtypes.UInt32DType,
]
"""DeepSpeed saves its random state beside the weights as a numpy array (numpy 1 and 2 use different names for its
constructor); nothing else is allowed."""


def read_sat_file(path: str | Path) -> dict[str, Tensor]:
    """Read all tensors of a ``mp_rank_00_model_states.pt`` or of a safetensors file with the same keys, memory-mapped.

    Raises `InputError` if the file is not such a checkpoint, is truncated, or contains objects that could run code.
    """
    path = Path(path)
    if path.suffix == ".safetensors":
        return read_state(path)
    try:
        with torch.serialization.safe_globals(_ALLOWED):
            stored = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        raise InputError(
            f"{path.name} cannot be read as a training checkpoint without running its code; "
            "download it again or give a safetensors file."
        ) from error
    state = stored.get("module", stored) if isinstance(stored, dict) else None
    tensors = {key: value for key, value in (state or {}).items() if isinstance(value, Tensor)}
    if not tensors:
        raise InputError(f"{path.name} contains no tensors under 'module'; expected a SAT or DeepSpeed checkpoint.")
    return tensors


def read_latest(latest: str) -> str:
    """The folder named in SAT's ``latest`` file: a positive whole number."""
    text = latest.strip()
    if not text.isdecimal() or int(text) < 1:
        raise InputError(
            f"The file 'latest' of a SAT checkpoint must contain a whole number above 0, got {text[:20]!r}."
        )
    return text
