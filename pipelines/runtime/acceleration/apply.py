"""Applies the speed options to the denoising networks for one run: attention kernels, step caches, compiled blocks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from diffusers.hooks.first_block_cache import FirstBlockCacheConfig
from diffusers.hooks.mag_cache import MagCacheConfig
from diffusers.hooks.taylorseer_cache import TaylorSeerCacheConfig
from torch import nn

from camera.errors import InputError
from pipelines.environment import on_zerogpu
from pipelines.method import Pipeline
from pipelines.options import RunOptions
from pipelines.runtime.acceleration import compiled_blocks, magcache
from pipelines.runtime.memory import networks

_LAYERS_OF_BLOCKS = r"(.*\.)?\w*blocks\.\d+\.(\w+\.)?(attn\d?|ffn?)"
"""Attention and feed-forward layers of a block or of its branches. diffusers' default names match only layers called exactly ``attn``."""


@contextmanager
def accelerate(pipeline: Pipeline, options: RunOptions, *, steps: int, method: str = "") -> Iterator[None]:
    """Apply the speed options to ``pipeline`` for one run of ``steps`` steps; raises `InputError` if a network does not support them.

    Attention kernels and compilation apply to every network that supports them, the step cache to the denoisers (networks
    with ``enable_cache``). ``method``: MagCache's ratios are saved under its name.
    """
    parts = list(networks(pipeline).values())
    with ExitStack() as undo:
        if options.attention != "default":
            _attention(parts, options.attention, undo)
        if options.cache != "none":
            _cache(parts, options, steps, method, undo)
        if options.compile:
            _compile(parts, method, undo)
        _tiling(parts, options.tiling, undo)
        yield


def _attention(parts: list[nn.Module], backend: str, undo: ExitStack) -> None:
    able: list[Any] = [network for network in parts if hasattr(network, "set_attention_backend")]
    if not able:
        raise InputError("This method's networks have no choice of attention kernels; leave Attention at default.")
    for network in able:
        try:
            network.set_attention_backend(backend)
        except (ValueError, RuntimeError, ImportError) as error:
            first = str(error).splitlines()[0].rstrip(".")
            raise InputError(f"Attention kernel {backend} is not available here ({first}); choose default.") from error
        undo.callback(network.reset_attention_backend)


def _cache(parts: list[nn.Module], options: RunOptions, steps: int, method: str, undo: ExitStack) -> None:
    able: list[Any] = [network for network in parts if hasattr(network, "enable_cache")]
    if not able:
        raise InputError("This method's networks have no step cache; leave Step cache at none.")
    for network in able:
        config = _cache_config(network, options, steps, method)
        try:
            network.enable_cache(config)
        except ValueError as error:
            raise InputError(
                f"Step cache {options.cache} does not support this method's network; choose none."
            ) from error
        undo.callback(network.disable_cache)
        if not any(getattr(part, "_diffusers_hook", None) and part._diffusers_hook.hooks for part in network.modules()):
            raise InputError(
                f"Step cache {options.cache} finds no layer to cache in this method's network; choose none."
            )


def _cache_config(network: Any, options: RunOptions, steps: int, method: str) -> Any:
    if options.cache == "first block":
        return FirstBlockCacheConfig(threshold=options.cache_threshold)
    if options.cache == "TaylorSeer":
        return TaylorSeerCacheConfig(
            cache_interval=3, disable_cache_before_step=max(2, steps // 10), cache_identifiers=[_LAYERS_OF_BLOCKS]
        )
    ratios = magcache.read_ratios(network, method, options.weights)
    return MagCacheConfig(threshold=options.cache_threshold, num_inference_steps=steps, mag_ratios=ratios)


def _compile(parts: list[nn.Module], method: str, undo: ExitStack) -> None:
    """Compile blocks now, or on ZeroGPU, where compiling is impossible, use packages compiled ahead of time."""
    able: list[Any] = [network for network in parts if getattr(network, "_repeated_blocks", None)]
    if not able:
        raise InputError("This method's networks declare no repeated blocks to compile; switch Compile blocks off.")
    if on_zerogpu():
        undo.enter_context(
            compiled_blocks.use_packages(
                [block for network in able for block in compiled_blocks.blocks_of(network)], method
            )
        )
        return
    for network in able:
        if not getattr(network, "_blocks_compiled", False):
            network.compile_repeated_blocks(fullgraph=False)
            network._blocks_compiled = True


def _tiling(parts: list[nn.Module], wanted: str, undo: ExitStack) -> None:
    if wanted == "as the method does":
        return
    able: list[Any] = [network for network in parts if hasattr(network, "enable_tiling")]
    if not able:
        raise InputError("This method's decoder has no tiles; leave Decode as the method does.")
    for network in able:
        before = bool(getattr(network, "use_tiling", False))
        (network.enable_tiling if wanted == "tiles" else network.disable_tiling)()
        undo.callback(network.enable_tiling if before else network.disable_tiling)
