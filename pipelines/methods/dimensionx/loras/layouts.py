"""LoRA files in one layout, whichever program wrote them.

Known: diffusers (``transformer.transformer_blocks...``), the exporter of the CogVideo project (the same without
``transformer.``; DimensionX's files are believed to be so), peft (``base_model.model....``), original CogVideo
training (SAT: ``...query_key_value.matrix_A.0``). Within the app: ``transformer_blocks.N.attn1.to_q.lora_A.weight``.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from camera.errors import InputError
from pipelines.methods.dimensionx.loras.sat import read_sat_file

TARGETS = ("to_q", "to_k", "to_v", "to_out.0")
"""Modules of every attention block that DimensionX trains; two tensors each."""
METADATA = "lora_adapter_metadata"
"""Where diffusers keeps rank and alpha in a safetensors header."""

_RENAMES = (
    (r"^model\.diffusion_model\.", ""),
    (r"^(base_model\.model\.|diffusion_model\.)", ""),
    (r"^transformer\.(?!layers\.)", ""),
    (
        r"^(?:transformer\.)?layers\.(\d+)\.attention\.dense\.matrix_([AB])\.0$",
        r"transformer_blocks.\1.attn1.to_out.0.lora_\2.weight",
    ),
    *(
        (
            rf"^(?:transformer\.)?layers\.(\d+)\.attention\.query_key_value\.matrix_([AB])\.{i}$",
            rf"transformer_blocks.\1.attn1.to_{x}.lora_\2.weight",
        )
        for i, x in enumerate("qkv")
    ),
    (r"\.lora_([AB])\.[A-Za-z]\w*\.weight$", r".lora_\1.weight"),
    (r"\.lora_down\.weight$", ".lora_A.weight"),
    (r"\.lora_up\.weight$", ".lora_B.weight"),
)
_PART = re.compile(r"^(?P<module>.+)\.lora_(?P<side>[AB])\.weight$")


@dataclass(frozen=True, eq=False)
class LoraFile:
    """``tensors``: pairs ``MODULE.lora_A.weight`` (rank, in) and ``MODULE.lora_B.weight`` (out, rank).

    ``alpha`` is None where the file does not say. ``scale`` is what the update is multiplied by to act as trained.
    """

    name: str
    tensors: dict[str, Tensor]
    rank: int
    alpha: float | None

    @property
    def scale(self) -> float:
        """alpha / rank. Without alpha it is 1 / rank: DimensionX and CogVideo train with alpha 1 and do not store it."""
        return (1.0 if self.alpha is None else self.alpha) / self.rank

    @property
    def modules(self) -> set[str]:
        return {_PART.match(key)["module"] for key in self.tensors}  # type: ignore[index]


def read_lora(path: str | os.PathLike) -> LoraFile:
    """A LoRA in any known layout. Raises `InputError` for other files, half pairs and mixed ranks; drops nothing."""
    path = Path(path)
    return lora_of(read_sat_file(path), name=path.name, alpha=_declared_alpha(path))


def lora_of(stored: dict[str, Tensor], *, name: str, alpha: float | None = None) -> LoraFile:
    """Tensors with foreign names as a `LoraFile`; of a whole SAT checkpoint only the LoRA matrices are taken."""
    sat = any(re.search(r"\.matrix_[AB]\.\d+$", key) for key in stored)
    alphas = {float(value) for key, value in stored.items() if key.endswith(".alpha")}
    kept = {
        renamed(key): value
        for key, value in stored.items()
        if not key.endswith(".alpha") and (not sat or ".matrix_" in key)
    }
    foreign = sorted(key for key in kept if not _PART.match(key))
    if foreign or not kept:
        shown = foreign[0] if foreign else "nothing"
        raise InputError(
            f"{name} is not a LoRA that is understood here: it holds {shown!r}; "
            "expected pairs of lora_A and lora_B in diffusers, peft or SAT layout."
        )
    if len(alphas) > 1:
        raise InputError(f"{name} gives {len(alphas)} different alphas to its layers; export it with one.")
    return LoraFile(name, kept, _checked_rank(kept, name), alphas.pop() if alphas else alpha)


def renamed(key: str) -> str:
    """A key of any known layout in the layout used here; an unknown key comes back as it is."""
    for pattern, replacement in _RENAMES:
        key = re.sub(pattern, replacement, key)
    return key


def check_fits(lora: LoraFile, transformer: nn.Module, *, complete: bool) -> None:
    """Raises `InputError` unless every tensor has its layer in ``transformer`` (shapes included).

    ``complete``: exactly the four `TARGETS` of every block, as in DimensionX's files: 8 tensors per block.
    """
    layers = {name: module for name, module in transformer.named_modules() if hasattr(module, "in_features")}
    for module in sorted(lora.modules):
        layer = layers.get(module)
        if layer is None:
            raise InputError(f"{lora.name} was made for another network: there is no layer {module!r} in this one.")
        shape = (lora.tensors[f"{module}.lora_B.weight"].shape[0], lora.tensors[f"{module}.lora_A.weight"].shape[1])
        if shape != (layer.out_features, layer.in_features):
            raise InputError(
                f"{lora.name} was made for another network: {module} is {shape[1]} to {shape[0]} there and "
                f"{layer.in_features} to {layer.out_features} here."
            )
    blocks = len(transformer.transformer_blocks)  # type: ignore[arg-type]
    expected = 2 * len(TARGETS) * blocks
    if complete and len(lora.tensors) != expected:
        raise InputError(
            f"{lora.name} holds {len(lora.tensors)} tensors; a director for {blocks} blocks has {expected}. Download it again."
        )


def save_lora(path: str | os.PathLike, lora: LoraFile) -> None:
    """Writes diffusers' layout with rank and alpha in the header, so that weight 1 is right everywhere."""
    path = Path(path)
    alpha = 1.0 if lora.alpha is None else lora.alpha
    modules = sorted({module.split(".", 2)[2] for module in lora.modules})
    about = {"r": lora.rank, "lora_alpha": alpha, "target_modules": modules}
    header = {METADATA: json.dumps({f"transformer.{key}": value for key, value in about.items()}), "format": "pt"}
    tensors = {f"transformer.{key}": value.contiguous() for key, value in lora.tensors.items()}
    part = path.with_name(path.name + ".part")
    save_file(tensors, part, metadata=header)
    os.replace(part, path)


def merged_weight(weight: Tensor, lora_a: Tensor, lora_b: Tensor, scale: float) -> Tensor:
    """(out,in): ``weight`` + scale B A, summed in float32 and returned in the dtype of ``weight``."""
    return (weight.float() + scale * (lora_b.float() @ lora_a.float())).to(weight.dtype)


def _checked_rank(tensors: dict[str, Tensor], name: str) -> int:
    modules = {_PART.match(key)["module"] for key in tensors}  # type: ignore[index]
    ranks = set()
    for module in modules:
        a, b = (tensors.get(f"{module}.lora_{side}.weight") for side in "AB")
        if a is None or b is None:
            raise InputError(f"{name} is incomplete: {module} has only one of lora_A and lora_B. Download it again.")
        if a.ndim != 2 or b.ndim != 2 or a.shape[0] != b.shape[1]:
            raise InputError(f"{name}: the pair of {module} does not multiply, {tuple(b.shape)} by {tuple(a.shape)}.")
        ranks.add(a.shape[0])
    if len(ranks) > 1:
        raise InputError(f"{name} mixes the ranks {sorted(ranks)}; one rank for all layers is expected.")
    return ranks.pop()


def _declared_alpha(path: Path) -> float | None:
    """Alpha from the safetensors header (diffusers) or from peft's adapter_config.json beside the file."""
    beside = path.with_name("adapter_config.json")
    if path.suffix == ".safetensors":
        try:
            with safe_open(path, "pt") as file:
                header = json.loads((file.metadata() or {}).get(METADATA, "{}"))
        except (SafetensorError, json.JSONDecodeError) as error:
            raise InputError(f"The header of {path.name} cannot be read ({error}); export the LoRA again.") from error
        alpha = next((value for key, value in header.items() if key.endswith("lora_alpha")), None)
        if alpha is not None:
            return float(alpha)
    if path.name.startswith("adapter_model") and beside.is_file():
        config = json.loads(beside.read_text())
        if config.get("use_rslora"):
            raise InputError(f"{path.name} was trained with rank-stabilised scaling, which is not supported here.")
        return float(config["lora_alpha"])
    return None


def cast(lora: LoraFile, dtype: torch.dtype) -> LoraFile:
    """The same LoRA with tensors of ``dtype``."""
    return LoraFile(lora.name, {key: value.to(dtype) for key, value in lora.tensors.items()}, lora.rank, lora.alpha)
