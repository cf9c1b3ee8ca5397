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
"""Of an event that is no endpoint and answers at once."""
QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "trigger_mode": "always_last"}
SESSION_SECONDS = 6 * 3600


def signal() -> str:
    """A new value for a signal."""
    return uuid.uuid4().hex[:12]


class Studio:
    """``project`` is the state of everything. A signal gets another value when something happened; its ``change`` is the event
    to listen to.

    What endpoints signal are states, which no program sees, and which the page follows after queued events only: ``opened``,
    another scene; ``redraw``, another move; ``restored``, all controls changed; ``listed``, other shots. What private events
    signal are fields that nobody sees: ``moved``, the move or its method; ``edited``, anything of the project, a move once it is
    drawn; ``drawn[m]``, the path as method m follows it; ``shown[m]``, controls of m are to show what the project says;
    ``source_shown``, those of the move.

    Of what listens to one event of a field, one only may have the trigger mode "always_last": Gradio's page wakes every listener
    of an event again for one that had to wait, so two of them would wake each other without end.

    ``api`` is a button nobody sees, for endpoints that no control of the page calls.
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
        """``fn(project, *values of inputs)`` updates ``output`` after every edit; all that follow share one request."""
        self._followers.append((fn, output, inputs))

    def connect(self) -> None:
        """Connects what follows edits; call when all sections are placed."""
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
        """Selecting ``tab`` shows the results of ``name``, and frames the project by ``method`` where it has one."""

        def select(project: Project):
            changed = project.seen_by(method) if method in self.methods else project
            signals = signal() if changed is not project else gr.skip()
            columns = [gr.Column(visible=name == each) for each in self.results]
            return (changed if changed is not project else gr.skip()), signals, *columns

        tab.select(select, self.project, [self.project, self.moved, *self.results.values()], **PRIVATE)


def _field() -> gr.Textbox:
    return gr.Textbox("", visible=False)
