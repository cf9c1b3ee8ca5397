"""On ZeroGPU: workers, pickling, cancelling, refusals; the real `spaces` package against a loopback service."""

import os
import time
from dataclasses import replace

import numpy as np
import pytest
from fake_zerogpu import zerogpu
from toy_method import TOY, behaviour, toy_shot

from camera.errors import InputError
from pipelines import registry
from pipelines.method import Clip, Progress
from pipelines.options import RunOptions
from pipelines.runtime import runner
from pipelines.runtime.progress_clock import Report
from pipelines.shot import Shot

TINY = RunOptions(weights="tiny")


@pytest.fixture
def gpu(monkeypatch, tmp_path):
    """The module and the service; the toy is the only method, and is not loaded at first."""
    cgroup = tmp_path / "cgroup"
    cgroup.write_text("0::/toy\n")
    monkeypatch.setattr(registry, "method", lambda name: {"toy": TOY}[name])
    monkeypatch.setattr(runner, "_default", None)
    behaviour.loads = 0
    with zerogpu() as (module, service):
        from spaces.config import Config

        monkeypatch.setattr(Config, "zerogpu_proc_self_cgroup_path", str(cgroup))
        yield module, service
    behaviour.in_step = lambda step: None


def shoot(module, visitor="", **settings):
    scene, path, chosen = toy_shot()
    return list(module.run(Shot(TOY, scene, path, replace(chosen, **settings), TINY), visitor=visitor))


def process(items):
    (clip,) = [item for item in items if isinstance(item, Clip)]
    return tuple(map(int, clip.files["process"].split()))


def test_a_run_happens_in_a_worker_that_stays_warm(gpu):
    module, service = gpu
    first, second = shoot(module), shoot(module, seed=3)
    (pid, loads), (again, still) = process(first), process(second)
    assert pid != os.getpid() and pid == again and loads == still == 1
    assert behaviour.loads == 0, "the main process never sees what the worker loads"
    assert [item.step for item in first if isinstance(item, Progress) and item.phase == "Denoising"] == [1, 2, 3, 4]
    assert isinstance(first[-1], Report)
    assert service.names() == ["schedule", "allow", "release", "schedule", "release"]
    assert [query["durationSeconds"] for name, query in service.log if name == "schedule"] == ["41", "41"]


def test_frames_are_those_of_a_run_here(gpu):
    module, _ = gpu
    there = next(item for item in shoot(module) if isinstance(item, Clip))
    here = next(item for item in runner.Runtime().run(Shot(TOY, *toy_shot(), TINY)) if isinstance(item, Clip))
    assert np.array_equal(there.frames, here.frames)


def test_closing_stops_the_worker_at_its_next_step_and_releases_the_gpu(gpu, tmp_path):
    module, service = gpu
    reached = tmp_path / "step"  # written by the worker, which shares no memory with us

    def in_step(step):
        reached.write_text(str(step))
        time.sleep(0.05)

    behaviour.in_step = in_step
    scene, path, settings = toy_shot()
    run = module.run(Shot(TOY, scene, path, replace(settings, steps=400), TINY))
    while (item := next(run)).phase != "Denoising":
        pass
    assert item.step == 1 and service.busy
    run.close()
    assert int(reached.read_text()) < 399 and not service.busy
    behaviour.in_step = lambda step: None
    assert isinstance(shoot(module)[-1], Report)


def test_sentences_cross_the_process_and_the_worker_stays(gpu):
    module, service = gpu

    def fail(step):
        if step == 1:
            raise InputError("Too dark.")

    behaviour.in_step = fail
    for _ in range(2):
        with pytest.raises(InputError, match=r"^Too dark\.$"):
            shoot(module)
    assert service.names().count("allow") == 1, "an error as a value keeps the worker"


def test_a_mistake_of_ours_is_told_by_its_number_in_the_log(gpu):
    module, _ = gpu

    def fail(step):
        raise ZeroDivisionError("by zero")

    behaviour.in_step = fail
    with pytest.raises(
        InputError, match=r"^The run failed because of an internal error; the log has details under \w{8}\. "
    ):
        shoot(module)


def test_what_the_method_cannot_shoot_is_refused_without_asking_for_a_gpu(gpu):
    module, service = gpu
    scene, path, settings = toy_shot()
    with pytest.raises(InputError, match="multiples of 16"):
        list(module.run(Shot(TOY, scene, path.resized(60, 64), settings, TINY)))
    assert service.log == []


def test_a_visitor_who_cannot_pay_is_told_before_asking(gpu):
    module, service = gpu
    scene, path, settings = toy_shot()
    long = replace(settings, steps=400)
    with pytest.raises(InputError, match=r"needs 803 s of ZeroGPU quota and a free account has at most 300 s"):
        list(module.run(Shot(TOY, scene, path, long, RunOptions()), visitor="a free account"))
    assert service.log == []


def test_the_services_own_refusals_arrive_in_words(gpu):
    module, service = gpu
    service.longest = 10
    with pytest.raises(
        InputError, match=r"^ZeroGPU did not run this: The requested GPU duration \(41s\) is larger than the maximum"
    ):
        shoot(module)
    service.longest, service.left = 3600, 5
    with pytest.raises(InputError, match=r"ZeroGPU did not run this: .*GPU limit"):
        shoot(module)


def test_what_cannot_be_pickled_never_reaches_a_worker(gpu):
    module, service = gpu
    scene, path, settings = toy_shot()
    object.__setattr__(settings, "prompt", lambda: "")
    with pytest.raises(Exception, match="pickle"):
        list(module.shoot(Shot(TOY, scene, path, settings, TINY)))
    assert not service.busy
