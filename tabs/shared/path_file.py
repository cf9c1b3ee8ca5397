"""A path from a file: its convention, if the file does not state one, and its scale in the scene."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from camera.errors import InputError
from camera.figure.readings import draw_readings, rank_readings
from camera.formats import FORMATS, read
from camera.formats.account import Account
from camera.formats.research.matrices import CONVENTIONS, choose_reading, is_raw
from camera.objects.scene import subject_distance
from camera.path import CameraPath
from camera.trajectories.scaling import KEEP, SUBJECT, scale_path
from tabs.parts.form import wrap_handler
from tabs.project.project import Project
from tabs.shared.studio import PRIVATE, Studio, signal

LIKELIEST = "likeliest"
FACTOR = "factor"
SCALES = {"As in the file": KEEP, "To the subject's distance": SUBJECT, "By a factor": FACTOR}
_NAMES = ", ".join(form.label for form in FORMATS.values() if form.readable)
LINES = f"{_NAMES}; raw matrices as .npy or JSON."
"""Accepted files, for the page."""


class PathFile:
    """The controls of a path file; placed where this is created."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.file = gr.File(label="Path file", height=120, elem_id="own-path")
        self.status = gr.Markdown(LINES, padding=True)
        self.drawings = gr.HTML(visible=False, elem_id="readings")
        self.reading = gr.Radio(
            [LIKELIEST, *CONVENTIONS], value=LIKELIEST, label="Reading of the matrices", visible=False,
            info="The file does not state its convention. c2w: world from camera; transposed: stored by columns.",
        )  # fmt: skip
        self.scale = gr.Radio([(label, value) for label, value in SCALES.items()], value=KEEP, label="Size of the path")
        self.factor = gr.Number(1.0, label="Factor", visible=False, minimum=1e-9, maximum=1e9)
        self.inputs = [studio.project, self.file, self.reading, self.scale, self.factor]
        self.outputs = [studio.project, self.status, studio.redraw]

    def connect(self) -> None:
        """Connect the controls."""
        self.scale.input(lambda scale: gr.Number(visible=scale == FACTOR), self.scale, self.factor, **PRIVATE)
        self.studio.endpoint(open_path, self.inputs, self.outputs, name="open_path")
        offered = self.file.upload(wrap_handler(_offer_readings), self.file, [self.drawings, self.reading], **PRIVATE)
        queued: dict[str, Any] = {
            "api_visibility": "private",
            "show_progress": "hidden",
        }  # after these events the page follows the signal
        offered.success(wrap_handler(open_path), self.inputs, self.outputs, **queued)
        gr.on(
            [self.reading.input, self.scale.input, self.factor.change],
            wrap_handler(_reopen),
            self.inputs,
            self.outputs,
            **queued,
        )


def open_path(
    project: Project, path_file: str, convention: str = LIKELIEST, path_scale: str = KEEP, path_factor: float = 1.0
):
    """Read a path file, which replaces the preset. ``convention``: of raw matrices; ``path_scale``: keep, subject or factor, which is
    then ``path_factor``."""
    if not path_file:
        raise InputError("Choose a path file.")
    account = Account(Path(path_file).name)
    asked = "" if convention == LIKELIEST else convention
    own = read(
        account.name, Path(path_file).read_bytes(), like=_lens_of_scene(project), account=account, convention=asked
    )
    scale = f"{path_factor:.9g}" if path_scale == FACTOR else path_scale
    notes = [*account.notes(), _scale_path(project, own, scale)]
    size = f"{len(own)} frames, {own.width} x {own.height}, {own.fps:g} per second."
    return project.with_own(own, scale=scale), " ".join(filter(None, (size, *notes))), signal()


def _reopen(project: Project, path_file: str | None, convention: str, path_scale: str, path_factor: float):
    """Like `open_path`, after a change of a control; does nothing without a file."""
    if not path_file:
        return gr.skip(), gr.skip(), gr.skip()
    return open_path(project, path_file, convention, path_scale, path_factor)


def _offer_readings(path_file: str) -> tuple[gr.HTML, gr.Radio]:
    """Drawings of the possible readings of a new file, if it needs one, and the reset choice."""
    if not path_file:
        raise InputError("Choose a path file first.")
    name, data = Path(path_file).name, Path(path_file).read_bytes()
    if not is_raw(data, name):
        return gr.HTML("", visible=False), gr.Radio(value=LIKELIEST, visible=False)
    matrices, convention, reason = choose_reading(data, name)
    svg = draw_readings(rank_readings(matrices, name, (convention, reason)))
    return gr.HTML(svg, visible=True), gr.Radio(value=LIKELIEST, visible=True)


def _scale_path(project: Project, own: CameraPath, scale: str) -> str:
    """Apply ``scale`` to a path in the scene of ``project``; raises `InputError` if it cannot be applied."""
    if project.scene is not None:
        return scale_path(own, scale, subject_distance(project.scene.first))[1]
    return "" if scale == KEEP else "It will be scaled when you open a scene."


def _lens_of_scene(project: Project) -> CameraPath | None:
    """The current path, with the scene's lens, for values that a file does not contain; without a path, the scene's camera."""
    if project.framed is None:
        return None
    path = project.path or project.framed.first.camera
    return replace(path, intrinsics=np.repeat(project.framed.first.intrinsics[None], len(path), axis=0))
