"""A plain video to an entry of CamVid-30K: its cameras, how much moves in it, and a zip in the data set's layout."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
from gradio.events import Dependency

from camera.errors import InputError
from pipelines.inputs.open import read_material
from pipelines.methods.genxd.settings import CurationSettings
from tabs.parts import form
from tabs.parts.session import Take

NOTE = (
    "Finds the cameras of a plain video from what stands still in it, and how much the rest moves by itself: what the "
    "method's authors did to make **CamVid-30K**. The entry becomes the scene above; its motion strength can be set below."
)


def curation(name: str, take: gr.State) -> Dependency:
    """Places the tool; returns the event after which ``take`` holds the entry as several views."""
    with gr.Accordion("Curate a video", open=False):
        gr.Markdown(NOTE, padding=True)
        video = gr.File(label="Video", file_types=["video"], height=90, elem_id=f"{name}-curate-video")
        controls = form.controls(CurationSettings)
        with gr.Row():
            start = gr.Button("Find cameras and motion", size="sm", elem_id=f"{name}-curate")
            stop = gr.Button("Cancel", size="sm", min_width=80)
        told = gr.Markdown(elem_classes="told", elem_id=f"{name}-curate-told")
        packed = gr.File(label="Entry of the data set", visible=False, interactive=False, height=90)

    def curate(take: Take, video: str, settings: CurationSettings) -> Iterator[tuple]:
        """From a video to cameras, sparse points and motion strength, as a zip in the layout of CamVid-30K."""
        if not video:
            raise InputError("Give a video first.")
        from pipelines.methods.genxd.curation import camvid as tool

        folder = take.file(f"{Path(video).stem[:40] or 'clip'}-{uuid.uuid4().hex[:8]}")
        for item in tool.curate_video(video, folder, settings):
            if isinstance(item, str):
                yield gr.skip(), item, gr.skip()
            else:
                file = tool.packed(folder, folder.with_suffix(".zip"))
                material = read_material([file])
                yield (
                    take.opened(material.scene, material.points),
                    f"{tool.told(item)}",
                    gr.File(str(file), visible=True),
                )

    running = start.click(
        form.handler(curate, CurationSettings, before={"take": Take, "video": str}, name=f"{name}_curate"),
        [take, video, *controls.values()], [take, told, packed], api_name=f"{name}_curate", show_progress="hidden",
        concurrency_id="curation", concurrency_limit=1,
    )  # fmt: skip
    form.cancelled_by(stop, [running], told)
    return running
