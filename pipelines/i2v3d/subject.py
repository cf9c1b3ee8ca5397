"""A subject's LoRA on SDXL's UNet: worn during a run, taken off afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diffusers import UNet2DConditionModel
from torch import Tensor

from camera.errors import InputError
from pipelines.checkpoints import read_state

ADAPTER = "subject"
PREFIX = "unet."
_SIDES = {".lora.down.weight": ".lora_A.weight", ".lora.up.weight": ".lora_B.weight"}


@contextmanager
def worn(unet: UNet2DConditionModel, file: str, strength: float) -> Iterator[None]:
    """Inside, ``unet`` has the LoRA of ``file`` with ``strength``; an empty name leaves it as it is."""
    if not file:
        yield
        return
    state = read_subject(file, unet)
    try:
        unet.load_lora_adapter(state, prefix=None, adapter_name=ADAPTER)
        unet.set_adapters(ADAPTER, strength)
        yield
    finally:
        unet.unload_lora()


def read_subject(file: str | Path, unet: UNet2DConditionModel) -> dict[str, Tensor]:
    """Tensors ``MODULE.lora_A.weight`` and ``MODULE.lora_B.weight`` of a file with either style of keys, or both.

    Raises `InputError` unless every tensor belongs to a layer of ``unet`` and every pair is whole.
    """
    name = Path(file).name
    state = {_renamed(key): value for key, value in read_state(file).items()}
    layers = {path: module for path, module in unet.named_modules() if hasattr(module, "in_features")}
    for key, value in state.items():
        module, _, side = key.removesuffix(".weight").rpartition(".lora_")
        if side not in ("A", "B") or module not in layers:
            raise InputError(f"{name} is not a LoRA for SDXL's UNet: there is no layer for {key!r}; give another file.")
        layer, other = layers[module], f"{module}.lora_{'B' if side == 'A' else 'A'}.weight"
        wide = layer.in_features if side == "A" else layer.out_features
        if other not in state or value.ndim != 2 or value.shape[1 if side == "A" else 0] != wide:
            raise InputError(f"{name} does not fit SDXL's UNet at {module}; it is incomplete or for another model.")
    if not state:
        raise InputError(f"{name} holds no LoRA; give the file that a training wrote.")
    return state


def _renamed(key: str) -> str:
    for old, new in _SIDES.items():
        key = key.replace(old, new)
    return key.removeprefix(PREFIX)
