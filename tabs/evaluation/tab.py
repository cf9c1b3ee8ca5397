"""The tab for any video: measures, describes and draws its camera, and borrows it as keys for the user's scene."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import gradio as gr

from camera import formats
from camera.errors import InputError
from camera.figure.overlay import overlay
from pipelines.media.video import complete, probe
from pipelines.method import Progress
from pipelines.results.take_report import measure_steps, read_recorded_path, read_report
from tabs.browser.players import clips, players
from tabs.browser.stage import figure_value, stage
from tabs.evaluation.borrow import BorrowControls, MeasuredVideo
from tabs.evaluation.response_view import response_section
from tabs.evaluation.ribbons import ribbons, show_ribbons
from tabs.evaluation.take_view import MEASURES, report_text
from tabs.parts.form import cancel_with, wrap_handler
from tabs.project.project import Project, forget
from tabs.shared.studio import Studio

ID = "takes"


def build(studio: Studio) -> None:
    """Place the tab; call inside a `gr.Tab`."""
    session = gr.State(Project(), time_to_live=6 * 3600, delete_callback=forget)
    measured = gr.State()
    gr.Markdown(
        "**What is the camera of a video, and did it follow its move?** Drop any mp4. A result of Reshoot is compared with the move "
        "it was shot along; any other video with a path file, or with nothing. The measurement runs on the CPU."
    )
    with gr.Row():
        with gr.Column(scale=4, min_width=340):
            video = gr.File(
                label="Video (mp4)", file_types=[".mp4", ".mov", ".webm"], height=110, elem_id="takes-video"
            )
            path = gr.File(label="Its path, if not in the video", height=140, elem_id="takes-path")
            with gr.Row():
                start = gr.Button("Measure its camera", variant="primary", elem_id="takes-measure", scale=2)
                stop = gr.Button("Cancel", min_width=80)
            borrow = BorrowControls()
            response_section(session)
        with gr.Column(scale=7, min_width=340):
            status = gr.Markdown(elem_classes="told", elem_id="takes-told")
            view = stage("takes", "The measured camera appears here in 3D, over the requested one.", eye=False)
            screen = players("takes-player")
            shown = ribbons("takes-ribbons", "takes-player")

    def measure(session: Project, video: str, requested_path: str):
        """Measure the camera of a video; with a path file, compare it with that path."""
        yield from measure_updates(session, video, requested_path)

    outputs = [status, view, screen, shown]
    running = start.click(
        wrap_handler(measure), [session, video, path], [*outputs, measured], api_name="takes_measure", **MEASURES
    )
    cancel_with(stop, [running], status)
    borrow.connect(studio, session, [video, path], measured, outputs, measure_updates)


def measure_updates(session: Project, video: str, requested_path: str) -> Iterator[tuple]:
    """Yield updates of message, stage, player and ribbons while a video is measured, and the measurement, None until it is ready."""
    if not video:
        raise InputError("Choose a video first.")
    own = session.file(f"take-{uuid.uuid4().hex[:8]}{Path(video).suffix.lower()}")
    with complete(own) as part:
        shutil.copyfile(video, part)
    requested = read_recorded_path(own)
    if requested_path:
        requested = formats.read(Path(requested_path).name, Path(requested_path).read_bytes(), like=requested)
    report = read_report(own) if not requested_path else None
    yield "", gr.skip(), clips({Path(video).name: own}, probe(own).fps), gr.update(value=None), None
    for step in measure_steps(own, requested) if report is None else ():
        if isinstance(step, Progress):
            yield f"**{step.phase}** {step.note}", gr.skip(), gr.skip(), gr.skip(), None
        else:
            report = step
    assert report is not None, "measuring must end with a report or an error"
    figure = overlay(report.achieved_path, report.requested_path)
    value = figure_value(figure, report.achieved_path, fresh=True)
    yield report_text(report), value, gr.skip(), show_ribbons(report), MeasuredVideo(video, requested_path, report)
