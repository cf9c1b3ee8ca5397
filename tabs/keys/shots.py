"""Several moves over one scene with cuts between them: a list of shots, continuity warnings, and files of the whole sequence."""

from __future__ import annotations

import re
import uuid
from typing import Any

import gradio as gr
import numpy as np

from camera.errors import InputError
from camera.sequence.interchange import edl_text, otio_text
from camera.sequence.shots import MOST_SHOTS, Shot, check_cuts, first_frames
from camera.view import Scene
from pipelines.media.image import png
from pipelines.method import Progress
from pipelines.results.animatic import animatic, contact_sheet, describe_shot
from tabs.parts.form import wrap_handler
from tabs.project.project import Project
from tabs.shared.studio import PRIVATE, Studio, signal

Shots = tuple[Shot, ...]
LINES = {"not watched": None, "left to right in the picture": 0, "into the picture": 2}
"""The line of action through the subject, by the axis of the picture's camera parallel to it."""
EMPTY = "Draw a move, then add it as a shot. The next move becomes another shot, with a cut between them."


class ShotList:
    """The section: the project's list of shots, and files of the whole sequence."""

    def __init__(self, studio: Studio) -> None:
        self.project = project = studio.project
        with gr.Accordion("Shots and cuts", open=False, elem_id="shots"):
            with gr.Row():
                self.name = gr.Textbox(label="Name of the shot", max_length=60, min_width=160)
                self.line = gr.Dropdown(list(LINES), label="Line of action", min_width=160)
            with gr.Row():
                add = gr.Button("Add this move as a shot", variant="primary", size="sm")
                order = gr.Textbox(label="New order", placeholder="2, 1, 3", min_width=120)
                sort = gr.Button("Reorder", size="sm", min_width=80)
            self.summary = gr.Markdown(EMPTY, elem_id="shots-told")
            with gr.Row():
                draw, stop = gr.Button("Make the animatic", size="sm"), gr.Button("Cancel", size="sm", min_width=80)
                sheet, otio, edl = (
                    gr.Button(label, size="sm", min_width=90) for label in ("Contact sheet", "OTIO", "EDL")
                )
            self.video = gr.Video(label="Animatic", height=300, visible=False, loop=True, elem_id="animatic")
            self.file = gr.File(label="File", visible=False, interactive=False, height=70, elem_id="shots-file")
        outputs = [project, self.summary, studio.listed]
        add.click(
            wrap_handler(add_shot),
            [project, self.name, self.line],
            outputs,
            api_name="add_shot",
            show_progress="hidden",
        )
        sort.click(
            wrap_handler(reorder_in_project),
            [project, order, self.line],
            outputs,
            api_name="reorder_shots",
            show_progress="hidden",
        )
        running = draw.click(
            wrap_handler(render_animatic), project, self.video, api_name="animatic", concurrency_id="animatic",
            concurrency_limit=2, show_progress_on=self.summary,
        )  # fmt: skip
        stop.click(None, cancels=[running], api_visibility="private")
        for button, make, name in ((sheet, _sheet, "contact_sheet"), (otio, _otio, "otio"), (edl, _edl, "edl")):
            button.click(wrap_handler(_file_handler(make)), project, self.file, api_name=name, show_progress="hidden")
        studio.follow(describe_shots, self.summary, self.line)
        hidden = gr.Video(None, visible=False), gr.File(None, visible=False)
        studio.opened.change(lambda: hidden, None, [self.video, self.file], **PRIVATE)


def add_shot(project: Project, shot_name: str, line_of_action: str):
    """Add the move as the next shot; returns the list with continuity warnings."""
    _, path = project.ready()
    shots = project.content.shots
    if len(shots) >= MOST_SHOTS:
        raise InputError(f"A sequence can have up to {MOST_SHOTS} shots; remove some first.")
    shot = Shot((shot_name or "").strip() or f"Shot {len(shots) + 1}", path)
    project = project.with_shots((*shots, shot), f"add shot {len(shots) + 1}")
    return project, describe_shots(project, line_of_action), signal()


def reorder_in_project(project: Project, shot_order: str, line_of_action: str):
    """Reorder the shots, as in 2, 1, 3; removes shots that are not named."""
    project = project.with_shots(reorder_shots(project.content.shots, shot_order), "reorder the shots")
    return project, describe_shots(project, line_of_action), signal()


def render_animatic(project: Project, progress: gr.Progress = gr.Progress()):  # noqa: B008
    """Render all shots over the scene's 3D as one mp4 with cuts."""
    target = project.file(f"animatic-{uuid.uuid4().hex[:8]}.mp4")
    for step in animatic(project.ready()[0], project.content.shots, target):
        if isinstance(step, Progress):
            progress((step.step, step.steps), desc=step.phase, unit="frames")
            yield gr.skip()
        else:
            yield gr.Video(str(step), visible=True)


def describe_shots(project: Project, line_of_action: str) -> str:
    """The section's text for a project."""
    framed, shots = project.framed, project.content.shots
    return summarise_sequence(framed, shots, line_of_action) if framed is not None and shots else EMPTY


def reorder_shots(shots: Shots, order: str) -> Shots:
    """The shots in the ``order`` of their numbers, counted from 1; raises `InputError` for an unknown number."""
    numbers = [int(number) for number in re.findall(r"\d{1,4}", order or "")]
    if not numbers or not all(1 <= number <= len(shots) for number in numbers) or len(numbers) > MOST_SHOTS:
        raise InputError(
            f"Write the order as numbers from 1 to {len(shots)} with commas, as in 2, 1, 3; got {order!r:.40}."
        )
    return tuple(shots[number - 1] for number in numbers)


def summarise_sequence(scene: Scene, shots: Shots, line_of_action: str) -> str:
    """The shots with their positions in the sequence, and warnings per cut, as Markdown."""
    if line_of_action not in LINES:
        raise InputError(f"The line of action is one of {', '.join(LINES)}; got {line_of_action!r:.40}.")
    axis, pose = LINES[line_of_action], scene.first.world_from_camera
    subject = pose[:3, 3] + pose[:3, 2] * scene.first.focus_depth
    line = None if axis is None else pose[:3, axis]
    rows = [
        f"{number}. **{_escape(shot.name)}**: {describe_shot(shot.path)}, from {start / shot.path.fps:.1f} s"
        for number, (shot, start) in enumerate(zip(shots, first_frames(shots)), start=1)
    ]
    wrong = [f"- Cut {each.cut + 1}: {_escape(each.words)}" for each in check_cuts(shots, subject, line=line)]
    return "\n".join([*rows, "", *wrong])


def _escape(text: str) -> str:
    """Escape a name so that it does not become Markdown or HTML."""
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", text)


def _file_handler(make: Any) -> Any:
    def file(project: Project):
        name, content = make(project.ready()[0], project.content.shots)
        target = project.file(name)
        target.write_bytes(content)
        return gr.File(str(target), visible=True)

    file.__doc__ = make.__doc__
    return file


def _sheet(scene: Scene, shots: Shots) -> tuple[str, bytes]:
    """A picture with the first, middle and last frame of every shot."""
    return "contact_sheet.png", png(np.ascontiguousarray(contact_sheet(scene, shots)))


def _otio(scene: Scene, shots: Shots) -> tuple[str, bytes]:
    """The shots as an OpenTimelineIO timeline."""
    return "shots.otio", otio_text(shots, name=scene.name).encode()


def _edl(scene: Scene, shots: Shots) -> tuple[str, bytes]:
    """The shots as an EDL (CMX 3600)."""
    return "shots.edl", edl_text(shots, name=scene.name).encode()
