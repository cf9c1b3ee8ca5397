"""The state of this process's device, or of the pool of ``RESHOOT_RAY``, as one value and in words."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipelines.runtime.monitor.tally import Tally

if TYPE_CHECKING:
    from pipelines.runtime.pool.dispatch import Pool
    from pipelines.runtime.runner import Runtime

ALL = "all methods"
"""Name of the one queue where all methods share a device."""


@dataclass(frozen=True)
class Queue:
    """Shots in one queue. ``replicas`` is None if only this process shoots; ``lost``: replicas that died during a shot."""

    name: str
    running: int
    waiting: int
    replicas: int | None = None
    refused: int = 0
    lost: int = 0


@dataclass(frozen=True)
class FinishedShots:
    """Shots of one method that finished since the start, and in the last hour."""

    method: str
    total: int
    last_hour: int


@dataclass(frozen=True)
class Status:
    """``gpus_free`` are not held by a replica; both GPU counts are None until a device was requested. ``loaded``: methods
    whose weights are in memory; ``places``: their replicas by machine address, in a pool."""

    device: str
    nodes: int
    gpus: float | None
    gpus_free: float | None
    queues: tuple[Queue, ...]
    done: tuple[FinishedShots, ...]
    loaded: tuple[str, ...]
    places: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


UNUSED = Status("this computer", 1, None, None, (Queue(ALL, 0, 0),), (), ())
"""The status before the first shot."""


def status() -> Status:
    """Status of the pool if the environment sets one, else of this process's device. Does not create the device, because that
    would import torch. Raises `InputError` for a pool that cannot be reached."""
    from pipelines.runtime.pool.settings import pool_settings

    if settings := pool_settings():
        from pipelines.runtime.pool.dispatch import pool

        return pool_status(pool(settings))
    runner = sys.modules.get("pipelines.runtime.runner")
    if runner is None:
        return UNUSED
    return device_status(runner.default())


def device_status(runtime: Runtime) -> Status:
    """Status of one device, which runs one shot at a time."""
    gpus = float(runtime.device.is_gpu)
    running = min(runtime.waiting, 1)
    return Status(
        device=runtime.device.label,
        nodes=1,
        gpus=gpus,
        gpus_free=gpus if not running else 0.0,
        queues=(Queue(ALL, running, runtime.waiting - running),),
        done=_done(runtime.done),
        loaded=tuple(sorted({name for name, _ in runtime.loaded})),
    )


def pool_status(pool: Pool) -> Status:
    """Status of all machines of the pool."""
    facts = pool.facts(wait=False)
    replicas, queues = facts.replicas, []
    for name in sorted({*pool.lines, *replicas}):
        line = pool.lines.get(name)
        length, refused, lost = (line.length, line.refused, line.lost) if line else (0, 0, 0)
        running = min(length, line.at_once) if line else 0
        queues.append(Queue(name, running, length - running, replicas.get(name, 0), refused, lost))
    return Status(
        device="pool",
        nodes=facts.nodes,
        gpus=facts.gpus,
        gpus_free=facts.gpus_free,
        queues=tuple(queues),
        done=_done({name: line.done for name, line in pool.lines.items()}),
        loaded=tuple(name for name, count in sorted(replicas.items()) if count),
        places=facts.places,
    )


def _done(tallies: dict[str, Tally]) -> tuple[FinishedShots, ...]:
    return tuple(FinishedShots(name, tally.total, tally.last_hour) for name, tally in sorted(tallies.items()))


def _gpus(all_of_them: float, free: float) -> str:
    return f"{free:g} of {all_of_them:g} GPUs free" if all_of_them else "no GPU"


def in_words(status: Status) -> list[str]:
    """One line each for the machine, every queue, the finished shots and the loaded methods."""
    machines = "1 machine" if status.nodes == 1 else f"{status.nodes} machines"
    gpus = "GPUs are counted at the first shot" if status.gpus is None else _gpus(status.gpus, status.gpus_free or 0)
    lines = [f"{status.device}: {machines}, {gpus}"]
    for queue in status.queues:
        words = f"{queue.name}: {queue.running} running, {queue.waiting} waiting"
        if queue.replicas is not None:
            words += f", {queue.replicas} replicas, {queue.refused} refused, {queue.lost} replicas lost"
        lines.append(words)
    lines += [f"{done.method}: {done.total} shots done, {done.last_hour} in the last hour" for done in status.done]
    loaded = [_placed(name, status.places.get(name, {})) for name in status.loaded]
    return [*lines, f"loaded: {', '.join(loaded) or 'nothing'}"]


def _placed(name: str, machines: Mapping[str, int]) -> str:
    """A method, with its number of replicas per machine."""
    where = [f"{count} on {machine}" for machine, count in sorted(machines.items())]
    return f"{name} ({', '.join(where)})" if where else name
