"""Save the project as one file, and open it again."""

from __future__ import annotations

import uuid
from pathlib import Path

import gradio as gr

from camera.errors import InputError
from pipelines import method as record_of
from pipelines.project.file import content_of, read_project, save_project
from pipelines.project.parts import ProjectFile
from tabs.parts.form import wrap_handler
from tabs.project.project import Project
from tabs.shared.source import Source, describe_scene
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
                "One zip with picture, depth, cameras, keys, shots, objects, the settings of every method and the files named in them.",
                padding=True, elem_id="project-status",
            )  # fmt: skip
        save.click(
            wrap_handler(save_project_file), studio.project, saved, api_name="save_project", show_progress_on=saved
        )
        given.upload(
            wrap_handler(open_project_file), [studio.project, given], [studio.project, status, source.status, studio.restored],
            api_name="open_project", show_progress_on=status,
        )  # fmt: skip


def save_project_file(project: Project):
    """Save scene, move, keys, objects and the settings of every method as one zip."""
    return gr.File(str(save_project(project.file(FILE), project_content(project))), visible=True)


def open_project_file(project: Project, project_file: str):
    """Open a project that was saved here: it replaces scene, move and settings, which can be undone."""
    if not project_file:
        raise InputError("Choose the zip of a project.")
    project, _, notes = load_project(project, Path(project_file), "open a project")
    scene = project.scene
    words = "  \n".join(("The project is open.", *notes))
    return project, words, describe_scene(scene) if scene is not None else "", signal()


def load_project(project: Project, file: Path, name: str) -> tuple[Project, str, tuple[str, ...]]:
    """The project with the content of a file, as an edit called ``name``; the selected method, and notes on differences."""
    made = read_project(file, folder=project.file(f"project-{uuid.uuid4().hex[:8]}"))
    content, notes = content_of(made)
    return project.changed(name, **vars(content)), made.method, notes


def project_content(project: Project) -> ProjectFile:
    """The content of a project for its file, with the files named by its settings."""
    content = project.content
    settings, files = {}, {}
    for name, values in content.settings.items():
        named = {key: Path(values[key]) for key in record_of(name).settings.files() if values.get(key)}
        settings[name] = {**values, **dict.fromkeys(named, "")}
        files |= {name: named} if named else {}
    return ProjectFile(
        content.scene, content.example, content.own, content.own_as_given, content.own_scale, content.track,
        content.source.values(), {name: moves.values() for name, moves in content.moves.items()}, settings, project.method,
        content.shots, files, content.kept, look=content.look.values(), moving=content.moving,
    )  # fmt: skip
