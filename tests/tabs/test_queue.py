"""Many visitors of one device: each sees their place in the queue, and leaving lets the others move up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import gradio as gr
import pytest
from test_api import SMALL, STILL

from pipelines.runtime import runner
from tests.tabs.visitor import Visitor

LONG = {"steps": 200, "weights": "tiny", "preview_every": 0}


@pytest.fixture(autouse=True)
def the_device_is_free():
    """Wait for this before and after each test; the server is in this process."""
    until(lambda: runner.default().waiting == 0)
    yield
    until(lambda: runner.default().waiting == 0)


def until(done, seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def words(shot) -> str:
    """The status currently shown on a visitor's page."""
    told = shot.outputs()
    return str(told[-1][0]) if told else ""


@pytest.fixture
def device_held(the_device_is_free):
    """A job of ours holds the device until this is called, however fast the visitors' own jobs would be."""
    held = runner.default().exclusive(lambda: iter(range(2)))
    next(held)
    yield held.close
    held.close()


def test_all_that_wait_together_have_one_limit(blocks):
    """Gradio uses the lowest limit of a group, as first read from any member: "Go on" once let two visitors shoot, not 100."""
    limits: dict[str, set] = {}
    for event in blocks.fns.values():
        limits.setdefault(str(event.concurrency_id), set()).add(event.concurrency_limit)
    assert len(limits["shoot"]) == 1 and all(len(found) == 1 for found in limits.values())


def test_no_event_wakes_two_that_wait(blocks):
    """Gradio's page wakes all listeners of an event for one that had to wait: two would wake each other endlessly. Listeners of states
    are woken individually, and no button has two except the endpoints button, which nobody presses."""
    waiting: dict[tuple, list[str]] = {}
    for listener in blocks.fns.values():
        for target, event in listener.targets:
            if target is not None and listener.fn and listener.trigger_mode == "always_last":
                waiting.setdefault((target, event), []).append(str(listener.name))
    shared = {blocks.blocks[target]: names for (target, _), names in waiting.items() if len(names) > 1}
    woken = [names for block, names in shared.items() if not isinstance(block, (gr.State, gr.Button))]
    assert len(waiting) > 50 and woken == []


def test_every_visitor_is_told_how_many_are_before_them_and_cancelling_moves_all_up(address, tmp_path, device_held):
    clients = [Visitor(address, tmp_path) for _ in range(3)]
    for client in clients:
        client.predict(STILL, api_name="/dualcamctrl_open_example")
        client.predict(**SMALL["dualcamctrl"], api_name="/dualcamctrl_draw")
    shots = []
    for place, client in enumerate(clients, start=1):
        shots.append(client.submit(**LONG, api_name="/dualcamctrl_shoot"))
        jobs = "1 job" if place == 1 else f"{place} jobs"
        until(lambda shot=shots[-1], jobs=jobs: f"{jobs} before this one" in words(shot))
    shots[0].cancel()
    until(lambda: "1 job before this one" in words(shots[1]) and "2 jobs before" in words(shots[2]))
    device_held()
    until(lambda: "Waiting" not in words(shots[1]) and "2 jobs before" not in words(shots[2]))
    for shot in shots[1:]:
        shot.cancel()


VISIT = """
import sys, time
from tests.tabs.visitor import Visitor
client = Visitor(sys.argv[1], sys.argv[2])
client.predict(sys.argv[3], api_name="/dualcamctrl_open_example")
client.predict(frames=61, width=96, height=64, api_name="/dualcamctrl_draw")
shot = client.submit(steps=200, weights="tiny", preview_every=0, api_name="/dualcamctrl_shoot")
while not any("Denoising" in str(told[0]) for told in shot.outputs()):
    time.sleep(0.05)
print("shooting", flush=True)
time.sleep(60)
"""


def test_a_visitor_whose_connection_ends_gives_the_device_to_the_next(address, tmp_path):
    """Like a closed tab, which sends no message."""
    visitor = subprocess.Popen(
        [sys.executable, "-c", VISIT, address, str(tmp_path), STILL], stdout=subprocess.PIPE, env=os.environ
    )
    assert visitor.stdout is not None and visitor.stdout.readline() == b"shooting\n"
    assert runner.default().waiting == 1
    visitor.send_signal(signal.SIGKILL)
    visitor.wait()
    visitor.stdout.close()
    until(lambda: runner.default().waiting == 0, 20)
