"""Splits the frames of video UNets like Stable Video Diffusion's between processes.

Convolutions and attention within a frame run in the frame's process. Layers along time work on single pixels: for them
frames are exchanged for pixels (each process then holds all frames of its share of pixels) and back. Only their group norms
use all pixels; mean and variance are combined from all processes. Attention over all pixels of all frames (GenXD's across
views) keeps its queries and gathers keys and values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from diffusers.models.attention import TemporalBasicTransformerBlock
from diffusers.models.resnet import TemporalResnetBlock
from torch import Tensor, nn

from camera.errors import InputError
from pipelines.runtime.parallel.exchange import Group, all_to_all, gather_shares, own_share, own_slice
from pipelines.runtime.parallel.norms import norm_of_all
from pipelines.runtime.parallel.plans import FramePlan
from pipelines.runtime.parallel.wrap import Wrapped, wrap

ACROSS = "multiview_transformer_blocks"
"""Blocks under this name attend over all pixels of all frames."""


@dataclass
class _Run:
    """The frames of the current call."""

    group: Group
    frames: int = 0


@contextmanager
def split_frames(network: nn.Module, plan: FramePlan, group: Group) -> Iterator[None]:
    """A context in which ``network`` computes this process's share of the frames; undone afterwards."""
    run = _Run(group)
    with ExitStack() as undo:
        for name, module in list(network.named_modules()):
            if isinstance(module, TemporalResnetBlock):
                wrap(module, _resnet_along_time(run), undo)
                for norm in (module.norm1, module.norm2):
                    wrap(norm, norm_of_all(norm, group), undo)
            elif isinstance(module, TemporalBasicTransformerBlock):
                across = f".{ACROSS}." in f".{name}."
                if across:
                    undo.enter_context(_gathering(module.attn1.processor, run))
                else:
                    wrap(module, _block_along_time(run), undo)
            elif hasattr(module, "temporal_transformer_blocks"):
                wrap(module.time_proj, _offset_numbers(run), undo)
        wrap(network, _gather_all(plan, run), undo)
        network.own_frames = lambda tensor: own_share(tensor, 0, group)  # type: ignore[assignment]
        undo.callback(network.__dict__.pop, "own_frames")
        yield


def _gather_all(plan: FramePlan, run: _Run) -> Wrapped:
    first, axis = next(iter(plan.inputs.items()))

    def of(forward: Callable[..., Any]) -> Callable[..., Any]:
        def split(*args: Any, **kwargs: Any) -> Any:
            named = {**({first: args[0]} if args else {}), **kwargs}
            run.frames = named[first].shape[axis]
            _check_frames(named[first], axis, run.group)
            parts = {
                name: own_share(named[name], along, run.group) for name, along in plan.inputs.items() if name in named
            }
            if args:
                args = (parts.pop(first), *args[1:])
            out = forward(*args, **{**kwargs, **parts})
            return _gather_output(out, run) if plan.gather else out

        return split

    return of


def _check_frames(sample: Tensor, axis: int, group: Group) -> None:
    smallest = (sample.shape[-1] // 8) * (sample.shape[-2] // 8)
    if sample.shape[axis] < group.size or smallest < group.size:
        raise InputError(
            f"{sample.shape[axis]} frames of {smallest} smallest pixels cannot be split over {group.size} GPUs; "
            "use fewer GPUs, or more and larger frames."
        )


def _gather_output(out: Any, run: _Run) -> Any:
    if isinstance(out, Tensor):
        return gather_shares(out, 1, run.frames, run.group)
    if isinstance(out, tuple):
        return tuple(gather_shares(part, 1, run.frames, run.group) for part in out)
    raise TypeError(f"expected a tensor or a tuple of tensors, got {type(out)}; pass return_dict=False")


def _resnet_along_time(run: _Run) -> Wrapped:
    def of(forward: Callable[..., Any]) -> Callable[..., Any]:
        def swap(x: Tensor, temb: Tensor) -> Tensor:
            """(B,C,own frames,h,w) to (B,C',own frames,h,w); ``temb`` (B,own frames,T)."""
            size, group = x.shape[-2:], run.group
            pixels = all_to_all(x.flatten(3), split=3, gather=2, length=run.frames, group=group)
            out = forward(pixels[..., None], gather_shares(temb, 1, run.frames, group))[..., 0]
            return all_to_all(out, split=2, gather=3, length=size.numel(), group=group).unflatten(3, size)

        return swap

    return of


def _block_along_time(run: _Run) -> Wrapped:
    def of(forward: Callable[..., Any]) -> Callable[..., Any]:
        def swap(hidden_states: Tensor, num_frames: int, encoder_hidden_states: Tensor | None = None) -> Tensor:
            """(B*own frames,S,C) to the same shape; ``encoder_hidden_states`` (B*S,L,D) or None."""
            group, pixels = run.group, hidden_states.shape[1]
            x = hidden_states.unflatten(0, (-1, num_frames))
            x = all_to_all(x, split=2, gather=1, length=run.frames, group=group)
            if encoder_hidden_states is not None:
                per_pixel = encoder_hidden_states.unflatten(0, (-1, pixels))
                encoder_hidden_states = own_share(per_pixel, 1, group).flatten(0, 1)
            out = forward(x.flatten(0, 1), num_frames=run.frames, encoder_hidden_states=encoder_hidden_states)
            out = out.unflatten(0, (-1, run.frames))
            return all_to_all(out, split=1, gather=2, length=pixels, group=group).flatten(0, 1)

        return swap

    return of


def _offset_numbers(run: _Run) -> Wrapped:
    def of(forward: Callable[..., Any]) -> Callable[..., Any]:
        return lambda numbers: forward(numbers + own_slice(run.frames, run.group).start)

    return of


@dataclass
class GatheredKeys:
    """Attention of a process's own queries to the keys and values of all processes: exact with any kernel and any number of heads or tokens.

    diffusers' ring sends them too, but needs kernels that return the log-sum-exp, which CPU kernels do not.
    """

    run: _Run

    def __call__(self, tokens: Tensor) -> Tensor:
        """(B,own frames*S,heads,width) to (B,frames*S,heads,width)."""
        group, frames = self.run.group, self.run.frames
        place = own_slice(frames, group)
        per_frame = tokens.unflatten(1, (place.stop - place.start, -1))
        return gather_shares(per_frame, 1, frames, group).flatten(1, 2)


@contextmanager
def _gathering(processor: Any, run: _Run) -> Iterator[None]:
    processor.of_all_frames = GatheredKeys(run)
    try:
        yield
    finally:
        del processor.of_all_frames
