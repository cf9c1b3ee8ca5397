"""A project's file: the scene with its objects, the path and every control, saved, opened again, and handed to Blender."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.events import Dependency

from camera.errors import InputError
from pipelines.i2v3d.method import I2V3DSettings
from pipelines.settings import Settings
from tabs import form
from tabs.move import Move
from tabs.objects import objects_of, with_objects
from tabs.shoot import Shoot
from tabs.take import PATH_FILE, Take


def project(take: gr.State, move: Move, shoot: Shoot) -> Dependency:
    """Places the section; returns the event after which ``take`` holds an opened project."""
    method = shoot.method
    controls = {**move.described, **shoot.settings}
    with gr.Accordion("Project: save, open, Blender", open=False):
        with gr.Row():
            save, blender = gr.Button("Save the project", size="sm"), gr.Button("Scene for Blender", size="sm")
        file = gr.File(
            label="Saved", visible=False, interactive=False, height=70, elem_id=f"{method.name}-project-saved"
        )
        given = gr.File(
            label="Open a project", file_types=[".zip"], height=90, elem_id=f"{method.name}-project-file"
        )  # fmt: skip
        told = gr.Markdown(
            "A project is one zip: picture, depth, objects with their files and ways, camera path and settings. For Blender: a "
            "script that rebuilds camera, objects and background, and the path as the authors' `save_camera_infos.json`, which "
            "can also be opened under *Path file*.",
            padding=True, elem_id=f"{method.name}-project-told",
        )  # fmt: skip

    def save_project(take: Take, settings: Settings):
        """Save scene, objects, path and settings as one zip."""
        from pipelines.i2v3d import project

        if take.scene is None:
            raise InputError("There is nothing to save yet: pick an example or give a picture first.")
        scene = with_objects(take, objects_of(take)).scene
        moves = take.moves.values() if take.moves else {}
        whole = project.Project(scene, take.path, _own(settings), moves)  # type: ignore[arg-type]
        saved = project.save_project(take.file("project.zip"), whole)
        return gr.File(str(saved), visible=True)

    def scene_for_blender(take: Take, settings: Settings):
        """A zip with a script that rebuilds camera, objects and background in Blender."""
        from camera.objects import staged
        from pipelines.i2v3d.blender import pack

        scene, path = take.ready()
        target = take.file("reshoot_blender.zip")
        target.write_bytes(pack(staged(scene, objects_of(take)), path, _own(settings)))
        return gr.File(str(target), visible=True)

    def open_project(take: Take, project_file: str):
        """Open a project that was saved here: scene, objects, path and settings."""
        from pipelines.i2v3d.project import read_project

        if not project_file:
            raise InputError("Choose the zip of a project.")
        made = read_project(project_file)
        take = take.opened(made.scene)
        values: dict[str, Any] = {**made.moves, **made.settings.values()}
        if made.path is not None:
            path = made.path
            take = take.with_own(path, as_given=True)
            values |= {"frames": len(path), "width": path.width, "height": path.height, "fps": path.fps}
            values |= {"moves_from": PATH_FILE}
        words = "  \n".join((f"{made.scene.name} with {len(made.scene.objects)} objects is open.", *made.notes))
        return take, words, *[values.get(name, gr.skip()) for name in controls]

    inputs, kinds = [take, *shoot.settings.values()], method.settings
    name = method.name
    save.click(
        form.handler(save_project, kinds, before={"take": Take}, name=f"{name}_save_project"), inputs, file,
        api_name=f"{name}_save_project", show_progress="hidden",
    )  # fmt: skip
    blender.click(
        form.handler(scene_for_blender, kinds, before={"take": Take}, name=f"{name}_scene_for_blender"), inputs, file,
        api_name=f"{name}_scene_for_blender", show_progress="hidden",
    )  # fmt: skip
    return given.upload(
        form.said(open_project), [take, given], [take, told, *controls.values()],
        api_name=f"{name}_open_project", show_progress_on=told,
    )  # fmt: skip


def _own(settings: Settings) -> I2V3DSettings:
    assert isinstance(settings, I2V3DSettings)
    return settings
