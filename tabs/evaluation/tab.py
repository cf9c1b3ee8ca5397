"""The tab for any video: its camera measured, told and drawn, and borrowed as keyframes for one's own scene."""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path

import gradio as gr

from camera import formats
from camera.editing import saved
from camera.errors import InputError
from camera.evaluation.borrow import Tolerance, borrow_keys, scale_to_subject, smooth_path
from camera.figure.overlay import overlay
from pipelines.media.video import complete
from pipelines.method import Progress
from pipelines.results.take_report import measure_steps, read_recorded_path, read_report
from tabs.browser.players import clips, players
from tabs.browser.stage import drawn, stage
from tabs.evaluation.ribbons import filled, ribbons
from tabs.evaluation.take_view import MEASURES, words
from tabs.parts.form import cancelled_by, said
from tabs.project.project import Project, forget

ID = "takes"


def build() -> None:
    """Places the tab; call inside a `gr.Tab`."""
    take = gr.State(Project(), time_to_live=6 * 3600, delete_callback=forget)
    measured = gr.State()
    gr.Markdown(
        "**What camera does a video have, and did it follow its move?** Drop any mp4: a result of Reshoot is compared with the move "
        "it was shot along, any other video with a path file, or with nothing. Measured on the processor."
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
            with gr.Accordion("Borrow this move", open=True):
                degrees = gr.Slider(0.1, 5, 0.5, step=0.1, label="Turn may miss by, degrees")
                share = gr.Slider(0.5, 10, 2, step=0.5, label="Place may miss by, % of the way")
                smooth = gr.Slider(0, 12, 0, step=1, label="Smooth over, frames", info="0 keeps the hand in it")
                subject = gr.Number(1.0, label="Distance to this scene's subject", minimum=1e-3)
                borrow = gr.Button("Borrow as a path of few keys", elem_id="takes-borrow")
                keys_told = gr.Markdown(elem_classes="told", elem_id="takes-keys")
                files = gr.File(
                    label="Path files", file_count="multiple", visible=False, interactive=False, elem_id="takes-files"
                )
        with gr.Column(scale=7, min_width=340):
            told = gr.Markdown(elem_classes="told", elem_id="takes-told")
            view = stage("takes", "The measured camera appears here in 3D, over the one that was asked for.")
            screen = players("takes-player")
            shown = ribbons("takes-ribbons", "takes-player")

    def measure(take: Project, video: str, requested_path: str):
        """Measure the camera of a video; with a path file, beside that path."""
        if not video:
            raise InputError("Choose a video first.")
        own = take.file(f"take-{uuid.uuid4().hex[:8]}{Path(video).suffix.lower()}")
        with complete(own) as part:
            shutil.copyfile(video, part)
        asked = read_recorded_path(own)
        if requested_path:
            asked = formats.read(Path(requested_path).name, Path(requested_path).read_bytes(), like=asked)
        report = read_report(own) if not requested_path else None
        yield "", gr.skip(), clips({Path(video).name: own}, 24), gr.update(value=None), None
        for step in measure_steps(own, asked) if report is None else ():
            if isinstance(step, Progress):
                yield f"**{step.phase}** {step.note}", gr.skip(), gr.skip(), gr.skip(), gr.skip()
            else:
                report = step
        assert report is not None, "measuring ends with a report or an error"
        figure = overlay(report.achieved_path, report.requested_path)
        value = drawn(figure, report.achieved_path, fresh=True)
        yield words(report), value, gr.skip(), filled(report), report

    def borrow_move(
        take: Project, report, degrees: float, share_percent: float, smooth_frames: float, subject_distance: float
    ):
        """The measured camera as the fewest keys within a tolerance, scaled to a scene; as path files of every format."""
        if report is None:
            raise InputError("Measure a video first, then its move can be borrowed.")
        steady = smooth_path(report.achieved_path.relative_to_first(), smooth_frames)
        found = borrow_keys(steady, Tolerance(degrees, share_percent / 100))
        path, move = found.path, found.move
        if report.requested is None and report.clip_distance > 0:
            path = scale_to_subject(path, subject_distance, report.clip_distance)
            move = move.with_cameras(scale_to_subject(move.cameras, subject_distance, report.clip_distance))
        keys = take.file("borrowed-keys.json")
        keys.write_text(json.dumps(saved.write(move)))
        written = [str(keys)]
        for name, data in formats.write_all(path).items():
            file = take.file(f"borrowed-{name}")
            file.write_bytes(data)
            written.append(str(file))
        told = f"{found.words} Take up a file as the path of any method; {keys.name} holds the keys themselves."
        return told, gr.File(written, visible=True)

    running = start.click(
        said(measure), [take, video, path], [told, view, screen, shown, measured], api_name="takes_measure", **MEASURES
    )
    cancelled_by(stop, [running], told)
    borrow.click(
        said(borrow_move),
        [take, measured, degrees, share, smooth, subject],
        [keys_told, files],
        api_name="takes_borrow",
    )
