"""SIGTERM: running jobs stop after their step and say so, nothing new begins, and the process exits with 0 and leaves nothing behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from camera.errors import InputError
from pipelines.results import process_folder
from tabs.serving import ending
from tabs.serving.ending import NoNewWork, Work, grace

ROOT = Path(__file__).parents[3]
SHOT = """
import sys, tempfile, time
from pathlib import Path
from pipelines.results import process_folder
from tabs.serving.ending import WORK, on_sigterm
private = process_folder.make_folder(sys.argv[1])
process_folder.use_for_temporary_files(private)
on_sigterm(private)
def steps():
    try:
        for number in range(1000):
            time.sleep(0.05)
            yield number
    finally:
        print("closed", flush=True)
held = tempfile.mkdtemp()
assert Path(held).is_relative_to(private)
try:
    for number in WORK.steps(steps()):
        print(number, flush=True)
except Exception as error:
    print(type(error).__name__, error, flush=True)
time.sleep(60)
"""


def test_a_shot_is_stopped_after_its_step_and_nothing_is_left(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", SHOT, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "0\n"
    child.send_signal(signal.SIGTERM)
    said, _ = child.communicate(timeout=120)
    assert said.splitlines()[-2:] == ["closed", f"InputError {ending.STOPPED}"]
    assert child.returncode == 0 and list(tmp_path.iterdir()) == []


def test_what_a_killed_process_had_is_swept_whole(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", SHOT, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "0\n"
    assert process_folder.remove_abandoned(tmp_path) == []
    child.kill()
    child.communicate()
    assert len(process_folder.remove_abandoned(tmp_path)) == 1 and list(tmp_path.iterdir()) == []


def test_closing_reaches_what_runs_and_the_count_knows_it():
    closed, work = [], Work()

    def steps():
        try:
            yield 1
        finally:
            closed.append(True)

    running = work.steps(steps())
    assert next(running) == 1 and not work.wait(0)
    running.close()  # type: ignore[attr-defined]
    assert closed == [True] and work.wait(0)


@pytest.mark.parametrize("text", ["soon", "-1", "nan"])
def test_a_grace_that_is_no_time_is_refused(monkeypatch, text):
    monkeypatch.setenv(ending.GRACE_VARIABLE, text)
    with pytest.raises(InputError, match="RESHOOT_GRACE must be seconds"):
        grace()


def test_no_new_work_begins_while_it_ends(monkeypatch):
    client = TestClient(NoNewWork(PlainTextResponse("the app")))
    assert client.post("/gradio_api/queue/join").text == "the app"
    work = Work()
    work.ending.set()
    monkeypatch.setattr(ending, "WORK", work)
    refused = client.post("/gradio_api/queue/join")
    assert refused.status_code == 503 and "shutting down" in refused.text
    assert client.get("/gradio_api/queue/data").text == client.post("/gradio_api/cancel").text == "the app"
