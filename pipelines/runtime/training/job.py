"""Trainings and short tasks as jobs of this machine's device, like shots: queued, with memory made available, cancelled within a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from camera.errors import InputError
from pipelines.method import Progress
from pipelines.runtime.progress_clock import Clock
from pipelines.runtime.runner import Runtime, default
from pipelines.runtime.worker import Tell, forward_steps, in_worker_thread, is_out_of_memory
from pipelines.weights.hub import Mode, Weights

T = TypeVar("T")


def run_training(
    train: Callable[[Weights], Iterator[T]], *, mode: Mode, gigabytes: float, runtime: Runtime | None = None
) -> Iterator[Progress | T]:
    """Yield the items of ``train``, with the remaining seconds in `Progress`; also yields `Progress` during downloads and while it waits for the device.

    ``gigabytes``: GPU memory that it needs; all loaded pipelines are evicted when it starts. Closing the generator ends the
    training after the current step. Raises `InputError` if the device is too small or runs out of memory.
    """
    runtime = runtime or default()
    if mode != "tiny":
        check_device(runtime, gigabytes)

    def job() -> Iterator[Progress | T]:
        runtime.unload()  # networks may also be shared, or changed for a memory mode
        yield from _run_in_thread(runtime, train, mode)

    return runtime.exclusive(job)


def run_task(work: Callable[[Weights], Iterator[T]], *, mode: Mode, gigabytes: float) -> Iterator[Progress | T]:
    """Like `run_training`, for a short task that needs at most ``gigabytes``: evicts only as many pipelines as necessary."""
    runtime = default()
    return runtime.exclusive(lambda: _run_in_thread(runtime, work, mode), gigabytes=gigabytes)


def check_device(runtime: Runtime, gigabytes: float) -> None:
    """Raise `InputError` unless there is a GPU with ``gigabytes`` of total memory."""
    device = runtime.device
    needs = f"This training needs a GPU with about {gigabytes:.0f} GB"
    if not device.is_gpu:
        raise InputError(f"{needs}, and this computer has none; try the training on any computer with tiny weights.")
    if (total := device.total_bytes() / 1e9) < gigabytes:
        raise InputError(f"{needs}, and this one has {total:.0f} GB; lower rank, frames or clips at once.")


def _run_in_thread(runtime: Runtime, train: Callable[[Weights], Iterator[T]], mode: Mode) -> Iterator[Progress | T]:
    """Run in a separate thread, so that downloads can report progress and be cancelled."""

    def work(tell: Tell, cancelled: Callable[[], bool]) -> None:
        weights = Weights(mode, device=runtime.device.torch, announce=tell, cancelled=cancelled)
        forward_steps(train(weights), tell)

    return in_worker_thread(work, clock=Clock(runtime.device), failed=_convert_error, name="errand")


def _convert_error(error: BaseException) -> BaseException:
    """The error for the caller."""
    if not is_out_of_memory(error):
        return error
    return InputError(
        "The device ran out of memory. For a training, lower the rank, the frames or the clips at once, or switch gradient "
        "checkpointing on; the last saved state is kept."
    )
