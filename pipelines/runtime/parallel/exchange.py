"""Collectives between the processes of a group: gathering shares of a tensor, and swapping the split dimension."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Group:
    """The processes that share one shot, and the rank of this one. ``sent``: bytes sent by this process."""

    rank: int
    size: int
    sent: list[int] = field(default_factory=list)

    @staticmethod
    def ours() -> Group:
        """All processes of the default group; torch.distributed must have been started."""
        return Group(dist.get_rank(), dist.get_world_size())


def shares(length: int, ranks: int) -> list[int]:
    """Number of items of each of ``ranks``, of ``length`` items: as equal as possible, with the remainder on the first ranks."""
    return [length // ranks + (rank < length % ranks) for rank in range(ranks)]


def own_slice(length: int, group: Group) -> slice:
    """The slice of this process's share of ``length`` items."""
    sizes = shares(length, group.size)
    start = sum(sizes[: group.rank])
    return slice(start, start + sizes[group.rank])


def own_share(tensor: Tensor, dim: int, group: Group) -> Tensor:
    """This process's share of ``tensor`` along ``dim``."""
    place = own_slice(tensor.shape[dim], group)
    return tensor.narrow(dim, place.start, place.stop - place.start)


def gather_shares(tensor: Tensor, dim: int, length: int, group: Group) -> Tensor:
    """Gather all shares into the whole tensor, ``length`` long along ``dim``; identical in every process."""
    return join_pieces(tensor, dim, shares(length, group.size), group)


def join_pieces(tensor: Tensor, dim: int, sizes: list[int], group: Group) -> Tensor:
    """Like `gather_shares`, for pieces of lengths ``sizes`` along ``dim``, in rank order."""
    piece = tensor.movedim(dim, 0).contiguous()
    padded = piece.new_zeros(max(sizes), *piece.shape[1:])
    padded[: len(piece)] = piece
    whole = padded.new_empty(group.size * max(sizes), *piece.shape[1:])
    dist.all_gather_into_tensor(whole, padded)
    group.sent.append((group.size - 1) * padded.nbytes)
    parts = [part[:size] for part, size in zip(whole.chunk(group.size), sizes)]
    return torch.cat(parts).movedim(0, dim)


def all_to_all(tensor: Tensor, *, split: int, gather: int, length: int, group: Group) -> Tensor:
    """From a share along ``gather`` and all of ``split``, to all of ``gather`` (``length`` long) and a share along ``split``."""
    theirs = [part.contiguous() for part in tensor.split(shares(tensor.shape[split], group.size), dim=split)]
    incoming = []
    for size in shares(length, group.size):
        shape = list(theirs[group.rank].shape)
        shape[gather] = size
        incoming.append(shape)
    received = tensor.new_empty(sum(_count(shape) for shape in incoming))
    dist.all_to_all_single(
        received,
        torch.cat([part.flatten() for part in theirs]),
        [_count(shape) for shape in incoming],
        [part.numel() for part in theirs],
    )
    group.sent.append(sum(part.nbytes for rank, part in enumerate(theirs) if rank != group.rank))
    parts = received.split([_count(shape) for shape in incoming])
    return torch.cat([part.view(shape) for part, shape in zip(parts, incoming)], dim=gather)


def add_neighbours(tensor: Tensor, dim: int, edge: int, group: Group) -> tuple[Tensor, int]:
    """``tensor`` padded along ``dim`` with the last ``edge`` entries of the previous process and the first of the next one.

    Also returns the number of entries put before.
    """
    before, after = group.rank > 0, group.rank < group.size - 1
    ends = {-1: tensor.narrow(dim, 0, edge), 1: tensor.narrow(dim, tensor.shape[dim] - edge, edge)}
    received, calls = {}, []
    for side in [side for side, there in ((-1, before), (1, after)) if there]:
        end, received[side] = (
            ends[side].contiguous(),
            torch.empty_like(ends[side], memory_format=torch.contiguous_format),
        )
        calls += [
            dist.P2POp(dist.isend, end, group.rank + side),
            dist.P2POp(dist.irecv, received[side], group.rank + side),
        ]
        group.sent.append(end.nbytes)
    for work in dist.batch_isend_irecv(calls) if calls else ():
        work.wait()
    parts = [part for part in (received.get(-1), tensor, received.get(1)) if part is not None]
    return torch.cat(parts, dim), edge * before


def _count(shape: list[int]) -> int:
    return int(torch.Size(shape).numel())
