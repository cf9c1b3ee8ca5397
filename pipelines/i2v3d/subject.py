"""A subject's LoRA on SDXL's UNet: worn during a run, taken off afterwards."""

from __future__ import annotations

from pathlib import Path

from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor

from camera.errors import InputError
from pipelines.checkpoints import read_state

ADAPTER = "subject"
PREFIX, KOHYA = "unet.", "lora_unet_"
_KOHYA_PARTS = {
    "lora_down.weight": "lora_A.weight", "lora_up.weight": "lora_B.weight", "dora_scale": "lora_magnitude_vector.weight",
}  # fmt: skip
_SIDES = {".lora.down.weight": ".lora_A.weight", ".lora.up.weight": ".lora_B.weight"}


def wear(unet: UNet2DConditionModel, file: str, strength: float) -> None:
    """Gives ``unet`` the LoRA of ``file`` with ``strength`` in place of any other; an empty name only takes that off."""
    take_off(unet)
    if file:
        state = {key: value.to(unet.dtype) for key, value in read_subject(file, unet).items()}
        unet.load_lora_adapter(state, prefix=None, adapter_name=ADAPTER)  # type: ignore[arg-type]
        unet.set_adapters(ADAPTER, strength)


def take_off(unet: UNet2DConditionModel) -> None:
    if getattr(unet, "peft_config", None):
        unet.unload_lora()


def read_subject(file: str | Path, unet: UNet2DConditionModel) -> dict[str, Tensor]:
    """Pairs ``MODULE.lora_A.weight``, ``MODULE.lora_B.weight`` of a file with diffusers', peft's or Kohya's keys; DoRA's
    magnitudes. Kohya's alphas are in the second matrices.

    Raises `InputError` unless every tensor belongs to a layer of ``unet`` and every pair is whole.
    """
    name = Path(file).name
    layers = {path: module for path, module in unet.named_modules() if hasattr(module, "in_features")}
    stored = read_state(file)
    if any(key.startswith(KOHYA) for key in stored):
        stored = _from_kohya(stored, list(layers), name)
    state = {_renamed(key): value for key, value in stored.items()}
    for key, value in state.items():
        module, _, side = key.removesuffix(".weight").rpartition(".lora_")
        if side not in ("A", "B", "magnitude_vector") or module not in layers:
            raise InputError(f"{name} is not a LoRA for SDXL's UNet: there is no layer for {key!r}; give another file.")
        layer, other = layers[module], f"{module}.lora_{'B' if side == 'A' else 'A'}.weight"
        wide = layer.in_features if side == "A" else layer.out_features
        dimensions = 1 if side == "magnitude_vector" else 2
        if other not in state or value.ndim != dimensions or value.shape[1 if side == "A" else 0] != wide:
            raise InputError(f"{name} does not fit SDXL's UNet at {module}; it is incomplete or for another model.")
    if not state:
        raise InputError(f"{name} holds no LoRA; give the file that a training wrote.")
    return state


def _from_kohya(stored: dict[str, Tensor], layers: list[str], name: str) -> dict[str, Tensor]:
    """With the names of modules for what Kohya's scripts write with underscores, and alpha over rank multiplied in."""
    paths = {path.replace(".", "_"): path for path in layers}
    made: dict[str, Tensor] = {}
    for key, value in stored.items():
        module, _, part = key.removeprefix(KOHYA).partition(".")
        if not key.startswith(KOHYA) or module not in paths:
            raise InputError(
                f"{name} is not a LoRA for SDXL's UNet alone: there is no layer for {key!r}; give another file."
            )
        if part == "lora_up.weight":
            rank = value.shape[-1]
            alpha = stored.get(f"{KOHYA}{module}.alpha")
            value = value * (float(alpha) / rank if alpha is not None else 1.0)
        if part == "dora_scale":
            value = value.reshape(-1)
        if part != "alpha":
            made[f"{paths[module]}.{_KOHYA_PARTS.get(part, part)}"] = value
    return made


def _renamed(key: str) -> str:
    for old, new in _SIDES.items():
        key = key.replace(old, new)
    return key.removeprefix(PREFIX)
