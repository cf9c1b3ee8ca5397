"""The control pack of scene and move, with a preflight in words, and the scene with its camera as one file."""

from __future__ import annotations

import time
import uuid
from typing import Any

import gradio as gr

from camera.errors import InputError
from camera.path import CameraPath
from camera.view import Scene
from pipelines.method import Progress
from pipelines.pack.scene_file import KINDS, scene_file
from pipelines.pack.targets import TARGETS, describe_targets, preflight
from pipelines.rehearsal import TURNS
from tabs.parts.form import VISITORS, cancel_with, wrap_handler
from tabs.project.project import Project
from tabs.shared.rehearsal import REHEARSES
from tabs.shared.studio import PRIVATE, Studio

ANY = "any"
TELL_SECONDS = 0.3
NOTHING_YET = "Choose an example or open a picture to see what each model uses of the move."


class Exports:
    """The two sections; the preflight updates after every edit."""

    def __init__(self, studio: Studio) -> None:
        with gr.Accordion("Control pack for other video models", open=False, elem_id="pack"):
            self._place_pack(studio)
        with gr.Accordion("Scene and camera for other programs", open=False, elem_id="scene-file"):
            self._place_scene(studio)

    def _place_pack(self, studio: Studio) -> None:
        named = [(target.title, name) for name, target in TARGETS.items()]
        with gr.Row():
            self.target = gr.Dropdown(
                [("Any of them", ANY), *named], value=ANY, label="For", min_width=200, elem_id="pack-target"
            )
            start = gr.Button("Make the pack", min_width=120, elem_id="pack-make")
            stop = gr.Button("Cancel", min_width=80, elem_id="pack-stop")
        self.words = gr.Markdown(NOTHING_YET, padding=True, elem_id="pack-words")
        self.pack = gr.File(label="Control pack", height=90, interactive=False, elem_id="pack-file")
        studio.follow(preflight_words, self.words, self.target)
        self.target.input(wrap_handler(preflight_words), [studio.project, self.target], self.words, **PRIVATE)
        running = start.click(
            wrap_handler(make_pack), [studio.project, self.target], self.pack, api_name="control_pack", show_progress_on=self.pack,
            **REHEARSES,
        )  # fmt: skip
        cancel_with(stop, [running], self.pack, None)
        studio.opened.change(lambda: None, None, self.pack, **PRIVATE)

    def _place_scene(self, studio: Studio) -> None:
        with gr.Row():
            self.kind = gr.Dropdown([(label, kind) for kind, label in KINDS.items()], label="Format", min_width=200)
            make = gr.Button("Make the file", min_width=120, elem_id="scene-file-make")
        self.scene = gr.File(label="Scene and camera", height=90, interactive=False, elem_id="scene-file-made")
        make.click(
            wrap_handler(make_scene_file), [studio.project, self.kind], self.scene, api_name="scene_file",
            show_progress_on=self.scene, concurrency_id="scene-file", concurrency_limit=min(VISITORS, 2),
        )  # fmt: skip
        studio.opened.change(lambda: None, None, self.scene, **PRIVATE)


def whole_scene(project: Project) -> tuple[Scene, CameraPath]:
    """The project's whole scene in the frame of its path, including parts that the selected method does not use."""
    _, path = project.ready()
    assert project.scene is not None
    return project.scene.fitted(path.width, path.height, project.moves.fit), path  # type: ignore[arg-type]


def preflight_words(project: Project, target: str = ANY) -> str:
    """What a model uses and loses of the move, or why it cannot shoot it; all models for "any"."""
    if project.scene is None:
        return NOTHING_YET
    try:
        scene, path = whole_scene(project)
    except InputError as error:
        return f"{error}"
    head = f"{len(path)} frames of {path.width} x {path.height}, as the selected tab frames the move."
    chosen = TARGETS if target == ANY else (target,)
    lines = [f"- {preflight(name, scene, path).sentence()}" for name in chosen]
    return "\n".join([head, "", *lines, "", "Based on the models' public descriptions; we ran none of them."])


def make_pack(project: Project, target: str = ANY, progress: gr.Progress = gr.Progress()):  # noqa: B008
    """One zip with colour, holes, depth, normals, flow, tracks, a grey-box and the camera of the move in every model's own format.
    With a target, first checks the move for it and raises an error if that model cannot shoot it."""
    from pipelines.pack.make import pack

    scene, path = whole_scene(project)
    if target != ANY:
        found = preflight(target, scene, path)
        if found.refusal:
            raise InputError(found.sentence().replace("**", ""))
    yield None
    made = project.file(f"pack-{uuid.uuid4().hex[:8]}") / "control_pack.zip"
    steps: Any = pack(scene, path, made, targets=describe_targets(scene, path))
    shown_at = 0.0
    for step in TURNS.shared(project.folder, steps):
        if isinstance(step, Progress) and time.monotonic() - shown_at > TELL_SECONDS:
            shown_at = time.monotonic()
            progress((step.step, step.steps), desc=step.phase, unit="frames")
            yield gr.skip()
    yield str(made)


def make_scene_file(project: Project, scene_format: str = ".usdc"):
    """The scene's surface, or its splats, and the animated camera as one file: .usdc, .usda, .glb or .html."""
    scene, path = whole_scene(project)
    if scene_format not in KINDS:
        raise InputError(f"Choose one of {', '.join(KINDS)}; got {scene_format!r}.")
    return str(
        scene_file(scene, path, project.file(f"scene-{uuid.uuid4().hex[:8]}") / f"scene_and_camera{scene_format}")
    )
