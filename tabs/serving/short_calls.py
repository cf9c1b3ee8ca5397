"""Runs the short events of many visitors on a few threads.

Gradio runs each call in a thread, and this app allows as many threads as visitors may wait. If all of them compute, each thread,
including the one that answers requests, gets only its share of Python's interpreter, in slices of 5 ms: a page that needs 2 ms
then waits for seconds. Events outside the queue, which are all short, therefore share a few threads, first come first served.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from typing import Any

import gradio as gr
from anyio import CapacityLimiter, to_thread

THREADS = 2 * (os.cpu_count() or 1) + 2
"""More than cores, since some wait for the disk, and a longer event should not block all others."""


def limit_short_calls(page: gr.Blocks, threads: int = THREADS) -> None:
    """Limit the events of ``page`` that bypass its queue to ``threads`` at the same time."""
    limiter = CapacityLimiter(threads)
    for event in page.fns.values():
        if event.queue is False and event.fn and _is_plain(event.fn):
            event.fn = _limited(event.fn, limiter)


def _is_plain(fn: Callable) -> bool:
    return not any(
        kind(fn) for kind in (inspect.isgeneratorfunction, inspect.iscoroutinefunction, inspect.isasyncgenfunction)
    )


def _limited(fn: Callable, limiter: CapacityLimiter) -> Callable:
    @functools.wraps(fn)
    async def call(*args: Any, **named: Any) -> Any:
        return await to_thread.run_sync(functools.partial(fn, *args, **named), limiter=limiter)

    return call
