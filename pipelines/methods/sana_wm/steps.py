"""Turns a call that reports its steps to a callback into a generator that can be paused and closed between steps."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from threading import Event, Semaphore
from typing import Any, TypeVar

Result = TypeVar("Result")


class _Closed(BaseException):
    """Raised inside the call when its steps are no longer needed."""


def stepwise(call: Callable[[Callable[[Any], None]], Result]) -> Generator[Any, None, Result]:
    """Yield the items that ``call(tell)`` reports, and return its result; its errors are raised here.

    The call runs in a thread that pauses until the next step is requested. Closing the generator makes ``tell`` raise
    and waits for the end of the call.
    """
    out: SimpleQueue[Any] = SimpleQueue()
    wanted, closed = Semaphore(0), Event()

    def tell(item: Any) -> None:
        out.put(item)
        wanted.acquire()
        if closed.is_set():
            raise _Closed

    with ThreadPoolExecutor(1, thread_name_prefix="steps") as thread:
        running = thread.submit(call, tell)
        running.add_done_callback(out.put)
        try:
            while (item := out.get()) is not running:
                yield item
                wanted.release()
            return running.result()
        finally:
            closed.set()
            wanted.release()
