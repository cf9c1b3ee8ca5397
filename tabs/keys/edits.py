"""The keys of one tab's move: the timeline under its stage, and the edits that it asks for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr
from gradio.components import Component

from camera.editing import saved
from camera.editing.fit import Fit
from camera.editing.limits import fitted
from camera.errors import InputError, reading
from camera.path import CameraPath
from pipelines.method import Method, Moves
from tabs.browser.stage import shown as on_stage
from tabs.browser.timeline import component
from tabs.keys import scene_asks
from tabs.parts import form
from tabs.parts.session import KEYFRAMES, Take

Asked = Mapping[str, Any]
LONGEST_COMMAND = 4_000_000
"""Characters: 500 keys written in full, and room."""


class Timeline:
    """The strip of one tab; ``source`` is the control that says where the move comes from."""

    def __init__(self, method: Method, take: gr.State) -> None:
        self.method, self.take = method, take
        self.strip = component.timeline(method.name, f"{method.name}-stage")

    def value(self, take: Take, moves_from: str, **more: Any) -> dict[str, Any]:
        """What the strip shows of a take that is drawn."""
        _, path = take.ready()
        assert take.scene is not None and take.moves is not None
        track = take.keyed(take.moves) if moves_from == KEYFRAMES else None
        unit = "m" if take.scene.unit == "metres" else "units"
        return component.shown(path, track, take.scene.first.camera, unit=unit, **more)

    def edits(
        self, source: Component, film: Component, seeing: gr.State, described: Sequence[Component], outputs: Sequence[Component],
        before: dict[str, Any], notes: Callable[[Take], str],
    ) -> None:  # fmt: skip
        """Answers edits: ``described`` are the controls of the move, called as in ``before`` and then by the method;
        ``outputs`` take, stage and the ``notes`` on it; ``source`` and ``film`` are set where an answer does."""
        name = self.method.name

        def edit(take: Take, seeing: CameraPath | None, event: gr.EventData, *rest: Any):
            moves_from, moves = rest[0], rest[-1]
            asked = event._data if isinstance(event._data, dict) else {}
            number, nothing = asked.get("asked"), [gr.skip()] * len(outputs)
            try:
                if asked.get("do") in scene_asks.ASKS:
                    more = scene_asks.answered(take, asked)
                    text = more.pop("film", gr.skip())
                    return *nothing, self.value(take, moves_from, asked=number, **more), gr.skip(), text
                take, more = edited(take, moves, asked, seeing, keyed=moves_from == KEYFRAMES)
                take = take.drawn(self.method, moves, KEYFRAMES)
            except InputError as error:
                if take.path is None:
                    raise
                value = self.value(take, moves_from, said=str(error), wrong=True, asked=number)
                return *nothing, value, gr.skip(), gr.skip()
            scene, path = take.ready()
            value = self.value(take, KEYFRAMES, asked=number, **more)
            at = _frame_of(value) if asked.get("do") in _SHOWN else None
            stage = on_stage(path, scene, take.file, nominal=self.method.nominal, at=at)
            return take, stage, notes(take), value, KEYFRAMES, gr.skip()

        def edit_keys(take: Take, command: str, moves: Moves):
            """Edit the keys of the move by one command (JSON with "do", see `camera.editing.commands`); returns the keys."""
            take, _ = edited(take, moves, _read(command), None, keyed=take.track is not None)
            assert take.track is not None
            return take, {"edit": take.edit, "keys": saved.written(take.track)}

        chosen = dict(list(before.items())[1:])
        handler = form.handler(
            edit, self.method.moves, name=f"{name}_edit_in_place",
            before={"take": Take, "seeing": CameraPath, "event": gr.EventData, **chosen},
        )  # fmt: skip
        quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        self.strip.edit(
            handler, [self.take, seeing, *described], [*outputs, self.strip, source, film], trigger_mode="multiple",
            **quiet,
        )  # fmt: skip
        own = list(described)[len(chosen) :]
        command, keys = gr.Textbox(visible=False), gr.JSON(visible=False)
        gr.Button(visible=False).click(
            form.handler(edit_keys, self.method.moves, before={"take": Take, "command": str}, name=f"{name}_edit_keys"),
            [self.take, command, *own], [self.take, keys], api_name=f"{name}_edit_keys", queue=False,
        )  # fmt: skip


_SHOWN = {"add", "append", "overwrite", "numbers", "look_at", "size"}
"""Edits after which the stage shows the key."""


def edited(
    take: Take, moves: Moves, asked: Asked, seeing: CameraPath | None, *, keyed: bool
) -> tuple[Take, dict[str, Any]]:
    """The take after a command of the timeline, and what to say: "chosen" keys and words. ``keyed``: its path runs through its
    keys already."""
    if asked.get("do") == "fit":
        take, fit = take.with_keys_of(take.ready()[1], moves, "make keys of the move")
        return take, {"said": _fit_words(fit)}
    if asked.get("do") == "limit":
        scene, path = take.ready()
        made = fitted(scene, path, scene_asks.limits_of(asked))
        if keyed and made.kept.min() > 1 - 1e-9:
            return take, {"said": made.words}
        take, fit = take.with_keys_of(made.path, moves, "fit to the scene")
        return take, {"said": f"{made.words} {_fit_words(fit)}"}
    if asked.get("do") == "record":
        take, fit = take.with_keys_of(scene_asks.walk_of(asked, moves.fps), moves, "record a walk")
        return take, {"said": _fit_words(fit)}
    if asked.get("do") == "open":
        return replace(take, track=saved.read(asked.get("keys")), edit="open keys"), {}
    take, edit = take.edited(moves, asked, seeing)
    return take, {"chosen": edit.chosen, "said": edit.name[:1].upper() + edit.name[1:]}


def _fit_words(fit: Fit) -> str:
    count = len(fit.move.keys)
    return f"{count} key{'s' * (count != 1)}: {fit.residual.words}."


def _frame_of(value: dict[str, Any]) -> int | None:
    """The frame nearest to the first chosen key."""
    if not value["chosen"]:
        return None
    time = value["keys"][value["chosen"][0]]["time"]
    return min(range(len(value["when"])), key=lambda frame: abs(value["when"][frame] - time))


def _read(command: str) -> Asked:
    if len(command or "") > LONGEST_COMMAND:
        raise InputError("This command is too long for an edit of keys.")
    with reading('A command is JSON with "do", as in {"do": "delete", "chosen": [1]}.'):
        asked = json.loads(command)
        if not isinstance(asked, dict):
            raise ValueError("no object")
    return asked
