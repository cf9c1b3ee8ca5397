"""Restores a shot from a result's own file or from a link."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from camera.errors import InputError
from camera.view import Scene
from examples import load
from pipelines.method import Method
from pipelines.project.content import PATH_FILE, MoveSource
from pipelines.results.embedded_scene import read_embedded_scene
from pipelines.results.record import Record, filter_values, scene_sha256
from pipelines.results.record import restore as read_record
from pipelines.settings import Settings
from tabs.browser.autosave import PLACE
from tabs.parts.form import wrap_handler
from tabs.project.link import decode_link, encode_link
from tabs.project.project import Project
from tabs.shared.source import Source, describe_scene
from tabs.shared.studio import PRIVATE, Studio, signal

_SHOT_IN_ADDRESS = (
    "() => performance.getEntriesByType('navigation')[0]?.type === 'reload' && "
    f"sessionStorage.getItem('{PLACE}') ? '' : new URLSearchParams(location.search).get('s') ?? ''"
)
"""Evaluated in the browser: on a page without a link, Gradio would otherwise treat every control as the output of an event, again with
each following event, which took most of the page's time. A reloaded page restores the edited project instead, see `tabs.shared.autosave`."""


class Restore:
    """The section: a result's file restores its path and settings, and its picture if the mp4 contains it; a link restores
    the controls."""

    def __init__(self, studio: Studio, source: Source) -> None:
        self.studio = studio
        with gr.Accordion("Restore a result, or link to this shot", open=False):
            self.file = gr.File(label="A result of Reshoot (mp4 or its JSON)", height=90, elem_id="restore")
            self.status = gr.Markdown(elem_classes="status", elem_id="restore-status")
            make = gr.Button("Make a link to this shot", size="sm")
            self.link = gr.Textbox(label="Link", buttons=["copy"], elem_id="link")
        self.linked_shot = gr.Textbox("", visible=False)
        make.click(wrap_handler(encode_shot), studio.project, self.link, **PRIVATE).success(
            None, self.link, self.link, js="(text) => location.origin + location.pathname + '?s=' + text",
            api_visibility="private",
        )  # fmt: skip
        self.source = source

    def connect(self, page: gr.Blocks) -> None:
        """Connect the section; call when all tabs are placed."""
        studio = self.studio
        shown = [studio.source_shown, *studio.shown.values()]

        def restored_here(project: Project, result_file: str):
            project, words, name = restore_result(project, result_file)
            tab = gr.Tabs(selected=name) if name in studio.methods else gr.skip()
            return project, words, tab, signal()

        def opened(project: Project, linked_shot: str):
            if not linked_shot:
                return [gr.skip()] * (len(shown) + 3)
            project, name = apply_link(project, linked_shot)
            words = describe_scene(project.scene) if project.scene else gr.skip()
            return project, words, *_signals(studio, name), signal()

        self.file.upload(
            wrap_handler(restored_here), [studio.project, self.file],
            [studio.project, self.status, studio.tabs, studio.restored],
            api_name="restore", show_progress_on=self.status,
        )  # fmt: skip
        studio.restored.change(
            lambda: [signal() for _ in range(len(shown) + 1)], None, [*shown, studio.moved], **PRIVATE
        )
        page.load(None, None, self.linked_shot, js=_SHOT_IN_ADDRESS, **PRIVATE)
        self.linked_shot.change(
            wrap_handler(opened), [studio.project, self.linked_shot],
            [studio.project, self.source.status, *shown, studio.moved], **PRIVATE,
        )  # fmt: skip


def _signals(studio: Studio, method: str) -> list:
    """Signals that the controls of the move and of one method must be updated."""
    return [signal(), *(signal() if name == method else gr.skip() for name in studio.shown)]


def restore_result(project: Project, result_file: str) -> tuple[Project, str, str]:
    """Restore path and settings of a result, from its mp4 or the JSON beside it, for the method that made it; the mp4 also contains its
    picture. Also returns a message, and the method's name."""
    if not result_file:
        raise InputError("Choose an mp4 made by Reshoot or the JSON beside it.")
    return apply_record(project, read_record(result_file), result_file)


def restore_for_method(project: Project, result_file: str, method: Method) -> tuple[Project, str]:
    """Like `restore_result`, for one method, which uses only the path of another method's result."""
    if not result_file:
        raise InputError("Choose an mp4 made by Reshoot or the JSON beside it.")
    made = read_record(result_file)
    if made.method == method.name:
        return apply_record(project, made, result_file)[:2]
    note = f"It was shot with another method ({made.method}), so only its path is used."
    project, notes = _add_path(project, made, None)
    return project, _restored_text(made, None, (note, *notes))


def apply_record(project: Project, made: Record, result_file: str) -> tuple[Project, str, str]:
    from pipelines.registry import NAMES, method

    if made.method not in NAMES:
        note = f"It was shot with a method that is not available here ({made.method}), so only its path is used."
        project, notes = _add_path(project, made, None)
        return project, _restored_text(made, None, (note, *notes)), project.method
    before, record = project.method, method(made.method)
    project = project.seen_by(record.name)
    scene = _embedded_scene(made, result_file, project)
    if scene is not None:
        project = project.opened(scene)
    settings, notes = made.settings_for(record)
    moves, _ = made.moves_for(record)
    project, more = _add_path(project, made, moves, scene)
    project = project.with_settings(settings)
    return project.seen_by(before), _restored_text(made, scene, notes + more), record.name


def _add_path(
    project: Project, made: Record, moves: Any, scene: Scene | None = None
) -> tuple[Project, tuple[str, ...]]:
    """Add the path of a result as a path file, in its own size and length; also returns notes on what the method cannot use."""
    size = {"frames": len(made.path), "width": made.path.width, "height": made.path.height, "fps": made.path.fps}
    as_given = _is_placed(made, scene or project.framed)
    wanted: Any
    wanted, notes = filter_values(project.record.moves, {**(moves or project.moves).values(), **size})
    project = project.with_own(made.path, as_given=as_given).with_moves(wanted)
    return project.with_source(replace(project.content.source, moves_from=PATH_FILE)), notes


def _restored_text(made: Record, scene: Scene | None, notes: tuple[str, ...]) -> str:
    opened = f" **{scene.name}** is open again, as it was framed." if scene is not None else ""
    return "  \n".join((f"Restored a path of {len(made.path)} frames.{opened}", *notes))


def _embedded_scene(made: Record, result_file: str, project: Project) -> Scene | None:
    """The scene embedded in a result, unless it is open already."""
    if Path(result_file).suffix.lower() != ".mp4" or _is_open(made, project.framed):
        return None
    box = read_embedded_scene(result_file)
    return box.scene if box is not None and _is_open(made, box.scene) else None


def _is_open(made: Record, scene: Scene | None) -> bool:
    return scene is not None and made.input_sha256 == scene_sha256(scene)


def _is_placed(made: Record, scene: Scene | None) -> bool:
    """Whether a result was shot in exactly this scene along a path that does not start at its first camera."""
    if scene is None or not _is_open(made, scene):
        return False
    return not np.allclose(made.path.world_from_camera[0], scene.first.world_from_camera, atol=1e-6)


def encode_shot(project: Project) -> str:
    """The shot of the selected method as text for a URL."""
    method, source = project.record, project.content.source
    if source.moves_from == PATH_FILE:
        raise InputError("A link cannot contain a path file: send the result's mp4 or the path file itself.")
    values = {name: project.settings[name] for name in method.settings.controls()}
    for name in method.settings.files():
        if values.pop(name):
            label = method.settings.controls()[name].label
            raise InputError(f"A link cannot contain a file ({label}): clear that field, or send the file itself.")
    controls = {**source.values(), **project.moves.values(), **values}
    return encode_link({"method": method.name, "example": project.content.example, "controls": controls})


def apply_link(project: Project, text: str) -> tuple[Project, str]:
    """The project with the shot of a link, and the name of its method. Raises `InputError`."""
    from pipelines.registry import NAMES, method

    shot = decode_link(text)
    if shot["method"] not in NAMES:
        raise InputError(
            f"This link is a shot with {shot['method']}, which this app does not offer; ask the sender for the app's address."
        )
    record, controls = method(shot["method"]), shot["controls"]
    project = project.seen_by(record.name)
    if example := shot.get("example"):
        project = project.opened(load(str(example)), example=str(example))
    source, moves, settings = (_controls_of(kind, controls) for kind in (MoveSource, record.moves, record.settings))
    return project.with_source(source).with_moves(moves).with_settings(settings), record.name


def _controls_of(kind: type[Settings], controls: dict[str, Any]) -> Any:
    """The values of ``controls`` that belong to ``kind``; raises `InputError` for a value that is not allowed."""
    return kind.of({name: controls.get(name, value) for name, value in kind.defaults().items()})


def control_values(project: Project) -> dict[str, Any]:
    """The values of all controls of the project's method and of the move."""
    content = project.content
    return {**content.source.values(), **project.moves.values(), **project.settings}
