"""Memory modes: placement of a pipeline's networks during a run. Hooks are removed after the run; only fp8 and int8 stay."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from accelerate.hooks import ModelHook, add_hook_to_module, remove_hook_from_module
from accelerate.utils import send_to_device
from diffusers.hooks.group_offloading import apply_group_offloading
from diffusers.hooks.hooks import HookRegistry
from diffusers.hooks.layerwise_casting import DEFAULT_SKIP_MODULES_PATTERN, apply_layerwise_casting
from torch import nn

from camera.errors import InputError
from pipelines.method import Pipeline
from pipelines.options import FP8, GROUP_OFFLOAD, INT8, MODEL_OFFLOAD
from pipelines.runtime.device import tensor_bytes

RESIDENT_BYTES = 10**9
"""Networks smaller than this stay on the device in group offload: moving them in pieces costs more than it saves."""

_GROUP_HOOKS = ("group_offloading", "layer_execution_tracker", "lazy_prefetch_group_offloading")


def networks(pipeline: Pipeline) -> dict[str, nn.Module]:
    """The components that have weights, each once."""
    found: dict[str, nn.Module] = {}
    for name, component in pipeline.components.items():
        if isinstance(component, nn.Module) and all(component is not other for other in found.values()):
            found[name] = component
    return found


def weight_bytes(network: nn.Module) -> int:
    return sum(tensor_bytes(tensor) for tensor in [*network.parameters(), *network.buffers()])


@contextmanager
def place_on_device(pipeline: Pipeline, mode: str, device: torch.device) -> Iterator[None]:
    """A context in which ``pipeline`` computes on ``device``, with its networks placed according to ``mode``.

    Full, fp8 and int8 leave the networks on the device for the next run; the offloading modes leave them in main memory.
    """
    pipeline.device = device
    parts = networks(pipeline)
    if mode == MODEL_OFFLOAD:
        place, remove = _run_one_at_a_time, _hooks_off
    elif mode == GROUP_OFFLOAD:
        place, remove = _run_in_groups, _groups_off
    else:
        place, remove = {FP8: _run_in_fp8, INT8: _run_in_int8}.get(mode, _run_whole), None
    try:
        place(pipeline, parts, device)
        yield
    finally:
        if remove:
            remove(parts)


def _run_whole(pipeline: Pipeline, parts: dict[str, nn.Module], device: torch.device) -> None:
    for network in parts.values():
        network.to(device)


# --- 8 bits ------------------------------------------------------------------------------------------------------


def _run_in_fp8(pipeline: Pipeline, parts: dict[str, nn.Module], device: torch.device) -> None:
    """Store large layers in 8 bits and cast them to the compute type just before use; cannot be undone."""
    for network in parts.values():
        if storage_mode(network) is None:
            compute = next((p.dtype for p in network.parameters() if p.is_floating_point()), torch.float32)
            apply_layerwise_casting(
                network,
                storage_dtype=torch.float8_e4m3fn,
                compute_dtype=compute,
                skip_modules_pattern=_precise_patterns(network),
            )
        network.to(device)


def _run_in_int8(pipeline: Pipeline, parts: dict[str, nn.Module], device: torch.device) -> None:
    """Quantise large linear layers to integers with a scale per row, with torchao; cannot be undone."""
    try:
        from torchao.quantization import Int8WeightOnlyConfig, quantize_
    except ImportError as error:
        raise InputError("Memory mode int8 needs torchao: run `pip install torchao`, or choose fp8.") from error
    for network in parts.values():
        if storage_mode(network) is None:
            precise = re.compile("|".join(_precise_patterns(network)))
            quantize_(
                network,
                Int8WeightOnlyConfig(),
                filter_fn=lambda layer, name, precise=precise: type(layer) is nn.Linear and not precise.search(name),
            )
        network.to(device)


def storage_mode(network: nn.Module) -> str | None:
    """The 8-bit memory mode in which a network's weights are stored; None for full precision."""
    for parameter in network.parameters():
        if parameter.dtype == torch.float8_e4m3fn:
            return FP8
        if type(parameter).__module__.startswith("torchao."):
            return INT8
    return None


def _precise_patterns(network: nn.Module) -> tuple[str, ...]:
    """Name patterns of layers that are not cast, including those that stay in float32: T5 reads the dtype of ``wo`` too early."""
    own = tuple(getattr(network, "_skip_layerwise_casting_patterns", None) or ())
    return DEFAULT_SKIP_MODULES_PATTERN + own + tuple(getattr(network, "_keep_in_fp32_modules", None) or ())


# --- model offload -----------------------------------------------------------------------------------------------


class _Stage:
    """Keeps the networks of one step on the device; entering a step moves the others off.

    ``together``: sets of component names that work in the same step and are on the device together.
    """

    def __init__(self, parts: dict[str, nn.Module], together: Sequence[Sequence[str]], device: torch.device) -> None:
        self.parts, self.together, self.device = parts, [set(names) for names in together], device
        self.present: set[str] = set()

    def enter(self, name: str) -> None:
        if name in self.present:
            return
        friends = next((names for names in self.together if name in names), {name})
        for other in self.present - friends:
            self.parts[other].to("cpu")
        self.present &= friends
        self.parts[name].to(self.device)
        self.present.add(name)


class _Entrance(ModelHook):
    """Moves a network and its inputs to the device before it computes."""

    def __init__(self, stage: _Stage, name: str) -> None:
        self.stage, self.name = stage, name

    def pre_forward(self, module: nn.Module, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        self.stage.enter(self.name)
        return send_to_device(args, self.stage.device), send_to_device(kwargs, self.stage.device)


def _run_one_at_a_time(pipeline: Pipeline, parts: dict[str, nn.Module], device: torch.device) -> None:
    stage = _Stage(parts, getattr(pipeline, "together", ()), device)
    for name, network in parts.items():
        network.to("cpu")
        add_hook_to_module(network, _Entrance(stage, name))


def _hooks_off(parts: dict[str, nn.Module]) -> None:
    for network in parts.values():
        remove_hook_from_module(network)
        network.to("cpu")


# --- group offload -----------------------------------------------------------------------------------------------


def _run_in_groups(pipeline: Pipeline, parts: dict[str, nn.Module], device: torch.device) -> None:
    """Load large networks layer by layer; if the device has streams, the next layer is copied while one computes.

    The hooks learn the layer order in the first pass, so they are created anew for every run.
    """
    for network in parts.values():
        if weight_bytes(network) < RESIDENT_BYTES:
            network.to(device)
        else:
            apply_group_offloading(
                network, onload_device=device, offload_type="leaf_level", use_stream=device.type == "cuda"
            )


def _groups_off(parts: dict[str, nn.Module]) -> None:
    for network in parts.values():
        registry = HookRegistry.check_if_exists_or_initialize(network)
        for hook in _GROUP_HOOKS:
            registry.remove_hook(hook, recurse=True)
        network.to("cpu")
