"""Shoot the path with the method: settings, what it will need, progress, early frames, result."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import gradio as gr
from gradio.events import Dependency

import pipelines
from camera import formats
from camera.errors import InputError
from camera.view import Scene
from pipelines.media.concat import Begun
from pipelines.media.video import read_video
from pipelines.method import Clip, Method, Progress
from pipelines.options import RunOptions
from pipelines.results.embedded_scene import carrying
from pipelines.results.record import Record, frames_zip, record, restore, save
from pipelines.settings import Settings
from pipelines.shot import Shot
from tabs.browser.players import clips, players
from tabs.evaluation.take_view import take_view
from tabs.parts import form
from tabs.parts.send_to_scene import lift_button
from tabs.parts.session import Take

_A_MOMENT = "told => new Promise(done => setTimeout(() => done(told || 'Working out what this shot needs …'), 1500))"
"""What a run needs is told when the first pictures are there: the first time takes torch's import."""


class Shoot:
    """The settings of one tab's run, and the screen that shows what came of it."""

    def __init__(self, method: Method, take: gr.State) -> None:
        self.method, self.take = method, take

    def controls(self, beneath: Mapping[str, Callable[[], None]] | None = None) -> None:
        """Places the settings and the button; ``beneath`` places more below the settings of these names."""
        settings = self.method.settings
        gr.Markdown("### 3 · Shoot")
        components: form.Components = {}
        names, beneath = form.basic(settings), beneath or {}
        while names:
            last = next((i for i, name in enumerate(names) if name in beneath), len(names) - 1)
            with gr.Group():
                components |= form.controls(settings, names[: last + 1])
            if names[last] in beneath:
                beneath[names[last]]()
            names = names[last + 1 :]
        with gr.Accordion("Finer settings", open=False):
            components |= form.controls(settings, form.advanced(settings))
        with gr.Group():
            options = form.controls(RunOptions, form.basic(RunOptions))
        with gr.Accordion("Memory and speed", open=False):
            options |= form.controls(RunOptions, form.advanced(RunOptions))
        self.settings = {name: components[name] for name in settings.controls()}
        self.options = {name: options[name] for name in RunOptions.controls()}
        self.need = gr.Markdown(elem_classes="told")
        with gr.Row():
            self.start = gr.Button(
                f"Shoot with {self.method.title}", variant="primary", elem_id=f"{self.method.name}-shoot", scale=2
            )
            self.stop = gr.Button("Cancel", min_width=80)

    def screen(self, drawn: Sequence[Dependency]) -> None:
        """Places the result and connects the button; after each event of ``drawn`` there may be another path."""
        name = self.method.name
        self.status = gr.Markdown(elem_classes="told", elem_id=f"{name}-status")
        self.early = gr.Image(label="Early frame", visible=False, height=200, interactive=False)
        self.players = players(f"{name}-result")
        self.files = gr.File(
            label="Files", file_count="multiple", visible=False, interactive=False, elem_id=f"{name}-files"
        )
        self.shot = gr.State()
        with gr.Row():
            self.archive = gr.Button("Frames and cameras as a zip", size="sm", visible=False, elem_id=f"{name}-archive")
            lift_button(name, self.shot)
        take_view(name, self.shot, f"{name}-result")
        self.frames = gr.File(label="Frames and cameras", visible=False, interactive=False, elem_id=f"{name}-frames")
        self.outputs = [self.status, self.early, self.players, self.files, self.archive, self.shot]
        self._connect(drawn)

    def _connect(self, drawn: Sequence[Dependency]) -> None:
        name, kinds = self.method.name, (self.method.settings, RunOptions)
        changing = [*self.settings.values(), *self.options.values()]
        inputs = [self.take, *changing]
        running = self.start.click(
            form.handler(self._run, *kinds, before={"take": Take, "request": gr.Request}, name=f"{name}_shoot"), inputs,
            self.outputs, api_name=f"{name}_shoot", show_progress="hidden", **form.SHOOTS,
        )  # fmt: skip
        form.cancelled_by(self.stop, [running], self.status)
        self.archive.click(form.said(self._archive), self.shot, self.frames, api_name=f"{name}_frames")
        forecast = form.handler(self._forecast, *kinds, before={"take": Take}, name=f"{name}_forecast")
        quietly = {"queue": False, "show_progress": "hidden", "trigger_mode": "always_last"}
        changes = [component.change for component in changing]  # type: ignore[attr-defined]
        gr.on(changes, forecast, inputs, self.need, api_name=f"{name}_forecast", **quietly)
        for event in drawn:
            event.success(None, self.need, self.need, js=_A_MOMENT, api_visibility="private").success(
                forecast, inputs, self.need, api_visibility="private", **quietly
            )

    def _archive(self, shot: str | None):
        """Frames of the last result as PNG, with its cameras in every format."""
        if not shot:
            raise InputError("Shoot something first, then its frames can be packed.")
        made, video = restore(shot), Path(shot)
        frames, fps = read_video(video)
        path = made.path.sliced(slice(0, len(frames)))  # a cancelled shot has fewer than it was planned with
        packed = frames_zip(video.with_suffix(".zip"), Clip(frames, fps, path), formats.write_all(path))
        return gr.File(str(packed), visible=True)

    def _forecast(self, take: Take, settings: Settings, options: RunOptions) -> str:
        """What a run would need: memory, time, quota; what would fit where it does not; what these settings ask too much of."""
        if take.path is None:
            return ""
        shot = Shot(self.method, *take.ready(), settings, options)
        told = pipelines.forecast(shot)
        try:
            usual = replace(shot, settings=self.method.settings()).check()
            new = [warning for warning in shot.check() if warning not in usual]
        except InputError as error:  # no toast while somebody still moves a slider
            return str(error)
        return "  \n".join([told.refusal or told.words, *(f"Note: {warning}" for warning in new)])

    def _run(self, take: Take, request: gr.Request, settings: Settings, options: RunOptions):
        """Shoot the current path with this method; returns the videos and the files beside them."""
        yield from self.shooting(take, request, Shot(self.method, *take.ready(), settings, options))

    def shooting(
        self,
        take: Take,
        request: gr.Request,
        shot: Shot,
        *,
        begun: Begun | None = None,
        notes: tuple[str, ...] = (),
    ):
        """Updates of `outputs` while ``shot`` is shot, saved in ``begun`` if given; ``notes`` join the clip's own."""
        name = self.new_name()
        clip: Clip | None = None
        for step in pipelines.generate(shot, headers=dict(request.headers)):
            if isinstance(step, Progress):
                picture = gr.skip() if step.preview is None else gr.Image(step.preview, visible=True)
                yield _words(step), picture, *[gr.skip()] * 4
                continue
            report = None if isinstance(step, Clip) else step
            clip = step if isinstance(step, Clip) else clip
            assert clip is not None, "a report comes after its clip"
            made = record(shot, moves=take.moves, report=report)
            words = "Saved, still running." if report is None else report.sentence()
            words += "".join(f"  \n{note}" for note in (*_weights_note(shot.options), *notes, *clip.notes))
            yield words, *self.result(take, name, shot.scene, clip, made, begun=begun)

    def new_name(self) -> str:
        return f"{self.method.name}-{uuid.uuid4().hex[:8]}"

    def result(
        self, take: Take, name: str, scene: Scene | None, clip: Clip, made: Record, *, begun: Begun | None = None
    ) -> tuple:
        """Updates of all `outputs` but the status, with ``clip`` saved under ``name``; see `pipelines.results.record.save`."""
        carries = carrying(clip, scene, goes_on=self.method.goes_on is not None) if scene else b""
        saved = save(take.folder, name, clip, made, carries=carries, begun=begun)
        videos = {self.method.title: saved.video, **saved.companions}
        files = [str(file) for file in (saved.video, saved.sidecar, *saved.companions.values(), *saved.files.values())]
        shown = clips(videos, clip.fps), gr.File(files, visible=True), gr.Button(visible=True)
        return gr.Image(visible=False), *shown, str(saved.video)


def _words(step: Progress) -> str:
    count = f" {step.step} of {step.steps}" if step.steps > 1 else ""
    left = f" · {step.seconds_left:.0f} s left" if step.seconds_left else ""
    return f"**{step.phase}**{count}{left}" + (f" · {step.note}" if step.note else "")


def _weights_note(options: RunOptions) -> tuple[str, ...]:
    if options.weights == "real":
        return ()
    return (
        f"**Made with {options.weights} random weights: noise, not a picture.** Choose real weights for a picture.",
    )
