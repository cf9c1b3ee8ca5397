"""Project files of I2V3D: scene with objects, path, all controls and keyframes; saving, opening and export to Blender."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np

from camera.editing.keys import KeyedMove, key_every_frame
from camera.errors import InputError
from camera.path import CameraPath
from pipelines.methods.i2v3d.keyframes.files import PaintedKeyframes
from pipelines.methods.i2v3d.method import I2V3DSettings
from pipelines.methods.i2v3d.subject.settings import SubjectSettings
from pipelines.project.content import PATH_FILE, MoveSource
from pipelines.settings import Settings
from tabs.i2v3d.phases import Steps
from tabs.i2v3d.placing import objects_of, with_objects
from tabs.parts import form
from tabs.parts.method_tab import MethodTab
from tabs.project.project import Project
from tabs.shared.restore import control_values
from tabs.shared.studio import signal

if TYPE_CHECKING:
    from pipelines.methods.i2v3d.scene.project import Project as Saved


class ProjectFile:
    """The section of one tab."""

    def __init__(self, tab: MethodTab, steps: Steps) -> None:
        self.tab, self.project, self.steps, self.method = tab, tab.project, steps, tab.method
        self.controls = {**tab.shared.move.described, **tab.moves, **tab.shoot.settings}

    def place(self) -> None:
        """Place the section."""
        name, studio, settings = self.method.name, self.tab.studio, self.tab.shoot.settings
        with gr.Accordion("Project: save, open, Blender", open=False, elem_id=f"{name}-project"):
            with gr.Row():
                save, blender = gr.Button("Save the project", size="sm"), gr.Button("Scene for Blender", size="sm")
            file = gr.File(label="Saved", visible=False, interactive=False, height=70, elem_id=f"{name}-project-saved")
            given = gr.File(label="Open a project", file_types=[".zip"], height=90, elem_id=f"{name}-project-file")
            status = gr.Markdown(
                "A project is one zip: picture, depth, objects with their files and motions, camera, settings, LoRA and the "
                "current keyframes; `python -m pipelines run i2v3d --project` also shoots it. For Blender: a script that "
                "rebuilds camera, objects and background, and the path as the authors' `save_camera_infos.json`, which can "
                "also be opened under *Path file*.",
                padding=True, elem_id=f"{name}-project-status",
            )  # fmt: skip
        before = {"project": Project, "painted": PaintedKeyframes, "training_settings": SubjectSettings}
        save.click(
            form.handler(self._save, self.method.settings, before=before, name=f"{name}_save_project", method=name),
            [self.project, self.steps.painted, self.steps.subject.training_settings, *settings.values()], file,
            api_name=f"{name}_save_project", show_progress="hidden",
        )  # fmt: skip
        blender.click(
            form.handler(
                self._for_blender, self.method.settings, before={"project": Project}, name=f"{name}_scene_for_blender",
                method=name,
            ),
            [self.project, *settings.values()], file, api_name=f"{name}_scene_for_blender", show_progress="hidden",
        )  # fmt: skip
        opened = given.upload(
            form.wrap_handler(self._open, name), [self.project, given],
            [self.project, status, *self.controls.values(), self.steps.painted, self.steps.subject.training_settings, studio.opened],
            api_name=f"{name}_open_project", show_progress_on=status,
        )  # fmt: skip
        self.steps.restore(opened)
        self.steps.steps_done.append(opened)

    def _save(
        self, project: Project, painted: PaintedKeyframes | None, training: SubjectSettings | None, settings: Settings
    ):
        """Save scene, objects, path, settings, LoRA and keyframes as one zip."""
        from pipelines.methods.i2v3d.scene import project as files

        if project.scene is None:
            raise InputError("There is nothing to save yet: choose an example or open a picture first.")
        scene = with_objects(project, objects_of(project)).scene
        content = project.content
        controls = content.source.values()
        whole = files.Project(
            scene, project.path, _own_settings(settings), project.moves.values(), controls=controls, track=project.track,  # type: ignore[arg-type]
            subject=training, painted=painted,
        )  # fmt: skip
        saved = files.save_project(project.file("project.zip"), whole)
        return gr.File(str(saved), visible=True)

    def _for_blender(self, project: Project, settings: Settings):
        """Export a zip with a script that rebuilds camera, objects and background in Blender."""
        from camera.objects.scene import stage_objects
        from pipelines.methods.i2v3d.scene.blender import pack

        scene, path = project.ready()
        target = project.file("reshoot_blender.zip")
        target.write_bytes(pack(stage_objects(scene, objects_of(project)), path, _own_settings(settings)))
        return gr.File(str(target), visible=True)

    def _open(self, project: Project, project_file: str):
        """Open a project that was saved here: scene, objects, path, settings, LoRA and keyframes."""
        from pipelines.methods.i2v3d.scene.project import read_project

        if not project_file:
            raise InputError("Choose the zip of a project.")
        made = read_project(project_file, folder=project.file(f"project-{uuid.uuid4().hex[:8]}"))
        project = self._restore_move(project.opened(made.scene), made).with_settings(made.settings)
        count = len(made.scene.objects)
        held = f"{count} object{'s' * (count != 1)}"
        words = "  \n".join((f"{made.scene.name} with {held} is open.", *made.notes))
        values = control_values(project)
        return project, words, *(values[name] for name in self.controls), made.painted, made.subject, signal()

    def _restore_move(self, project: Project, made: Saved) -> Project:
        """The project with the saved path: from its move settings if they still give the same path, otherwise as a path file."""
        path, moves = made.path, {**self.method.moves.defaults(), **made.moves}
        project = project.changed("open a project", track=made.track or _older_keys(made))
        if path is None:
            return project.with_moves(self.method.moves.of(moves))  # type: ignore[arg-type]
        moves |= {"frames": len(path), "width": path.width, "height": path.height, "fps": path.fps}
        project = project.with_moves(self.method.moves.of(moves))  # type: ignore[arg-type]
        try:
            known = {key: made.controls[key] for key in MoveSource.controls() if key in made.controls}
            source: Any = MoveSource.of(known)
            again: Any = project.with_source(source)
            if source.moves_from != PATH_FILE and again.path is not None and _is_same(again.path, path):  # type: ignore[attr-defined]
                return again
        except InputError:
            pass
        return project.with_own(path, as_given=True).with_source(MoveSource(moves_from=PATH_FILE))


def _older_keys(made: Saved) -> KeyedMove | None:
    """Keys of an older file, which contains cameras without times: the picture's camera and then these, evenly spaced in time."""
    if not made.keys:
        return None
    first = made.scene.first.camera
    cameras = [first, *(key.unfitted(first, made.moves.get("fit", "crop")) for key in made.keys)]
    path = CameraPath(
        np.concatenate([camera.world_from_camera for camera in cameras]),
        np.concatenate([camera.intrinsics for camera in cameras]), first.width, first.height,
    )  # fmt: skip
    frames, fps = made.moves.get("frames", 24), made.moves.get("fps", 24.0)
    move = key_every_frame(path, max(frames - 1, 1) / fps, loop=made.controls.get("key_loop") is True)
    return replace(
        move, curve=made.controls.get("key_curve", "smooth"), easing=made.controls.get("key_easing", "linear"),
        constant_speed=made.controls.get("key_constant_speed") is True,
    )  # fmt: skip


def _is_same(drawn: Any, path: Any) -> bool:
    poses = drawn.world_from_camera.shape == path.world_from_camera.shape
    return bool(
        poses
        and np.allclose(drawn.world_from_camera, path.world_from_camera, atol=1e-6)
        and np.allclose(drawn.intrinsics, path.intrinsics, atol=1e-3)
    )


def _own_settings(settings: Settings) -> I2V3DSettings:
    assert isinstance(settings, I2V3DSettings)
    return settings
