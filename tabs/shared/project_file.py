"""Save the project as one file, and open it again."""

from __future__ import annotations

from typing import Any

import gradio as gr

from camera.errors import InputError
from pipelines import method as record_of
from pipelines.options import RunOptions
from pipelines.registry import NAMES
from pipelines.results.project_file import ProjectFile, read_project, save_project
from pipelines.results.record import accepted
from tabs.parts.form import said
from tabs.project.content import Content, MoveSource
from tabs.project.project import Project
from tabs.shared.source import Source, described
from tabs.shared.studio import Studio, signal

FILE = "reshoot_project.zip"


class ProjectFiles:
    """The section."""

    def __init__(self, studio: Studio, source: Source) -> None:
        with gr.Accordion("Save or open the project", open=False, elem_id="project-files"):
            save = gr.Button("Save the project", size="sm", elem_id="save-project")
            saved = gr.File(label="Project", visible=False, interactive=False, height=70, elem_id="project-saved")
            given = gr.File(label="Open a project", file_types=[".zip"], height=90, elem_id="project-given")
            status = gr.Markdown(
                "One zip with picture, depth, cameras, keys, objects and the settings of every method.",
                padding=True, elem_id="project-status",
            )  # fmt: skip
        save.click(said(save_here), studio.project, saved, api_name="save_project", show_progress_on=saved)
        given.upload(
            said(open_here), [studio.project, given], [studio.project, status, source.status, studio.restored],
            api_name="open_project", show_progress_on=status,
        )  # fmt: skip


def save_here(project: Project):
    """Save scene, move, keys, objects and the settings of every method as one zip."""
    return gr.File(str(save_project(project.file(FILE), stored(project))), visible=True)


def open_here(project: Project, project_file: str):
    """Open a project that was saved here: it replaces scene, move and settings, which can be undone."""
    if not project_file:
        raise InputError("Choose the zip of a project.")
    content, notes = restored(read_project(project_file))
    project = project.changed("open a project", **vars(content))
    scene = content.scene
    words = "  \n".join(("The project is open.", *notes))
    return project, words, described(scene) if scene is not None else "", signal()


def stored(project: Project) -> ProjectFile:
    """What the file holds of a project. Settings that name files are left empty: the file does not carry them."""
    content = project.content
    settings = {
        name: {key: "" if key in record_of(name).settings.files() else value for key, value in values.items()}
        for name, values in content.settings.items()
    }
    return ProjectFile(
        content.scene, content.example, content.own, content.own_as_given, content.own_scale, content.track,
        content.source.values(), {name: moves.values() for name, moves in content.moves.items()}, settings, project.method,
    )  # fmt: skip


def restored(made: ProjectFile) -> tuple[Content, tuple[str, ...]]:
    """The content of a file, and a sentence for each value that is not known or allowed any more."""
    source, notes = accepted(MoveSource, made.source)
    moves: dict[str, Any] = {}
    settings: dict[str, dict[str, Any]] = {}
    for name, values in made.moves.items():
        if name in NAMES:
            moves[name], more = accepted(record_of(name).moves, values)
            notes += more
    for name, values in made.settings.items():
        if name in NAMES:
            kinds = (record_of(name).settings, RunOptions)
            chosen = [accepted(kind, {k: v for k, v in values.items() if k in kind.controls()}) for kind in kinds]
            strange = sorted(set(values) - {key for kind in kinds for key in kind.controls()})
            settings[name] = {key: values[key] for each, _ in chosen for values in [each.values()] for key in values}
            notes += (
                *(note for _, more in chosen for note in more),
                *(f"{key} is not known any more." for key in strange),
            )
    unknown = sorted({*made.moves, *made.settings} - set(NAMES))
    notes += tuple(f"What was set for {name} is left out: that method is not here." for name in unknown)
    content = Content(
        scene=made.scene, example=made.example, own=made.own, own_as_given=made.own_as_given, own_scale=made.own_scale,
        track=made.track, source=source, moves=moves, settings=settings,
    )  # fmt: skip
    return content, notes
