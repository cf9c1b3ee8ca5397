"""The scale of LoRA files: one rule for every method, that of peft and diffusers.

A layer's update is ``scale B A``. If a file contains an alpha, ``scale`` is alpha / rank, with ``use_rslora`` alpha / sqrt(rank);
``alpha_pattern`` and ``rank_pattern`` set other values for single layers. Files store this in alphas beside the matrices (Kohya), in
diffusers' ``lora_adapter_metadata`` of the safetensors header, in plain header entries, or in peft's ``adapter_config.json`` beside the file.
Source: peft, ``tuners/lora/layer.py`` and ``utils/other.py`` (`get_pattern_key`); diffusers, ``loaders/lora_base.py``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from camera.errors import InputError, json_kind
from camera.formats.account import Account, Fields, refusal

HEADER = "lora_adapter_metadata"
"""Key of peft's configuration in a safetensors header, as written by diffusers."""
BESIDE = "adapter_config.json"

_IDLE = (
    "r", "target_modules", "exclude_modules", "lora_dropout", "inference_mode", "task_type", "peft_type", "peft_version", "revision",
    "base_model_name_or_path", "auto_mapping", "layers_pattern", "layers_to_transform", "init_lora_weights", "loftq_config",
    "eva_config", "megatron_core", "ensure_weight_tying", "bias", "fan_in_fan_out", "qalora_group_size", "use_dora", "lora_bias",
    "modules_to_save", "trainable_token_indices", "target_parameters",
)  # fmt: skip
"""Fields of peft's configuration about training, or repeated by the tensors of the file."""
_OTHER_UPDATES = {
    "layer_replication": "a network with repeated layers", "use_qalora": "matrices over groups of a layer's inputs", "use_bdlora": "matrices in diagonal blocks",
    "alora_invocation_tokens": "an adapter that acts after certain tokens only", "arrow_config": "a choice between several adapters",
    "megatron_config": "layers split over processes", "corda_config": "base weights that were changed before the training",
    "lora_ga_config": "base weights that were changed before the training", "velora_config": "another kind of update",
    "monteclora_config": "another kind of update", "kasa_config": "another kind of update",
}  # fmt: skip
_CHANGED_BASE = ("pissa", "olora", "loftq", "corda", "lora_ga")
"""Prefixes of ``init_lora_weights`` whose training removed a part from the base weights."""
_ALPHA, _RANK = (
    ("lora_alpha", "ss_network_alpha", "network_alpha", "alpha"),
    ("r", "lora_rank", "ss_network_dim", "rank"),
)
"""Names of plain header entries, peft's first, then Kohya's."""
_PLAIN = (*_ALPHA, *_RANK, "use_rslora", "alpha_pattern", "rank_pattern")
_WORDLESS = re.compile(
    r"^(modelspec\..*|sshs_.*|ss_.*|.*(name|hash|version|step|epoch|author|date|time|prompt|software|license))$"
)
"""Header entries about how the file was made."""


@dataclass(frozen=True)
class Strength:
    """The strength that a file states for one network. ``alphas`` and ``ranks``: by the end of a layer's name, like peft's patterns."""

    alpha: float | None = None
    rank: int | None = None
    alphas: Mapping[str, float] = field(default_factory=dict)
    ranks: Mapping[str, int] = field(default_factory=dict)
    rslora: bool = False

    def scale(self, module: str, rank: int, *, silent: float) -> float:
        """The factor of ``module``'s update; ``rank``: of its matrices; ``silent``: the factor if there is no alpha."""
        alpha = _match_layer(self.alphas, module, self.alpha)
        if alpha is None:
            return silent
        return alpha / (math.sqrt(rank) if self.rslora else rank)

    def check_rank(self, module: str, rank: int, name: str) -> None:
        """Raise `InputError` if the file states another rank than its matrices have."""
        stated = _match_layer(self.ranks, module, self.rank)
        if stated is not None and stated != rank:
            raise InputError(
                f"{name} states rank {stated} for {module}, whose matrices have {rank} (r, rank_pattern); export the LoRA again."
            )


UNSAID = Strength()


def read_strength(path: str | Path, part: str, account: Account) -> Strength:
    """Read the strength for the network that is called ``part`` in the file ("transformer", "unet", ...); raises `InputError`."""
    path = Path(path)
    header = _header(path)
    header.pop("format", None)  # of the container: the framework whose tensors were saved
    whole = account.fields(header, "header", idle=[key for key in header if _WORDLESS.match(key)])
    if HEADER in whole:
        about = _json(whole[HEADER], f"{HEADER} in the header of {path.name}")
        return _parse_config(_select_part(about, part), path.name, account)
    plain = _select_part(header, part)
    if any(key in plain for key in _ALPHA):
        whole.use(*plain, *(f"{part}.{key}" for key in plain))
        return _parse_header(account.fields(plain, "header"), path.name)
    beside = path.with_name(BESIDE)
    if path.name.startswith("adapter_model") and beside.is_file():
        return _parse_config(_json(beside.read_text("utf-8"), BESIDE), BESIDE, account)
    return Strength()


def layer_alphas(stored: Mapping[str, Any], name: str) -> dict[str, float]:
    """Alphas stored beside the matrices, by layer name."""
    made = {}
    for key, value in stored.items():
        if key.endswith(".alpha"):
            if value.numel() != 1 or not math.isfinite(float(value)):
                raise InputError(f"{key} of {name} should be one number, got {value.numel()}; export the LoRA again.")
            made[key.removesuffix(".alpha")] = float(value)
    return made


def _match_layer(patterns: Mapping[str, Any], module: str, usual: Any) -> Any:
    """peft's rule: the first pattern that equals a layer's name or its last components."""
    for pattern, value in patterns.items():
        if module == pattern.removeprefix("^") or module.endswith(f".{pattern}"):
            return value
    return usual


def _header(path: Path) -> dict[str, str]:
    if path.suffix != ".safetensors":
        return {}
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            return dict(sorted((file.metadata() or {}).items()))
    except (SafetensorError, OSError) as error:
        raise InputError(f"The header of {path.name} cannot be read ({error}); export the LoRA again.") from error


def _json(text: str, where: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is not valid JSON; export the LoRA again.") from error
    if not isinstance(values, dict):
        raise InputError(f"{where} should be a JSON object, got {json_kind(values)}; export the LoRA again.")
    return values


def _select_part(values: Mapping[str, Any], part: str) -> dict[str, Any]:
    """The entries ``PART.KEY`` by their key; if there are none, entries without a part that are about strength."""
    own = {key.removeprefix(f"{part}."): values[key] for key in values if key.startswith(f"{part}.")}
    return own or {key: values[key] for key in values if key in _PLAIN}


def _parse_config(values: Mapping[str, Any], name: str, account: Account) -> Strength:
    """Parse peft's configuration; raises `InputError` for updates of another kind."""
    if not values:
        return Strength()
    config = account.fields(values, "configuration", idle=_IDLE)
    _check_kind(config, name)
    alphas, ranks = _pattern(config, "alpha_pattern", name), _pattern(config, "rank_pattern", name)
    rank = _number(config["r"], f"r of {name}") if config.get("r") is not None else None
    # peft's default if its configuration contains no alpha
    alpha = _number(config["lora_alpha"], f"lora_alpha of {name}") if config.get("lora_alpha") is not None else 8.0
    return _strength(alpha, rank, alphas, ranks, config.get("use_rslora"))


def _check_kind(config: Fields, name: str) -> None:
    for key, meaning in _OTHER_UPDATES.items():
        if config.get(key):
            raise refusal(key, name, meaning, "export the LoRA in the usual form, as plain pairs of matrices")
    kind = config.get("peft_type")
    if kind not in (None, "LORA"):
        raise refusal(f"peft_type {kind!r}", name, "another kind of update than LoRA's", "use a LoRA")
    start = str(config.get("init_lora_weights") or "").lower()
    if start.startswith(_CHANGED_BASE):
        meaning = "matrices that fit base weights changed before the training"
        raise refusal(
            f"init_lora_weights {start!r}",
            name,
            meaning,
            "convert it with peft (save_pretrained with path_initial_model_for_weight_conversion)",
        )


def _parse_header(values: Mapping[str, Any], name: str) -> Strength:
    """Parse header entries, which are all text."""
    where = f"the header of {name}"
    alphas, ranks = (
        [_number(values[key], f"{key} in {where}") for key in keys if key in values] for keys in (_ALPHA, _RANK)
    )
    patterns = {
        key: _json(values[key], f"{key} in {where}") for key in ("alpha_pattern", "rank_pattern") if key in values
    }
    of_alphas, of_ranks = (_pattern(patterns, key, name) for key in ("alpha_pattern", "rank_pattern"))
    return _strength(alphas[0], ranks[0] if ranks else None, of_alphas, of_ranks, values.get("use_rslora"))


def _strength(
    alpha: float, rank: float | None, alphas: dict[str, float], ranks: dict[str, float], rslora: Any
) -> Strength:
    whole = {module: int(value) for module, value in ranks.items()}
    return Strength(alpha, None if rank is None else int(rank), alphas, whole, _parse_bool(rslora))


def _pattern(config: Mapping[str, Any], key: str, name: str) -> dict[str, float]:
    given = config.get(key) or {}
    if not isinstance(given, Mapping):
        raise InputError(f"{key} of {name} should name layers and their numbers, got {json_kind(given)}.")
    made = {}
    for pattern, value in given.items():
        plain = str(pattern).replace("\\.", ".")
        if not re.fullmatch(r"\^?[\w.]+", plain):
            raise refusal(
                f"{key} {pattern!r}", name, "a pattern over many layers", "export it with the layers' whole names"
            )
        made[plain] = _number(value, f"{key} of {name}")
    return made


def _number(value: Any, where: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not 0 < number < 1e6:
        raise InputError(f"{where} should be a number above 0, got {str(value)[:40]!r}; export the LoRA again.")
    return number


def _parse_bool(value: Any) -> bool:
    return value is True or str(value).strip().lower() in ("true", "1")
