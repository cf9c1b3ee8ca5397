"""The shared part of the page as one value: the visitor's project, and the signals with which its parts announce changes."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from gradio.components import Component

from pipelines.method import Method
from tabs.parts.form import wrap_handler
from tabs.project.project import Project, forget

PRIVATE: dict[str, Any] = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}
"""Options of an event that is not an endpoint and answers at once."""
QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "trigger_mode": "always_last"}
SESSION_SECONDS = 6 * 3600


def signal() -> str:
    """A new value for a signal."""
    return uuid.uuid4().hex[:12]


class Studio:
    """``project``: the complete state. A signal is a component that gets a new value after something happened; listen to its
    ``change`` event.

    Endpoints signal through states, which are hidden from programs, and which the page follows only after queued events:
    ``opened`` (another scene), ``redraw`` (another move), ``restored`` (all controls changed), ``listed`` (other shots).
    Private events signal through hidden fields: ``moved`` (the move or its method), ``edited`` (anything in the project; a move
    only once it is drawn), ``drawn[m]`` (the path as method m follows it), ``shown[m]`` (the controls of m must be updated from
    the project), ``source_shown`` (those of the move must be).

    Only one listener of a field's event may have the trigger mode "always_last": Gradio's page triggers every listener of an
    event again for one that had to wait, so two of them would trigger each other endlessly.

    ``api`` is a hidden button for endpoints that no control of the page calls.
    """

    def __init__(self, methods: Sequence[Method]) -> None:
        self.methods = {each.name: each for each in methods}
        first = next(iter(self.methods), None)
        project = Project(method=first) if first else Project()
        self.project = gr.State(project, time_to_live=SESSION_SECONDS, delete_callback=forget)
        self.opened, self.redraw, self.restored, self.listed = (gr.State("") for _ in range(4))
        self.moved, self.edited, self.source_shown = _field(), _field(), _field()
        self.drawn = {name: _field() for name in self.methods}
        self.shown = {name: _field() for name in self.methods}
        self.api = gr.Button(visible=False)
        self.controls: gr.Column
        self.viewing: gr.Column
        self.tabs: gr.Tabs
        self.results: dict[str, gr.Column] = {}
        self._followers: list[tuple[Callable, Component, tuple[Component, ...]]] = []

    def endpoint(self, fn: Callable, inputs: Any, outputs: Any, *, name: str, method: str | None = None, **more: Any):
        """An endpoint that no control calls. ``method`` as in `tabs.parts.form.wrap_handler`."""
        return self.api.click(
            wrap_handler(fn, method), inputs, outputs, api_name=name, **{"show_progress": "hidden", **more}
        )

    def follow(self, fn: Callable, output: Component, *inputs: Component) -> None:
        """Update ``output`` with ``fn(project, *values of inputs)`` after every edit; all followers share one request."""
        self._followers.append((fn, output, inputs))

    def connect(self) -> None:
        """Connect all followers of edits; call when all sections are placed."""
        inputs = [each for _, _, own in self._followers for each in own]

        def follow(project: Project, *values: Any):
            left = iter(values)
            return tuple(fn(project, *(next(left) for _ in own)) for fn, _, own in self._followers)

        gr.on(
            [each.change for each in (self.restored, self.listed, self.edited)],  # type: ignore[attr-defined]
            wrap_handler(follow), [self.project, *inputs], [output for _, output, _ in self._followers],
            trigger_mode="always_last", **PRIVATE,
        )  # fmt: skip

    def selects(self, tab: gr.Tab, name: str, method: str | None = None) -> None:
        """Make selecting ``tab`` show the results of ``name`` and, if it has a ``method``, frame the project for it."""

        def select(project: Project):
            changed = project.seen_by(method) if method in self.methods else project
            signals = signal() if changed is not project else gr.skip()
            columns = [gr.Column(visible=name == each) for each in self.results]
            return (changed if changed is not project else gr.skip()), signals, *columns

        tab.select(select, self.project, [self.project, self.moved, *self.results.values()], **PRIVATE)


def _field() -> gr.Textbox:
    return gr.Textbox("", visible=False)
