"""One replica: a runtime on its own GPU, in a separate process."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

from camera.errors import InputError, log_failure
from pipelines.method import Clip, Progress

if TYPE_CHECKING:
    from pipelines.runtime.progress_clock import Report
    from pipelines.shot import Shot

Event = tuple[str, Any]
"""An event of a shot: "progress" or "report" with plain values, "clip" with the bytes of a file, "refused" or "failed" with a sentence."""
Shoot = Callable[[bytes], Iterator[Event]]
SHOOT = "pipelines.runtime.pool.replica:shoot_job"
_log = logging.getLogger("reshoot")


class Replica:
    """``shoot`` names the function ("module:function") that turns the bytes of a job file into events."""

    def __init__(self, shoot: str = SHOOT) -> None:
        module, name = shoot.split(":")
        self._shoot: Shoot = getattr(import_module(module), name)

    async def shoot(self, job: bytes) -> AsyncIterator[Event]:
        """Events of the run. A cancelled run ends after its current step; only then is the replica free."""
        steps = self._shoot(job)
        upcoming: asyncio.Future | None = None
        try:
            while True:
                upcoming = asyncio.ensure_future(asyncio.to_thread(next, steps, None))
                item = await asyncio.shield(upcoming)
                if item is None:
                    return
                yield item
        finally:
            await asyncio.shield(_close_after_step(steps, upcoming))


async def _close_after_step(steps: Any, upcoming: asyncio.Future | None) -> None:
    """Wait for the end of the current step, which cannot be interrupted in its thread, then close."""
    if upcoming is not None:
        await asyncio.wait([upcoming])
    await asyncio.to_thread(steps.close)


def shoot_job(job: bytes) -> Iterator[Event]:
    """One run of this process's own runtime."""
    from pipelines.runtime.runner import default

    yield from run_events(job, default().run)


def run_events(job: bytes, run: Callable[[Shot], Iterator[Progress | Clip | Report]]) -> Iterator[Event]:
    """Convert the items that ``run`` yields for a job file to events."""
    from pipelines.runtime.clip_file import clip_bytes, plain
    from pipelines.runtime.job_file import read_job

    try:
        shot = read_job(io.BytesIO(job), files=True)
        for item in run(shot):
            if isinstance(item, Clip):
                yield "clip", clip_bytes(item, shot.scene)
            else:
                yield "progress" if isinstance(item, Progress) else "report", plain(item)
    except InputError as error:
        yield "refused", str(error)
    except Exception:
        yield "failed", log_failure(_log, "The run failed")
