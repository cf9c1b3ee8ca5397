"""Runs several shots at the same time, started in order, and yields their items as they arrive."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from queue import SimpleQueue
from typing import Any

from camera.errors import InputError


def parallel_shots(gpus: int = 1) -> int:
    """Number of shots over ``gpus`` GPUs each that can run at the same time in the pool of ``RESHOOT_RAY``; 1 without a
    pool."""
    from pipelines.runtime.pool.settings import pool_settings

    settings = pool_settings()
    if settings is None:
        return 1
    from pipelines.runtime.pool.dispatch import pool

    return pool(settings).at_once(gpus)


def interleave(runs: Mapping[str, Iterator[Any]], limit: int) -> Iterator[tuple[str, Any]]:
    """Yield name and item of everything that ``runs`` yield, at most ``limit`` runs at a time; at the end of a run, its `InputError` or None.

    A refused run does not stop the others. Closing this closes all of them after their current step.
    """
    if limit == 1:
        yield from _run_in_turn(runs)
        return
    events: SimpleQueue[tuple[str, Any, bool]] = SimpleQueue()
    stopped = threading.Event()
    with ThreadPoolExecutor(limit, thread_name_prefix="together") as threads:
        running: list[Future] = [
            threads.submit(copy_context().run, _follow, name, run, events, stopped) for name, run in runs.items()
        ]
        try:
            left = len(running)
            while left:
                name, item, ended = events.get()
                left -= ended
                if isinstance(item, BaseException) and not isinstance(item, InputError):
                    raise item
                yield name, item
        finally:
            stopped.set()
            for future in running:
                future.cancel()


def _run_in_turn(runs: Mapping[str, Iterator[Any]]) -> Iterator[tuple[str, Any]]:
    for name, run in runs.items():
        refused: InputError | None = None
        try:
            for item in run:
                yield name, item
        except InputError as error:
            refused = error
        yield name, refused


def _follow(name: str, run: Iterator[Any], events: SimpleQueue, stopped: threading.Event) -> None:
    """In a separate thread: a generator can only be closed between two steps."""
    last: BaseException | None = None
    try:
        while not stopped.is_set():
            events.put((name, next(run), False))
    except StopIteration:
        pass
    except BaseException as error:
        last = error
        if not isinstance(error, InputError):
            stopped.set()
    finally:
        run.close()  # type: ignore[attr-defined]
        events.put((name, last, True))
