"""Rehearse the path over the real 3D cache, and take it home in any format."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

import gradio as gr
from gradio.events import Dependency

from camera.formats import FORMATS, write
from pipelines.method import Method, Progress
from pipelines.rehearsal import rehearse
from tabs.parts.form import VISITORS, cancelled_by, said
from tabs.parts.session import Take

RENDERERS = {"Mesh, cut at edges (cleanest)": "mesh", "GEN3C's soft splat": "splat", "Points (fastest)": "zbuffer"}
HOLES = {
    "Fill what is new from the background": "filled",
    "Invent what is new once for the whole move": "completed",
    "Show what is new in pink": "shown",
    "Map of what is new": "map",
}
TELL_SECONDS = 0.15
"""Between two words about progress: a frame takes a tenth of that, and telling of each would slow a page down."""


def rehearsal(method: Method, take: gr.State, opened: Sequence[Dependency]) -> None:
    """Places the rehearsal: button, options, video, and what the camera will find; they go when a scene was ``opened``."""
    with gr.Row():
        renderer = gr.Dropdown(list(RENDERERS), label="Renderer", min_width=200)
        holes = gr.Dropdown(list(HOLES), label="What the scene does not show", min_width=200)
    with gr.Row():
        start = gr.Button("Rehearse", variant="primary", elem_id=f"{method.name}-rehearse", scale=3)
        stop = gr.Button("Cancel", min_width=80, elem_id=f"{method.name}-rehearse-stop")
    video = gr.Video(
        label="Rehearsal", autoplay=True, loop=True, height=360, elem_id=f"{method.name}-rehearsal",
        elem_classes="low-when-empty",
    )  # fmt: skip
    told = gr.Markdown(elem_classes="told")

    def rehearse_path(take: Take, renderer: str, holes: str, progress: gr.Progress = gr.Progress()):  # noqa: B008
        """Render the path over the scene's 3D cache; returns the video and what the camera will find."""
        scene, path = take.ready()
        target = take.file(f"rehearsal-{uuid.uuid4().hex[:8]}.mp4")
        told_at = 0.0
        for step in rehearse(scene, path, target, renderer=RENDERERS[renderer], holes=HOLES[holes]):  # type: ignore[arg-type]
            if not isinstance(step, Progress):
                yield str(step.video), step.summary
            elif time.monotonic() - told_at > TELL_SECONDS:
                told_at = time.monotonic()
                progress((step.step, step.steps), desc=step.phase, unit="frames")
                yield gr.skip(), gr.skip()

    running = start.click(
        said(rehearse_path), [take, renderer, holes], [video, told], api_name=f"{method.name}_rehearse",
        concurrency_id="rehearsal", concurrency_limit=VISITORS, show_progress_on=video,
    )  # fmt: skip
    cancelled_by(stop, [running], [video, told], (None, "Cancelled."))
    for event in opened:
        event.success(
            lambda: (None, ""), None, [video, told], api_visibility="private", queue=False, show_progress="hidden"
        )


def path_download(method: Method, take: gr.State) -> None:
    """Places the download of the path in every format."""
    with gr.Accordion("Take the path home", open=False):
        with gr.Row():
            kind = gr.Dropdown([(form.label, name) for name, form in FORMATS.items()], label="Format", min_width=200)
            make = gr.Button("Make the file", min_width=120)
        file = gr.File(label="Path file", height=90, interactive=False, elem_id=f"{method.name}-path-file")

    def path_file(take: Take, path_format: str):
        """The current path as a file of one of the formats."""
        name, content = write(path_format, take.ready()[1])
        target = take.file(name)
        target.write_bytes(content)
        return str(target)

    make.click(said(path_file), [take, kind], file, api_name=f"{method.name}_path_file")
