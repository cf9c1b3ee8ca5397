"""Data that an event sends to the page does not leak into a page being built in another thread."""

from __future__ import annotations

import gradio as gr
import numpy as np
import pytest
from gradio.context import LocalContext

from tabs.browser.players import clips
from tabs.browser.stage import picture_update
from tabs.evaluation.take_view import report_after_shot


@pytest.fixture
def in_an_event():
    held = LocalContext.in_event_listener.set(True)
    yield
    LocalContext.in_event_listener.reset(held)


def test_an_update_joins_no_page_that_is_being_built(in_an_event, tmp_path):
    with gr.Blocks() as page:
        clips({"GEN3C": tmp_path / "a.mp4"}, 24)
        picture_update(np.zeros((4, 4, 3), np.uint8), 1, "Frame 1")
        list(report_after_shot(None))
    assert not page.blocks
