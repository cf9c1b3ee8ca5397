"""The project in the visitor's own browser: saved after every edit, restored after a reload or a restart of the server."""

from __future__ import annotations

import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from camera.errors import InputError, reading
from pipelines.media.video import complete
from pipelines.project.file import LARGEST_WORDS
from pipelines.project.parts import OBJECTS, SCENE, WORDS, Part, parts_of, words_of
from tabs.browser.autosave import autosave
from tabs.parts.form import wrap_handler
from tabs.project.folders import is_inside
from tabs.project.project import Project
from tabs.serving.named_files import address_of
from tabs.shared.project_file import load_project, project_content
from tabs.shared.source import Source, describe_scene
from tabs.shared.studio import PRIVATE, Studio, signal

MOST_BYTES = 400 << 20
"""Maximum uncompressed bytes of all parts; larger projects are not saved in the browser."""
_MOST_IDS = 200


class Autosave:
    """The status line of the autosave, below undo and redo."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.box = autosave()

    def connect(self, source: Source) -> None:
        """Connect the section; edits reach it with the request that all followers share."""
        studio = self.studio
        shown = [studio.source_shown, *studio.shown.values()]

        def parts(project: Project, event: gr.EventData):
            return gr.update(addresses=part_addresses(project, event._data))

        def restore(project: Project, event: gr.EventData):
            nothing = [gr.skip()] * (len(shown) + 4)
            try:
                project, method, notes = restore_saved(project, event._data)
            except InputError as error:
                return *nothing, {"restored": True, "session": project.folder.name, "failed": str(error).rstrip(".")}
            answer = {
                "restored": True,
                "session": project.folder.name,
                "edit": _edit(project),
                "status": " ".join(notes),
            }
            tab = gr.Tabs(selected=method) if method in studio.methods else gr.skip()
            words = describe_scene(project.scene) if project.scene else ""
            return project, words, tab, *(signal() for _ in range(len(shown) + 1)), answer

        studio.follow(describe_saved, self.box)
        self.box.parts(
            wrap_handler(parts), studio.project, self.box, api_visibility="private", show_progress="hidden",
            concurrency_id="keep", concurrency_limit=1,
        )  # fmt: skip
        self.box.restore(
            wrap_handler(restore), studio.project,
            [studio.project, source.status, studio.tabs, *shown, studio.moved, self.box], **PRIVATE,
        )  # fmt: skip


def describe_saved(project: Project) -> dict[str, Any]:
    """What the browser saves of a project, see `tabs.browser.autosave.autosave`."""
    about = {"session": project.folder.name, "edit": _edit(project)}
    try:
        parts, left_out = _parts(project)
    except InputError as error:
        return {**about, "status": f"Not saved in this browser: {error}"}
    if SCENE in left_out:
        return {**about, "status": "This scene is too large to be saved in the browser; save the project as a file."}
    words = "Files named in settings are too large and are not included." if left_out else ""
    return {
        **about,
        "title": project.scene.name if project.scene else "",
        "words": words_of(project_content(project)),
        "parts": [(part.name, part.id, part.size) for part in parts],
        "status": words,
    }


def _edit(project: Project) -> str:
    """A text that changes with every edit, undo and redo."""
    past, future = project.history.past, project.history.future
    return f"{len(past)} {len(future)} {past[-1].name if past else ''} {past[-1].at if past else ''}"


def _parts(project: Project) -> tuple[list[Part], list[str]]:
    """The parts to save, smallest first while they fit, and the names of the others. Excludes an example's pictures, which the server has."""
    parts = [
        part for part in parts_of(project_content(project)) if not (part.name == SCENE and project.content.example)
    ]
    saved, left_out, size = [], [], 0
    for part in sorted(parts, key=lambda part: part.size):
        size += part.size
        (saved if size <= MOST_BYTES else left_out).append(part)
    return saved, [part.name for part in left_out]


def part_addresses(project: Project, request: Any) -> dict[str, str]:
    """URLs of the parts with these ids; omits parts that the project no longer has."""
    with reading("The page requested parts in an unknown form."):
        wanted = {str(id) for id in request["ids"][:_MOST_IDS]}
    found = {}
    for part in _parts(project)[0]:
        if part.id in wanted:
            file = project.file(f"part-{part.id}.bin")
            if not file.is_file():
                with complete(file) as whole, whole.open("wb") as stream:
                    part.write(stream)
            found[part.id] = address_of(file)
    return found


def restore_saved(project: Project, given: Any) -> tuple[Project, str, tuple[str, ...]]:
    """The project saved by the browser, the selected method, and notes on differences. The change can be undone if there was a
    project before. Raises `InputError`."""
    with reading("The copy saved in the browser is damaged."):
        words: Mapping[str, str] = {
            name: str(given["words"][name]) for name in (WORDS, OBJECTS) if name in given["words"]
        }
        parts = {str(name): Path(str(path)) for name, path in given["parts"].items()}
        if any(len(text) > LARGEST_WORDS for text in words.values()) or len(parts) > _MOST_IDS:
            raise ValueError("too much")
    if not all(is_inside(path, Path(get_upload_folder())) and path.is_file() for path in parts.values()):
        raise InputError("The pictures saved in the browser did not arrive; reload the page.")
    file = project.file(f"kept-{uuid.uuid4().hex[:8]}.zip")
    try:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, text in words.items():
                archive.writestr(name, text)
            for name, path in parts.items():
                archive.write(path, name)
        after, method, notes = load_project(project, file, "restore the project")
    finally:
        file.unlink(missing_ok=True)
    return (after if project.scene is not None else replace(after, history=project.history)), method, notes
