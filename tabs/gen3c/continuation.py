"""Controls below a result: extend it by a chunk, remove the last chunk, reopen a result from its file."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from camera.errors import InputError
from camera.view import Scene
from pipelines.media.concat import VideoPrefix
from pipelines.method import Clip
from pipelines.methods.gen3c.continuation import chunk_of, continue_shot, read_shot, take_back
from pipelines.options import RunOptions
from pipelines.results.embedded_scene import read_embedded_scene
from pipelines.results.record import Record, restore, scene_sha256
from pipelines.settings import Settings
from pipelines.shot import Shot
from tabs.browser.players import clips
from tabs.parts import form
from tabs.parts.shoot import Shoot, noise_among
from tabs.project.project import Project

DRAWN, AGAIN = "the move drawn above", "the last chunk's move again"
HELP = (
    "Continuing adds one chunk (120 frames, or as many as a shorter video has), shot with the current settings and starting "
    "at the video's last camera. A cancelled video first continues along its own path to the end; over a clip, the "
    "clip's own camera moves on."
)


class Extend:
    """The controls below a result; ``shoot``: the section that they update."""

    def __init__(self, shoot: Shoot) -> None:
        self.shoot, self.project, self.name = shoot, shoot.project, shoot.method.name

    def controls(self) -> None:
        """Place the controls, hidden until there is a result."""
        with gr.Column(visible=False, elem_id=f"{self.name}-extend") as place:
            self._place()
        self.shoot.shot.change(
            lambda shot: gr.Column(visible=bool(shot)), self.shoot.shot, place, api_visibility="private", queue=False,
            show_progress="hidden",
        )  # fmt: skip

    def _place(self) -> None:
        with gr.Row():
            with_what = gr.Dropdown([DRAWN, AGAIN], value=DRAWN, label="Continue with", min_width=200)
            on = gr.Button("Continue from here", variant="primary", min_width=140, elem_id=f"{self.name}-go-on")
            back = gr.Button("Remove the last chunk", min_width=140, elem_id=f"{self.name}-take-back")
        gr.Markdown(HELP, elem_classes="status")
        shoot, kinds = self.shoot, (self.shoot.method.settings, RunOptions)
        before = {"project": Project, "request": gr.Request, "shot": str, "go_on_with": str}
        going = on.click(
            form.handler(self._go_on, *kinds, before=before, name=f"{self.name}_go_on", method=self.name),
            [self.project, shoot.shot, with_what, *shoot.settings.values(), *shoot.options.values()],
            shoot.outputs, api_name=f"{self.name}_go_on", show_progress="hidden", **form.SHOOTS,
        )  # fmt: skip
        shoot.stop.click(None, cancels=[going], api_visibility="private")
        back.click(
            form.wrap_handler(self._take_back, self.name), [self.project, shoot.shot], shoot.outputs, api_name=f"{self.name}_take_back",
            show_progress="hidden",
        )  # fmt: skip

    def reopens(self, dropped: gr.File) -> None:
        """Connect the controls with the field ``dropped``, whose file becomes the result to extend."""
        dropped.upload(
            form.wrap_handler(self._reopen, self.name), [self.project, dropped], self.shoot.outputs, api_name=f"{self.name}_reopen",
            show_progress="hidden",
        )  # fmt: skip

    def _go_on(
        self, project: Project, request: gr.Request, shot: str, go_on_with: str, settings: Settings, options: RunOptions
    ):
        """Shoot one more chunk of the result; returns the longer video and the files beside it."""
        drawn = project.ready()[1] if go_on_with == DRAWN else None
        clip, made, scene = _open_result(shot, project)
        path, settings = continue_shot(clip, made, scene, drawn, settings)
        begun = VideoPrefix(Path(shot), len(clip.frames))
        yield from self.shoot.shooting(
            project,
            request,
            Shot(self.shoot.method, scene, path, settings, options, clip),
            begun=begun,
            notes=_notes(clip, made, scene, settings),
        )

    def _take_back(self, project: Project, shot: str):
        """Remove the last chunk of the result; returns the shorter video and the files beside it."""
        clip, made = _read_result(shot)
        box = read_embedded_scene(shot)
        scene = box.scene if box else None
        shorter = take_back(clip, scene, chunk_frames=chunk_of(clip, made))
        count = len(shorter.frames)
        made = replace(made, path=made.path.sliced(slice(0, count)), report={})
        begun = VideoPrefix(Path(shot), count)
        shown = self.shoot.result(project, self.shoot.new_name(), scene, shorter, made, begun=begun)
        return f"The last chunk was removed; {count} frames are left.", *shown

    def _reopen(self, project: Project, result_file: str):
        """Show a saved video of this method again, so that it can be continued or shortened; ignores other files."""
        if not result_file or Path(result_file).suffix.lower() != ".mp4":
            return [gr.skip()] * len(self.shoot.outputs)
        made = restore(result_file)
        if made.method != self.name:
            return [gr.skip()] * len(self.shoot.outputs)
        video = project.file(f"{self.shoot.new_name()}.mp4")
        shutil.copyfile(result_file, video)
        videos = {self.shoot.method.title: video}
        shown = clips(videos, made.path.fps, noise=noise_among(videos, self.shoot.method, made))
        status = "Reopened, with the picture it was shot from."
        if read_embedded_scene(video) is None:
            status = "Reopened. To continue it, open the clip or views that it was shot from, with the same depth."
        return status, gr.skip(), shown, gr.File([str(video)], visible=True), gr.Button(visible=True), str(video)


def _read_result(shot: str | None) -> tuple[Clip, Record]:
    if not shot:
        raise InputError("Shoot something first, or restore a result's mp4.")
    return read_shot(shot)


def _open_result(shot: str | None, project: Project) -> tuple[Clip, Record, Scene]:
    """A result and its scene: the embedded one if there is one, otherwise the open one."""
    clip, made = _read_result(shot)
    box = read_embedded_scene(str(shot))
    if box is None:
        return clip, made, project.ready()[0]
    if project.framed is not None and scene_sha256(project.framed) != made.input_sha256:
        raise InputError("The open scene is not the one this video was shot from; open that one with the same framing.")
    return clip, made, box.scene


def _notes(clip: Clip, made: Record, scene: Scene, settings: Settings) -> tuple[str, ...]:
    """Notes on a video whose chunks were shot with different settings."""
    notes = []
    if made.input_sha256 != scene_sha256(scene):
        notes.append(
            "The open scene is not exactly the one the video was shot from; if it is another scene, the new part will not fit."
        )
    now: dict[str, Any] = settings.values()
    other = [name for name, value in made.settings.items() if name != "chunk_frames" and now.get(name) != value]
    if other:
        notes.append(f"The first {len(clip.frames)} frames were shot with other settings: {', '.join(other)}.")
    return tuple(notes)
