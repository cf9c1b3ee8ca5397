"""How a method answers moves: results of it are measured, and gain, lag and cross-talk are kept per method and weights."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from camera.errors import InputError
from camera.evaluation.response import Response
from pipelines.media.video import complete
from pipelines.method import Progress
from pipelines.results.responses import home, save_responses
from pipelines.results.take_report import measure_steps, read_report
from tabs.evaluation.table import sortable_table
from tabs.evaluation.take_view import MEASURES
from tabs.parts.form import cancel_with, wrap_handler
from tabs.project.project import Project

COLUMNS = ("method", "weights", "axis", "achieved of asked, %", "late by, frames", "leaks into", "shots")


def response_section(take: gr.State) -> None:
    """Places the section."""
    with gr.Accordion("Response curve of a method", open=False, elem_id="response"):
        gr.Markdown(
            "Results of one method along a few moves at several strengths tell how far it turns for what is asked. The curve is kept for this "
            "method and these weights; *Correct the turns by the method's response*, in a method's other settings, then asks for 34 "
            "degrees to get 30. It is off until you switch it on."
        )
        shots = gr.File(
            label="Results (mp4)", file_count="multiple", file_types=[".mp4"], height=110, elem_id="response-shots"
        )
        with gr.Row():
            start = gr.Button("Measure and keep the curve", size="sm", elem_id="response-measure")
            stop = gr.Button("Cancel", size="sm", min_width=80)
        status = gr.Markdown(elem_classes="told", elem_id="response-told")
        table = sortable_table("response-table")

    def measure(take: Project, result_files: list[str]):
        """Measure results of Reshoot and keep how their methods answer: gain, lag and cross-talk per axis."""
        yield from measure_responses(take, result_files)

    running = start.click(wrap_handler(measure), [take, shots], [status, table], api_name="takes_response", **MEASURES)
    cancel_with(stop, [running], status)


def measure_responses(take: Project, files: Sequence[str] | None):
    """Words, and the table when all are measured; what cannot be measured is said and left out."""
    from pipelines.cli.evaluation.response import responses

    if os.environ.get("SPACE_ID"):
        raise InputError(
            "On a Space the curves are measured by who runs it: python -m pipelines.cli.evaluation.response."
        )
    if not files:
        raise InputError("Give results of Reshoot first, a few moves at several strengths.")
    videos, refused = [], []
    for number, file in enumerate(files, start=1):
        own = take.file(f"response-{uuid.uuid4().hex[:8]}-{Path(file).name}")
        with complete(own) as part:
            shutil.copyfile(file, part)
        try:
            for step in measure_steps(own) if read_report(own) is None else ():
                if isinstance(step, Progress):
                    yield f"**{step.phase}** {number} of {len(files)} {step.note}", gr.skip()
            videos.append(own)
        except InputError as error:
            refused.append(f"{Path(file).name}: {error}")
    if not videos:
        raise InputError("  \n".join(refused))
    found = responses(videos, refused)
    for one in found:
        save_responses(one, home())
    kept = ", ".join(f"{one.method} with {one.weights} weights" for one in found)
    yield "  \n".join([f"Kept: {kept}.", *refused]), gr.update(value=response_rows(found))


def response_rows(found: Sequence[Response]) -> dict[str, Any]:
    """The table: a row for every axis that was asked for something."""
    rows = [
        {"cells": [
            one.method, one.weights, answer.axis, round(100 * answer.gain, 1), answer.lag,
            ", ".join(f"{axis} {100 * share:+.0f} %" for axis, share in answer.cross.items() if abs(share) >= 0.01) or "nothing",
            answer.shots,
        ]}
        for one in found
        for answer in one.answers
    ]  # fmt: skip
    return {"columns": COLUMNS, "rows": rows, "sorted": {"column": 2, "down": False}}
