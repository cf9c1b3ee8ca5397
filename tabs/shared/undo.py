"""Undo and redo: buttons that name the edit, and their keyboard shortcuts."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from tabs.browser.timeline.component import SCRIPTS
from tabs.parts.event_values import read_event, whole, words
from tabs.parts.form import wrap_handler
from tabs.project.history import Step
from tabs.project.project import Project
from tabs.serving.named_files import address_of
from tabs.shared.rehearsal import Rehearsal
from tabs.shared.source import Source, describe_scene
from tabs.shared.studio import PRIVATE, Studio, signal

_PRESSES = (Path(__file__).parent / "undo.js").read_text()
_MOST_STEPS = 100
"""Maximum number of steps that one request undoes or redoes."""


class Undo:
    """The two buttons; they act on scene, move, keys, objects and settings of every method."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        with gr.Row(elem_classes="undo-bar"):
            self.undo = gr.Button("Undo", size="sm", interactive=False, elem_id="undo", min_width=90)
            self.redo = gr.Button("Redo", size="sm", interactive=False, elem_id="redo", min_width=90)
        self.presses = gr.HTML(
            value=None, elem_id="undo-keys", html_template="<span></span>", js_on_load=_PRESSES, apply_default_css=False,
            scripts=address_of(SCRIPTS / "requests.js"),
        )  # fmt: skip

    def connect(self, source: Source, rehearsal: Rehearsal) -> None:
        """Connect the buttons. Presses during a pending request are sent together; labels follow every edit."""
        studio = self.studio
        shown = [studio.source_shown, *studio.shown.values()]
        outputs = [studio.project, *shown, studio.moved, source.status, rehearsal.video, self.presses]

        def taken(project: Project, after: Project):
            """Show the changed controls again; clears the rehearsal of another scene."""
            before, now = project.content, after.content
            other = [before.source != now.source]
            for name in studio.shown:
                moves, settings = before.moves.get(name), before.settings.get(name)
                is_changed = before.kept_by(name) != now.kept_by(name)
                other.append(is_changed or moves != now.moves.get(name) or settings != now.settings.get(name))
            signals = [signal() if each else gr.skip() for each in other]
            if before.scene is now.scene:
                return after, *signals, signal(), gr.skip(), gr.skip()
            return after, *signals, signal(), describe_scene(now.scene) if now.scene else "", None

        def press(project: Project, event: gr.EventData):
            after, (steps, request) = project, read_event(event, steps=words, request=whole)
            for verb in steps[:_MOST_STEPS]:
                after = after.undone() if verb == "undo" else after.redone()
            return *taken(project, after), {"request": request}

        self.presses.steps(wrap_handler(press), studio.project, outputs, trigger_mode="multiple", **PRIVATE)
        studio.follow(lambda project: _label("Undo", project.history.past), self.undo)
        studio.follow(lambda project: _label("Redo", project.history.future), self.redo)


def _label(verb: str, steps: tuple[Step, ...]) -> gr.Button:
    return gr.Button(f"{verb}: {steps[-1].name}" if steps else verb, interactive=bool(steps))
