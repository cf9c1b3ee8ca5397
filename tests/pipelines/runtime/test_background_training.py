"""Unattended training: it keeps running, is joined rather than started twice, and ends on request."""

from __future__ import annotations

import threading
import uuid

import pytest

from camera.errors import InputError
from pipelines.runtime.training import background
from pipelines.training import Sample, TrainedWeights, TrainingStep


@pytest.fixture
def code():
    made = uuid.uuid4().hex
    yield made
    if training := background.find_training(made):
        training.stop(None)


def endless(closed: threading.Event):
    def start():
        try:
            for step in range(10**9):
                yield TrainingStep("Training", step, 10**9, loss=float(step))
        finally:
            closed.set()

    return start


def test_it_runs_unwatched_is_joined_and_stops_with_its_steps_closed(code):
    closed = threading.Event()
    training = background.begin(code, endless(closed))
    next(training.follow())
    steps = len(training.losses)
    assert any(len(training.losses) > steps for _ in training.follow()), "the watcher before has left, it has not"
    assert background.begin(code, endless(closed)) is training is background.find_training(code)
    assert background.stop(code)
    assert list(training.follow())[-1] in (True, False) and training.is_over and closed.is_set()
    assert not background.stop(code) and not background.stop("another")


def test_one_that_is_being_stopped_ends_before_the_next_begins(code):
    closed = threading.Event()
    first = background.begin(code, endless(closed))
    first.stop()
    alone: list[bool] = []

    def start():
        alone.append(closed.is_set())
        yield TrainingStep("Training", 1, 1)

    second = background.begin(code, start)
    list(second.follow())
    assert first.is_over and second is not first and alone == [True]


def test_what_it_makes_and_what_goes_wrong_is_there_for_whoever_looks(code, tmp_path):
    def start():
        yield TrainingStep("Training", 1, 2, loss=3.0)
        yield Sample(tmp_path / "a.mp4", 1)
        yield TrainedWeights(tmp_path / "a.safetensors", 2.0)

    training = background.begin(code, lambda: start())
    list(training.follow())
    assert (training.losses, len(training.samples), training.made.loss) == ([3.0], 1, 2.0)

    def failing():
        yield TrainingStep("Training", 1, 2)
        raise InputError("The clip is broken.")

    for _ in range(2):
        training = background.begin(code, lambda: failing())
        with pytest.raises(InputError, match="broken"):
            list(training.follow())
