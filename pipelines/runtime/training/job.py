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
    """Yield the items of ``train``, with the remaining seconds in `Progress`; also yields `Progress` while weights download or others shoot.

    ``gigabytes``: what it takes on a GPU; when its turn comes, every loaded pipeline leaves. Closing the generator ends
    the training after the step in progress. Raises `InputError` where the device is too small or runs out of memory.
    """
    runtime = runtime or default()
    if mode != "tiny":
        check_device(runtime, gigabytes)

    def job() -> Iterator[Progress | T]:
        runtime.unload()  # also because networks may be shared, and changed for a memory mode
        yield from _run_in_thread(runtime, train, mode)

    return runtime.exclusive(job)


def run_task(work: Callable[[Weights], Iterator[T]], *, mode: Mode, gigabytes: float) -> Iterator[Progress | T]:
    """Like `run_training`, for something short that needs no more than ``gigabytes``: what is loaded stays as far as it can."""
    runtime = default()
    return runtime.exclusive(lambda: _run_in_thread(runtime, work, mode), gigabytes=gigabytes)


def check_device(runtime: Runtime, gigabytes: float) -> None:
    """Raise `InputError` unless there is a GPU with ``gigabytes`` of total memory."""
    device = runtime.device
    needs = f"This training needs a GPU with about {gigabytes:.0f} GB"
    if not device.is_gpu:
        raise InputError(f"{needs}, and this computer has none; tiny weights show on any computer how a training goes.")
    if (total := device.total_bytes() / 1e9) < gigabytes:
        raise InputError(f"{needs}, and this one has {total:.0f} GB; lower rank, frames or clips at once.")


def _run_in_thread(runtime: Runtime, train: Callable[[Weights], Iterator[T]], mode: Mode) -> Iterator[Progress | T]:
    """In a separate thread, so that downloads can report progress and be cancelled."""

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
        "checkpointing on; what was saved before is kept."
    )
