"""The keys of the move: the timeline under the stage, and the edits that it requests."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from camera.editing import saved
from camera.editing.commands import Command
from camera.editing.edits import over_source
from camera.editing.fit import Fit
from camera.editing.limits import fit_to_limits
from camera.errors import InputError, reading
from camera.objects.scene import subject_distance
from camera.path import CameraPath
from pipelines.method import Method
from pipelines.project.content import KEYFRAMES
from pipelines.project.framing import clip_camera
from tabs.browser.timeline import component
from tabs.keys import scene_queries
from tabs.parts.form import wrap_handler
from tabs.project.on_stage import stage_update
from tabs.project.project import Project
from tabs.shared.notes import notes as path_notes
from tabs.shared.studio import PRIVATE, Studio, signal

LONGEST_COMMAND = 4_000_000
"""Maximum number of characters of a command: 500 complete keys, with a margin."""


class Timeline:
    """The strip under the stage."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.strip = component.timeline("stage")
        self.command, self.keys = gr.Textbox(visible=False), gr.JSON(visible=False)

    def value(self, project: Project, **more: Any) -> Any:
        """The strip's value for a project; no update if the project has no path."""
        if project.path is None or project.scene is None:
            return gr.skip()
        keyed = project.content.source.moves_from == KEYFRAMES
        unit = "m" if project.scene.unit == "metres" else "units"
        track = project.keyed() if keyed else None
        reach = subject_distance(project.ready()[0].first)
        return component.timeline_value(
            project.path, track, project.scene.first.camera, unit=unit, reach=reach, trained=trained_range(project.record, reach),
            look=project.content.look.values(), has_clip=clip_camera(project.scene) is not None, **more,
        )  # fmt: skip

    def connect(self, seeing: gr.State, view: gr.HTML, notes: gr.Markdown, film: gr.Textbox) -> None:
        """Connect the edits. ``seeing``: the current camera; ``view`` and ``notes``: components of the stage; ``film``: set if an
        answer is film text."""
        studio = self.studio

        def edit(project: Project, seeing: CameraPath | None, event: gr.EventData):
            command = event._data if isinstance(event._data, dict) else {}
            number, before, nothing = command.get("request"), project.content.source, [gr.skip()] * 4
            try:
                if command.get("do") in scene_queries.QUERIES:
                    more = scene_queries.answer_query(project, command)
                    text = more.pop("film", gr.skip())
                    return *nothing, self.value(project, request=number, **more), text, gr.skip()
                project, more = apply_edit(project, command, seeing)
                project.ready()
            except InputError as error:
                if project.path is None:
                    raise
                return (
                    *nothing,
                    self.value(project, status=str(error), wrong=True, request=number),
                    gr.skip(),
                    gr.skip(),
                )
            value = self.value(project, request=number, **more)
            at = _frame_of(value) if command.get("do") in _NOTHING_NEW else None
            stage = stage_update(project, at=at)
            source = signal() if project.content.source != before else gr.skip()
            return project, stage, path_notes(project), source, value, gr.skip(), signal()

        self.strip.edit(
            wrap_handler(edit), [studio.project, seeing],
            [studio.project, view, notes, studio.source_shown, self.strip, film, studio.edited], trigger_mode="multiple", **PRIVATE,
        )  # fmt: skip
        studio.endpoint(
            edit_keys, [studio.project, self.command], [studio.project, self.keys], name="edit_keys", queue=False
        )


def trained_range(method: Method, reach: float) -> dict[str, Any]:
    """How far the cameras of the method's training data move, in the scene's unit, and the source; or why that is unknown."""
    known = method.trained_moves
    if known is None:
        return {"words": f"The camera range of {method.title}'s training data is not published."}
    return {"travel": known.travel * reach, "turn_degrees": known.turn_degrees, "words": known.basis}


def edit_keys(project: Project, command: str):
    """Edit the keys of the move by one command (JSON with "do", see `camera.editing.commands`); returns the keys."""
    project, _ = apply_edit(project, _read(command), None)
    return project, {"edit": project.history.past[-1].name, "keys": saved.write(project.keyed())}


_NOTHING_NEW = {"add", "append", "overwrite", "follow_clip", "numbers", "look_at", "size"}
"""Edits after which the stage shows the key."""


def apply_edit(project: Project, command: Command, seeing: CameraPath | None) -> tuple[Project, dict[str, Any]]:
    """The project after a command of the timeline, and the answer: "chosen" keys and a "status"."""
    keyed = project.content.source.moves_from == KEYFRAMES
    if command.get("do") == "fit":
        project, fit = project.with_keys_of(project.ready()[1], "make keys of the move")
        return project, {"status": _fit_words(fit)}
    if command.get("do") == "limit":
        scene, path = project.ready()
        made = fit_to_limits(scene, path, scene_queries.read_limits(command))
        if keyed and made.kept.min() > 1 - 1e-9:
            return project, {"status": made.words}
        project, fit = project.with_keys_of(made.path, "fit to the scene")
        return project, {"status": f"{made.words} {_fit_words(fit)}"}
    if command.get("do") == "record":
        project, fit = project.with_keys_of(scene_queries.read_walk(command, project.moves.fps), "record a walk")
        return project, {"status": _fit_words(fit)}
    if command.get("do") in ("look", "focus"):
        return scene_queries.set_look(project, command)
    if command.get("do") == "over_clip":
        return _over_clip(project, command.get("on") is True)
    if command.get("do") == "open":
        return project.with_keys(saved.read(command.get("keys")), "open keys"), {}
    project, edit = project.edited(scene_queries.add_waypoints(project, command), seeing)
    return project, {"chosen": edit.chosen, "status": edit.name[:1].upper() + edit.name[1:]}


def _over_clip(project: Project, on: bool) -> tuple[Project, dict[str, Any]]:
    """Lay the keys over the clip's own camera, or replace them by keys fitted to the current move."""
    source = clip_camera(project.scene) if project.scene is not None else None
    if not on:
        project, fit = project.with_keys_of(project.ready()[1], "take the keys off the clip's camera")
        return project, {"status": _fit_words(fit)}
    if source is None:
        raise InputError("Keys can be laid only over a clip whose camera is known and moves.")
    project = project.with_keys(over_source(project.keyed(), source), "lay the keys over the clip's camera")
    return project, {"status": "The move is the clip's own camera, except where keys override it."}


def _fit_words(fit: Fit) -> str:
    count = len(fit.move.keys)
    return f"{count} key{'s' * (count != 1)}: {fit.residual.words}."


def _frame_of(value: dict[str, Any]) -> int | None:
    """The frame nearest to the first chosen key."""
    if not value["chosen"]:
        return None
    time = value["keys"][value["chosen"][0]]["time"]
    return min(range(len(value["when"])), key=lambda frame: abs(value["when"][frame] - time))


def _read(text: str) -> Command:
    if len(text or "") > LONGEST_COMMAND:
        raise InputError("This command is too long for an edit of keys.")
    with reading('A command is JSON with "do", as in {"do": "delete", "chosen": [1]}.'):
        command = json.loads(text)
        if not isinstance(command, dict):
            raise ValueError("no object")
    return command
