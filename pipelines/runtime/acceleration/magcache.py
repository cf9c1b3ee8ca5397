"""MagCache's ratios: how much less each step changes the picture than the previous one. Measured once per network, then saved.

A step whose ratio stays near 1 may reuse the residual of the step before (arXiv 2506.09045). The ratios are specific to a
network and its weights, so `measure_ratios` records one run without skipping, and `save_ratios` writes the file that `read_ratios` reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from diffusers.hooks.hooks import HookRegistry, StateManager
from diffusers.hooks.mag_cache import MagCacheConfig
from torch import nn

from camera.errors import InputError, reading
from pipelines.environment import cache_folder
from pipelines.media.video import complete
from pipelines.method import Pipeline
from pipelines.runtime.memory import networks

FOLDER_VARIABLE = "RESHOOT_CALIBRATION"
"""Environment variable: the folder of measured ratios, by default ``~/.cache/reshoot``."""

_ENDLESS = 1 << 30
"""More steps than any run has: after its last step the hook would print its ratios and delete them."""


@dataclass
class MeasuredRatios:
    """Ratios per step by network, see `signature`; filled when `measure_ratios` ends."""

    steps: int
    ratios: dict[str, list[float]] = field(default_factory=dict)


@contextmanager
def measure_ratios(pipeline: Pipeline, measured: MeasuredRatios) -> Iterator[None]:
    """Measure the denoisers of ``pipeline`` while the ``with`` block runs it once with ``measured.steps`` steps.

    Raises `InputError` where there is no such network.
    """
    able: list[Any] = [network for network in networks(pipeline).values() if hasattr(network, "enable_cache")]
    if not able:
        raise InputError("This method's networks have no step cache, so there is nothing to measure.")
    config = MagCacheConfig(num_inference_steps=_ENDLESS, calibrate=True)
    with ExitStack() as undo:
        for network in able:
            network.enable_cache(config)
            undo.callback(network.disable_cache)
        yield
        for network in able:
            if recorded := _read_ratios(network):
                measured.ratios[signature(network)] = _per_step(recorded, measured.steps)
    if not measured.ratios:
        raise InputError("No network of this method denoised in blocks that MagCache supports; choose first block.")


def signature(network: nn.Module) -> str:
    """Identifies a network of a method by class and number of parameters."""
    return f"{type(network).__name__}, {sum(parameter.numel() for parameter in network.parameters())} parameters"


def read_ratios(network: nn.Module, method: str, weights: str) -> list[float]:
    """The ratios saved for ``network``; if there are none, raises `InputError` that names the command to run."""
    ratios = _read(_file(method, weights)).get(signature(network))
    if ratios is None:
        raise InputError(
            f"MagCache needs ratios measured for this network: run `python -m pipelines calibrate {method}"
            f"{'' if weights == 'real' else f' --weights {weights}'}` once, or choose first block."
        )
    return ratios


def save_ratios(measured: MeasuredRatios, method: str, weights: str) -> Path:
    """Save measured ratios beside those of the method's other networks; returns the file."""
    file = _file(method, weights)
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_read(file) | measured.ratios, indent=1, allow_nan=False)
    with complete(file) as part:
        part.write_text(text, encoding="utf-8")
    return file


def _file(method: str, weights: str) -> Path:
    return cache_folder(FOLDER_VARIABLE) / f"magcache-{method}-{weights}.json"


def _read(file: Path) -> dict[str, list[float]]:
    if not file.is_file():
        return {}
    with reading(f"{file} is damaged; remove it and calibrate again."):
        content = json.loads(file.read_text(encoding="utf-8"))
        return {str(name): [float(ratio) for ratio in values] for name, values in content.items()}


def _read_ratios(network: nn.Module) -> list[list[float]]:
    """Ratios of every pass (conditional, unconditional) in step order, as recorded by diffusers' hook on the last block."""
    managers: dict[int, StateManager] = {}
    for part in network.modules():
        registry: HookRegistry | None = getattr(part, "_diffusers_hook", None)
        for hook in registry.hooks.values() if registry else ():
            manager = getattr(hook, "state_manager", None)
            if isinstance(manager, StateManager):
                managers[id(manager)] = manager
    states = (state for manager in managers.values() for state in manager._state_cache.values())
    return [state.calibration_ratios for state in states if state.calibration_ratios]


def _per_step(passes: list[list[float]], steps: int) -> list[float]:
    """One ratio per step: the mean over passes, and over the chunks of a long video."""
    parts = [passed[at : at + steps] for passed in passes for at in range(0, len(passed) - steps + 1, steps)]
    if not parts:
        raise InputError(f"The run took fewer than its {steps} steps; calibrate with the method's default settings.")
    means = [sum(ratios) / len(parts) for ratios in zip(*parts)]
    return [1.0, *means[1:]]
