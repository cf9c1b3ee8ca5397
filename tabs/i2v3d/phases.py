"""I2V3D's phases as separate steps: render the coarse scene, train or upload a subject LoRA, paint and edit keyframes, shoot."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
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
from pipelines.environment import on_zerogpu
from pipelines.media.video import write_mp4
from pipelines.method import Clip, Progress
from pipelines.methods.i2v3d.keyframes.files import PAINTED, TAUGHT, Painted, read_kept
from pipelines.methods.i2v3d.method import KEYFRAMES, RENDERS, VIDEO, I2V3DSettings
from pipelines.methods.i2v3d.subject.settings import RESUMABLE, SubjectSettings
from pipelines.options import RunOptions
from pipelines.results.record import filter_values, scene_sha256
from pipelines.shot import Shot
from pipelines.training import Learnt, Trained
from tabs.browser.players import clips, players
from tabs.parts import form
from tabs.parts.loss_curve import CANCELLED, SHOWN_EVERY, loss_curve
from tabs.parts.shoot import Shoot
from tabs.project.project import Project
from tabs.shared.studio import signal


class Steps:
    """The section of one tab."""

    def __init__(self, shoot: Shoot, project: gr.State) -> None:
        self.shoot, self.project, self.name = shoot, project, shoot.method.name
        self.painted, self.taught = gr.State(), gr.State()
        self.teaching: form.Components = {}
        self.steps_done: list[Dependency] = []

    def controls(self) -> None:
        """Place the section; the state ``painted`` holds the keyframes, ``taught`` the settings of the last subject training."""
        with gr.Accordion("Step by step", open=False, elem_id=f"{self.name}-steps"):
            gr.Markdown(
                "*Shoot* goes straight through. Here each phase runs alone, shows what it made and lets you change it; settings "
                "are those under *Shoot*.",
                padding=True,
            )
            self._scene()
            self._subject()
            self._keyframes()
            self._video()

    def remember(self, showing: Dependency) -> None:
        """Keyframes and teaching go into the project, so that they are undone, saved and kept with it, and come back from it with
        the event ``showing``. They are put there when a step is done: what was edited while it ran stays."""
        studio, name = self.shoot.studio, self.name

        def put(project: Project, painted: Painted | None, taught: SubjectSettings | None):
            made = {PAINTED: painted.to_keep() if painted else None, TAUGHT: _written(taught)}
            changed = project.with_kept("change the keyframes or the subject", made)
            return changed, signal() if changed is not project else gr.skip()

        def get(project: Project):
            kept = project.content.kept_by(name)
            return read_kept(kept[PAINTED]) if PAINTED in kept else None, _read(kept.get(TAUGHT))

        for done in self.steps_done:
            done.success(
                form.wrap_handler(put, name),
                [self.project, self.painted, self.taught],
                [self.project, studio.edited],
                **_PRIVATE,
            )
        self.restore(showing.then(form.wrap_handler(get, name), self.project, [self.painted, self.taught], **_PRIVATE))

    def restore(self, opened: Dependency) -> None:
        """Connect ``opened``, the event of an opened project, to show its keyframes and training settings."""

        def shown(painted: Painted | None, taught: SubjectSettings | None):
            values = [getattr(taught, name) if taught else gr.skip() for name in self.teaching]
            return _pictures(painted) if painted else gr.Gallery([]), *values

        opened.success(shown, [self.painted, self.taught], [self.gallery, *self.teaching.values()], **_PRIVATE)

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

    def _status(self, section: str) -> gr.Markdown:
        """Place a section's status line beside its buttons."""
        return gr.Markdown(elem_classes="status", elem_id=f"{self.name}-{section}-status")

    def _early(self) -> gr.Image:
        return gr.Image(label="Early picture", visible=False, height=200, interactive=False)

    # 1

    def _scene(self) -> None:
        gr.Markdown("#### Scene")
        with gr.Row():
            button = gr.Button("Render the coarse scene", size="sm", scale=4, elem_id=f"{self.name}-render-scene")
            stop = gr.Button("Cancel", size="sm", min_width=80)
        status = self._status("scene")
        shown = players(f"{self.name}-renders")
        event = self._event(button, self._render, {}, [], [status, shown], "render_scene")
        form.cancel_with(stop, [event], status)

    def _render(self, project: Project, request: gr.Request, settings: I2V3DSettings, options: RunOptions):
        """Render the coarse scene along the path: colour, depth, foreground, what is visible, normals."""
        for step in self._run(project, request, replace(settings, make=RENDERS), options):
            if isinstance(step, Progress):
                yield _words(step), gr.skip()
            elif isinstance(step, Clip):
                stem = uuid.uuid4().hex[:8]
                videos = {
                    title: write_mp4(project.file(f"scene-{stem}-{title}.mp4"), frames, step.fps, speed="preview")
                    for title, frames in step.extras.items()
                }
                words = "  \n".join(("The coarse scene, as both networks are shown it.", *step.notes))
                yield words, clips(videos, step.fps)

    # 2

    def _subject(self) -> None:
        gr.Markdown("#### Subject")
        with gr.Row():
            ready = gr.UploadButton("Use a ready LoRA", file_types=[".safetensors"], size="sm")
            none = gr.Button("Use no LoRA", size="sm")
        worn = [self.shoot.settings["lora_file"], self._status("subject")]
        ready.upload(form.wrap_handler(self._use_lora), [self.project, ready], worn, api_name=f"{self.name}_take_lora")
        none.click(lambda: ("", "No LoRA is worn."), None, worn, **_PRIVATE)
        with gr.Accordion("Learn it from the picture and views of its 3D", open=False):
            if on_zerogpu():
                gr.Markdown(
                    "**Not on this Space:** a training needs a GPU of its own for most of an hour.", padding=True
                )
                return
            with gr.Group():
                controls = form.controls(SubjectSettings, form.basic_names(SubjectSettings))
            with gr.Accordion("Finer training settings", open=False):
                controls |= form.controls(SubjectSettings, form.advanced_names(SubjectSettings))
            self.teaching = controls
            with gr.Row():
                start = gr.Button("Learn the subject", variant="primary", size="sm", elem_id=f"{self.name}-learn")
                stop = gr.Button("Cancel", size="sm")
            status, early = self._status("learning"), self._early()
            curve = gr.HTML(elem_id=f"{self.name}-loss")
            file = gr.File(label="LoRA", file_count="multiple", visible=False, interactive=False, height=70)
        handler = form.handler(
            self._learn, SubjectSettings, name=f"{self.name}_train", method=self.name,
            before={"project": Project, "weights": str, "foreground": str, "foreground_reach": float},
        )  # fmt: skip
        options, settings = self.shoot.options, self.shoot.settings
        running = start.click(
            handler, [self.project, options["weights"], settings["foreground"], settings["foreground_reach"],
                      *(controls[name] for name in SubjectSettings.controls())],
            [status, early, curve, file, settings["lora_file"], self.taught], api_name=f"{self.name}_train",
            show_progress="hidden", **form.TRAINS,
        )  # fmt: skip
        form.cancel_with(stop, [running], status, CANCELLED)
        self.steps_done.append(running)

    def _use_lora(self, project: Project, lora: str) -> tuple[str, str]:
        """Use a subject LoRA that was trained here or elsewhere."""
        if not lora:
            raise InputError("Choose a LoRA file (.safetensors).")
        kept = shutil.copyfile(lora, project.file(Path(lora).name))
        return str(kept), f"{Path(lora).name} is worn from now on."

    def _learn(
        self, project: Project, weights: str, foreground: str, foreground_reach: float, subject: SubjectSettings
    ):
        """Learn the subject as a LoRA from the picture and masked views of its 3D; begun again, it goes on."""
        from pipelines.runtime.training.job import run_training

        scene, _ = project.ready()
        digest = _digest(subject, foreground, foreground_reach, weights, scene_sha256(scene))
        folder = project.file(f"subject-{digest}")
        view = I2V3DSettings(foreground=foreground, foreground_reach=foreground_reach)

        def train(weights: Any) -> Iterator[Any]:
            from pipelines.methods.i2v3d.subject.data import render_views
            from pipelines.methods.i2v3d.subject.train import train as learn

            yield Progress("Rendering views of the subject", 0, 1)
            views = render_views(scene, view, subject.resolution) if subject.view_weight else None
            yield from learn(scene.first.colour, views, subject, weights, folder)

        losses: list[float] = []
        told = 0.0
        for step in run_training(train, mode=weights, gigabytes=subject.gigabytes):  # type: ignore[arg-type]
            if isinstance(step, Trained):
                words = f"**Learnt**, loss {step.loss:.4f}. The keyframes wear it from now on."
                stem = f"subject-{uuid.uuid4().hex[:8]}"
                kept = str(shutil.copyfile(step.file, project.file(f"{stem}.safetensors")))
                others = [
                    str(shutil.copyfile(other, project.file(f"{stem}-kohya.safetensors"))) for other in step.further
                ]
                yield words, gr.skip(), loss_curve(losses), gr.File([kept, *others], visible=True), kept, subject
                continue
            losses += [step.loss] if isinstance(step, Learnt) else []
            picture = gr.skip() if step.preview is None else gr.Image(step.preview, visible=True)
            if time.monotonic() - told > SHOWN_EVERY or step.preview is not None:
                told = time.monotonic()
                yield _words(step), picture, loss_curve(losses), gr.skip(), gr.skip(), subject

    # 3

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
        self.words = gr.Textbox("", label="Its prompt", lines=2, info="Empty takes the one of the whole video.")
        with gr.Row():
            again = gr.Button("Paint this one again", size="sm", elem_id=f"{self.name}-again")
            drop = gr.Button("Drop it", size="sm", elem_id=f"{self.name}-drop")
        status, early = self._status("keyframes"), self._early()
        self.gallery = gr.Gallery(
            label="Keyframes", columns=4, height=260, elem_id=f"{self.name}-keyframes", object_fit="contain", buttons=[]
        )
        target = [self.shoot.settings["keyframes_file"], status]
        own.upload(
            form.wrap_handler(self._open_keyframes), [self.project, own], target, api_name=f"{self.name}_take_keyframes"
        )
        none.click(lambda: ("", "All keyframes are painted anew."), None, target, **_PRIVATE)
        outputs = [status, early, self.gallery, self.painted]
        painting = self._event(paint, self._paint, {}, [], outputs, "paint_keyframes")
        one = {"painted": Painted, "keyframe": int, "keyframe_seed": int, "keyframe_prompt": str}
        which = [self.painted, self.which, self.seed, self.words]
        repainting = self._event(again, self._repaint, one, which, outputs, "paint_again")
        form.cancel_with(stop, [painting, repainting], status)
        dropping = drop.click(
            form.wrap_handler(self._drop), [self.painted, self.which], [status, self.gallery, self.painted],
            api_name=f"{self.name}_drop_keyframe",
        )  # fmt: skip
        self.steps_done += [painting, repainting, dropping]
        self.gallery.select(self._choose, self.painted, [self.which, self.words], **_PRIVATE)

    def _open_keyframes(self, project: Project, keyframes: str) -> tuple[str, str]:
        """Open keyframes from a zip of pictures named by frame, as every run writes it; missing ones are painted."""
        if not keyframes:
            raise InputError("Choose a zip of keyframes, as every run hands out.")
        kept = shutil.copyfile(keyframes, project.file(Path(keyframes).name))
        return str(kept), f"The keyframes in {Path(keyframes).name} are taken from now on."

    def _paint(self, project: Project, request: gr.Request, settings: I2V3DSettings, options: RunOptions):
        """Paint every keyframe anew."""
        indices = settings.keyframes(len(project.ready()[1]))
        own = {index: words for index, words in zip(indices, settings.prompts(indices)) if words != settings.prompt}
        yield from self._painting(
            project, request, settings, options, Painted((), _NOTHING, own, _name_of(*project.ready()))
        )

    def _repaint(
        self, project: Project, request: gr.Request, painted: Painted | None, keyframe: int, keyframe_seed: int,
        keyframe_prompt: str, settings: I2V3DSettings, options: RunOptions,
    ):  # fmt: skip
        """Repaint one keyframe with its own prompt and seed; the others stay."""
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
        self, project: Project, request: gr.Request, settings: I2V3DSettings, options: RunOptions, wanted: Painted
    ):
        """Updates while keyframes are painted; prompts and source of ``wanted`` are kept."""
        for step in self._run(project, request, replace(settings, make=KEYFRAMES), options):
            if isinstance(step, Progress):
                picture = gr.skip() if step.preview is None else gr.Image(step.preview, visible=True)
                yield _words(step), picture, gr.skip(), gr.skip()
            elif isinstance(step, Clip):
                indices = tuple(settings.keyframes(len(project.ready()[1])))
                painted = replace(wanted, indices=indices, pictures=step.frames)
                words = "  \n".join((f"{len(painted.indices)} keyframes; choose one to change it.", *step.notes))
                yield words, gr.Image(visible=False), _pictures(painted), painted

    def _drop(self, painted: Painted | None, keyframe: int):
        """Remove one keyframe, so that the video is interpolated between its neighbours."""
        painted = _require_keyframes(painted).without(_require_keyframes(painted).known(int(keyframe)))
        return f"Keyframes at {', '.join(map(str, painted.indices))}.", _pictures(painted), painted

    def _choose(self, painted: Painted, event: gr.SelectData) -> tuple[int, str]:
        index = painted.indices[event.index]
        return index, painted.prompts.get(index, "")

    # 4

    def _video(self) -> None:
        gr.Markdown("#### Video")
        with gr.Row():
            button = gr.Button(
                "Shoot between these keyframes", variant="primary", size="sm", scale=4, elem_id=f"{self.name}-between"
            )
            stop = gr.Button("Cancel", size="sm", min_width=80)
        status = self._status("video")
        outputs = [*self.shoot.outputs, status]
        event = self._event(button, self._between, {"painted": Painted}, [self.painted], outputs, "shoot_between")
        form.cancel_with(stop, [event], [status, self.shoot.status], ("Cancelled.", "Cancelled."))

    def _between(
        self,
        project: Project,
        request: gr.Request,
        painted: Painted | None,
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
_MOVED = "**Scene or path changed since these keyframes were painted**, so they may not fit it; paint them anew."
_ABOVE = "**The video is above**, where *Shoot* shows its own."
_PRIVATE = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}


def _require_keyframes(painted: Painted | None) -> Painted:
    if painted is None:
        raise InputError("There are no keyframes yet; paint them first.")
    return painted


def _written(taught: SubjectSettings | None) -> bytes | None:
    return json.dumps(taught.values()).encode() if taught else None


def _read(kept: bytes | None) -> SubjectSettings | None:
    if kept is None:
        return None
    with reading("What the project says of the subject's training is damaged."):
        return filter_values(SubjectSettings, json.loads(kept))[0]


def _pictures(painted: Painted) -> gr.Gallery:
    return gr.Gallery([(picture, f"Frame {index}") for index, picture in zip(painted.indices, painted.pictures)])


def _words(step: Progress) -> str:
    count = f" {step.step} of {step.steps}" if step.steps > 1 else ""
    left = f" · {step.seconds_left:.0f} s left" if step.seconds_left else ""
    return f"**{step.phase}**{count}{left}" + (f" · {step.note}" if step.note else "")


def _name_of(scene: Scene, path: CameraPath) -> str:
    return _hash(scene_sha256(scene), path.values())


def _digest(subject: SubjectSettings, *more: Any) -> str:
    """An identifier of a training; settings that prevent resuming change it."""
    values = {name: value for name, value in subject.values().items() if name not in RESUMABLE}
    return _hash(sorted(values.items()), more)


def _hash(*values: Any) -> str:
    return hashlib.sha256(repr(values).encode()).hexdigest()[:12]
