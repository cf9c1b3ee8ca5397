"""Rehearse the path over the real 3D cache, and download it in any format."""

from __future__ import annotations

import time
import uuid
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from camera.formats import FORMATS, write
from camera.view import Scene
from pipelines.method import Progress
from pipelines.project.look import exposure_of
from pipelines.rehearsal import rehearse
from tabs.parts.event_values import choice_of
from tabs.parts.form import VISITORS, cancel_with, wrap_handler
from tabs.project.project import Project
from tabs.shared.studio import PRIVATE, Studio

RENDERERS = {"Mesh, cut at edges (cleanest)": "mesh", "GEN3C's soft splat": "splat", "Points (fastest)": "zbuffer"}
HOLES = {
    "Fill what is new from the background": "filled",
    "Invent what is new once for the whole move": "completed",
    "Show what stands still at other times of the clip": "remembered",
    "Show what is new in pink": "shown",
    "Map of what is new": "map",
}
TELL_SECONDS = 0.15
"""Minimum interval between progress messages: a frame takes a tenth of that, and a message for each would slow the page down."""
REHEARSES: dict = {"concurrency_id": "rehearsal", "concurrency_limit": VISITORS}


class Rehearsal:
    """The section: button, options, video, and notes on holes; cleared when another scene is opened."""

    def __init__(self, studio: Studio) -> None:
        with gr.Row():
            self.renderer = gr.Dropdown(list(RENDERERS), label="Renderer", min_width=200)
            self.holes = gr.Dropdown(list(HOLES), label="What the scene does not show", min_width=200)
        with gr.Row():
            start = gr.Button("Rehearse", variant="primary", elem_id="rehearse", scale=3)
            stop = gr.Button("Cancel", min_width=80, elem_id="rehearse-stop")
        self.video = gr.Video(
            label="Rehearsal", autoplay=True, loop=True, height=360, elem_id="rehearsal", elem_classes="low-when-empty"
        )  # fmt: skip
        self.status = gr.Markdown(elem_classes="status", elem_id="rehearsal-status")
        running = start.click(
            wrap_handler(rehearse_path), self.inputs(studio), [self.video, self.status], api_name="rehearse",
            show_progress_on=self.video, **REHEARSES,
        )  # fmt: skip
        cancel_with(stop, [running], [self.video, self.status], (None, "Cancelled."))
        studio.opened.change(lambda: (None, ""), None, [self.video, self.status], **PRIVATE)

    def inputs(self, studio: Studio) -> list:
        return [studio.project, self.renderer, self.holes]


def rehearse_path(project: Project, renderer: str, holes: str, progress: gr.Progress = gr.Progress()):  # noqa: B008
    """Render the path over the scene's 3D cache; returns the video and a description of its holes."""
    from pipelines.estimation.inpainting import own_inpainter

    scene, path = project.ready()
    target = project.file(f"rehearsal-{uuid.uuid4().hex[:8]}.mp4")
    shown_at = 0.0
    exposure = exposure_of(project.content.look, scene)
    how: dict[str, Any] = {
        "renderer": choice_of(RENDERERS, renderer, "The renderer"), "holes": choice_of(HOLES, holes, "What fills holes")
    }  # fmt: skip
    how["inpaint"] = own_inpainter() if how["holes"] == "completed" else None
    how["moving"] = moving_in_frame(project, scene) if how["holes"] == "remembered" else None
    steps = rehearse(scene, path, target, **how, exposure=exposure)
    for step in steps:
        if not isinstance(step, Progress):
            yield str(step.video), step.summary
        elif time.monotonic() - shown_at > TELL_SECONDS:
            shown_at = time.monotonic()
            progress((step.step, step.steps), desc=step.phase, unit="frames")
            yield gr.skip(), gr.skip()


def moving_in_frame(project: Project, scene: Scene) -> NDArray[np.bool_] | None:
    """The project's masks of moving parts, in the frame of ``scene``; None without masks, and if the scene is not a clip."""
    masks = project.content.moving
    if masks is None or scene.kind != "clip":
        return None
    from camera.completion.masks import fit_masks

    return fit_masks(masks, scene.first.width, scene.first.height, project.moves.fit)  # type: ignore[arg-type]


class PathDownload:
    """The section for downloading the path as a file of any format."""

    def __init__(self, studio: Studio) -> None:
        with gr.Accordion("Download the path", open=False):
            with gr.Row():
                self.kind = gr.Dropdown(
                    [(form.label, name) for name, form in FORMATS.items()], label="Format", min_width=200
                )
                make = gr.Button("Make the file", min_width=120)
            self.file = gr.File(label="Path file", height=90, interactive=False, elem_id="path-file")
        make.click(wrap_handler(path_file), [studio.project, self.kind], self.file, api_name="path_file")


def path_file(project: Project, path_format: str):
    """The current path as a file of one of the formats."""
    name, content = write(path_format, project.ready()[1])
    target = project.file(name)
    target.write_bytes(content)
    return str(target)
