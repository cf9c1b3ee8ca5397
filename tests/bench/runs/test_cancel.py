"""Shots cancelled or out of memory at steps of every method: a few of what `python -m bench cancel` does 200 times."""

import gc

import pytest
import torch

from bench.runs.cancel import SMALL, Trials

gc.freeze()


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", SMALL)
def test_a_shot_that_ends_early_leaves_nothing_and_the_next_is_as_on_a_fresh_runtime(name):
    trials = Trials.of(name)
    trials.cancelled_after(trials.warm_steps // 2)
    trials.out_of_memory_after(trials.steps // 2)
    assert trials.faults == []
    trials.runtime.unload()


def test_what_is_left_behind_is_found():
    trials = Trials.of("dualcamctrl")
    kept = torch.ones(trials.tensor_bytes)  # 4 bytes each: far more than was there
    trials.fresh = trials.fresh ^ 1  # type: ignore[operator]
    trials.cancelled_after(0)
    assert ["tensors" in trials.faults[1], "another" in trials.faults[0], len(trials.faults)] == [True, True, 2]
    del kept
    trials.runtime.unload()
