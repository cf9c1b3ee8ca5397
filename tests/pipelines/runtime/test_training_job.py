"""Training waits for its turn on the device, reports its progress, stops on request, and leaves the device free."""

from __future__ import annotations

import threading

import pytest
import torch
from toy_method import TOY, toy_shot

from camera.errors import InputError
from pipelines.method import Progress
from pipelines.options import RunOptions
from pipelines.runtime.device import Device
from pipelines.runtime.progress_clock import Report
from pipelines.runtime.runner import Runtime
from pipelines.runtime.training.job import run_training
from pipelines.shot import Shot


class Gpu(Device):
    """A GPU of 24 GB simulated in main memory."""

    is_gpu = True
    label = "small GPU"

    def __init__(self) -> None:
        super().__init__("cpu")

    def total_bytes(self) -> int:
        return 24 * 10**9

    def finish(self) -> None:
        pass

    def start_peak(self) -> None:
        pass

    def peak_bytes(self) -> int:
        return 0

    def tidy(self) -> None:
        pass


@pytest.fixture
def runtime():
    made = Runtime(Device("cpu"))
    yield made
    made.unload()


def learning(log: list[str], steps: int = 3):
    def train(weights):
        weights.announce(Progress("Downloading", 1, 2))
        parameter = torch.nn.Parameter(torch.ones(1))
        try:
            for step in range(1, steps + 1):
                (parameter * 2).sum().backward()
                yield Progress("Training", step, steps)
            yield "done"
        finally:
            log.append(threading.current_thread().name)

    return train


def test_a_training_tells_of_downloads_steps_and_time(runtime):
    log: list[str] = []
    *progress, last = run_training(learning(log), mode="tiny", gigabytes=24, runtime=runtime)
    assert [(item.phase, item.step) for item in progress] == [("Downloading", 1), *(("Training", i) for i in (1, 2, 3))]
    assert progress[1].seconds_left is not None and last == "done" and log == ["errand"]


def test_a_training_and_shots_take_turns(runtime):
    log: list[str] = []
    training = run_training(learning(log, 10_000), mode="tiny", gigabytes=1, runtime=runtime)
    while next(training).phase != "Training":
        pass
    shot = runtime.run(Shot(TOY, *toy_shot(), RunOptions(weights="tiny")))
    assert next(shot).note == "1 job before this one"
    training.close()
    assert log == ["errand"]
    assert isinstance(list(shot)[-1], Report) and runtime.loaded
    list(run_training(learning(log), mode="tiny", gigabytes=1, runtime=runtime))
    assert not runtime.loaded


def test_too_small_a_device_is_refused_before_anything_is_loaded(runtime):
    with pytest.raises(InputError, match="needs a GPU with about 30 GB, and this computer has none"):
        run_training(learning([]), mode="real", gigabytes=30, runtime=runtime)
    with pytest.raises(InputError, match="this one has 24 GB"):
        run_training(learning([]), mode="random", gigabytes=30, runtime=Runtime(Gpu()))
    assert list(run_training(learning([]), mode="random", gigabytes=20, runtime=Runtime(Gpu())))[-1] == "done"


def test_faults_reach_the_caller_and_memory_that_ran_out_is_said(runtime):
    def failing(error):
        def train(weights):
            yield Progress("Loading", 0, 1)
            raise error

        return lambda: list(run_training(train, mode="tiny", gigabytes=1, runtime=runtime))

    with pytest.raises(InputError, match="lower the rank"):
        failing(torch.OutOfMemoryError("CUDA out of memory"))()
    with pytest.raises(KeyError):
        failing(KeyError("x"))()
    assert runtime.waiting == 0
