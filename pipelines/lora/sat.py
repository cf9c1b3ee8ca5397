"""Checkpoints of SwissArmyTransformer, which DimensionX and CogVideo train with: safe reading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from camera.errors import InputError

NETWORK = "model.diffusion_model."
"""What the network's keys begin with; text encoder and VAE stand beside it under other names."""

_ALLOWED = (np._core.multiarray._reconstruct, np.ndarray, np.dtype, np.dtypes.UInt32DType)
"""The random state that DeepSpeed saves beside the weights is a numpy array; nothing else is let through."""


def read_sat_file(path: str | Path) -> dict[str, Tensor]:
    """Every tensor of a ``mp_rank_00_model_states.pt`` or of a safetensors file with the same keys, memory-mapped.

    Raises `InputError` when the file is not such a checkpoint, is cut off, or holds objects that could run code.
    """
    path = Path(path)
    if path.suffix == ".safetensors":
        return read_tensors(path)
    try:
        with torch.serialization.safe_globals(list(_ALLOWED)):
            stored = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        raise InputError(
            f"{path.name} cannot be read as a training checkpoint without running its code ({type(error).__name__}); "
            "download it again or give a safetensors file."
        ) from error
    state = stored.get("module", stored) if isinstance(stored, dict) else None
    tensors = {key: value for key, value in (state or {}).items() if isinstance(value, Tensor)}
    if not tensors:
        raise InputError(f"{path.name} holds no tensors under 'module'; expected a SAT or DeepSpeed checkpoint.")
    return tensors


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """A safetensors file; a broken one becomes an `InputError`."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{Path(path).name} is not a complete safetensors file; download it again.") from error


def tracked_folder(latest: str) -> str:
    """The folder that the text of SAT's ``latest`` file names: a whole number above 0."""
    text = latest.strip()
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"The file 'latest' of a SAT checkpoint must hold a whole number above 0, got {text[:20]!r}.")
    return text
