"""The tool that makes a CamVid-30K entry from a video: cameras, motion strength, and a zip in the data set's layout."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import gradio as gr

from camera.errors import InputError
from pipelines.inputs.open import read_material
from pipelines.methods.genxd.settings import CurationSettings
from tabs.parts import form
from tabs.project.project import Project
from tabs.shared.studio import Studio, signal

NOTE = (
    "Finds the cameras of a plain video from its static parts, and measures how much the rest moves, as the method's "
    "authors did for **CamVid-30K**. The entry becomes the scene; you can set its motion strength below."
)


def curation(name: str, studio: Studio) -> None:
    """Place the tool; its entry becomes the scene, as several views."""
    with gr.Accordion("Curate a video", open=False):
        gr.Markdown(NOTE, padding=True)
        video = gr.File(label="Video", file_types=["video"], height=90, elem_id=f"{name}-curate-video")
        controls = form.controls(CurationSettings)
        with gr.Row():
            start = gr.Button("Find cameras and motion", size="sm", elem_id=f"{name}-curate")
            stop = gr.Button("Cancel", size="sm", min_width=80)
        status = gr.Markdown(elem_classes="status", elem_id=f"{name}-curate-status")
        packed = gr.File(label="Entry of the data set", visible=False, interactive=False, height=90)

    def curate(project: Project, video: str, settings: CurationSettings) -> Iterator[tuple]:
        """From a video to cameras, sparse points and motion strength, as a zip in the layout of CamVid-30K."""
        if not video:
            raise InputError("Choose a video first.")
        from pipelines.methods.genxd.curation import camvid as tool

        folder = project.file(f"{Path(video).stem[:40] or 'clip'}-{uuid.uuid4().hex[:8]}")
        for item in tool.curate_video(video, folder, settings):
            if isinstance(item, str):
                yield gr.skip(), item, gr.skip(), gr.skip()
            else:
                file = tool.pack_entry(folder, folder.with_suffix(".zip"))
                material = read_material([file])
                yield (
                    project.opened(material.scene, material.points),
                    f"{tool.describe_entry(item)}",
                    gr.File(str(file), visible=True),
                    signal(),
                )

    running = start.click(
        form.handler(curate, CurationSettings, before={"project": Project, "video": str}, name=f"{name}_curate"),
        [studio.project, video, *controls.values()], [studio.project, status, packed, studio.opened], api_name=f"{name}_curate", show_progress="hidden",
        concurrency_id="curation", concurrency_limit=1,
    )  # fmt: skip
    form.cancel_with(stop, [running], status)
