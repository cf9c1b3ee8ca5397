"""Renderers are compiled in a process beside the server; jobs that need them wait for it, but no longer than the time limit."""

import subprocess
import sys

import pytest

from tabs.serving import kernels_ahead


@pytest.fixture
def begun(monkeypatch):
    """The processes that were started; each runs the code in ``begun.code`` instead of compiling."""

    class Begun(list):
        code = "pass"

    started, original = Begun(), subprocess.Popen

    def instead(command, **options):
        assert "warm_up" in command[-1]
        started.append(original([sys.executable, "-c", started.code], **options))
        return started[-1]

    monkeypatch.setattr(kernels_ahead.subprocess, "Popen", instead)
    yield started
    for process in started:
        process.kill()
        process.wait()


def test_waiting_ends_with_the_process_and_without_one_at_once(begun):
    kernels_ahead.wait()
    kernels_ahead.begin()
    kernels_ahead.wait()
    assert begun[0].returncode == 0
    kernels_ahead.wait()


def test_one_that_hangs_is_ended(begun, monkeypatch):
    monkeypatch.setattr(kernels_ahead, "LONGEST_SECONDS", 0.1)
    begun.code = "import time; time.sleep(600)"
    kernels_ahead.begin()
    kernels_ahead.wait()
    assert begun[0].wait(60) != 0


def test_a_computer_that_starts_no_process_still_serves(monkeypatch):
    def refused(*command, **options):
        raise OSError("no more processes")

    monkeypatch.setattr(kernels_ahead.subprocess, "Popen", refused)
    kernels_ahead.begin()
    kernels_ahead.wait()
