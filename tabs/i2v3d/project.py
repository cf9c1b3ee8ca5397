"""A project's file: the scene with its objects, the path, every control and the keyframes; saved, opened, handed to Blender."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np
from gradio.events import Dependency

from camera.editing.keys import KeyedMove, evenly
from camera.errors import InputError
from camera.path import CameraPath
from pipelines.methods.i2v3d.keyframes.files import Painted
from pipelines.methods.i2v3d.method import I2V3DSettings
from pipelines.methods.i2v3d.subject.settings import SubjectSettings
from pipelines.settings import Settings
from tabs.i2v3d.objects import objects_of, with_objects
from tabs.i2v3d.phases import Steps
from tabs.parts import form
from tabs.parts.move import Move
from tabs.parts.session import PATH_FILE, Take
from tabs.parts.shoot import Shoot

if TYPE_CHECKING:
    from pipelines.methods.i2v3d.scene.project import Project

_DESCRIBED = ("moves_from", "film_moves")


class ProjectFile:
    """The section of one tab."""

    def __init__(self, take: gr.State, move: Move, shoot: Shoot, steps: Steps) -> None:
        self.take, self.move, self.shoot, self.steps, self.method = take, move, shoot, steps, shoot.method
        self.controls = {**move.described, **shoot.settings}

    def place(self) -> Dependency:
        """Places the section; returns the event after which ``take`` holds an opened project."""
        name = self.method.name
        with gr.Accordion("Project: save, open, Blender", open=False, elem_id=f"{name}-project"):
            with gr.Row():
                save, blender = gr.Button("Save the project", size="sm"), gr.Button("Scene for Blender", size="sm")
            file = gr.File(label="Saved", visible=False, interactive=False, height=70, elem_id=f"{name}-project-saved")
            given = gr.File(label="Open a project", file_types=[".zip"], height=90, elem_id=f"{name}-project-file")
            told = gr.Markdown(
                "A project is one zip: picture, depth, objects with their files and ways, camera, settings, LoRA and the "
                "keyframes as they stand; `python -m pipelines run i2v3d --project` shoots it too. For Blender: a script that "
                "rebuilds camera, objects and background, and the path as the authors' `save_camera_infos.json`, which can "
                "also be opened under *Path file*.",
                padding=True, elem_id=f"{name}-project-told",
            )  # fmt: skip
        described = [self.move.described[key] for key in _DESCRIBED]
        before = {"take": Take, "painted": Painted, "taught": SubjectSettings, "moves_from": str, "film_moves": str}
        save.click(
            form.handler(self._save, self.method.settings, before=before, name=f"{name}_save_project"),
            [self.take, self.steps.painted, self.steps.taught, *described, *self.shoot.settings.values()], file,
            api_name=f"{name}_save_project", show_progress="hidden",
        )  # fmt: skip
        blender.click(
            form.handler(self._for_blender, self.method.settings, before={"take": Take}, name=f"{name}_scene_for_blender"),
            [self.take, *self.shoot.settings.values()], file, api_name=f"{name}_scene_for_blender", show_progress="hidden",
        )  # fmt: skip
        return given.upload(
            form.said(self._open), [self.take, given],
            [self.take, told, *self.controls.values(), self.steps.painted, self.steps.taught],
            api_name=f"{name}_open_project", show_progress_on=told,
        )  # fmt: skip

    def _save(
        self, take: Take, painted: Painted | None, taught: SubjectSettings | None, moves_from: str, film_moves: str,
        settings: Settings,
    ):  # fmt: skip
        """Save scene, objects, path, settings, LoRA and keyframes as one zip."""
        from pipelines.methods.i2v3d.scene import project

        if take.scene is None:
            raise InputError("There is nothing to save yet: pick an example or give a picture first.")
        scene = with_objects(take, objects_of(take)).scene
        moves = take.moves.values() if take.moves else {}
        controls = {"moves_from": moves_from, "film_moves": film_moves}
        whole = project.Project(
            scene, take.path, _own(settings), moves, controls=controls, track=take.track, subject=taught, painted=painted  # type: ignore[arg-type]
        )  # fmt: skip
        saved = project.save_project(take.file("project.zip"), whole)
        return gr.File(str(saved), visible=True)

    def _for_blender(self, take: Take, settings: Settings):
        """A zip with a script that rebuilds camera, objects and background in Blender."""
        from camera.objects.scene import staged
        from pipelines.methods.i2v3d.scene.blender import pack

        scene, path = take.ready()
        target = take.file("reshoot_blender.zip")
        target.write_bytes(pack(staged(scene, objects_of(take)), path, _own(settings)))
        return gr.File(str(target), visible=True)

    def _open(self, take: Take, project_file: str):
        """Open a project that was saved here: scene, objects, path, settings, LoRA and keyframes."""
        from pipelines.methods.i2v3d.scene.project import read_project

        if not project_file:
            raise InputError("Choose the zip of a project.")
        made = read_project(project_file, folder=take.file(f"project-{uuid.uuid4().hex[:8]}"))
        take, values = self._taken(take.opened(made.scene), made)
        values |= made.settings.values()
        count = len(made.scene.objects)
        held = f"{count} object{'s' * (count != 1)}"
        words = "  \n".join((f"{made.scene.name} with {held} is open.", *made.notes))
        return take, words, *[values.get(name, gr.skip()) for name in self.controls], made.painted, made.subject

    def _taken(self, take: Take, made: Project) -> tuple[Take, dict[str, Any]]:
        """The take with the project's path, and what the controls of the camera say then: how the path was described, where
        that still draws it, else a path file."""
        take = replace(take, track=made.track or _older_keys(made))
        if made.path is None:
            return take, dict(made.moves)
        path = made.path
        frame = {"frames": len(path), "width": path.width, "height": path.height, "fps": path.fps}
        values: dict[str, Any] = {**made.moves, **frame}
        try:
            source, film = str(made.controls.get("moves_from", PATH_FILE)), str(made.controls.get("film_moves", ""))
            moves: Any = self.method.moves.of(values)
            drawn = take.drawn(self.method, moves, source, film).path  # type: ignore[arg-type]
        except InputError:
            drawn, source, film = None, PATH_FILE, ""
        if source != PATH_FILE and drawn is not None and _same(drawn, path):
            return take, {**values, "moves_from": source, **({"film_moves": film} if film else {})}
        return take.with_own(path, as_given=True), {**values, "moves_from": PATH_FILE}


def _older_keys(made: Project) -> KeyedMove | None:
    """Of a file that has the keys as cameras alone: the picture's camera and then these, at equal distances in time."""
    if not made.keys:
        return None
    first = made.scene.first.camera
    cameras = [first, *(key.unfitted(first, made.moves.get("fit", "crop")) for key in made.keys)]
    path = CameraPath(
        np.concatenate([camera.world_from_camera for camera in cameras]),
        np.concatenate([camera.intrinsics for camera in cameras]), first.width, first.height,
    )  # fmt: skip
    frames, fps = made.moves.get("frames", 24), made.moves.get("fps", 24.0)
    move = evenly(path, max(frames - 1, 1) / fps, loop=made.controls.get("key_loop") is True)
    return replace(
        move, curve=made.controls.get("key_curve", "smooth"), easing=made.controls.get("key_easing", "linear"),
        constant_speed=made.controls.get("key_constant_speed") is True,
    )  # fmt: skip


def _same(drawn: Any, path: Any) -> bool:
    poses = drawn.world_from_camera.shape == path.world_from_camera.shape
    return bool(
        poses
        and np.allclose(drawn.world_from_camera, path.world_from_camera, atol=1e-6)
        and np.allclose(drawn.intrinsics, path.intrinsics, atol=1e-3)
    )


def _own(settings: Settings) -> I2V3DSettings:
    assert isinstance(settings, I2V3DSettings)
    return settings
