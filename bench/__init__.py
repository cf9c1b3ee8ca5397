"""`python -m bench [names] [--quick] [--all]`: times every fast path against its readable reference, in one run.

A subject is a function that takes a `Scale` and returns `Row`s, registered with `@subject`. Every module of this package is
imported when the benchmark starts, so a new subject needs only a new file. Subjects that take minutes are registered with
`@long_subject` and run only when named, or with ``--all``. Only ratios are meaningful: both sides are timed alternately in the
same run, so that a busy machine slows both.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import resource
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

THREADS = os.cpu_count() or 1


@dataclass(frozen=True)
class Scale:
    """Picture sizes of a run, and the number of repetitions."""

    height: int = 704
    width: int = 1280
    rounds: int = 5
    frames: int = 12


QUICK = Scale(height=176, width=320, rounds=4, frames=24)


@dataclass(frozen=True)
class Row:
    """One line of the table. Times in milliseconds per frame; ``ratio`` is reference over ours unless given.

    ``agreement``: how close the results are, in words. ``target``: the goal, in words; ``met``: whether it was reached.
    """

    what: str
    ours_ms: float
    reference_ms: float | None = None
    agreement: str = ""
    target: str = ""
    met: bool | None = None

    @property
    def ratio(self) -> float | None:
        return None if self.reference_ms is None else self.reference_ms / self.ours_ms


Subject = Callable[[Scale], list[Row]]
SUBJECTS: dict[str, Subject] = {}
LONG: set[str] = set()
"""Names of subjects that take minutes."""


def subject(function: Subject) -> Subject:
    """Register a subject under the name of its function."""
    SUBJECTS[function.__name__] = function
    return function


def long_subject(function: Subject) -> Subject:
    """Register a subject that takes minutes."""
    LONG.add(function.__name__)
    return subject(function)


def discover() -> dict[str, Subject]:
    """All subjects, after importing every module of this package."""
    for module in pkgutil.walk_packages(__path__, f"{__name__}."):
        if module.name != f"{__name__}.__main__":
            importlib.import_module(module.name)
    return SUBJECTS


def milliseconds(*functions: Callable[[], object], rounds: int) -> tuple[float, ...]:
    """Best time of each function, called alternately after one uncounted warm-up call; the best is the least disturbed by other programs."""
    return _best(functions, rounds, time.perf_counter)


def cpu_milliseconds(*functions: Callable[[], object], rounds: int) -> tuple[float, ...]:
    """Like `milliseconds`, in CPU time of the calling thread, for single-threaded work on a busy machine."""
    return _best(functions, rounds, time.thread_time)


def _best(functions: tuple[Callable[[], object], ...], rounds: int, clock: Callable[[], float]) -> tuple[float, ...]:
    times: list[list[float]] = [[] for _ in functions]
    for function in functions:
        function()
    for _ in range(rounds):
        for function, samples in zip(functions, times):
            start = clock()
            function()
            samples.append(1e3 * (clock() - start))
    return tuple(map(min, times))


def versus(
    ours: Callable[[], object], readable: Callable[[], object], scale: Scale
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Times per frame (ours, reference): elapsed time with all threads, then CPU time with one.

    With all threads, ours renders frames in parallel; the torch reference uses one thread or all, whichever is faster.
    """
    many = in_threads(ours, scale.frames)
    single, parallel = with_torch_threads(readable, 1), with_torch_threads(readable, THREADS)
    threaded, *elapsed = milliseconds(many, single, parallel, rounds=scale.rounds)
    alone, slow = cpu_milliseconds(ours, single, rounds=scale.rounds)
    return (threaded / scale.frames, min(elapsed)), (alone, slow)


def with_torch_threads(function: Callable[[], object], threads: int) -> Callable[[], object]:
    """``function`` with the given number of threads in torch's operations."""

    def timed() -> object:
        import torch

        torch.set_num_threads(threads)
        return function()

    return timed


def in_threads(function: Callable[[], object], frames: int) -> Callable[[], object]:
    """Call ``function`` ``frames`` times on all cores, as a preview renders its frames."""

    def all_frames() -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda _: function(), range(frames)))

    return all_frames


def peak_megabytes() -> float:
    """Peak memory of this process; `getrusage` would include that of its parent process."""
    try:
        return int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]) / 1024
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
