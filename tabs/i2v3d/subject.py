"""I2V3D's subject: a LoRA that is uploaded, or trained on the picture and views of its 3D."""

from __future__ import annotations

import hashlib
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.events import Dependency

from camera.errors import InputError
from pipelines.environment import on_zerogpu
from pipelines.method import Progress
from pipelines.methods.i2v3d.method import I2V3DSettings
from pipelines.methods.i2v3d.subject.settings import RESUMABLE, SubjectSettings
from pipelines.results.record import scene_sha256
from pipelines.training import TrainedWeights, TrainingStep
from tabs.parts import form
from tabs.parts.loss_curve import CANCELLED, SHOWN_EVERY, loss_curve
from tabs.parts.shoot import Shoot
from tabs.project.project import Project

PRIVATE: dict[str, Any] = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}


def status_line(name: str, section: str) -> gr.Markdown:
    """Place a section's status line beside its buttons."""
    return gr.Markdown(elem_classes="status", elem_id=f"{name}-{section}-status")


def early_picture() -> gr.Image:
    """Place a picture that is shown while a step runs."""
    return gr.Image(label="Early picture", visible=False, height=200, interactive=False)


def progress_text(step: Progress) -> str:
    """Phase, step number, remaining time and note, as one line of Markdown."""
    count = f" {step.step} of {step.steps}" if step.steps > 1 else ""
    left = f" · {step.seconds_left:.0f} s left" if step.seconds_left else ""
    return f"**{step.phase}**{count}{left}" + (f" · {step.note}" if step.note else "")


def short_hash(*values: Any) -> str:
    """Hash of ``values``: twelve letters and digits."""
    return hashlib.sha256(repr(values).encode()).hexdigest()[:12]


class Subject:
    """The section. ``training_settings``: of the last training; ``controls``: inputs of a training; ``trained``: the event of a
    finished training; both are missing if this computer cannot train."""

    def __init__(self, shoot: Shoot, project: gr.State) -> None:
        self.shoot, self.project, self.name = shoot, project, shoot.method.name
        self.training_settings = gr.State()
        self.controls: form.Components = {}
        self.trained: Dependency | None = None

    def place(self) -> None:
        """Place the section; without training on ZeroGPU, which does not lend a GPU for that long."""
        gr.Markdown("#### Subject")
        with gr.Row():
            ready = gr.UploadButton("Use a ready LoRA", file_types=[".safetensors"], size="sm")
            none = gr.Button("Use no LoRA", size="sm")
        chosen = [self.shoot.settings["lora_file"], status_line(self.name, "subject")]
        ready.upload(
            form.wrap_handler(self._use_lora), [self.project, ready], chosen, api_name=f"{self.name}_take_lora"
        )
        none.click(lambda: ("", "No LoRA is used."), None, chosen, **PRIVATE)
        with gr.Accordion("Train it on the picture and views of its 3D", open=False):
            if on_zerogpu():
                gr.Markdown(
                    "**Not available on this Space:** a training needs its own GPU for most of an hour.", padding=True
                )
                return
            with gr.Group():
                controls = form.controls(SubjectSettings, form.basic_names(SubjectSettings))
            with gr.Accordion("Finer training settings", open=False):
                controls |= form.controls(SubjectSettings, form.advanced_names(SubjectSettings))
            self.controls = controls
            with gr.Row():
                start = gr.Button("Learn the subject", variant="primary", size="sm", elem_id=f"{self.name}-learn")
                stop = gr.Button("Cancel", size="sm")
            status, early = status_line(self.name, "learning"), early_picture()
            curve = gr.HTML(elem_id=f"{self.name}-loss")
            file = gr.File(label="LoRA", file_count="multiple", visible=False, interactive=False, height=70)
        handler = form.handler(
            self._learn, SubjectSettings, name=f"{self.name}_train", method=self.name,
            before={"project": Project, "weights": str, "foreground": str, "foreground_reach": float},
        )  # fmt: skip
        options, settings = self.shoot.options, self.shoot.settings
        running = start.click(
            handler, [self.project, options["weights"], settings["foreground"], settings["foreground_reach"],
                      *(controls[name] for name in SubjectSettings.controls())],
            [status, early, curve, file, settings["lora_file"], self.training_settings], api_name=f"{self.name}_train",
            show_progress="hidden", **form.TRAINS,
        )  # fmt: skip
        form.cancel_with(stop, [running], status, CANCELLED)
        self.trained = running

    def _use_lora(self, project: Project, lora: str) -> tuple[str, str]:
        """Use a subject LoRA that was trained here or elsewhere."""
        if not lora:
            raise InputError("Choose a LoRA file (.safetensors).")
        copy = shutil.copyfile(lora, project.file(Path(lora).name))
        return str(copy), f"{Path(lora).name} is used from now on."

    def _learn(
        self, project: Project, weights: str, foreground: str, foreground_reach: float, subject: SubjectSettings
    ):
        """Train a subject LoRA on the picture and masked views of its 3D; if started again, the training resumes."""
        from pipelines.runtime.training.job import run_training

        scene, _ = project.ready()
        digest = _digest(subject, foreground, foreground_reach, weights, scene_sha256(scene))
        folder = project.file(f"subject-{digest}")
        view = I2V3DSettings(foreground=foreground, foreground_reach=foreground_reach)

        def train(weights: Any) -> Iterator[Any]:
            from pipelines.methods.i2v3d.subject.data import render_views
            from pipelines.methods.i2v3d.subject.train import train as learn

            yield Progress("Rendering views of the subject", 0, 1)
            views = render_views(scene, view, subject.resolution) if subject.view_weight else None
            yield from learn(scene.first.colour, views, subject, weights, folder)

        losses: list[float] = []
        last_report = 0.0
        for step in run_training(train, mode=weights, gigabytes=subject.gigabytes):  # type: ignore[arg-type]
            if isinstance(step, TrainedWeights):
                words = f"**Trained**, loss {step.loss:.4f}. The keyframes now use it."
                stem = f"subject-{uuid.uuid4().hex[:8]}"
                copy = str(shutil.copyfile(step.file, project.file(f"{stem}.safetensors")))
                others = [
                    str(shutil.copyfile(other, project.file(f"{stem}-kohya.safetensors"))) for other in step.further
                ]
                yield words, gr.skip(), loss_curve(losses), gr.File([copy, *others], visible=True), copy, subject
                continue
            losses += [step.loss] if isinstance(step, TrainingStep) else []
            picture = gr.skip() if step.preview is None else gr.Image(step.preview, visible=True)
            if time.monotonic() - last_report > SHOWN_EVERY or step.preview is not None:
                last_report = time.monotonic()
                yield progress_text(step), picture, loss_curve(losses), gr.skip(), gr.skip(), subject


def _digest(subject: SubjectSettings, *more: Any) -> str:
    """An identifier of a training; it depends on the settings that prevent resuming."""
    values = {name: value for name, value in subject.values().items() if name not in RESUMABLE}
    return short_hash(sorted(values.items()), more)
