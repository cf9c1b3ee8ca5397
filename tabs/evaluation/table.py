"""A sortable table of shots of one move by several methods, with the rotation error over time as a sparkline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from camera.errors import InputError
from camera.evaluation.report import TakeReport
from camera.path import spread_indices
from pipelines.method import Progress
from pipelines.results.record import restore
from pipelines.results.take_report import measure_steps, read_report
from tabs.evaluation.take_view import MEASURES
from tabs.parts.form import cancel_with, wrap_handler

_HERE = Path(__file__).parent
COLUMNS = (
    "method",
    "verdict",
    "placed",
    "rotation of requested, %",
    "mean rotation error, °",
    "mean position error",
    "lens, %",
    "drift, %",
    "jitter, °",
)
DRAWN = "rotation error over time"
POINTS = 60
"""Number of points in a sparkline."""


def table(name: str, shots: Mapping[str, gr.State]) -> None:
    """Place the table of results whose mp4s are in ``shots`` by title, a button that fills it, and one that cancels."""
    status = gr.Markdown(elem_classes="told", elem_id=f"{name}-takes-told")
    shown = sortable_table(f"{name}-takes")
    with gr.Row():
        start = gr.Button("Measure the cameras of these shots", size="sm", elem_id=f"{name}-measure")
        stop = gr.Button("Stop measuring", size="sm", min_width=80)
    titles = list(shots)

    def measure_all(*videos: str | None):
        """Measure the camera of every shot and compare it with the move; includes noise from random weights."""
        yield from measure_videos({title: video for title, video in zip(titles, videos) if video})

    running = start.click(
        wrap_handler(measure_all), list(shots.values()), [status, shown], api_name=f"{name}_measure", **MEASURES
    )
    cancel_with(stop, [running], status, message="Measurement stopped.")


def sortable_table(name: str) -> gr.HTML:
    """An empty table that sorts by the clicked column header; its value is described in table.js."""
    return gr.HTML(
        value=None,
        elem_id=name,
        html_template='<table class="takes"></table>',
        css_template=(_HERE / "table.css").read_text(),
        js_on_load=(_HERE / "table.js").read_text(),
        apply_default_css=False,
    )


def measure_videos(videos: Mapping[str, str]):
    """Yield messages, and the rows of the table whenever one more video is measured."""
    if not videos:
        raise InputError("Shoot the move first; then you can measure the cameras.")
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    for title, video in videos.items():
        try:
            report = read_report(video)
            for step in measure_steps(video) if report is None else ():
                if isinstance(step, Progress):
                    yield "  \n".join([f"**{title}** {step.phase} {step.note}", *notes]), gr.skip()
                else:
                    report = step
            assert report is not None, "measuring must end with a report or an error"
            rows.append(row(title, report))
        except InputError as error:
            notes.append(f"{title}: {error}")
        if _is_noise(video):
            notes.append(f"{title}: random weights make noise; its measurements are meaningless.")
        yield "  \n".join(notes), gr.update(value={"columns": COLUMNS, "rows": rows, "drawn": DRAWN})


def row(title: str, report: TakeReport) -> dict[str, Any]:
    """Numbers by column, None if unknown, and the sparkline's heights in 0..1."""
    lens = 100 * (float(np.median(report.lens)) - 1) if report.lens else None
    cells = (
        title, report.verdict, round(100 * len(report.frames) / max(report.count, 1), 1),
        None if report.turn_gain is None else 100 * report.turn_gain, _mean(report.turn_degrees), _mean(report.distance), lens,
        None if report.drift is None else 100 * report.drift, report.jitter_degrees,
    )  # fmt: skip
    return {"cells": [round(cell, 3) if isinstance(cell, float) else cell for cell in cells], "spark": spark(report)}


def spark(report: TakeReport) -> list[float | None]:
    """Heights of the rotation error over the frames, None for unplaced frames and frames without a request."""
    heights = np.full(report.count, np.nan)
    if report.turn_degrees:
        heights[list(report.frames)] = report.turn_degrees
    chosen = heights[spread_indices(report.count, POINTS)]
    most = np.nanmax(chosen) if np.isfinite(chosen).any() else 1.0
    return [None if np.isnan(h) else round(float(h / max(most, 1e-9)), 3) for h in chosen]


def _mean(values: tuple[float, ...]) -> float | None:
    return float(np.mean(values)) if values else None


def _is_noise(video: str) -> bool:
    try:
        return restore(video).weights != "real"
    except InputError:
        return False
