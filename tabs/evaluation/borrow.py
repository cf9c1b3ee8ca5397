"""Borrow the move of a video: its camera as few keys, scaled to this scene, opened on the timeline or written to files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from camera import formats
from camera.editing import saved
from camera.errors import InputError
from camera.evaluation.borrow import BorrowedMove, Tolerance, scale_to_subject
from camera.evaluation.report import TakeReport
from pipelines.results.borrowed import borrow_camera, fit_to_scene
from tabs.evaluation.take_view import MEASURES
from tabs.parts.form import cancel_with, wrap_handler
from tabs.project.project import Project
from tabs.shared.studio import Studio, signal

LENSES = {"Changes of the clip's lens, from this picture's on": False, "The clip's own field of view": True}


@dataclass(frozen=True, eq=False)
class MeasuredVideo:
    """The report on ``video`` compared with the path file ``requested``, by their names in the page."""

    video: str
    requested: str | None
    report: TakeReport

    def is_of(self, video: str, requested: str | None) -> bool:
        return (self.video, self.requested) == (video, requested)


class BorrowControls:
    """The controls; `connect` them once their outputs are placed."""

    def __init__(self) -> None:
        with gr.Accordion("Borrow this move", open=True):
            with gr.Row():
                self.degrees = gr.Slider(
                    0.1, 5, Tolerance.degrees, step=0.1, label="Rotation tolerance, degrees", min_width=150
                )
                self.share = gr.Slider(
                    0.5, 10, 100 * Tolerance.share, step=0.5, label="Position tolerance, % of the path", min_width=150
                )
            self.smooth = gr.Slider(0, 12, 0, step=1, label="Smoothing, frames", info="0 keeps handheld shake")
            self.lens = gr.Radio(list(LENSES), value=next(iter(LENSES)), label="Lens")
            with gr.Row():
                self.open = gr.Button("Open as keys of my scene", variant="primary", elem_id="takes-open-keys", scale=2)
                self.stop = gr.Button("Cancel", min_width=80)
            self.status = gr.Markdown(elem_classes="told", elem_id="takes-keys")
            with gr.Accordion("As path files", open=False):
                self.subject = gr.Number(1.0, label="Distance to the subject in the files", minimum=1e-3)
                self.write = gr.Button("Write path files", size="sm", elem_id="takes-borrow")
                self.files = gr.File(
                    label="Path files", file_count="multiple", visible=False, interactive=False, elem_id="takes-files"
                )

    def connect(
        self,
        studio: Studio,
        session: gr.State,
        given: list[Any],
        measured: gr.State,
        shown: list[Any],
        measure: Callable[..., Iterator[tuple]],
    ) -> None:
        """``measure(take, *values of given)`` yields updates of ``shown``, and with the last one the value of ``measured``."""

        def open_keys(
            project: Project, session: Project, known: MeasuredVideo | None, video: str, requested_path: str | None,
            degrees: float, share_percent: float, smooth_frames: float, lens: str,
        ):  # fmt: skip
            """The video's camera as the fewest keys within a tolerance, scaled to the current scene, opened on the timeline;
            measures it first if necessary."""
            scene = project.scene
            if scene is None:
                raise InputError("Open a picture first; its subject sets the scale of the borrowed move.")
            if known is None or not known.is_of(video, requested_path):
                known = None
                for *updates, done in measure(session, video, requested_path):
                    known = done
                    yield *updates, *(gr.skip(),) * 5
            assert known is not None, "measuring must end with a report or an error"
            found = borrow_camera(known.report, Tolerance(degrees, share_percent / 100), smooth=smooth_frames)
            move = fit_to_scene(found, known.report, scene, own_lens=LENSES[lens])
            project = project.with_keys(move, "borrow a move")
            status = f"{found.words} Opened on the timeline as the move of {scene.name}."
            yield *(gr.skip(),) * len(shown), known, status, project, gr.Tabs(selected=project.method), signal()

        def borrow_move(
            session: Project, known: MeasuredVideo | None, degrees: float, share_percent: float, smooth_frames: float,
            subject_distance: float,
        ):  # fmt: skip
            """The measured camera as the fewest keys within a tolerance, scaled to a distance; as path files of every format."""
            if known is None:
                raise InputError("Measure a video first; then you can borrow its move.")
            found = borrow_camera(known.report, Tolerance(degrees, share_percent / 100), smooth=smooth_frames)
            return _files(session, found, known.report, subject_distance)

        how = [self.degrees, self.share, self.smooth]
        opening = self.open.click(
            wrap_handler(open_keys), [studio.project, session, measured, *given, *how, self.lens],
            [*shown, measured, self.status, studio.project, studio.tabs, studio.restored],
            api_name="takes_open_keys", **MEASURES,
        )  # fmt: skip
        cancel_with(self.stop, [opening], self.status)
        self.write.click(
            wrap_handler(borrow_move),
            [session, measured, *how, self.subject],
            [self.status, self.files],
            api_name="takes_borrow",
        )


def _files(session: Project, found: BorrowedMove, report: TakeReport, subject: float) -> tuple[str, Any]:
    """A message, and path files in every format with the keys."""
    path, move = found.path, found.move
    if report.requested is None and report.clip_distance > 0:
        path = scale_to_subject(path, subject, report.clip_distance)
        move = move.with_cameras(scale_to_subject(move.cameras, subject, report.clip_distance))
    keys = session.file("borrowed-keys.json")
    keys.write_text(json.dumps(saved.write(move)))
    written = [str(keys)]
    for name, data in formats.write_all(path).items():
        file = session.file(f"borrowed-{name}")
        file.write_bytes(data)
        written.append(str(file))
    status = f"{found.words} Open a file as the path of any method; {keys.name} contains the keys themselves."
    return status, gr.File(written, visible=True)
