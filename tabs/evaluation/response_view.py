"""The response of a method to moves: measures results, and saves gain, lag and cross-talk per method and weights."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from camera.errors import InputError
from camera.evaluation.response import Response
from pipelines import NAMES
from pipelines.environment import offered_methods
from pipelines.media.video import complete
from pipelines.method import Progress
from pipelines.results.responses import responses_folder, save_responses
from pipelines.results.take_report import measure_steps, read_report
from tabs.evaluation.table import sortable_table
from tabs.evaluation.take_view import MEASURES
from tabs.parts.form import SHOOTS, cancel_with, wrap_handler
from tabs.project.project import Project

SHOTS_OF_SET = 14
COLUMNS = ("method", "weights", "axis", "achieved of requested, %", "lag, frames", "leaks into", "shots")


def response_section(session: gr.State) -> None:
    """Place the section."""
    with gr.Accordion("Response curve of a method", open=False, elem_id="response"):
        gr.Markdown(
            "Results of one method along a few moves at several strengths show how far it turns compared with the request. The curve is "
            "saved for this method and these weights; *Correct the turns by the method's response*, in a method's other settings, then "
            "requests 34 degrees to get 30. It is off by default."
        )
        shots = gr.File(
            label="Results (mp4)", file_count="multiple", file_types=[".mp4"], height=110, elem_id="response-shots"
        )
        with gr.Row():
            start = gr.Button("Measure and save the curve", size="sm", elem_id="response-measure")
            stop = gr.Button("Cancel", size="sm", min_width=80)
        if not os.environ.get("SPACE_ID"):
            set_controls = _set_controls()
        status = gr.Markdown(elem_classes="told", elem_id="response-told")
        table = sortable_table("response-table")

    def measure(session: Project, result_files: list[str]):
        """Measure results of Reshoot and save the response of their methods: gain, lag and cross-talk per axis."""
        yield from measure_responses(session, result_files)

    running = start.click(
        wrap_handler(measure), [session, shots], [status, table], api_name="takes_response", **MEASURES
    )
    cancel_with(stop, [running], status)
    if os.environ.get("SPACE_ID"):
        return
    *given, shoot = set_controls

    def shoot_and_measure(session: Project, method: str, weights: str, picture: str):
        """Shoot a fixed set of moves at several strengths with one method, and save its response."""
        yield from shoot_responses(session, method, weights, picture)

    shooting = shoot.click(
        wrap_handler(shoot_and_measure), [session, *given], [status, table], api_name="takes_shoot_response", **SHOOTS
    )
    cancel_with(stop, [shooting], status, "Cancelled; finished shots are kept and will not be repeated.")


def _set_controls() -> tuple[gr.Dropdown, gr.Dropdown, gr.File, gr.Button]:
    """Method, weights, picture, and the button that shoots the set."""
    with gr.Row():
        names = list(offered_methods(NAMES))
        chosen = gr.Dropdown(names, value=names[0], label="Method", elem_id="response-method")
        weights = gr.Dropdown(["real", "tiny"], value="real", label="Weights", info="tiny: random, for a trial run")
    picture = gr.File(label="Picture", file_types=["image"], height=110, elem_id="response-picture")
    shoot = gr.Button(f"Shoot {SHOTS_OF_SET} moves and save the curve", size="sm", elem_id="response-shoot")
    return chosen, weights, picture, shoot


def shoot_responses(session: Project, method: str, weights: str, picture: str, options: Sequence[str] = ()):
    """Yield messages while the set is shot and measured, and the table at the end. ``options``: of `python -m pipelines run`."""
    from pipelines.cli.evaluation.response import shoot_set_steps

    if not picture:
        raise InputError("First choose the picture to shoot the moves from.")
    name = f"{method}-{weights}-{hashlib.sha256(Path(picture).read_bytes()).hexdigest()[:8]}"
    own = session.file(f"response-{name}{Path(picture).suffix.lower()}")
    with complete(own) as part:
        shutil.copyfile(picture, part)
    videos = []
    for step in shoot_set_steps(method, own, session.file(f"response-{name}"), ["--weights", weights, *options]):
        if isinstance(step, Progress):
            yield f"**{step.phase}** {step.step}/{step.steps} {step.note}", gr.skip()
        else:
            videos.append(str(step))
    for words, shown in measure_responses(session, videos):
        label = "  \nRANDOM weights: the curve says nothing about the method." if weights == "tiny" else ""
        yield words + label, shown


def measure_responses(session: Project, files: Sequence[str] | None):
    """Yield messages, and the table when all results are measured; names and skips those that cannot be measured."""
    from pipelines.cli.evaluation.response import responses

    if os.environ.get("SPACE_ID"):
        raise InputError("On a Space, its owner measures the curves: python -m pipelines.cli.evaluation.response.")
    if not files:
        raise InputError("Choose results of Reshoot first: a few moves at several strengths.")
    videos, refused = [], []
    for number, file in enumerate(files, start=1):
        own = session.file(f"response-{uuid.uuid4().hex[:8]}-{Path(file).name}")
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
        save_responses(one, responses_folder())
    saved = ", ".join(f"{one.method} with {one.weights} weights" for one in found)
    yield "  \n".join([f"Kept: {saved}.", *refused]), gr.update(value=response_rows(found))


def response_rows(found: Sequence[Response]) -> dict[str, Any]:
    """The table: one row per requested axis."""
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
