"""The take report under a result: measured automatically after a shot, on the CPU; a button cancels it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from camera.errors import InputError
from camera.evaluation.report import TakeReport
from camera.path import CameraPath
from pipelines.method import Progress
from pipelines.results.record import restore
from pipelines.results.take_report import measure_steps, read_report
from tabs.evaluation.ribbons import ribbons, show_ribbons
from tabs.parts.form import cancel_with, wrap_handler
from tabs.project.on_stage import stage_update
from tabs.project.project import Project
from tabs.shared.studio import PRIVATE

MEASURES: dict[str, Any] = {"concurrency_id": "measure", "concurrency_limit": 1, "show_progress": "hidden"}
"""One measurement at a time for all visitors, separate from the queue of shots."""


def take_view(name: str, shot: gr.State, player: str, project: gr.State, stage: gr.HTML) -> None:
    """Place the report on the result whose mp4 is in ``shot`` and which the element ``player`` plays. After the measurement, its
    camera is drawn over the move on ``stage``, as the method ``name`` follows it, while ``project`` still has that move."""
    status = gr.Markdown(elem_classes="told", elem_id=f"{name}-take")
    lines = ribbons(f"{name}-ribbons", player)
    with gr.Row():
        again = gr.Button("Measure the camera of this shot", size="sm", visible=False, elem_id=f"{name}-measure")
        stop = gr.Button("Stop measuring", size="sm", visible=False, min_width=80)
    outputs = [status, lines, again, stop]

    def by_itself(shot: str | None):
        yield from report_after_shot(shot)

    def measured(shot: str | None):
        """Measure the camera of the last result and compare it with its move; the report is saved inside the mp4 and beside it."""
        if not shot:
            raise InputError("Shoot something first; then you can measure its camera.")
        yield from report_updates(Path(shot))

    runs = [
        shot.change(
            wrap_handler(by_itself), shot, outputs, api_visibility="private", trigger_mode="always_last", **MEASURES
        ),
        again.click(wrap_handler(measured), shot, outputs, api_name=f"{name}_measure", **MEASURES),
    ]
    for run in runs:
        run.success(wrap_handler(overlay_measured, name), [project, shot], stage, **PRIVATE)
    cancel_with(stop, runs, [status, stop], message=("Not measured.", gr.Button(visible=False)))


def overlay_measured(project: Project, shot: str | None) -> Any:
    """Update of the stage: the measured camera over the project's move; none if the move has changed."""
    report = read_report(shot) if shot else None
    if report is None or report.requested_path is None or project.path is None:
        return gr.skip()
    if not begins_with(project.path, report.requested_path):
        return gr.skip()
    return stage_update(project, shot=report.achieved_path)


def begins_with(path: CameraPath, requested: CameraPath) -> bool:
    """Whether ``path`` begins with ``requested``, which may be shorter after a cancelled shot."""
    whole, part = path.world_from_camera, requested.world_from_camera
    return len(part) <= len(whole) and bool(np.allclose(whole[: len(part)], part, atol=1e-6))


def report_after_shot(shot: str | None):
    """Updates of a report's outputs after a new result; noise from random weights is not measured automatically."""
    if not shot:
        yield "", gr.update(value=None), gr.Button(visible=False), gr.Button(visible=False)
        return
    video = Path(shot)
    if restore(video).weights != "real":
        status = "Random weights make noise, so its camera is not measured automatically."
        yield status, gr.update(value=None), gr.Button(visible=True), gr.Button(visible=False)
        return
    yield from report_updates(video)


def report_updates(video: Path):
    """Updates while a video's camera is measured; errors appear in place of the report."""
    known = read_report(video)
    if known is not None:
        yield *_report(known), gr.Button(visible=True), gr.Button(visible=False)
        return
    try:
        for step in measure_steps(video):
            if isinstance(step, Progress):
                yield f"**{step.phase}** {step.note}", gr.skip(), gr.Button(visible=False), gr.Button(visible=True)
            else:
                yield *_report(step), gr.Button(visible=True), gr.Button(visible=False)
    except InputError as error:
        yield str(error), gr.update(value=None), gr.Button(visible=True), gr.Button(visible=False)


def _report(report: TakeReport) -> tuple[str, dict]:
    return report_text(report), show_ribbons(report)


def report_text(report: TakeReport) -> str:
    """The report's sentences for the page."""
    first, *others = report.words
    return f"**Did the shot follow its move?** {report.verdict.capitalize()}. {first}" + "".join(
        f"  \n{each}" for each in others
    )
