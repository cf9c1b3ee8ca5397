"""Several runs at a time: started in order, reported as results come, refused individually, closed after a step."""

import threading
import time

import pytest

from camera.errors import InputError
from pipelines.runtime.pool.together import interleave, parallel_shots


def counting(name, steps, begun, closed, seconds=0.02):
    begun.append(name)
    try:
        for step in range(steps):
            yield step
            time.sleep(seconds)
    finally:
        closed.append(name)


@pytest.mark.parametrize("limit", [1, 2, 4])
def test_everything_is_told_and_runs_begin_in_order(limit):
    begun, closed = [], []
    events = list(interleave({name: counting(name, 3, begun, closed) for name in "abcd"}, limit))
    assert begun == list("abcd") and sorted(closed) == list("abcd")
    for name in "abcd":
        assert [item for who, item in events if who == name] == [0, 1, 2, None]
    together_at_once = events[0][0] != events[1][0] or events[1][0] != events[2][0]
    assert together_at_once == (limit > 1)


@pytest.mark.parametrize("limit", [1, 2])
def test_one_that_is_refused_does_not_stop_the_others(limit):
    def refused():
        yield "step"
        raise InputError("takes clip, not still.")

    events = list(interleave({"a": refused(), "b": counting("b", 2, [], [])}, limit))
    assert str(next(item for name, item in events if isinstance(item, InputError))) == "takes clip, not still."
    assert [item for name, item in events if name == "b"] == [0, 1, None]


@pytest.mark.parametrize("limit", [1, 2])
def test_a_fault_is_raised_and_ends_the_others(limit):
    def broken():
        yield "step"
        raise ZeroDivisionError

    begun, closed = [], []
    with pytest.raises(ZeroDivisionError):
        list(
            interleave(
                {"a": broken(), "b": counting("b", 500, begun, closed), "c": counting("c", 5, begun, closed)}, limit
            )
        )
    assert "c" not in begun and closed == begun


def test_closing_ends_all_of_them_after_their_step():
    begun, closed = [], []
    events = interleave({name: counting(name, 500, begun, closed, 0.1) for name in "abc"}, 2)
    next(events)
    start = time.monotonic()
    events.close()
    assert time.monotonic() - start < 1 and sorted(closed) == sorted(begun) == ["a", "b"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("together")]


def test_without_a_pool_one_shot_runs_at_a_time(monkeypatch):
    monkeypatch.delenv("RESHOOT_RAY", raising=False)
    assert parallel_shots() == 1
