"""Shots of *Side by side*: shots already finished in a project are not run again."""

from itertools import islice

import pytest

from pipelines.cli.bench import default_shot
from pipelines.method import Progress
from pipelines.options import RunOptions
from tabs.compare.tab import _shoot
from tabs.project.project import Project
from tests.toy_method import TOY

TINY = RunOptions(weights="tiny")


@pytest.fixture
def steps(monkeypatch):
    """The items that a shot of the toy method yields in a project."""
    monkeypatch.delenv("RESHOOT_RAY", raising=False)
    scene, path, _ = default_shot(TOY)
    project = Project()
    return lambda: _shoot(project, TOY, scene, path, TINY)


def test_a_finished_shot_is_not_shot_again(steps):
    first = list(steps())
    assert any(isinstance(step, Progress) for step in first) and first[-1].is_file()
    assert list(steps()) == [first[-1]]


def test_one_that_was_cancelled_is_shot(steps):
    cancelled = steps()
    list(islice(cancelled, 1))
    cancelled.close()
    assert any(isinstance(step, Progress) for step in steps())
