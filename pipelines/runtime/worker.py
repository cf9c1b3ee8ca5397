"""Runs work in a worker thread, so that the caller can pause, check the time or cancel between steps."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

import torch

from pipelines.method import Progress
from pipelines.runtime.progress_clock import Clock
from pipelines.weights.hub import Cancelled

Tell = Callable[[Any], None]
_END = object()


def in_worker_thread(
    work: Callable[[Tell, Callable[[], bool]], None],
    *,
    clock: Clock,
    failed: Callable[[BaseException], BaseException],
    name: str,
) -> Iterator[Any]:
    """Yield the items that ``work(tell, cancelled)`` reports, with the remaining seconds in `Progress`; closing it cancels and waits for the end.

    After closing, ``tell`` raises `Cancelled` and ``cancelled`` is true. ``failed`` converts an error, in the worker thread;
    the result is raised here. The device's memory is freed in any case.
    """
    cancelled, out = threading.Event(), SimpleQueue()

    def tell(item: Any) -> None:
        if cancelled.is_set():
            raise Cancelled
        out.put(clock.timed(item) if isinstance(item, Progress) else item)

    def run() -> None:
        failure: BaseException | None = None
        try:
            work(tell, cancelled.is_set)
        except Cancelled:
            pass
        except BaseException as error:  # raised in the caller's thread
            _empty_frames(error)
            failure = failed(error)
        clock.device.tidy()
        if failure is not None:
            out.put(failure)
        out.put(_END)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        while (item := out.get()) is not _END:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        cancelled.set()
        thread.join()


def forward_steps(steps: Iterator[Any], tell: Tell) -> None:
    """Pass everything that a generator yields to ``tell``, and close the generator in any case."""
    try:
        for item in steps:
            tell(item)
    finally:
        steps.close()  # type: ignore[attr-defined]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that a device or the computer ran out of memory."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in words or "allocate memory" in words)


def _empty_frames(error: BaseException) -> None:
    """Clear the stack frames of the error and its causes, so that no tensor outlives the work."""
    current: BaseException | None = error
    while current is not None:
        traceback.clear_frames(current.__traceback__)
        current = current.__cause__ or current.__context__
