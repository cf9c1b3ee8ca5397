"""I2V3D's phases as separate steps: render the coarse scene, train or upload a subject LoRA, paint and edit keyframes, shoot."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.events import Dependency

import pipelines
from camera.errors import InputError, reading
from camera.path import CameraPath
from camera.view import Scene
from pipelines.media.video import write_mp4
from pipelines.method import Clip, Progress
from pipelines.methods.i2v3d.keyframes.files import PAINTED, TAUGHT, PaintedKeyframes, read_kept
from pipelines.methods.i2v3d.method import KEYFRAMES, RENDERS, VIDEO, I2V3DSettings
from pipelines.methods.i2v3d.subject.settings import SubjectSettings
from pipelines.options import RunOptions
from pipelines.results.record import filter_values, scene_sha256
from pipelines.shot import Shot
from tabs.browser.players import clips, players
from tabs.i2v3d.subject import PRIVATE, Subject, early_picture, progress_text, short_hash, status_line
from tabs.parts import form
from tabs.parts.event_values import read_event, whole
from tabs.parts.shoot import Shoot
from tabs.project.project import Project
from tabs.shared.studio import signal


class Steps:
    """The section of one tab."""

    def __init__(self, shoot: Shoot, project: gr.State) -> None:
        self.shoot, self.project, self.name = shoot, project, shoot.method.name
        self.painted = gr.State()
        self.subject = Subject(shoot, project)
        self.steps_done: list[Dependency] = []

    def controls(self) -> None:
        """Place the section; the state ``painted`` contains the keyframes."""
        with gr.Accordion("Step by step", open=False, elem_id=f"{self.name}-steps"):
            gr.Markdown(
                "*Shoot* runs all phases. Here each phase runs alone, shows its result and lets you change it; settings "
                "are those under *Shoot*.",
                padding=True,
            )
            self._scene()
            self.subject.place()
            self._keyframes()
            self._video()

    def remember(self, showing: Dependency) -> None:
        """Store keyframes and training settings in the project, so that undo, save and autosave include them, and restore them on the
        event ``showing``. They are stored when a step has finished; edits made while it ran are kept."""
        studio, name = self.shoot.studio, self.name

        def put(project: Project, painted: PaintedKeyframes | None, training: SubjectSettings | None):
            made = {PAINTED: painted.to_keep() if painted else None, TAUGHT: _settings_bytes(training)}
            changed = project.with_kept("change the keyframes or the subject", made)
            return changed, signal() if changed is not project else gr.skip()

        def get(project: Project):
            stored = project.content.kept_by(name)
            return read_kept(stored[PAINTED]) if PAINTED in stored else None, _read(stored.get(TAUGHT))

        for done in filter(None, [*self.steps_done, self.subject.trained]):
            done.success(
                form.wrap_handler(put, name),
                [self.project, self.painted, self.subject.training_settings],
                [self.project, studio.edited],
                **PRIVATE,
            )
        self.restore(
            showing.then(
                form.wrap_handler(get, name), self.project, [self.painted, self.subject.training_settings], **PRIVATE
            )
        )

    def restore(self, opened: Dependency) -> None:
        """Connect ``opened``, the event of an opened project, to show its keyframes and training settings."""

        def shown(painted: PaintedKeyframes | None, training: SubjectSettings | None):
            values = [getattr(training, name) if training else gr.skip() for name in self.subject.controls]
            return _pictures(painted) if painted else gr.Gallery([]), *values

        opened.success(
            shown,
            [self.painted, self.subject.training_settings],
            [self.gallery, *self.subject.controls.values()],
            **PRIVATE,
        )

    def _event(self, button: gr.Button, fn: Any, before: dict[str, Any], inputs: list, outputs: list, name: str) -> Any:
        """Connect a button to a step that runs the method with the settings of the tab."""
        api = f"{self.name}_{name}"
        kinds, shoot = (self.shoot.method.settings, RunOptions), self.shoot
        before = {"project": Project, "request": gr.Request, **before}
        handler = form.handler(fn, *kinds, before=before, name=api, method=self.name)
        event = button.click(
            handler, [self.project, *inputs, *shoot.settings.values(), *shoot.options.values()], outputs, api_name=api,
            show_progress="hidden", **form.SHOOTS,
        )  # fmt: skip
        return event

    # 1

    def _scene(self) -> None:
        gr.Markdown("#### Scene")
        with gr.Row():
            button = gr.Button("Render the coarse scene", size="sm", scale=4, elem_id=f"{self.name}-render-scene")
            stop = gr.Button("Cancel", size="sm", min_width=80)
        status = status_line(self.name, "scene")
        shown = players(f"{self.name}-renders")
        event = self._event(button, self._render, {}, [], [status, shown], "render_scene")
        form.cancel_with(stop, [event], status)

    def _render(self, project: Project, request: gr.Request, settings: I2V3DSettings, options: RunOptions):
        """Render the coarse scene along the path: colour, depth, foreground, visibility, normals."""
        for step in self._run(project, request, replace(settings, make=RENDERS), options):
            if isinstance(step, Progress):
                yield progress_text(step), gr.skip()
            elif isinstance(step, Clip):
                stem = uuid.uuid4().hex[:8]
                videos = {
                    title: write_mp4(project.file(f"scene-{stem}-{title}.mp4"), frames, step.fps, speed="preview")
                    for title, frames in step.extras.items()
                }
                words = "  \n".join(("The coarse scene, the input of both networks.", *step.notes))
                yield words, clips(videos, step.fps)

    # 2

    def _keyframes(self) -> None:
        gr.Markdown("#### Keyframes")
        with gr.Row():
            own = gr.UploadButton("Use own keyframes (zip)", file_types=[".zip"], size="sm")
            none = gr.Button("Paint all of them", size="sm")
        with gr.Row():
            paint = gr.Button(
                "Paint the keyframes", size="sm", variant="primary", scale=4, elem_id=f"{self.name}-paint"
            )
            stop = gr.Button("Cancel", size="sm", min_width=80)
        with gr.Row():
            self.which = gr.Number(0, label="Keyframe at frame", precision=0, min_width=110)
            self.seed = gr.Number(-1, label="Its seed", precision=0, info="-1 draws a new one.", min_width=110)
        self.words = gr.Textbox(
            "", label="Its prompt", lines=2, info="Leave empty to use the prompt of the whole video."
        )
        with gr.Row():
            again = gr.Button("Repaint this one", size="sm", elem_id=f"{self.name}-again")
            drop = gr.Button("Drop it", size="sm", elem_id=f"{self.name}-drop")
        status, early = status_line(self.name, "keyframes"), early_picture()
        self.gallery = gr.Gallery(
            label="Keyframes", columns=4, height=260, elem_id=f"{self.name}-keyframes", object_fit="contain", buttons=[]
        )
        target = [self.shoot.settings["keyframes_file"], status]
        own.upload(
            form.wrap_handler(self._open_keyframes), [self.project, own], target, api_name=f"{self.name}_take_keyframes"
        )
        none.click(lambda: ("", "All keyframes will be painted again."), None, target, **PRIVATE)
        outputs = [status, early, self.gallery, self.painted]
        painting = self._event(paint, self._paint, {}, [], outputs, "paint_keyframes")
        one = {"painted": PaintedKeyframes, "keyframe": int, "keyframe_seed": int, "keyframe_prompt": str}
        which = [self.painted, self.which, self.seed, self.words]
        repainting = self._event(again, self._repaint, one, which, outputs, "paint_again")
        form.cancel_with(stop, [painting, repainting], status)
        dropping = drop.click(
            form.wrap_handler(self._drop), [self.painted, self.which], [status, self.gallery, self.painted],
            api_name=f"{self.name}_drop_keyframe",
        )  # fmt: skip
        self.steps_done += [painting, repainting, dropping]
        self.gallery.select(form.wrap_handler(self._choose), self.painted, [self.which, self.words], **PRIVATE)

    def _open_keyframes(self, project: Project, keyframes: str) -> tuple[str, str]:
        """Open keyframes from a zip of pictures named by frame, as every run writes it; missing ones will be painted."""
        if not keyframes:
            raise InputError("Choose a zip of keyframes, as every run writes it.")
        copy = shutil.copyfile(keyframes, project.file(Path(keyframes).name))
        return str(copy), f"Runs now use the keyframes in {Path(keyframes).name}."

    def _paint(self, project: Project, request: gr.Request, settings: I2V3DSettings, options: RunOptions):
        """Paint all keyframes again."""
        indices = settings.keyframes(len(project.ready()[1]))
        own = {index: words for index, words in zip(indices, settings.prompts(indices)) if words != settings.prompt}
        yield from self._painting(
            project, request, settings, options, PaintedKeyframes((), _NOTHING, own, _name_of(*project.ready()))
        )

    def _repaint(
        self, project: Project, request: gr.Request, painted: PaintedKeyframes | None, keyframe: int, keyframe_seed: int,
        keyframe_prompt: str, settings: I2V3DSettings, options: RunOptions,
    ):  # fmt: skip
        """Repaint one keyframe with its own prompt and seed; the others are unchanged."""
        painted = _require_keyframes(painted)
        index = painted.known(int(keyframe))
        prompts = {other: words for other, words in painted.prompts.items() if other != index}
        words = " ".join(keyframe_prompt.split())
        prompts |= {index: words} if words else {}
        seed = int(keyframe_seed) if keyframe_seed >= 0 else uuid.uuid4().int % 2**31
        wanted = replace(painted, prompts=prompts)
        file = project.file(f"others-{uuid.uuid4().hex[:8]}.zip")
        run = replace(wanted.settings(settings, file, again=index), seed=seed)
        yield from self._painting(project, request, run, options, wanted)

    def _painting(
        self,
        project: Project,
        request: gr.Request,
        settings: I2V3DSettings,
        options: RunOptions,
        wanted: PaintedKeyframes,
    ):
        """Updates while keyframes are painted; keeps the prompts and source of ``wanted``."""
        for step in self._run(project, request, replace(settings, make=KEYFRAMES), options):
            if isinstance(step, Progress):
                picture = gr.skip() if step.preview is None else gr.Image(step.preview, visible=True)
                yield progress_text(step), picture, gr.skip(), gr.skip()
            elif isinstance(step, Clip):
                indices = tuple(settings.keyframes(len(project.ready()[1])))
                painted = replace(wanted, indices=indices, pictures=step.frames)
                words = "  \n".join((f"{len(painted.indices)} keyframes; choose one to change it.", *step.notes))
                yield words, gr.Image(visible=False), _pictures(painted), painted

    def _drop(self, painted: PaintedKeyframes | None, keyframe: int):
        """Remove one keyframe, so that the video is interpolated between its neighbours."""
        painted = _require_keyframes(painted).without(_require_keyframes(painted).known(int(keyframe)))
        return f"Keyframes at {', '.join(map(str, painted.indices))}.", _pictures(painted), painted

    def _choose(self, painted: PaintedKeyframes | None, event: gr.EventData) -> tuple[int, str]:
        painted, (place,) = _require_keyframes(painted), read_event(event, index=whole)
        index = painted.indices[place % len(painted.indices)]
        return index, painted.prompts.get(index, "")

    # 3

    def _video(self) -> None:
        gr.Markdown("#### Video")
        with gr.Row():
            button = gr.Button(
                "Shoot between these keyframes", variant="primary", size="sm", scale=4, elem_id=f"{self.name}-between"
            )
            stop = gr.Button("Cancel", size="sm", min_width=80)
        status = status_line(self.name, "video")
        outputs = [*self.shoot.outputs, status]
        event = self._event(
            button, self._between, {"painted": PaintedKeyframes}, [self.painted], outputs, "shoot_between"
        )
        form.cancel_with(stop, [event], [status, self.shoot.status], ("Cancelled.", "Cancelled."))

    def _between(
        self,
        project: Project,
        request: gr.Request,
        painted: PaintedKeyframes | None,
        settings: I2V3DSettings,
        options: RunOptions,
    ):
        """Shoot the video between the current keyframes; the result appears where Shoot shows results."""
        painted, (scene, path) = _require_keyframes(painted), project.ready()
        file = project.file(f"keyframes-{uuid.uuid4().hex[:8]}.zip")
        settings = replace(painted.settings(settings, file), make=VIDEO)
        notes = (_MOVED,) if painted.along and painted.along != _name_of(scene, path) else ()
        for update in self.shoot.shooting(
            project, request, Shot(self.shoot.method, scene, path, settings, options), notes=notes
        ):
            shown = update[-1]  # the video's file, once there is one
            yield *update, update[0] if isinstance(shown, dict) else f"{_ABOVE}  \n{update[0]}"

    def _run(
        self, project: Project, request: gr.Request, settings: I2V3DSettings, options: RunOptions
    ) -> Iterator[Any]:
        return pipelines.generate(
            Shot(self.shoot.method, *project.ready(), settings, options), headers=dict(request.headers)
        )


_NOTHING = np.zeros((0, 1, 1, 3), np.uint8)
_MOVED = "**The scene or path changed after these keyframes were painted**, so they may not fit; paint them again."
_ABOVE = "**The video is above**, where *Shoot* shows its results."


def _require_keyframes(painted: PaintedKeyframes | None) -> PaintedKeyframes:
    if painted is None:
        raise InputError("There are no keyframes yet; paint them first.")
    return painted


def _settings_bytes(training: SubjectSettings | None) -> bytes | None:
    return json.dumps(training.values()).encode() if training else None


def _read(data: bytes | None) -> SubjectSettings | None:
    if data is None:
        return None
    with reading("The project's subject training settings are damaged."):
        return filter_values(SubjectSettings, json.loads(data))[0]


def _pictures(painted: PaintedKeyframes) -> gr.Gallery:
    return gr.Gallery([(picture, f"Frame {index}") for index, picture in zip(painted.indices, painted.pictures)])


def _name_of(scene: Scene, path: CameraPath) -> str:
    return short_hash(scene_sha256(scene), path.values())
