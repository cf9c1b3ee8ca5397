"""The app starts even if its first answer is late, and gives up if no answer ever comes."""

import asyncio
import urllib.request

import gradio as gr
from gradio import networking
from starlette.middleware import Middleware

import app
from tabs.serving import patient_start

LATE_SECONDS = 4.0


class LateAtFirst:
    """The first answer to Gradio's start-up request comes later than Gradio waits."""

    asked = 0

    def __init__(self, app) -> None:
        self.app = app

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            LateAtFirst.asked += 1
            if LateAtFirst.asked == 1:
                await asyncio.sleep(LATE_SECONDS)
        await self.app(scope, receive, send)


def test_the_app_is_asked_again_where_its_first_answer_is_late():
    with gr.Blocks() as page:
        gr.Markdown("Here")
    late = {"middleware": [Middleware(LateAtFirst)]}
    try:
        _, address, _ = app.launch(page, app_kwargs=late, prevent_thread_lock=True, quiet=True)
        assert LateAtFirst.asked == 2 and b"Here" in urllib.request.urlopen(address).read()
    finally:
        page.close()


def test_a_server_that_never_answers_is_given_up(monkeypatch):
    asked = []
    monkeypatch.setattr(networking, "url_ok", lambda url: asked.append(url))
    monkeypatch.setattr(patient_start, "APART_SECONDS", 0.0)
    before = networking.url_ok
    with patient_start.patient_start():
        assert not networking.url_ok("http://127.0.0.1:9/")
    assert len(asked) == patient_start.TIMES and networking.url_ok is before
