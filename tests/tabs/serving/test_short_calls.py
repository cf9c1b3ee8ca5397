"""Events outside the queue run a few at a time, first come first served; events in the queue do not wait for them."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import gradio as gr
import pytest
from fastapi.testclient import TestClient
from gradio.routes import App

from tabs.serving.short_calls import limit_short_calls

TOGETHER, CALLS = 2, 8


class Counted:
    """Handlers that count how many of them ran at once."""

    def __init__(self) -> None:
        self.now, self.most, self.lock = 0, 0, threading.Lock()

    def short(self, word: str) -> str:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.02)
        with self.lock:
            self.now -= 1
        return word.upper()

    def long(self, word: str) -> str:
        return self.short(word)

    def steps(self, word: str):
        yield word
        yield self.short(word)


@pytest.fixture
def served():
    counted = Counted()
    with gr.Blocks() as page:
        word, answer = gr.Textbox(), gr.Textbox()
        for name in ("short", "long", "steps"):
            gr.Button().click(getattr(counted, name), word, answer, queue=name == "long", api_name=name)
        limit_short_calls(page, TOGETHER)
    page.max_threads = 40
    with TestClient(App.create_app(page)) as client:
        yield counted, client


def call(client: TestClient, name: str) -> list:
    answer = client.post(f"/gradio_api/run/{name}", json={"data": ["a"]})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


@pytest.mark.parametrize(("name", "most"), [("short", TOGETHER), ("long", None)])
def test_only_events_outside_the_queue_are_limited(served, name, most):
    counted, client = served
    with ThreadPoolExecutor(CALLS) as threads:
        assert list(threads.map(lambda _: call(client, name), range(CALLS))) == [["A"]] * CALLS
    assert counted.most == most if most else counted.most > TOGETHER


def test_generators_and_the_description_for_programs_stay(served):
    _, client = served
    assert call(client, "steps") == ["a"]
    described = client.get("/gradio_api/info").json()["named_endpoints"]["/short"]
    assert [each["parameter_name"] for each in described["parameters"]] == ["word"]
