"""Shoot the path with the method: settings, forecast, progress, preview frames, result."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import gradio as gr
from gradio.events import Dependency

import pipelines
from camera import formats
from camera.errors import InputError
from camera.view import Scene
from pipelines.media.concat import VideoPrefix
from pipelines.media.video import read_video
from pipelines.method import Clip, Method, Progress
from pipelines.options import RunOptions
from pipelines.results.embedded_scene import scene_to_embed
from pipelines.results.record import Record, frames_zip, record, restore, save
from pipelines.settings import Settings
from pipelines.shot import Shot
from tabs.browser.players import clips, players
from tabs.evaluation.take_view import take_view
from tabs.parts import form
from tabs.parts.send_to_scene import scene_button
from tabs.project.project import Project
from tabs.shared.studio import Studio, signal

_A_MOMENT = "words => new Promise(done => setTimeout(() => done(words || 'Estimating what this shot needs …'), 1500))"
"""Delays the forecast until after the first pictures, because its first call imports torch."""


class Shoot:
    """The settings of one tab's run, the bar that starts and stops it, and the section that shows its result."""

    def __init__(self, method: Method, studio: Studio) -> None:
        self.method, self.studio, self.project = method, studio, studio.project

    def controls(self, settings: form.Components, options: form.Components) -> None:
        """Store the placed controls, and place the bar, which stays visible."""
        name = self.method.name
        self.settings = {key: settings[key] for key in self.method.settings.controls()}
        self.options = {key: options[key] for key in RunOptions.controls()}
        with gr.Row(elem_classes="shoot-bar", elem_id=f"{name}-bar"):
            with gr.Column(scale=5, min_width=160):
                self.status = gr.Markdown(elem_classes="status", elem_id=f"{name}-status")
                self.need = gr.Markdown(elem_classes="status", elem_id=f"{name}-need")
            self.start = gr.Button(
                f"Shoot with {self.method.title}", variant="primary", elem_id=f"{name}-shoot", scale=2, min_width=150
            )
            self.stop = gr.Button("Cancel", min_width=80, scale=1, elem_id=f"{name}-cancel")

    def screen(self, stage: gr.HTML, followed: Sequence[str] = ()) -> None:
        """Place the result and connect the button; ``stage`` shows the move. Updates that depend on the settings ``followed``
        run after the event ``stored``, when the settings are in the project."""
        name = self.method.name
        self.early = gr.Image(label="Early frame", visible=False, height=200, interactive=False)
        self.players = players(f"{name}-result")
        self.files = gr.File(
            label="Files", file_count="multiple", visible=False, interactive=False, elem_id=f"{name}-files"
        )
        self.shot = gr.State()
        with gr.Row():
            self.archive = gr.Button("Frames and cameras as a zip", size="sm", visible=False, elem_id=f"{name}-archive")
            scene_button(name, self.shot)
        take_view(name, self.shot, f"{name}-result", self.project, stage)
        self.frames = gr.File(label="Frames and cameras", visible=False, interactive=False, elem_id=f"{name}-frames")
        self.outputs = [self.status, self.early, self.players, self.files, self.archive, self.shot]
        self._connect(followed)

    def _connect(self, followed: Sequence[str]) -> None:
        name, kinds = self.method.name, (self.method.settings, RunOptions)
        changing = [*self.settings.values(), *self.options.values()]
        inputs = [self.project, *changing]
        before = {"project": Project}
        running = self.start.click(
            form.handler(self._run, *kinds, before={**before, "request": gr.Request}, name=f"{name}_shoot", method=name),
            inputs, self.outputs, api_name=f"{name}_shoot", show_progress="hidden", **form.SHOOTS,
        )  # fmt: skip
        form.cancel_with(self.stop, [running], self.status)
        self.archive.click(form.wrap_handler(self._archive), self.shot, self.frames, api_name=f"{name}_frames")
        forecast = form.handler(self._forecast, *kinds, before=before, name=f"{name}_forecast", method=name)
        record = form.handler(self._set, *kinds, before=before, name=f"{name}_set_settings", method=name)
        quietly = {"queue": False, "show_progress": "hidden", "trigger_mode": "always_last"}
        self.studio.api.click(forecast, inputs, self.need, api_name=f"{name}_forecast", **quietly)
        settings = self.settings | self.options

        def store(names: Iterable[str]) -> Dependency:
            changes = [settings[key].change for key in names]  # type: ignore[attr-defined]
            outputs = [self.project, self.need, self.studio.edited]
            return gr.on(changes, record, inputs, outputs, api_visibility="private", **quietly)

        store([key for key in settings if key not in followed])
        self.stored = store(followed) if followed else None
        self.studio.drawn[name].change(None, self.need, self.need, js=_A_MOMENT, api_visibility="private").success(
            forecast, inputs, self.need, api_visibility="private", **quietly
        )

    def _set(self, project: Project, settings: Settings, options: RunOptions):
        changed = project.with_settings(settings, options)
        edited = signal() if changed is not project else gr.skip()
        return changed, self._forecast(project, settings, options), edited

    def _archive(self, shot: str | None):
        """Frames of the last result as PNG, with its cameras in every format."""
        if not shot:
            raise InputError("Shoot something first; then you can pack its frames.")
        made, video = restore(shot), Path(shot)
        frames, fps = read_video(video)
        path = made.path.sliced(slice(0, len(frames)))  # a cancelled shot has fewer frames than planned
        packed = frames_zip(video.with_suffix(".zip"), Clip(frames, fps, path), formats.write_all(path))
        return gr.File(str(packed), visible=True)

    def _forecast(self, project: Project, settings: Settings, options: RunOptions) -> str:
        """Forecast of a run: memory, time, quota; what would fit if it does not; which settings need too much."""
        if project.path is None:
            return ""
        shot = Shot(self.method, *project.ready(), settings, options)
        needs = pipelines.forecast(shot)
        try:
            usual = replace(shot, settings=self.method.settings()).check()
            new = [warning for warning in shot.check() if warning not in usual]
        except InputError as error:  # no toast while a slider is being moved
            return str(error)
        return "  \n".join([needs.refusal or needs.words, *(f"Note: {warning}" for warning in new)])

    def _run(self, project: Project, request: gr.Request, settings: Settings, options: RunOptions):
        """Shoot the current path with this method; returns the videos and the files beside them."""
        yield from self.shooting(project, request, Shot(self.method, *project.ready(), settings, options))

    def shooting(
        self,
        project: Project,
        request: gr.Request,
        shot: Shot,
        *,
        begun: VideoPrefix | None = None,
        notes: tuple[str, ...] = (),
    ):
        """Updates of `outputs` while ``shot`` runs; its file continues ``begun``, if given; ``notes`` are added to the clip's own."""
        name = self.new_name()
        clip: Clip | None = None
        for step in pipelines.generate(shot, headers=dict(request.headers)):
            if isinstance(step, Progress):
                picture = gr.skip() if step.preview is None else gr.Image(step.preview, visible=True)
                yield _progress_text(step), picture, *[gr.skip()] * 4
                continue
            report = None if isinstance(step, Clip) else step
            clip = step if isinstance(step, Clip) else clip
            assert clip is not None, "a report comes after its clip"
            made = record(shot, moves=project.moves, report=report)
            words = "Saved; still running." if report is None else report.sentence()
            words += f" [See the result](#{self.method.name}-result)"
            words += "".join(f"  \n{note}" for note in (*_weights_note(shot.options), *notes, *clip.notes))
            yield words, *self.result(project, name, shot.scene, clip, made, begun=begun)

    def new_name(self) -> str:
        return f"{self.method.name}-{uuid.uuid4().hex[:8]}"

    def result(
        self,
        project: Project,
        name: str,
        scene: Scene | None,
        clip: Clip,
        made: Record,
        *,
        begun: VideoPrefix | None = None,
    ) -> tuple:
        """Updates of all `outputs` but the status, with ``clip`` saved under ``name``; see `pipelines.results.record.save`."""
        carries = scene_to_embed(clip, scene, goes_on=self.method.goes_on is not None) if scene else b""
        saved = save(project.folder, name, clip, made, carries=carries, begun=begun)
        videos = {self.method.title: saved.video, **saved.companions}
        files = [str(file) for file in (saved.video, saved.sidecar, *saved.companions.values(), *saved.files.values())]
        noise = noise_among(videos, self.method, made)
        shown = clips(videos, clip.fps, noise=noise), gr.File(files, visible=True), gr.Button(visible=True)
        return gr.Image(visible=False), *shown, str(saved.video)


def noise_among(videos: Iterable[str], method: Method, made: Record) -> list[str]:
    """Labels of a result's videos that were made by random weights: all except renders of the scene."""
    if made.weights == "real":
        return []
    renders = {*method.rendered, *([method.title] if made.settings.get("make") in method.rendered else [])}
    return [label for label in videos if label not in renders]


def _progress_text(step: Progress) -> str:
    count = f" {step.step} of {step.steps}" if step.steps > 1 else ""
    left = f" · {step.seconds_left:.0f} s left" if step.seconds_left else ""
    return f"**{step.phase}**{count}{left}" + (f" · {step.note}" if step.note else "")


def _weights_note(options: RunOptions) -> tuple[str, ...]:
    if options.weights == "real":
        return ()
    return (
        f"**Made with {options.weights} random weights: noise, not a picture.** Choose real weights for a picture.",
    )
