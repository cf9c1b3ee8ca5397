"""The runtime with a small real pipeline: lazy loading, sharing, eviction, turns, cancel, out of memory, reports."""

import gc
import os
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_method import TOY, behaviour, toy, toy_shot

from camera.errors import InputError
from pipelines.method import Clip, Progress
from pipelines.options import RunOptions
from pipelines.runtime.device import NICER, Device
from pipelines.runtime.forecast import HEADROOM
from pipelines.runtime.progress_clock import Clock, Report
from pipelines.runtime.runner import OutOfMemory, Runtime
from pipelines.shot import Shot

gc.freeze()  # imported objects stay: the collector need not scan them after each run
TINY, RANDOM = RunOptions(weights="tiny"), RunOptions(weights="random")


class LimitedDevice(Device):
    """A GPU of ``gigabytes`` simulated in main memory: every loaded pipeline occupies ``each`` of them."""

    def __init__(self, gigabytes: float, *, each: float = 0.0) -> None:
        super().__init__("cpu")
        self.gigabytes, self.each, self.main_memory = gigabytes, each, 1000.0

    is_gpu = True
    label = "limited device"

    def free_bytes(self) -> int:
        return int((self.gigabytes - self.each * len(behaviour.alive)) * 1e9)

    def main_memory_bytes(self) -> int:
        return int((self.main_memory - 12 * len(behaviour.alive)) * 1e9)

    def bytes_of(self, networks) -> int:
        return int(self.each * 1e9) if list(networks) else 0

    def start_peak(self) -> None:
        pass

    def peak_bytes(self) -> int:
        return 3 * 10**9

    def tidy(self) -> None:
        gc.collect()

    def finish(self) -> None:
        pass


@pytest.fixture(autouse=True)
def fresh():
    behaviour.in_step, behaviour.begun, behaviour.loads = (lambda step: None), 0, 0
    yield
    behaviour.in_step = lambda step: None
    gc.collect()
    assert not behaviour.alive, "a pipeline outlived its runtime"


@pytest.fixture
def runtime():
    made = Runtime(Device("cpu"))
    yield made
    made.unload()


def shoot(runtime, method=TOY, options=TINY, **settings):
    scene, path, chosen = toy_shot()
    return list(runtime.run(Shot(method, scene, path, replace(chosen, **settings), options)))


def frames(items):
    return next(item for item in reversed(items) if isinstance(item, Clip)).frames


def test_a_run_yields_progress_a_clip_and_a_report(runtime):
    items = shoot(runtime)
    steps = [item for item in items if isinstance(item, Progress) and item.phase == "Denoising"]
    assert [step.step for step in steps] == [1, 2, 3, 4]
    assert steps[-1].seconds_left == 0 and all(step.seconds_left > 0 for step in steps[:-1])
    report = items[-1]
    assert isinstance(report, Report) and report.mode == "full" and report.options["weights"] == "tiny"
    assert report.longest.name == "Denoising" and report.longest.steps == 4 and report.peak_gigabytes > 0.05
    assert {phase.name for phase in report.phases} == {"Loading", "Denoising", "Decoding"}
    assert frames(items).shape == (2, 64, 64, 3)


def test_the_second_run_loads_nothing_and_gives_the_same_picture(runtime):
    first, second = shoot(runtime), shoot(runtime)
    assert behaviour.loads == 1
    assert np.array_equal(frames(first), frames(second))
    assert not np.array_equal(frames(first), frames(shoot(runtime, seed=1)))


def test_networks_are_shared_between_methods_by_checkpoint(runtime):
    shoot(runtime)
    shoot(runtime, toy("other"))
    first, second = (loaded.pipeline for loaded in runtime.loaded.values())
    assert behaviour.loads == 2 and first is not second and first.vae is second.vae
    runtime.unload()
    del first, second


def test_closing_cancels_within_one_step_and_frees_the_device_for_the_next(runtime):
    scene, path, settings = toy_shot()
    run = runtime.run(Shot(TOY, scene, path, replace(settings, steps=500), TINY))
    for item in run:
        if isinstance(item, Progress) and item.phase == "Denoising" and item.step == 2:
            break
    behaviour.in_step = lambda step: time.sleep(0.05)
    time.sleep(0.06)
    begun = behaviour.begun
    run.close()
    assert behaviour.begun <= begun + 1
    assert runtime.waiting == 0
    after = behaviour.begun
    time.sleep(0.12)
    assert behaviour.begun == after
    behaviour.in_step = lambda step: None
    assert isinstance(shoot(runtime)[-1], Report) and behaviour.loads == 1


def test_jobs_take_turns_in_order_and_say_how_many_are_before_them(runtime):
    entered, go_on, order, waits = threading.Event(), threading.Event(), [], []

    def hold(step):
        entered.set()
        go_on.wait(60)

    behaviour.in_step = hold

    def visitor(name):
        for item in runtime.run(Shot(TOY, *toy_shot(), TINY)):
            if isinstance(item, Progress) and item.phase.startswith("Waiting"):
                waits.append((name, item.note))
            if isinstance(item, Clip):
                order.append(name)

    threads = [threading.Thread(target=visitor, args=(name,)) for name in "abc"]
    for count, thread in enumerate(threads, 1):
        thread.start()
        while runtime.waiting < count:
            time.sleep(0.005)
    assert entered.wait(60)
    while len({name for name, _ in waits}) < 2:
        time.sleep(0.01)
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert order == ["a", "b", "c"]
    assert ("b", "1 job before this one") in waits and ("c", "2 jobs before this one") in waits


def test_one_who_leaves_the_queue_lets_the_others_pass(runtime):
    go_on = threading.Event()
    behaviour.in_step = lambda step: go_on.wait(60)
    first = runtime.run(Shot(TOY, *toy_shot(), TINY))
    threading.Thread(target=lambda: list(first)).start()
    while runtime.waiting < 1:
        time.sleep(0.005)
    second = runtime.run(Shot(TOY, *toy_shot(), TINY))
    assert next(second).phase == "Waiting for the device"
    second.close()
    assert runtime.waiting == 1
    go_on.set()
    while runtime.waiting:
        time.sleep(0.005)
    assert isinstance(shoot(runtime)[-1], Report)


def test_another_kind_of_job_takes_its_turn_gets_room_and_lets_the_next_begin():
    runtime = Runtime(LimitedDevice(30, each=12))
    shoot(runtime, toy("a"), RANDOM)
    closed = []

    def training():
        try:
            yield Progress("Training", 1, 2)
            yield "trained"
        finally:
            closed.append(True)

    before = runtime.run(Shot(TOY, *toy_shot(), RANDOM))
    next(before)
    job = runtime.exclusive(training, gigabytes=25)
    assert next(job).note == "1 job before this one"
    before.close()
    assert next(job).phase == "Training" and not runtime.loaded, "a pipeline was left where room was asked for"
    after = runtime.run(Shot(TOY, *toy_shot(), TINY))
    assert next(after).phase == "Waiting for the device"
    job.close()
    assert closed and isinstance(list(after)[-1], Report)
    assert list(runtime.exclusive(training))[-1] == "trained" and runtime.waiting == 0
    runtime.unload()


@pytest.mark.parametrize(
    ("error", "when"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), 0),
        (torch.OutOfMemoryError("CUDA out of memory"), 2),
        (MemoryError(), 2),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 GB"), 3),
        (RuntimeError("CUDA error: out of memory"), 3),
    ],
)
def test_out_of_memory_frees_everything_says_what_to_reduce_and_the_next_run_works(error, when):
    runtime = Runtime(LimitedDevice(30))
    good = frames(shoot(runtime, options=RANDOM))

    def fail(step):
        if step == when:
            big = torch.zeros(1000)  # noqa: F841  held by the frame that raises
            raise error

    behaviour.in_step = fail
    with pytest.raises(
        OutOfMemory,
        match=r"^The limited device ran out of memory .* memory mode full; choose memory mode model offload, fewer than 2 frames or a size below 64 x 64\.$",
    ):
        shoot(runtime, options=RANDOM)
    assert not runtime.loaded and not behaviour.alive and runtime.waiting == 0
    behaviour.in_step = lambda step: None
    assert np.array_equal(frames(shoot(runtime, options=RANDOM)), good)
    runtime.unload()


def test_other_errors_reach_the_caller_and_the_method_is_loaded_anew(runtime):
    shoot(runtime)

    def fail(step):
        raise ZeroDivisionError("a bug")

    behaviour.in_step = fail
    with pytest.raises(ZeroDivisionError, match="a bug"):
        shoot(runtime)
    behaviour.in_step = lambda step: None
    shoot(runtime)
    assert behaviour.loads == 2


def test_sentences_of_a_pipeline_reach_the_caller_and_keep_it_loaded(runtime):
    def refuse(step):
        raise InputError("Too dark.")

    behaviour.in_step = refuse
    with pytest.raises(InputError, match="Too dark"):
        shoot(runtime)
    behaviour.in_step = lambda step: None
    shoot(runtime)
    assert behaviour.loads == 1


def test_the_least_recently_used_method_makes_room():
    """The toy method needs 10 GB in full mode; each loaded pipeline occupies 12 of 30."""
    runtime = Runtime(LimitedDevice(30, each=12))
    for name in ("a", "b"):
        shoot(runtime, toy(name), RANDOM)
    shoot(runtime, toy("a"), RANDOM)
    items = shoot(runtime, toy("c"), RANDOM)
    assert [name for name, _ in runtime.loaded] == ["a", "c"]
    assert "b made room" in items[-1].words
    runtime.unload()


def test_nothing_is_evicted_while_there_is_room():
    runtime = Runtime(LimitedDevice(200, each=8))
    for name in ("a", "b", "c"):
        shoot(runtime, toy(name), RANDOM)
    assert len(runtime.loaded) == 3
    runtime.unload()


def test_main_memory_is_cleared_before_a_method_is_loaded():
    """The device is large, main memory is not: 30 GB, 12 per pipeline, and a new one needs 10."""
    device = LimitedDevice(500)
    device.main_memory = 30
    runtime = Runtime(device)
    for name in ("a", "b", "a", "c"):
        shoot(runtime, toy(name), RANDOM)
    assert [name for name, _ in runtime.loaded] == ["a", "c"] and behaviour.loads == 3
    runtime.unload()


def test_what_cannot_fit_is_refused_before_loading_with_what_would():
    runtime = Runtime(LimitedDevice(3))
    with pytest.raises(InputError, match=r"at least 4\.0 GB .* 3\.0 GB are free\. 1 frames of 64 x 64 would fit\."):
        shoot(runtime, options=RANDOM)
    assert behaviour.loads == 0 and HEADROOM * 2.0 < 3


def test_the_clock_gives_the_time_before_a_step_to_its_phase_and_before_an_announcement_to_the_last(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("pipelines.runtime.progress_clock.time.monotonic", lambda: now[0])
    clock = Clock(LimitedDevice(1))

    def told(after, phase, step, steps):
        now[0] += after
        return clock.timed(Progress(phase, step, steps))

    told(1, "Loading", 0, 1)
    assert told(5, "Denoising", 1, 10).seconds_left == 45
    assert told(3, "Denoising", 2, 10).seconds_left == 32
    told(2, "Decoding", 0, 2)
    told(4, "Decoding", 1, 2)
    now[0] += 1
    report = clock.report(method="toy", options=TINY, mode="full", words="", revisions={})
    assert {phase.name: phase.seconds for phase in report.phases} == {"Loading": 1, "Denoising": 10, "Decoding": 5}
    assert report.longest.seconds_per_step == 5 and report.peak_gigabytes == 3
    assert report.sentence() == "16.0 s on limited device, 5.00 s per step, peak 3.00 GB in memory mode full."


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux only")
def test_a_shot_on_the_processor_gives_way_to_what_people_wait_for(runtime):
    seen = []
    behaviour.in_step = lambda step: seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
    shoot(runtime)
    here = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert seen and set(seen) == {min(here + NICER, 19)}
