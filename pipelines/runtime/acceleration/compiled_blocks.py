"""Blocks compiled ahead of time for ZeroGPU, where nothing can be compiled while a visitor waits.

`compile_blocks` records one run and writes a package for every kind of repeated block; `use_packages` runs blocks through them.
A package fits one torch version, one kind of device and one input size, and contains no weights: the network keeps those.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from camera.errors import InputError
from pipelines.environment import cache_folder
from pipelines.media.video import complete
from pipelines.method import Pipeline
from pipelines.runtime.memory import networks, storage_mode

FOLDER_VARIABLE = "RESHOOT_COMPILED"
"""Environment variable: the folder of compiled blocks, one folder per method; by default ``~/.cache/reshoot/compiled``."""

_WEIGHTS_OUTSIDE = {
    "aot_inductor.package_constants_in_so": False,
    "always_keep_tensor_constants": True,
    "joint_graph_constant_folding": False,
}


@dataclass(frozen=True)
class Fit:
    """The conditions that a package was compiled for; ``inputs``: shapes and types of all tensors of a call, other values as text."""

    torch: str
    device: str
    inputs: list[str]


def folder_of(method: str) -> Path:
    return cache_folder(FOLDER_VARIABLE, "compiled") / method


@contextmanager
def compile_blocks(pipeline: Pipeline, folder: Path, made: list[Path]) -> Iterator[None]:
    """Record the inputs of repeated blocks while the ``with`` block runs ``pipeline`` once; then compile one block of every
    kind into ``folder`` and append the packages to ``made``. Raises `InputError` if there are no repeated blocks."""
    calls: dict[str, tuple[nn.Module, tuple, dict]] = {}
    with ExitStack() as undo:
        for block in _all_blocks(pipeline):
            handle = block.register_forward_pre_hook(partial(_note_call, calls, kind_of(block)), with_kwargs=True)
            undo.callback(handle.remove)
        yield
    folder.mkdir(parents=True, exist_ok=True)
    for kind, (block, args, kwargs) in calls.items():
        made.append(_compile_block(block, args, kwargs, folder / f"{kind}.pt2"))


@contextmanager
def use_packages(blocks: list[nn.Module], method: str) -> Iterator[None]:
    """Make ``blocks`` compute with their packages; raises `InputError` if a block has no package or is already wrapped."""
    folder = folder_of(method)
    with ExitStack() as undo:
        for block in blocks:
            package = folder / f"{kind_of(block)}.pt2"
            if not package.is_file():
                raise InputError(
                    f"These blocks are not compiled ahead: run `python -m pipelines compile {method}` on a GPU of this kind "
                    f"and set {FOLDER_VARIABLE} to its folder, or switch Compile blocks off."
                )
            if storage_mode(block) or any("forward" in vars(part) for part in block.modules()):
                raise InputError(
                    "Compiled blocks do not work with a step cache, group offload or 8 bits; switch those or Compile blocks off."
                )
            block.forward = _Compiled(block, package)  # type: ignore[method-assign]
            undo.callback(delattr, block, "forward")
        yield


def blocks_of(network: nn.Module) -> list[nn.Module]:
    """The blocks that a network declares as repeated."""
    names = getattr(network, "_repeated_blocks", None) or ()
    return [part for part in network.modules() if type(part).__name__ in names]


def kind_of(block: nn.Module) -> str:
    """A name shared by all blocks of one class whose weights have the same names, shapes and types."""
    facts = [f"{name} {tuple(value.shape)} {value.dtype}" for name, value in block.state_dict().items()]
    return f"{type(block).__name__}-{hashlib.sha256(' '.join(facts).encode()).hexdigest()[:12]}"


def _all_blocks(pipeline: Pipeline) -> list[nn.Module]:
    found = [block for network in networks(pipeline).values() for block in blocks_of(network)]
    if not found:
        raise InputError("This method's networks declare no repeated blocks to compile.")
    return found


def _note_call(calls: dict, kind: str, block: nn.Module, args: tuple, kwargs: dict) -> None:
    calls.setdefault(kind, (block, args, kwargs))


def _compile_block(block: nn.Module, args: tuple, kwargs: dict, package: Path) -> Path:
    with torch.no_grad():
        exported = torch.export.export(block, args, kwargs, strict=False)
    with complete(package) as part:
        torch._inductor.aoti_compile_and_package(exported, package_path=str(part), inductor_configs=_WEIGHTS_OUTSIDE)
    with complete(package.with_suffix(".json")) as part:
        part.write_text(json.dumps(asdict(_fit(args, kwargs)), indent=1), encoding="utf-8")
    return package


def _fit(args: tuple, kwargs: dict) -> Fit:
    leaves = tree_leaves((args, kwargs))
    devices = {leaf.device for leaf in leaves if isinstance(leaf, torch.Tensor)}
    return Fit(
        torch.__version__, " ".join(sorted(map(_device_kind, devices))), [_describe_leaf(leaf) for leaf in leaves]
    )


def _device_kind(device: torch.device) -> str:
    """A GPU's architecture, as sm_90; "cpu" for the processor."""
    if device.type != "cuda":
        return device.type
    return "sm_{}{}".format(*torch.cuda.get_device_capability(device))


def _describe_leaf(leaf: Any) -> str:
    return f"{tuple(leaf.shape)} {leaf.dtype}" if isinstance(leaf, torch.Tensor) else repr(leaf)


class _Compiled:
    """Replaces a block's ``forward``; opens the package at the first call, in the process that computes."""

    _open: dict[Path, tuple[Fit, Any]] = {}  # noqa: RUF012  one per process: blocks of one kind share the code

    def __init__(self, block: nn.Module, package: Path) -> None:
        self.block, self.package = block, package

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        fit, code = self._open_package()
        if (now := _fit(args, kwargs)) != fit:
            raise InputError(_misfit(fit, now))
        weights = self.block.state_dict()
        code.load_constants(
            {name: weights[name] for name in code.get_constant_fqns()}, check_full_update=True, user_managed=True
        )
        return code(*args, **kwargs)

    def _open_package(self) -> tuple[Fit, Callable]:
        if self.package not in self._open:
            fit = Fit(**json.loads(self.package.with_suffix(".json").read_text(encoding="utf-8")))
            self._open[self.package] = fit, torch._inductor.aoti_load_package(str(self.package))
        return self._open[self.package]


def _misfit(fit: Fit, now: Fit) -> str:
    """An error text with the conditions that a package was compiled for and those of the call."""
    pairs = [(fit.torch, now.torch), (fit.device, now.device), *zip(fit.inputs, now.inputs)]
    made, came = next(((a, b) for a, b in pairs if a != b), (f"{len(fit.inputs)} inputs", f"{len(now.inputs)}"))
    return (
        f"The blocks were compiled ahead for {made}, this run has {came}; use the frames and size they were compiled for, "
        "compile again, or switch Compile blocks off."
    )
