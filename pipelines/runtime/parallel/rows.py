"""Splits the rows of every frame between processes in image and video decoders.

Convolutions get the adjacent rows of their neighbours, group norms combine mean and variance of all processes, attention
gathers all rows and keeps its own; everything else works on single pixels. Tiles and chunks of frames are split in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from diffusers.models.attention_processor import Attention
from diffusers.models.autoencoders.autoencoder_kl_cogvideox import CogVideoXCausalConv3d
from diffusers.models.autoencoders.autoencoder_kl_cosmos import CosmosCausalAttention
from diffusers.models.autoencoders.autoencoder_kl_wan import WanAttentionBlock
from torch import Tensor, nn

from pipelines.runtime.parallel.exchange import Group, add_neighbours, join_pieces, own_share, shares
from pipelines.runtime.parallel.norms import norm_of_all
from pipelines.runtime.parallel.wrap import Wrapped, wrap

_ROWS = -2
_ATTENTION = (Attention, CosmosCausalAttention, WanAttentionBlock)


@dataclass
class _Call:
    """The latents' rows by process in the current call; one process decodes alone if there are fewer rows than processes."""

    group: Group
    rows: list[int] = field(default_factory=list)

    @property
    def is_split(self) -> bool:
        return len(self.rows) > 0

    def sizes(self, own_rows: int) -> list[int]:
        """Rows per process of a tensor; this process holds ``own_rows``."""
        scale = own_rows // self.rows[self.group.rank]
        return [rows * scale for rows in self.rows]


@contextmanager
def split_rows(autoencoder: Any, group: Group) -> Iterator[None]:
    """A context in which the decoder of ``autoencoder`` computes this process's share of the rows; undone afterwards."""
    call = _Call(group)
    with ExitStack() as undo:
        for module, wrapped in _parts(autoencoder.decoder, call):
            wrap(module, wrapped, undo)
        wrap(autoencoder.decoder, _whole_output(call), undo)
        yield


def _parts(module: nn.Module, call: _Call) -> Iterator[tuple[nn.Module, Wrapped]]:
    for child in module.children():
        if isinstance(child, _ATTENTION):
            yield child, _when_split(call, _attend_all_rows(call))
        elif isinstance(child, nn.GroupNorm):
            yield child, _when_split(call, norm_of_all(child, call.group))
        elif (edge := _edge(child)) is None:
            yield from _parts(child, call)
        elif edge:
            yield child, _when_split(call, _extend_rows(edge, call))


def _edge(module: nn.Module) -> int | None:
    """Rows that a convolution needs above and below each row; None for other modules."""
    inner: Any = module.conv if isinstance(module, CogVideoXCausalConv3d) else module
    if not isinstance(inner, (nn.Conv2d, nn.Conv3d)):
        return None
    if inner.stride[_ROWS] != 1 or inner.dilation[_ROWS] != 1:
        raise ValueError(f"a decoder's convolution skips rows: stride {inner.stride}, dilation {inner.dilation}")
    return (inner.kernel_size[_ROWS] - 1) // 2


def _when_split(call: _Call, wrapped: Wrapped) -> Wrapped:
    def of(forward: Callable[..., Any]) -> Callable[..., Any]:
        inside = wrapped(forward)
        return lambda *args, **kwargs: (inside if call.is_split else forward)(*args, **kwargs)

    return of


def _whole_output(call: _Call) -> Wrapped:
    def of(forward: Callable[..., Any]) -> Callable[..., Any]:
        def decode(latents: Tensor, *args: Any, **kwargs: Any) -> Any:
            rows = latents.shape[_ROWS]
            call.rows = shares(rows, call.group.size) if rows >= call.group.size else []
            try:
                if not call.is_split:
                    return forward(latents, *args, **kwargs)
                out = forward(own_share(latents, _ROWS, call.group), *args, **kwargs)
                if isinstance(out, tuple):
                    return _join_rows(out[0], call), *out[1:]
                return _join_rows(out, call)
            finally:
                call.rows = []

        return decode

    return of


def _join_rows(tensor: Tensor, call: _Call) -> Tensor:
    return join_pieces(tensor, _ROWS, call.sizes(tensor.shape[_ROWS]), call.group)


def _attend_all_rows(call: _Call) -> Wrapped:
    def of(forward: Callable[..., Any]) -> Callable[..., Any]:
        def attend(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            sizes = call.sizes(x.shape[_ROWS])
            out = forward(join_pieces(x, _ROWS, sizes, call.group).contiguous(), *args, **kwargs)
            return out.split(sizes, _ROWS)[call.group.rank].contiguous()

        return attend

    return of


def _extend_rows(edge: int, call: _Call) -> Wrapped:
    """The convolution's own cache of earlier frames already has the neighbours' rows; a foreign cache gets them too."""

    def of(forward: Callable[..., Any]) -> Callable[..., Any]:
        def convolve(x: Tensor, *args: Any, **kwargs: Any) -> Any:
            own_rows = x.shape[_ROWS]

            def extended(part: Any) -> Any:
                if isinstance(part, Tensor) and part.shape[_ROWS] == own_rows:
                    return add_neighbours(part, _ROWS, edge, call.group)[0]
                return part

            wide, above = add_neighbours(x, _ROWS, edge, call.group)
            out = forward(wide, *map(extended, args), **{name: extended(part) for name, part in kwargs.items()})
            if isinstance(out, tuple):
                return out[0].narrow(_ROWS, above, own_rows).contiguous(), *out[1:]
            return out.narrow(_ROWS, above, own_rows).contiguous()

        return convolve

    return of
