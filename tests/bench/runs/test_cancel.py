"""Shots cancelled or out of memory at steps of every method: a few of the 200 cases of `python -m bench cancel`."""

import ctypes
import gc

import numpy as np
import pytest
import torch

from bench.runs.cancel import SMALL, Growth, Trials

gc.freeze()


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", SMALL)
def test_an_interrupted_shot_leaks_nothing_and_the_next_equals_a_fresh_run(name):
    trials = Trials.of(name)
    trials.cancelled_after(trials.warm_steps // 2)
    trials.out_of_memory_after(trials.steps // 2)
    assert trials.faults == []
    trials.runtime.unload()


def test_leaks_are_detected():
    trials = Trials.of("dualcamctrl")
    leaked = torch.ones(trials.tensor_bytes)  # 4 bytes each: far more than the baseline
    trials.fresh = trials.fresh ^ 1  # type: ignore[operator]
    trials.cancelled_after(0)
    assert ["tensors" in trials.faults[1], "another" in trials.faults[0], len(trials.faults)] == [True, True, 2]
    del leaked
    trials.runtime.unload()


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="glibc's account of memory is not there")
def test_growth_is_what_is_allocated_and_not_what_the_allocator_keeps():
    growth = Growth()
    kept = [
        np.ones(1 << 17, np.uint8) for _ in range(800)
    ]  # 105 MB in pieces that the allocator does not map one by one
    added = growth.allocated()
    assert added > 0.05
    del kept[::2]
    assert growth.allocated() == pytest.approx(added / 2, rel=0.1)
    del kept
    assert abs(growth.allocated()) < 0.01
