"""Reads LoRA files of all known layouts into one.

Known: diffusers (``transformer.transformer_blocks...``), the exporter of the CogVideo project (the same without
``transformer.``; DimensionX's files are believed to use it), peft (``base_model.model....``), original CogVideo
training (SAT: ``...query_key_value.matrix_A.0``). Within the app: ``transformer_blocks.N.attn1.to_q.lora_A.weight``.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from camera.errors import InputError
from camera.formats.account import Account
from pipelines.methods.dimensionx.loras.sat import read_sat_file
from pipelines.weights.lora_strength import HEADER, UNSAID, Strength, layer_alphas, read_strength

TARGETS = ("to_q", "to_k", "to_v", "to_out.0")
"""Modules that DimensionX trains in every attention block; two tensors each."""
NETWORK = "transformer"
"""Prefix of the network's keys in diffusers' files."""

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

    ``rank`` and ``alpha`` are those of most layers. ``alpha`` is None if the file does not contain it; with rank-stabilised
    scaling it is the alpha with the same effect without it. ``scales``: factors that give the update of the remaining layers
    its trained strength. ``notes``: other contents of the file.
    """

    name: str
    tensors: dict[str, Tensor]
    rank: int
    alpha: float | None
    scales: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def scale(self) -> float:
        """alpha / rank of every layer. Without alpha it is 1 / rank: DimensionX and CogVideo train with alpha 1 and do not
        store it. Raises `InputError` if layers differ: use `scale_of` then."""
        if self.scales:
            strongest = [f"{each:.4g}" for each in sorted({self._common_scale, *self.scales.values()})]
            raise InputError(
                f"The layers of {self.name} have the scales {' or '.join(strongest)}; they have no common scale."
            )
        return self._common_scale

    @property
    def _common_scale(self) -> float:
        return (1.0 if self.alpha is None else self.alpha) / self.rank

    def scale_of(self, module: str) -> float:
        """The factor that gives the update of one layer its trained strength."""
        return self.scales.get(module, self._common_scale)

    def rank_of(self, module: str) -> int:
        return len(self.tensors[f"{module}.lora_A.weight"])

    @property
    def strength_words(self) -> str:
        """A sentence on the strength of the file and how it was determined."""
        if self.alpha is None:
            return (
                f"{self.name} contains no alpha: its matrices of rank {self.rank} are scaled by {self._common_scale:.4g} (1 / rank), as "
                f"DimensionX's own; other loaders apply such a file unscaled, which corresponds to an alpha of {self.rank}."
            )
        acting = sorted({self._common_scale, *self.scales.values()})
        return f"{self.name} has the scale {' or '.join(f'{each:.4g}' for each in acting[:6])} at strength 1, according to the file."

    @property
    def modules(self) -> set[str]:
        return {_PART.match(key)["module"] for key in self.tensors}  # type: ignore[index]


def read_lora(path: str | os.PathLike, *, layers_may_differ: bool = False) -> LoraFile:
    """Read a LoRA in any known layout. Raises `InputError` for other files and half pairs; drops nothing.

    ``layers_may_differ``: the caller uses the scale of each layer, `LoraFile.scale_of`. Otherwise a file with different scales
    raises an error, since it has no single `LoraFile.scale`.
    """
    path = Path(path)
    stored, account = read_sat_file(path), Account(path.name)
    strength = read_strength(path, NETWORK, account)
    read = replace(lora_of(stored, name=path.name, strength=strength), notes=tuple(account.notes()))
    if not layers_may_differ:
        read.scale  # noqa: B018, raises if there is none
    return read


def lora_of(stored: dict[str, Tensor], *, name: str, strength: Strength = UNSAID) -> LoraFile:
    """Convert tensors with foreign names to a `LoraFile`; uses only the LoRA matrices of a full SAT checkpoint.

    ``strength``: the strength stated elsewhere in the file; alphas stored beside the matrices take precedence.
    """
    sat = any(re.search(r"\.matrix_[AB]\.\d+$", key) for key in stored)
    alphas = {
        rename_key(f"{module}.alpha").removesuffix(".alpha"): value
        for module, value in layer_alphas(stored, name).items()
    }
    tensors = {
        rename_key(key): value
        for key, value in stored.items()
        if not key.endswith(".alpha") and (not sat or ".matrix_" in key)
    }
    foreign = sorted(key for key in tensors if not _PART.match(key))
    if foreign or not tensors:
        shown = foreign[0] if foreign else "nothing"
        raise InputError(
            f"{name} is not a LoRA of a known layout: it contains {shown!r}; "
            "expected pairs of lora_A and lora_B in diffusers, peft or SAT layout."
        )
    ranks = _check_ranks(tensors, name)
    if unmatched := sorted(alphas.keys() - ranks.keys()):
        raise InputError(f"{name} has an alpha for {unmatched[0]!r} but no matrices; export it again.")
    return _build_file(name, tensors, ranks, _scales(ranks, alphas, strength, name))


def _scales(
    ranks: Mapping[str, int], alphas: Mapping[str, float], strength: Strength, name: str
) -> dict[str, float] | None:
    """The factor of each layer's update; None if the file contains no strength."""
    for module, rank in ranks.items():
        strength.check_rank(module, rank, name)
    if strength.alpha is None and not alphas:
        return None
    if len(set(alphas.values())) == 1 and strength.alpha is None:
        strength = Strength(next(iter(alphas.values())))
    if strength.alpha is None and (without := sorted(ranks.keys() - alphas.keys())):
        raise InputError(f"{name} has no alpha for {without[0]}, but for other layers; export it again.")
    return {
        module: alphas[module] / rank if module in alphas else strength.scale(module, rank, silent=1 / rank)
        for module, rank in ranks.items()
    }


def _build_file(
    name: str, tensors: dict[str, Tensor], ranks: Mapping[str, int], scales: Mapping[str, float] | None
) -> LoraFile:
    rank = Counter(ranks.values()).most_common(1)[0][0]
    if scales is None:
        if len(set(ranks.values())) > 1:
            raise InputError(
                f"{name} mixes the ranks {sorted(set(ranks.values()))} and contains no alpha, so its strength is not known; "
                "export it with its alpha."
            )
        return LoraFile(name, tensors, rank, None)
    usual = Counter(scales.values()).most_common(1)[0][0]
    others = {module: scale for module, scale in scales.items() if scale != usual}
    return LoraFile(name, tensors, rank, usual * rank, others)


def rename_key(key: str) -> str:
    """Convert a key of any known layout to ours; returns an unknown key unchanged."""
    for pattern, replacement in _RENAMES:
        key = re.sub(pattern, replacement, key)
    return key


def check_fits(lora: LoraFile, transformer: nn.Module, *, complete: bool) -> None:
    """Raise `InputError` unless every tensor has a layer of matching shape in ``transformer``.

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
            f"{lora.name} contains {len(lora.tensors)} tensors; a director for {blocks} blocks has {expected}. Download it again."
        )


def save_lora(path: str | os.PathLike, lora: LoraFile) -> None:
    """Write diffusers' layout with ranks and alphas in the header, so that weight 1 is the trained strength in every loader."""
    path = Path(path)
    modules = sorted({module.split(".", 2)[2] for module in lora.modules})
    about = {**configuration(lora), "target_modules": modules}
    header = {HEADER: json.dumps({f"{NETWORK}.{key}": value for key, value in about.items()}), "format": "pt"}
    tensors = {f"{NETWORK}.{key}": value.contiguous() for key, value in lora.tensors.items()}
    part = path.with_name(path.name + ".part")
    save_file(tensors, part, metadata=header)
    os.replace(part, path)


def configuration(lora: LoraFile) -> dict[str, object]:
    """peft's configuration that gives every layer its rank and its trained strength."""
    ranks = {module: lora.rank_of(module) for module in sorted(lora.modules)}
    usual = 1.0 if lora.alpha is None else lora.alpha
    alphas = {module: lora.scale_of(module) * rank for module, rank in ranks.items()}
    patterns = {
        "rank_pattern": {module: rank for module, rank in ranks.items() if rank != lora.rank},
        "alpha_pattern": {module: alpha for module, alpha in alphas.items() if alpha != usual},
    }
    return {"r": lora.rank, "lora_alpha": usual, **{key: values for key, values in patterns.items() if values}}


def merge_weight(weight: Tensor, lora_a: Tensor, lora_b: Tensor, scale: float) -> Tensor:
    """(out,in): ``weight`` + scale B A, summed in float32 and returned in the dtype of ``weight``."""
    return (weight.float() + scale * (lora_b.float() @ lora_a.float())).to(weight.dtype)


def _check_ranks(tensors: dict[str, Tensor], name: str) -> dict[str, int]:
    """Rank of each layer's pair of matrices."""
    ranks = {}
    for module in sorted({_PART.match(key)["module"] for key in tensors}):  # type: ignore[index]
        a, b = (tensors.get(f"{module}.lora_{side}.weight") for side in "AB")
        if a is None or b is None:
            raise InputError(f"{name} is incomplete: {module} has only one of lora_A and lora_B. Download it again.")
        if a.ndim != 2 or b.ndim != 2 or a.shape[0] != b.shape[1]:
            raise InputError(
                f"{name}: the matrices of {module} cannot be multiplied, {tuple(b.shape)} by {tuple(a.shape)}."
            )
        ranks[module] = a.shape[0]
    return ranks


def cast(lora: LoraFile, dtype: torch.dtype) -> LoraFile:
    """The same LoRA with tensors of ``dtype``."""
    return replace(lora, tensors={key: value.to(dtype) for key, value in lora.tensors.items()})
