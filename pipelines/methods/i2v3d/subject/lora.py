"""A subject's LoRA on SDXL's UNet and, if trained on them too, the text encoders: attached for a run, detached afterwards."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffusers.utils.peft_utils import recurse_remove_peft_layers, set_weights_and_activate_adapters
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn

from camera.errors import InputError
from camera.formats.account import Account
from pipelines.weights.checkpoints import read_state
from pipelines.weights.lora_strength import Strength, layer_alphas, read_strength

ADAPTER = "subject"
UNET = "unet"
KOHYA = {UNET: "lora_unet_", "text_encoder": "lora_te1_", "text_encoder_2": "lora_te2_"}
"""Prefix in Kohya's files for each part of SDXL, by its name in diffusers' files."""
_KOHYA_SIDES = {
    "lora_down.weight": "lora_A.weight", "lora_up.weight": "lora_B.weight", "dora_scale": "lora_magnitude_vector.weight",
}  # fmt: skip
_SIDES = {".lora.down.": ".lora_A.", ".lora.up.": ".lora_B.",
          ".lora_linear_layer.down.": ".lora_A.", ".lora_linear_layer.up.": ".lora_B."}  # fmt: skip
_TRANSFORMER = re.compile(r"(down|mid|up)_blocks?\.?(\d*)\.attentions\.(\d+)\.(.+)")

Parts = Mapping[str, nn.Module]
"""SDXL's networks under the names of `KOHYA`."""
States = dict[str, dict[str, Tensor]]
"""Tensors by part and by their name in its network."""


def attach_lora(parts: Parts, file: str, strength: float) -> tuple[str, ...]:
    """Attach the LoRA of ``file`` with ``strength`` to ``parts``, replacing any other; an empty name only detaches.

    Returns notes on what the file does not say and which contents were not used, one sentence each.
    """
    detach_lora(parts)
    if not file:
        return ()
    account = Account(Path(file).name)
    for part, state in read_subject(file, parts, account).items():
        _add_matrices(parts[part], state)
        set_weights_and_activate_adapters(parts[part], [ADAPTER], [strength])
    return tuple(account.notes())


def detach_lora(parts: Parts) -> None:
    for network in parts.values():
        if getattr(network, "peft_config", None):
            recurse_remove_peft_layers(network)
            del network.peft_config


def _add_matrices(network: nn.Module, state: dict[str, Tensor]) -> None:
    """Add the matrices in the compute dtype of ``network``; its own weights may be stored in another dtype."""
    ranks = {key.rpartition(".lora_")[0]: len(value) for key, value in state.items() if ".lora_A." in key}
    usual = Counter(ranks.values()).most_common(1)[0][0]
    others = {module: rank for module, rank in ranks.items() if rank != usual}
    config = LoraConfig(
        r=usual, lora_alpha=usual, rank_pattern=others, alpha_pattern=others, target_modules=list(ranks),
        use_dora=any(".lora_magnitude_vector." in key for key in state), inference_mode=True,
    )  # fmt: skip
    inject_adapter_in_model(config, network, adapter_name=ADAPTER)
    dtype = max((p.dtype for p in network.parameters() if p.is_floating_point()), key=lambda kind: kind.itemsize)
    for name, matrix in network.named_parameters():
        if f".{ADAPTER}." in name:
            matrix.data = state[name.replace(f".{ADAPTER}.", ".")].to(matrix.device, dtype)


def read_subject(file: str | Path, parts: Parts, account: Account | None = None) -> States:
    """Read, for each part in the file, pairs ``MODULE.lora_A.weight``, ``MODULE.lora_B.weight``, and DoRA's magnitudes.

    Accepts keys of diffusers, peft or Kohya. The strength of a layer (`pipelines.weights.lora_strength`) is multiplied into its
    second matrix; without an alpha it is 1, as in diffusers. Raises `InputError` unless every tensor belongs to a layer of
    ``parts`` and every pair is complete. Notes go to ``account``.
    """
    name, stored = Path(file).name, read_state(file)
    account = account or Account(name)
    layers = {f"{part}.{name_in_file(part, path)}": (part, path, module) for part, path, module in _layers(parts)}
    if any(key.startswith(tuple(KOHYA.values())) for key in stored):
        stored = _from_kohya(stored, list(layers), name)
    plain = {_rename(key): (key, value) for key, value in stored.items()}
    states: States = {}
    for key, (given, value) in plain.items():
        module, side = _module_and_side(key)
        if side not in ("A", "B", "magnitude_vector", "alpha") or module not in layers:
            raise InputError(f"{name} is not a LoRA for SDXL: there is no layer for {given!r}; give another file.")
        if side == "alpha":
            continue
        part, path, layer = layers[module]
        other = f"{module}.lora_{'B' if side == 'A' else 'A'}.weight"
        wide: Any = layer.in_features if side == "A" else layer.out_features
        dimensions = 1 if side == "magnitude_vector" else 2
        if other not in plain or value.ndim != dimensions or value.shape[1 if side == "A" else 0] != wide:
            raise InputError(f"{name} does not fit SDXL at {module}; it is incomplete or for another model.")
        states.setdefault(part, {})[f"{path}.lora_{side}.weight"] = value
    if not states:
        raise InputError(f"{name} contains no LoRA; use a file written by a training.")
    alphas = layer_alphas({key: value for key, (_, value) in plain.items()}, name)
    _scale(states, alphas, file, account)
    return states


def _module_and_side(key: str) -> tuple[str, str]:
    if key.endswith(".alpha"):
        return key.removesuffix(".alpha"), "alpha"
    module, _, side = key.removesuffix(".weight").rpartition(".lora_")
    return module, side


def _scale(states: States, alphas: dict[str, float], file: str | Path, account: Account) -> None:
    """Multiply every second matrix by the scale from its layer's alpha and rank."""
    silent = False
    for part, state in states.items():
        strength = read_strength(file, part, account)
        for key in [key for key in state if ".lora_B." in key]:
            path, rank = key.partition(".lora_")[0], state[key].shape[1]
            strength.check_rank(path, rank, account.name)
            alpha = alphas.get(f"{part}.{name_in_file(part, path)}")
            scale = (strength if alpha is None else Strength(alpha)).scale(path, rank, silent=1.0)
            silent |= alpha is None and strength.alpha is None
            if scale != 1:
                state[key] = state[key] * scale
    if silent:
        account.say(
            f"{account.name} contains no alpha; its matrices are applied unscaled at strength 1, as diffusers does."
        )


def name_in_file(part: str, path: str) -> str:
    """A module's name in files: names of CLIP's layers begin with ``text_model``, which newer classes may lack."""
    return f"text_model.{path}" if part != UNET and path.startswith("encoder.") else path


def _layers(parts: Parts) -> list[tuple[str, str, nn.Module]]:
    """Part, name and layer of all layers that a LoRA can change."""
    return [
        (part, path, module)
        for part, network in parts.items()
        for path, module in network.named_modules()
        if hasattr(module, "in_features")
    ]


def _from_kohya(stored: dict[str, Tensor], layers: list[str], name: str) -> dict[str, Tensor]:
    """Restore module names from the underscored names of Kohya's scripts."""
    paths = {}
    for path in layers:
        part, _, module = path.partition(".")
        for name_there in (module, _first_name(module)):
            paths[KOHYA[part] + name_there.replace(".", "_")] = path
    made: dict[str, Tensor] = {}
    for key, value in stored.items():
        module, _, side = key.partition(".")
        if module not in paths:
            raise InputError(f"{name} is not a LoRA for SDXL: there is no layer for {key!r}; give another file.")
        if side == "dora_scale":
            value = value.reshape(-1)
        made[f"{paths[module]}.{_KOHYA_SIDES.get(side, side)}"] = value
    return made


def _first_name(module: str) -> str:
    """The name of a transformer's module of SDXL's UNet in Stability AI's own code, which most of Kohya's files use."""
    found = _TRANSFORMER.match(module)
    if found is None:
        return module
    side, block, number, rest = found.groups()
    if side == "mid":
        return f"middle_block.1.{rest}"
    place = 3 * int(block) + int(number)
    return f"input_blocks.{place + 1}.1.{rest}" if side == "down" else f"output_blocks.{place}.1.{rest}"


def _rename(key: str) -> str:
    """``PART.MODULE.lora_A.weight`` for a key of diffusers or peft; a key without a part belongs to the UNet."""
    part, _, rest = key.partition(".")
    part, rest = (part, rest) if part in KOHYA else (UNET, key)
    for old, new in _SIDES.items():
        rest = rest.replace(old, new)
    return f"{part}.{name_in_file(part, rest)}"
