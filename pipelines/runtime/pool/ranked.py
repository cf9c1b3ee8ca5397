"""A replica of several GPUs: an actor on each, in one placement group, joined by torch.distributed; rank 0 streams.

The actors keep their weights between shots. After every step they agree on cancelling, so that all stop at the same step.
If one is lost the others are ended, since they would wait for it; the next shot starts new ones.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

from pipelines.runtime.pool.replica import Event, run_events

_STOP_SECONDS = 300.0
"""Maximum duration of a step after a cancel, before its processes are ended."""
_TOGETHER_SECONDS = 20.0
"""How much later than the first the other processes may end."""


class Rank:
    """One process of the group, on its own GPU."""

    def __init__(self, rank: int, ranks: int) -> None:
        self._rank, self._ranks = rank, ranks
        self._stopped = -1
        self._runtime: Any = None

    def address(self) -> str:
        """HOST:PORT at which this process, rank 0, waits for the others."""
        import ray

        host = ray.util.get_node_ip_address()
        with socket.socket() as free:
            free.bind((host, 0))
            return f"{host}:{free.getsockname()[1]}"

    def join(self, address: str) -> None:
        from pipelines.runtime.parallel.rank import join
        from pipelines.runtime.runner import Runtime

        self._runtime = Runtime(join(address, self._rank, self._ranks, gpu=0))

    def shoot(self, job: bytes, number: int) -> Iterator[Event]:
        """Events of job ``number`` from rank 0; the others send only errors."""
        from pipelines.runtime.memory import networks
        from pipelines.runtime.parallel.exchange import Group
        from pipelines.runtime.parallel.split import split

        group = Group.ours()

        def run(shot: Any) -> Iterator[Any]:
            return self._runtime.run(
                shot,
                around=lambda pipeline: split(networks(pipeline), group),
                through=lambda steps: self._until_stopped(steps, number),
            )

        for kind, value in run_events(job, run):
            if self._rank == 0 or kind in ("refused", "failed"):
                yield kind, value

    def stop(self, number: int) -> None:
        """End job ``number`` and earlier jobs after the current step."""
        self._stopped = max(self._stopped, number)

    def _until_stopped(self, steps: Iterator[Any], number: int) -> Iterator[Any]:
        """Pass steps on until rank 0 decides, after a step, that all ranks stop."""
        import torch
        import torch.distributed as dist

        from pipelines.weights.hub import Cancelled

        try:
            for item in steps:
                stopped = torch.tensor([float(self._stopped >= number)])
                dist.broadcast(stopped, 0)
                if stopped.item():
                    raise Cancelled
                yield item
        finally:
            steps.close()  # type: ignore[attr-defined]


class RankedReplica:
    """``ranks`` actors of ``cpus`` cores and ``gpus`` GPUs each, in the bundles 1, 2, ... of this replica's placement group."""

    def __init__(self, ranks: int, cpus: float, gpus: float) -> None:
        self._count, self._each = ranks, {"num_cpus": cpus, "num_gpus": gpus}
        self._ranks: list[Any] = []
        self._number = 0

    async def shoot(self, job: bytes) -> AsyncIterator[Event]:
        """Like `pipelines.runtime.pool.replica.Replica.shoot`."""
        await self._join_ranks()
        self._number += 1
        # from a thread without context: Ray cancels everything that a cancelled call started, and these must stop together
        first, *others = await asyncio.get_running_loop().run_in_executor(None, self._begin, job)
        ends: list[asyncio.Future] = [asyncio.ensure_future(_end(other)) for other in others]
        upcoming: asyncio.Future | None = None
        ended = False
        try:
            while not ended:
                upcoming = asyncio.ensure_future(_next(first))
                item = await self._next_or_lost(upcoming, ends)
                if item is None:
                    ended = True
                else:
                    if item[0] == "failed":  # possibly because another rank was lost
                        await self._check(ends, seconds=3)
                    yield item
            if not await _all_within(ends, _TOGETHER_SECONDS):
                self._end_all()
        finally:
            if not ended and self._ranks:
                await asyncio.shield(self._stop(first, upcoming, ends))

    def _begin(self, job: bytes) -> list[Any]:
        return [rank.shoot.options(num_returns="streaming").remote(job, self._number) for rank in self._ranks]

    async def _join_ranks(self) -> None:
        import ray
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy as In

        if self._ranks:
            return
        group: Any = ray.util.get_current_placement_group()
        kind = ray.remote(Rank)
        self._ranks = [
            kind.options(  # type: ignore[attr-defined]
                max_concurrency=2, scheduling_strategy=In(group, placement_group_bundle_index=rank + 1), **self._each
            ).remote(rank, self._count)
            for rank in range(self._count)
        ]
        address = await self._ranks[0].address.remote()
        await asyncio.gather(*(rank.join.remote(address) for rank in self._ranks))

    async def _next_or_lost(self, upcoming: asyncio.Future, ends: list[asyncio.Future]) -> Event | None:
        """The next event; if an actor is lost, ends the others and raises."""
        while not upcoming.done():
            running = [end for end in ends if not end.done()]
            await asyncio.wait([upcoming, *running], return_when=asyncio.FIRST_COMPLETED)
            await self._check([end for end in ends if end.done()])
        if upcoming.exception() is not None:
            self._end_all()
        return upcoming.result()

    async def _check(self, ends: list[asyncio.Future], seconds: float = 0.0) -> None:
        """Raise if one of those that end within ``seconds`` was lost, after ending the others."""
        if ends:
            await asyncio.wait(ends, timeout=seconds)
        for end in ends:
            if end.done() and (error := end.exception()) is not None:
                self._end_all()
                raise error

    async def _stop(self, first: Any, upcoming: asyncio.Future | None, ends: list[asyncio.Future]) -> None:
        self._ranks[0].stop.remote(self._number)
        rest = asyncio.ensure_future(_drain(first, upcoming))
        if not await _all_within([rest, *ends], _STOP_SECONDS):
            self._end_all()

    def _end_all(self) -> None:
        import ray

        for rank in self._ranks:
            ray.kill(rank)
        self._ranks = []


async def _next(stream: Any) -> Event | None:
    try:
        return await (await stream.__anext__())
    except StopAsyncIteration:
        return None


async def _end(stream: Any) -> None:
    await stream.completed()


async def _drain(stream: Any, upcoming: asyncio.Future | None) -> None:
    item = await upcoming if upcoming is not None else True
    while item is not None:
        item = await _next(stream)


async def _all_within(futures: list[asyncio.Future], seconds: float) -> bool:
    """Whether all end in time and without an error."""
    if not futures:
        return True
    done, pending = await asyncio.wait(futures, timeout=seconds)
    return not pending and all(future.exception() is None for future in done)
