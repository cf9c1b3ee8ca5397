"""A visitor's state belongs to that visitor alone."""

from __future__ import annotations

import gradio as gr
import pytest
from gradio.state_holder import SessionState

from tabs.project.project import Project, forget
from tabs.scene.session import SceneTabState


@pytest.mark.parametrize("kind", [Project, SceneTabState])
def test_every_session_has_a_folder_of_its_own_and_leaves_the_others_alone(kind):
    with gr.Blocks() as page:
        state = gr.State(kind(), delete_callback=forget)
    first, second = SessionState(page)[state._id], SessionState(page)[state._id]
    kept, gone = second.file("shot.mp4"), first.file("shot.mp4")
    assert kept != gone
    kept.touch(), gone.touch()
    state.delete_callback(first)
    assert kept.exists() and not gone.exists()
    forget(second)
