"""Inputs that Gradio cannot parse are refused in sentences that reveal neither classes nor folders."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest
from fastapi.testclient import TestClient
from gradio.routes import App

from tabs.serving.own_words import NOT_UPLOADED, use_own_words


@pytest.fixture
def client():
    with gr.Blocks() as page:
        much, file = gr.Slider(0, 10, 1, label="How much"), gr.File(label="Clip")
        gr.Button().click(lambda much, file: None, [much, file], None, api_name="go")
        use_own_words(page)
    page.max_threads, page.has_launched, page.allowed_paths, page.blocked_paths = 40, True, [], []
    with TestClient(App.create_app(page)) as client:
        yield client


def file_at(path: str) -> dict:
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([None, None], "How much (slider) accepts a number, got nothing (null); see"),
        ([[1], None], "How much (slider) accepts a number, got a list; see"),
        ([1, file_at("/etc/passwd")], NOT_UPLOADED),
        ([1, file_at("missing.mp4")], NOT_UPLOADED),
        ([1], "This event takes 2 values, got 1; see"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_sentence(client, data, words):
    answer = client.post("/gradio_api/run/go", json={"data": data})
    said = answer.json()["error"]
    assert answer.status_code == 500 and said.startswith(words), said
    assert str(Path.cwd()) not in answer.text and "Error" not in said


def test_what_can_be_read_is_answered(client):
    assert client.post("/gradio_api/run/go", json={"data": [3, None]}).status_code == 200
