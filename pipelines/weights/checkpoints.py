"""Strict loading of weights: nothing is unpickled, no key is dropped silently, no network is loaded partially.

A method's ``convert.py`` is a table of renames and one call of `load_strict`.
"""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from camera.errors import InputError, json_kind, reading

State = Mapping[str, Tensor]
Renames = Mapping[str, "str | None"] | Sequence[tuple[str, str]]
"""A full table (old key -> new key, None drops it), or ordered (regular expression, replacement) pairs."""
Network = TypeVar("Network", bound=nn.Module)

_WRAPPERS = ("state_dict", "module", "model")
_BLOCK = 1 << 20
_FOLDERS = re.compile(r"""(?<![\w:/.])(?:/|[A-Za-z]:\\)(?:[^\s'"/\\]+[/\\])*""")
"""The folders of a path, without the file name."""
_building = Lock()


@dataclass(frozen=True)
class LoadReport:
    """The result of `load_strict`: names in ``dropped`` are the file's, all others the network's."""

    source: str
    loaded: int
    dropped: tuple[str, ...]
    kept: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [f"{self.loaded} tensors loaded from {self.source}"]
        if self.dropped:
            parts.append(
                f"{len(self.dropped)} not needed ({self.dropped[0]}{', ...' if len(self.dropped) > 1 else ''})"
            )
        if self.kept:
            parts.append(f"{len(self.kept)} kept as built ({self.kept[0]}{', ...' if len(self.kept) > 1 else ''})")
        return "; ".join(parts)


def dtype_for(device: str | torch.device) -> torch.dtype:
    """The floating-point dtype for networks on ``device``: bfloat16 on a GPU that supports it, float16 on an older one, else float32."""
    if torch.device(device).type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


# --- reading -------------------------------------------------------------------------------------------------


def read_state(
    paths: str | Path | Iterable[str | Path], *, allowed: Sequence[type | Callable] = ()
) -> dict[str, Tensor]:
    """Named tensors of one file or of all shards of a checkpoint, on the CPU and memory-mapped where possible.

    ``.safetensors`` files are read as such, all others with ``torch.load(weights_only=True)``; ``allowed``: harmless classes
    that such a file may contain besides tensors (for example numpy scalars of a random state). A state dict wrapped under
    "state_dict", "module" or "model" is unwrapped. Raises `InputError` for files that are missing, damaged or contain code.
    """
    state: dict[str, Tensor] = {}
    for path in [paths] if isinstance(paths, (str, Path)) else paths:
        shard = _read_file(Path(path), allowed)
        if twice := state.keys() & shard.keys():
            raise InputError(
                f"The tensor {min(twice)} is in two files of one checkpoint; remove the file that does not belong to it."
            )
        state |= shard
    return state


def _read_file(path: Path, allowed: Sequence[type | Callable]) -> dict[str, Tensor]:
    if not path.is_file():
        raise InputError(f"The weights file {path.name} does not exist; download the checkpoint or correct the folder.")
    with reading(f"{path.name} is damaged or incomplete; delete it and download it again."):
        if path.suffix == ".safetensors":
            return load_file(path)
        try:
            with torch.serialization.safe_globals(list(allowed)) if allowed else nullcontext():
                loaded = _torch_load(path)
        except pickle.UnpicklingError as error:
            raise InputError(
                f"{path.name} contains more than tensors and is not opened, because it could run code; use a safetensors file."
            ) from error
    return _tensors_in(loaded, path.name)


def _torch_load(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except RuntimeError as error:
        if "mmap" not in str(error):
            raise
        return torch.load(path, map_location="cpu", weights_only=True)


def _tensors_in(loaded: Any, name: str) -> dict[str, Tensor]:
    if isinstance(loaded, Mapping):
        tensors = {key: value for key, value in loaded.items() if isinstance(value, Tensor)}
        if tensors:
            return tensors
        for wrapper in _WRAPPERS:
            if isinstance(loaded.get(wrapper), Mapping):
                return _tensors_in(loaded[wrapper], name)
    raise InputError(f"{name} contains no named tensors; expected the state dict of a network.")


def read_json(path: str | Path) -> dict[str, Any]:
    """Read a configuration file; raises `InputError` if it is not a JSON object."""
    with reading(f"{Path(path).name} is not readable JSON; download the checkpoint again."):
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise InputError(f"{Path(path).name} should contain a JSON object, got {json_kind(value)}.")
    return value


def strip_prefix(state: State, *prefixes: str) -> dict[str, Tensor]:
    """The tensors under the first of ``prefixes`` that occurs, with the prefix removed; the empty prefix matches everything."""
    for prefix in prefixes:
        inside = {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}
        if inside:
            return inside
    wanted = " or ".join(prefix or "no prefix" for prefix in prefixes)
    raise InputError(
        f"The checkpoint contains nothing under {wanted}; its first tensor is {next(iter(state), 'none')}."
    )


# --- building and filling --------------------------------------------------------------------------------------


def on_meta_device(build: Callable[[], Network]) -> Network:
    """The network that ``build`` creates, with parameters on the meta device and real buffers."""
    from accelerate import init_empty_weights

    with _building, init_empty_weights(include_buffers=False):
        return build().eval()


def fill_randomly(
    network: Network, *, seed: int, dtype: torch.dtype | None = None, device: str | torch.device = "cpu"
) -> Network:
    """Fill every parameter with random values, deterministic for a seed: matrices and kernels normal with standard deviation
    1/sqrt(inputs), one-dimensional weights one, biases zero. Large tensors repeat a block of 2^20 numbers.

    ``dtype``: of floating parameters, except those that the class keeps in float32. Returns ``network``.
    """
    generator = torch.Generator(device).manual_seed(seed)
    for name, parameter in list(network.named_parameters()):
        wanted = _dtype_of(network, name, parameter, dtype)
        values = _random(name, parameter.shape, generator, torch.device(device), wanted)
        _replace(network, name, nn.Parameter(values, requires_grad=parameter.requires_grad))
    for name, buffer in list(network.named_buffers()):
        owner, leaf = _owner(network, name)
        owner._buffers[leaf] = buffer.to(device)
    if isinstance(tie := getattr(network, "tie_weights", None), Callable):
        tie()
    return network.eval().requires_grad_(False)


def _random(
    name: str, shape: torch.Size, generator: torch.Generator, device: torch.device, dtype: torch.dtype
) -> Tensor:
    if len(shape) < 2:
        return torch.full(shape, 0.0 if name.endswith("bias") else 1.0, dtype=dtype, device=device)
    inputs = max(1, shape.numel() // shape[0])
    count = shape.numel()
    block = torch.randn(min(count, _BLOCK), generator=generator, device=device).mul_(inputs**-0.5).to(dtype)
    return block.repeat(-(-count // len(block)))[:count].view(shape).contiguous() if count else block.view(shape)


def load_strict(
    network: nn.Module,
    state: State,
    renames: Renames = (),
    *,
    dropped: Sequence[str] = (),
    optional: Sequence[str] = (),
    source: str = "this checkpoint",
    dtype: torch.dtype | None = None,
) -> LoadReport:
    """Load exactly the tensors of ``state`` into ``network`` and return a report; parameters may be on the meta device.

    ``renames`` maps the file's names to the network's. ``dropped``: regular expressions (search) of file names that are known not
    to be needed. ``optional``: regular expressions of network names that may keep their initial value. ``dtype`` as for
    `fill_randomly`. Raises `InputError`, before anything is changed, if a tensor is missing, unknown or of another shape.
    """
    named, left_out = _rename(state, renames, dropped, source)
    own = dict(network.state_dict())
    kept = tuple(name for name in own.keys() - named.keys() if _matches(name, optional))
    _check_names(own.keys() - set(kept), named.keys(), source)
    _check_shapes(own, named, source)
    unbuilt = [name for name in kept if own[name].is_meta]
    if unbuilt:
        raise ValueError(f"{unbuilt[0]} may be missing from the file, so it must be built with values, not on meta")
    final = {name: value.to(_dtype_of(network, name, own[name], dtype)) for name, value in named.items()}
    network.load_state_dict({**{name: own[name] for name in kept}, **final}, strict=True, assign=True)
    network.eval().requires_grad_(False)
    return LoadReport(source, len(named), left_out, kept)


def _rename(
    state: State, renames: Renames, dropped: Sequence[str], source: str
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    named: dict[str, Tensor] = {}
    left_out: list[str] = []
    for key, value in state.items():
        new = None if _matches(key, dropped) else _new_name(key, renames)
        if new is None:
            left_out.append(key)
        elif new in named:
            raise InputError(
                f"Two tensors of {source} are renamed to {new} ({key} is one); this is not the expected checkpoint."
            )
        else:
            named[new] = value
    return named, tuple(left_out)


def _new_name(key: str, renames: Renames) -> str | None:
    if isinstance(renames, Mapping):
        return renames.get(key, key)
    for pattern, replacement in renames:
        key = re.sub(pattern, replacement, key)
    return key


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(re.search(pattern, name) for pattern in patterns)


def _check_names(expected: Iterable[str], given: Iterable[str], source: str) -> None:
    expected, given = set(expected), set(given)
    missing, unknown = sorted(expected - given), sorted(given - expected)
    if not missing and not unknown:
        return
    if not expected & given:
        raise InputError(
            f"Weights from {source} belong to another network: none of their {len(given)} tensors is among the "
            f"{len(expected)} expected (first is {unknown[0] if unknown else 'none'}, expected was {missing[0]}); "
            "choose the checkpoint that belongs to this method."
        )
    problems = [f"{len(missing)} of {len(expected)} expected tensors missing (first {missing[0]})"] if missing else []
    problems += [f"{len(unknown)} unknown (first {unknown[0]})"] if unknown else []
    raise InputError(
        f"Weights from {source} do not fit the network: {', '.join(problems)}; the file is incomplete or of another "
        "version, so download the one that this method names."
    )


def _check_shapes(own: State, named: State, source: str) -> None:
    wrong = [name for name, value in named.items() if value.shape != own[name].shape]
    if wrong:
        name = wrong[0]
        raise InputError(
            f"Weights from {source} are of another size: {name} has shape {tuple(named[name].shape)}, expected was "
            f"{tuple(own[name].shape)} ({len(wrong)} of {len(named)} tensors differ); choose the checkpoint of this size."
        )


def _dtype_of(network: nn.Module, name: str, tensor: Tensor, dtype: torch.dtype | None) -> torch.dtype:
    """The dtype of a tensor: integers keep theirs, modules that the class keeps in float32 get float32, all others ``dtype``.

    The list of such modules applies in transformers to float16 only, with a second list for bfloat16 too; in diffusers always.
    """
    if dtype is None or not tensor.is_floating_point():
        return tensor.dtype
    float32 = tuple(getattr(network, "_keep_in_fp32_modules_strict", None) or ())
    if dtype == torch.float16 or not _is_transformers(type(network)):
        float32 += tuple(getattr(network, "_keep_in_fp32_modules", None) or ())
    return torch.float32 if any(part in name.split(".") for part in float32) else dtype


def _owner(network: nn.Module, name: str) -> tuple[nn.Module, str]:
    path, _, leaf = name.rpartition(".")
    return network.get_submodule(path), leaf


def _replace(network: nn.Module, name: str, parameter: nn.Parameter) -> None:
    owner, leaf = _owner(network, name)
    owner.register_parameter(leaf, parameter)


# --- components of diffusers and transformers --------------------------------------------------------------------


def from_folder(
    kind: Any,
    folder: str | Path,
    *,
    dtype: torch.dtype,
    subfolder: str = "",
    source: str = "",
    dropped: Sequence[str] = (),
    **options: Any,
) -> Any:
    """A diffusers or transformers model from a local checkpoint folder; raises `InputError` unless every tensor fits.

    ``dropped``: regular expressions of tensors in the file that this class does not need (the decoder of a text model).
    ``options`` are passed to ``from_pretrained``. Both libraries only warn about missing tensors and initialise them randomly;
    here that is an `InputError`.
    """
    source = "/".join(filter(None, [source or Path(folder).name, subfolder]))
    wanted = {"dtype" if _is_transformers(kind) else "torch_dtype": dtype}
    try:
        model, facts = kind.from_pretrained(
            folder, subfolder=subfolder, local_files_only=True, output_loading_info=True, **wanted, **options
        )
    except (OSError, ValueError, RuntimeError, SafetensorError, pickle.UnpicklingError) as error:
        raise InputError(
            f"The network in {source} is damaged, incomplete or of another version{_first_line(error)}; delete it and "
            "download it again."
        ) from error
    if wrong := list(facts.get("mismatched_keys") or ()):
        raise InputError(
            f"Weights from {source} are of another size at {wrong[0]}; choose the checkpoint of this size."
        )
    expected = set(model.state_dict())
    unknown = {key for key in facts.get("unexpected_keys") or () if not _matches(key, dropped)}
    _check_names(expected, expected - set(facts.get("missing_keys") or ()) | unknown, source)
    return model.eval().requires_grad_(False)


def build_random(
    kind: Any, config: Mapping[str, Any], *, seed: int, dtype: torch.dtype, device: str | torch.device = "cpu"
) -> Any:
    """A diffusers or transformers model of the given configuration with random values, see `fill_randomly`."""
    make = (lambda: kind(kind.config_class(**config))) if _is_transformers(kind) else (lambda: kind(**config))
    return fill_randomly(on_meta_device(make), seed=seed, dtype=dtype, device=device)


def _is_transformers(kind: Any) -> bool:
    return getattr(kind, "config_class", None) is not None


def _first_line(error: Exception) -> str:
    """The library's message, in brackets and without folder names; empty if it is about Python."""
    line = _FOLDERS.sub("", next(iter(str(error).strip().splitlines()), ""))[:200].rstrip(".")
    return f" ({line})" if line and "Error" not in line and "object at" not in line else ""
