"""Turns: one visitor's jobs wait for each other, other visitors wait only briefly; leaving lets the others move up."""

import threading
import time

import pytest

from pipelines.method import Progress
from pipelines.turns import Turns


def work(steps: int, log: list, name: str, seconds: float = 0.005):
    """A job of so many steps, each of which logs its name."""
    for step in range(steps):
        time.sleep(seconds)
        log.append(name)
        yield Progress("Working", step, steps)


def crowd(turns: Turns, *asked: tuple[str, int]) -> list[str]:
    """The visitors' steps in the order in which they ran; all ask at almost the same time, in the given order."""
    log: list[str] = []
    threads = [
        threading.Thread(target=lambda name=name, steps=steps: list(turns.shared(name, work(steps, log, name))))
        for name, steps in asked
    ]
    for thread in threads:
        thread.start()
        time.sleep(0.01)
    for thread in threads:
        thread.join(60)
    return log


def end(log: list[str], name: str) -> int:
    """The number of steps that had run when the last one of ``name`` had."""
    return len(log) - log[::-1].index(name)


def test_one_who_asks_ten_times_keeps_another_waiting_once():
    log = crowd(Turns(turn_seconds=0.02), *[("greedy", 20)] * 10, ("other", 20))
    assert len(log) == 220
    assert end(log, "other") - log.index("other") < 3 * 20, "beside one other, twice as long as alone"
    assert log.index("other") < 60, "after the first turns, not after the two hundred steps that were asked for before"


def test_ten_visitors_wait_for_each_other_and_for_nothing_else():
    log = crowd(Turns(turn_seconds=0.02), *[(f"visitor {number}", 10) for number in range(10)])
    assert len(log) == 100 and len(set(log)) == 10


def test_a_short_one_does_not_wait_for_the_end_of_a_long_one():
    log = crowd(Turns(turn_seconds=0.02), ("long", 200), ("short", 5))
    assert end(log, "short") < 60 and end(log, "long") == 205


def test_who_waits_is_told_and_may_go_away():
    turns = Turns()
    log: list[str] = []
    first, second, third = (turns.shared(name, work(3, log, name)) for name in "abc")
    assert next(first).phase == "Working"
    told = [next(second), next(third)]
    assert [word.note for word in told] == ["1 before this one", "2 before this one"]
    second.close()
    assert next(third).note == "1 before this one"
    first.close()
    assert [step.step for step in third] == [0, 1, 2] and log == ["a", "c", "c", "c"]


def test_work_that_fails_or_is_closed_gives_its_turn_on():
    turns, closed = Turns(), []

    def failing():
        try:
            yield 1
            raise ZeroDivisionError
        finally:
            closed.append(True)

    with pytest.raises(ZeroDivisionError):
        list(turns.shared("a", failing()))
    stopped = turns.shared("a", failing())
    next(stopped)
    stopped.close()
    assert closed == [True, True] and len(list(turns.shared("b", work(2, [], "b")))) == 2
    assert not turns._had and not turns._running and not turns._waiting


def test_no_more_begin_than_there_is_memory_for():
    turns = Turns(together=2, turn_seconds=0.0, most_begun=2)
    begun = []

    def noted(name):
        begun.append(name)
        yield from range(3)  # no Progress, so no turns

    first, second, third = (turns.shared(name, noted(name)) for name in "abc")
    assert [next(first), next(second)] == [0, 0]
    assert isinstance(next(third), Progress) and begun == ["a", "b"]
    first.close()
    assert next(third) == 0 and begun == ["a", "b", "c"]
    second.close()
    third.close()
