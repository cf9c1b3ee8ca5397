"""Runs methods: one job at a time, loaded on first use, evicted when memory is needed, cancelled within a step."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

import torch

from camera.errors import InputError
from pipelines.method import Clip, Method, Pipeline, Progress
from pipelines.options import AUTO, EXACT, FP8, FULL, INT8, RunOptions
from pipelines.runtime import forecast as estimates
from pipelines.runtime.acceleration.apply import accelerate
from pipelines.runtime.device import Device
from pipelines.runtime.memory import networks, place_on_device, storage_mode
from pipelines.runtime.monitor.tally import Tally
from pipelines.runtime.progress_clock import Clock, Report
from pipelines.runtime.worker import Tell, forward_steps, in_worker_thread, is_out_of_memory
from pipelines.shot import Shot
from pipelines.weights.hub import Weights

T = TypeVar("T")
Around = Callable[[Pipeline], AbstractContextManager[Any]]
Through = Callable[[Iterator[Any]], Iterator[Any]]
_WAIT_SECONDS = 0.5


@dataclass
class LoadedPipeline:
    """A pipeline in memory, and the weights that it was loaded from and loads further networks from."""

    pipeline: Pipeline
    weights: Weights


class Runtime:
    """One device and the pipelines loaded for it; `run` may be called from any number of threads.

    ``device``: by default the GPU, or the CPU if there is none. Jobs run one after another in order of arrival.
    """

    def __init__(self, device: Device | None = None) -> None:
        self.device = device or Device()
        self.loaded: OrderedDict[tuple[str, str], LoadedPipeline] = OrderedDict()
        self.done: defaultdict[str, Tally] = defaultdict(Tally)
        self._queue: list[object] = []
        self._turn = threading.Condition()

    def run(
        self, shot: Shot, *, around: Around = nullcontext, through: Through = lambda steps: steps
    ) -> Iterator[Progress | Clip | Report]:
        """Shoot: yields `Progress`, one or more `Clip` (each replaces the one before), and last a `Report`.

        ``around``: a context in which the placed pipeline runs. ``through``: a generator function that processes everything
        the pipeline yields, in the computing thread; it may raise `pipelines.weights.hub.Cancelled`.
        Closing the generator cancels after the current step and starts the next job. Raises `InputError` for shots that the
        method does not support or that do not fit, for missing weights, and for lack of memory; after any error the device is
        free and the next run works.
        """
        shot.check()
        forecast = self.forecast(shot)
        if forecast.refusal:
            raise InputError(forecast.refusal)
        yield from self.exclusive(lambda: _Run(self, shot, around, through).results())
        self.done[shot.method.name].add()

    def exclusive(self, job: Callable[[], Iterator[T]], *, gigabytes: float = 0.0) -> Iterator[Progress | T]:
        """Run ``job()`` as one job of the queue (a training or a reconstruction) and yield its items; yields `Progress` while it waits.

        Evicts least recently used pipelines until ``gigabytes`` are free on the device. Closing the generator closes the job's
        generator and starts the next job.
        """
        ticket = object()
        try:
            yield from self._wait(ticket)
            self.make_room(None, gigabytes)
            yield from job()
        finally:
            self._leave(ticket)

    def forecast(self, shot: Shot) -> estimates.Forecast:
        """Forecast of a run on this device; memory of loaded pipelines that can be evicted counts as free."""
        room = (self.device.free_bytes() + self._resident_bytes()) / 1e9
        return estimates.forecast(shot, free=room, on_gpu=self.device.is_gpu)

    def unload(self) -> None:
        """Unload every pipeline and free its memory."""
        self.loaded.clear()
        self.device.tidy()

    @property
    def waiting(self) -> int:
        """Number of running and waiting jobs."""
        return len(self._queue)

    # one job at a time

    def _wait(self, ticket: object) -> Iterator[Progress]:
        with self._turn:
            self._queue.append(ticket)
        while True:
            with self._turn:
                place = self._queue.index(ticket)
                if place == 0:
                    return
                self._turn.wait(_WAIT_SECONDS)
                place = self._queue.index(ticket)
            if place:
                jobs = "1 job" if place == 1 else f"{place} jobs"
                yield Progress("Waiting for the device", 0, 1, note=f"{jobs} before this one")

    def _leave(self, ticket: object) -> None:
        with self._turn:
            if ticket in self._queue:
                self._queue.remove(ticket)
            self._turn.notify_all()

    # loading and making room

    def load(
        self,
        method: Method,
        options: RunOptions,
        *,
        announce: Callable[[Progress], None] = lambda progress: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> LoadedPipeline:
        """The method's pipeline, loaded if necessary; becomes the most recently used.

        ``announce`` is called for downloads and loading, and ``cancelled`` is polled, until the next call for the same method.
        """
        self._forget_8_bits(options.memory)
        key = (method.name, options.weights)
        loaded = self.loaded.get(key)
        weights = loaded.weights if loaded else Weights(options.weights, device=self.device.torch)  # type: ignore[arg-type]
        weights.announce, weights.cancelled = announce, cancelled
        if loaded is None:
            loaded = self.loaded[key] = LoadedPipeline(import_module(method.pipeline).load(weights), weights)
        self.loaded.move_to_end(key)
        return loaded

    def make_room(self, keep: LoadedPipeline | None, gigabytes: float) -> list[str]:
        """Evict least recently used pipelines other than ``keep`` until ``gigabytes`` fit; returns the methods evicted."""
        evicted = []
        for key in [key for key, loaded in self.loaded.items() if loaded is not keep]:
            own_bytes = self._bytes_of(keep) if keep else 0
            if self.device.free_bytes() + own_bytes >= gigabytes * estimates.HEADROOM * 1e9:
                break
            del self.loaded[key]
            self.device.tidy()
            evicted.append(key[0])
        return evicted

    def make_main_memory_room(self, method: Method, options: RunOptions, gigabytes: float) -> None:
        """Before ``method`` is loaded, evict least recently used pipelines until its weights fit into main memory."""
        if (method.name, options.weights) in self.loaded:
            return
        while self.loaded and self.device.main_memory_bytes() < gigabytes * 1e9:
            self.loaded.popitem(last=False)
            self.device.tidy()

    def _forget_8_bits(self, wanted: str) -> None:
        """Drop every pipeline with a network that is not stored as ``wanted``, so that it is loaded anew: 8-bit storage cannot be
        undone, and networks may be shared."""
        others = {stored for stored in (FP8, INT8) if stored != wanted}
        cast = [
            key for key in self.loaded if others & set(map(storage_mode, networks(self.loaded[key].pipeline).values()))
        ]
        for key in cast:
            del self.loaded[key]
        if cast:
            self.device.tidy()

    def forget(self, method: Method, options: RunOptions) -> None:
        self.loaded.pop((method.name, options.weights), None)

    def _resident_bytes(self) -> int:
        return sum(self._bytes_of(loaded) for loaded in list(self.loaded.values()))

    def _bytes_of(self, loaded: LoadedPipeline) -> int:
        return self.device.bytes_of(networks(loaded.pipeline).values())


class _Run:
    """One shot being run."""

    def __init__(self, runtime: Runtime, shot: Shot, around: Around, through: Through) -> None:
        self.runtime, self.shot, self.around, self.through = runtime, shot, around, through
        self.clock = Clock(runtime.device)
        self.mode = FULL

    def results(self) -> Iterator[Progress | Clip | Report]:
        return in_worker_thread(
            self._shoot, clock=self.clock, failed=self._convert_error, name=f"shoot {self.shot.method.name}"
        )

    @torch.no_grad()
    def _shoot(self, tell: Tell, cancelled: Callable[[], bool]) -> None:
        runtime, shot = self.runtime, self.shot
        runtime.device.step_back()
        method, options = shot.method, shot.options
        runtime.make_main_memory_room(method, options, runtime.forecast(shot).weights_gigabytes)
        loaded = runtime.load(method, options, announce=tell, cancelled=cancelled)
        if options.weights == "tiny" and (side := getattr(loaded.pipeline, "tiny_side", None)):
            self.shot = shot = _shrink(shot, side)
        if prepare := getattr(loaded.pipeline, "prepare", None):
            prepare(shot.scene, shot.path, shot.settings)
        forecast = runtime.forecast(shot)
        if forecast.refusal:
            raise InputError(forecast.refusal)
        evicted = runtime.make_room(loaded, forecast.gigabytes)
        self.mode = forecast.mode if options.memory == AUTO else options.memory
        pipeline, steps = loaded.pipeline, int(getattr(shot.settings, "steps", 1))
        fast = accelerate(pipeline, options, steps=steps, method=method.name)
        with place_on_device(pipeline, self.mode, runtime.device.torch), fast, self.around(pipeline):
            going_on = {} if shot.after is None else {"after": shot.after}
            forward_steps(self.through(pipeline(shot.scene, shot.path, shot.settings, **going_on)), tell)
        words = forecast.words + (f" {' and '.join(evicted)} made room." if evicted else "")
        revisions = loaded.weights.revisions
        tell(self.clock.report(method=method.name, options=options, mode=self.mode, words=words, revisions=revisions))

    def _convert_error(self, error: BaseException) -> BaseException:
        """The error for the caller; after an error that may have damaged a pipeline, that pipeline is unloaded."""
        if is_out_of_memory(error):
            self.runtime.unload()
            return OutOfMemory(self._out_of_memory_words(self.clock.phase))
        if not isinstance(error, InputError):
            self.runtime.forget(self.shot.method, self.shot.options)
        return error

    def _out_of_memory_words(self, phase: str) -> str:
        device, path = self.runtime.device, self.shot.path
        lower = EXACT[EXACT.index(self.mode) + 1 :] if self.mode in EXACT else EXACT[1:]
        advice = f"choose memory mode {lower[0]}, " if lower and device.is_gpu else "choose "
        return (
            f"The {device.label} ran out of memory while {phase or 'starting'} in memory mode {self.mode}; {advice}"
            f"fewer than {len(path)} frames or a size below {path.width} x {path.height}."
        )


def _shrink(shot: Shot, side: int) -> Shot:
    """The shot with a longer side of about ``side`` pixels, in multiples of 32, for tiny networks."""
    path = shot.path
    scale = side / max(path.width, path.height)
    if scale >= 1:
        return shot
    width, height = (max(64, round(length * scale / 32) * 32) for length in (path.width, path.height))
    return shot.resized(width, height)


class OutOfMemory(InputError):
    """The device ran out of memory during a run; everything was freed."""


_default: Runtime | None = None
_default_lock = threading.Lock()


def default() -> Runtime:
    """The process's own runtime, created on first use."""
    global _default
    with _default_lock:
        if _default is None:
            _default = Runtime()
        return _default
