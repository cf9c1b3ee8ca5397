"""Every method with tiny weights under the runtime: offloading changes nothing, cancelling works, reports are complete."""

import gc

import numpy as np
import pytest

from bench.runs.cancel import SMALL
from pipelines import method
from pipelines.cli.bench import default_shot
from pipelines.method import Clip, Progress
from pipelines.options import RunOptions
from pipelines.runtime import memory
from pipelines.runtime.device import Device
from pipelines.runtime.progress_clock import Report
from pipelines.runtime.runner import Runtime
from pipelines.shot import Shot

gc.freeze()


@pytest.mark.parametrize("name", SMALL)
def test_a_method_runs_the_same_in_every_memory_mode_and_cancels(name, monkeypatch):
    monkeypatch.setattr(memory, "RESIDENT_BYTES", 0)
    known, runtime = method(name), Runtime(Device("cpu"))
    shot = default_shot(known, steps=2, **SMALL[name])
    pictures = {}
    for mode in ("full", "model offload", "group offload"):
        *items, report = runtime.run(Shot(known, *shot, RunOptions(weights="tiny", memory=mode)))
        assert isinstance(report, Report) and report.mode == mode and report.seconds > 0
        pictures[mode] = [item for item in items if isinstance(item, Clip)][-1]
        assert pictures[mode].frames.dtype == np.uint8 and len(pictures[mode].frames) == len(pictures[mode].path)
    assert np.array_equal(pictures["full"].frames, pictures["model offload"].frames)
    assert np.array_equal(pictures["full"].frames, pictures["group offload"].frames)

    run = runtime.run(Shot(known, *shot, RunOptions(weights="tiny")))
    assert next(item for item in run if isinstance(item, Progress) and item.step >= 1)
    run.close()
    assert runtime.waiting == 0
    runtime.unload()
