"""Converts settings to controls and to handlers with the settings' own names, so that page and API agree."""

from __future__ import annotations

import functools
import inspect
import logging
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency

from camera.errors import InputError, describe_fault
from pipelines.runtime.dispatch import unavailable
from pipelines.settings import Control, Settings
from tabs.project.project import Project
from tabs.serving.ending import WORK

VISITORS = 100
"""Maximum number of visitors waiting for a shot; the runtime queues them and shows their positions, which Gradio's queue would not."""
SHOOTS: dict[str, Any] = {"concurrency_id": "shoot", "concurrency_limit": VISITORS}
TRAINS: dict[str, Any] = {"concurrency_id": "train", "concurrency_limit": VISITORS}
"""Used for every event that waits for the device, because Gradio applies the lowest limit of a group to all its events."""

Components = dict[str, Component]
log = logging.getLogger("reshoot")


def cancel_with(
    stop: gr.Button,
    running: Sequence[Dependency],
    outputs: Component | Sequence[Component],
    message: Any = "Cancelled.",
    state: gr.State | None = None,
) -> None:
    """Make ``stop`` cancel the events ``running`` and then put ``message`` into ``outputs``; done in one step, Gradio would cover it with "Error".

    With a ``state``, ``message`` is a function of the state's value.
    """
    ended = stop.click(None, cancels=list(running), api_visibility="private")
    show = (lambda: message) if state is None else message
    ended.then(show, state, outputs, api_visibility="private", queue=False)  # type: ignore[arg-type]


def controls(settings: type[Settings], names: Iterable[str] | None = None) -> Components:
    """One control per setting, placed where this is called; ``names`` selects and orders them.

    Settings that are not available here are hidden and keep their default.
    """
    declared, hidden = settings.controls(), unavailable(settings)
    chosen = list(declared) if names is None else list(names)
    return {name: _control(declared[name], settings.defaults()[name], name not in hidden) for name in chosen}


def basic_names(settings: type[Settings]) -> list[str]:
    return [name for name, control in settings.controls().items() if not control.advanced]


def advanced_names(settings: type[Settings]) -> list[str]:
    return [name for name, control in settings.controls().items() if control.advanced]


def _control(control: Control, default: Any, visible: bool) -> Component:
    shared: dict[str, Any] = {
        "label": control.label, "info": control.help or None, "value": default, "visible": visible,
    }  # fmt: skip
    if control.choices is not None:
        return gr.Dropdown(choices=list(control.choices), **shared)
    if isinstance(default, bool):
        return gr.Checkbox(**shared)
    if isinstance(default, str):
        return gr.Textbox(lines=control.lines, interactive=not control.file, **shared)
    low, high = control.minimum, control.maximum
    if low is None or high is None or high - low > 1e5 or 0 < low < 1e-5 * high:
        precision, step = (0, 1) if isinstance(default, int) else (None, low or 1)
        return gr.Number(minimum=low, maximum=high, step=control.step or step, precision=precision, **shared)
    return gr.Slider(minimum=low, maximum=high, step=control.step, **shared)


def handler(
    fn: Callable, *settings: type[Settings], before: dict[str, Any], name: str, method: str | None = None
) -> Callable:
    """A Gradio handler that calls ``fn(*values of before, *one instance of each settings class)``.

    ``before`` maps the leading parameters to their types. The fields of the settings classes follow under their own names,
    which the API shows; no two may share a name. Files named by settings must belong to the `Project` among the values.
    ``method`` and errors as in `wrap_handler`.
    """
    fields = [(kind, key, default) for kind in settings for key, default in kind.defaults().items()]
    names = [*before, *(key for _, key, _ in fields)]
    if len(set(names)) < len(names):
        raise TypeError(f"{name}: two parameters share a name in {names}")

    def call(*values):
        given = list(zip(fields, values[len(before) :], strict=True))
        chosen = [kind.of({key: value for (owner, key, _), value in given if owner is kind}) for kind in settings]
        for project in values[: len(before)]:
            if isinstance(project, Project):
                for each in chosen:
                    project.check_files(each)
        return fn(*values[: len(before)], *chosen)

    def call_steps(*values):
        yield from call(*values)

    made = call_steps if inspect.isgeneratorfunction(fn) else call
    parameters = [inspect.Parameter(key, _POSITIONAL, annotation=kind) for key, kind in before.items()]
    parameters += [inspect.Parameter(key, _POSITIONAL, annotation=type(default)) for _, key, default in fields]
    made.__name__ = made.__qualname__ = name
    made.__doc__ = fn.__doc__
    made.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    made.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return wrap_handler(made, method)


_POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD


def wrap_handler(fn: Callable, method: str | None = None) -> Callable:
    """The handler with readable errors: an `InputError` unchanged, an internal error with a reference to the log.

    A `Project` among its arguments is framed for ``method`` during the call. A returned `Project` is stored as one step of the
    history, or not at all if nothing changed, so that no other event's change is lost.
    """

    @functools.wraps(fn)
    def once(*args, **kwargs):
        try:
            with WORK.one():
                return _store_project(fn(*_frame_projects(args, method), **kwargs), args)
        except Exception as error:
            raise _to_gradio_error(error) from error

    @functools.wraps(fn)
    def steps(*args, **kwargs):
        try:
            with closing(WORK.steps(fn(*_frame_projects(args, method), **kwargs))) as running:
                for step in running:
                    yield _store_project(step, args)
        except Exception as error:
            raise _to_gradio_error(error) from error

    return steps if inspect.isgeneratorfunction(fn) else once


def _frame_projects(args: tuple, method: str | None) -> tuple:
    return tuple(arg.seen_by(method) if method and isinstance(arg, Project) else arg for arg in args)


def _store_project(answer: Any, args: tuple) -> Any:
    """A handler's outputs, with its project as it is stored."""
    before = next((arg for arg in args if isinstance(arg, Project)), None)
    if before is None:
        return answer
    if isinstance(answer, (tuple, list)):
        return tuple(_project_update(one, before) if isinstance(one, Project) else one for one in answer)
    return _project_update(answer, before) if isinstance(answer, Project) else answer


def _project_update(project: Project, before: Project) -> Any:
    same = project.content is before.content and project.history is before.history
    return gr.skip() if same else replace(project, method=before.method, history=project.history.as_one(before.history))


def _to_gradio_error(error: Exception) -> Exception:
    if isinstance(error, gr.Error):
        return error
    if isinstance(error, InputError):
        return gr.Error(str(error), print_exception=False)
    if words := describe_fault(error):
        return gr.Error(words, print_exception=False)
    number = uuid.uuid4().hex[:8]
    log.exception("A handler failed (%s)", number)
    return gr.Error(
        f"Reshoot failed because of an internal error. Your inputs are kept; the log has details under {number}.",
        print_exception=False,
    )
