"""A section that trains: clips in, a file that the tab uses at once out; cancelled and taken up again at any step."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from pipelines.method import Method, Progress
from pipelines.runtime.estimates import in_words
from pipelines.runtime.options import RunOptions, on_zerogpu
from pipelines.settings import Settings
from pipelines.training import Learnt, Sample, Trained
from tabs import form
from tabs.players import clips, players
from tabs.take import Take

SHOWN_EVERY = 0.5
"""Seconds between two looks at a training; steps of tiny networks come faster."""
SAMPLES_SHOWN = 4
CANCELLED = (
    "Cancelled. What was learnt is saved: train again with the same files and settings, and it goes on from there."
)


@dataclass(frozen=True)
class Job:
    """A training ready to begin: ``train(weights)`` yields what `pipelines.training` knows; memory on a GPU in GB."""

    train: Callable[[Any], Iterator[Any]]
    gigabytes: float


@dataclass(frozen=True)
class Training:
    """What one tab can train. ``about``: one paragraph; ``accepted``: what its files may be, for the file chooser.

    ``prepare(files, settings)`` brings uploaded files to where they stay and returns the job; raises `InputError`.
    ``program`` does the same from a command line.
    """

    title: str
    about: str
    settings: type[Settings]
    accepted: tuple[str, ...]
    files_label: str
    fps: float
    program: str
    prepare: Callable[[Sequence[str], Settings], Job]


def train_section(method: Method, take: gr.State, training: Training, target: Component) -> None:
    """Places the section, closed; ``target`` gets the path of the trained file."""
    with gr.Accordion(training.title, open=False, elem_id=f"{method.name}-training"):
        gr.Markdown(training.about, padding=True)
        if on_zerogpu():
            gr.Markdown(
                "**Not on this Space:** ZeroGPU lends a GPU for minutes, and a training needs one of its own for hours. Give the "
                f"Space a GPU, or train on your own computer: `{training.program}`.",
                padding=True,
            )
            return
        _Section(method, take, training, target)


class _Section:
    def __init__(self, method: Method, take: gr.State, training: Training, target: Component) -> None:
        self.method, self.training = method, training
        settings, name = training.settings, method.name
        with gr.Row():
            with gr.Column(scale=4, min_width=340):
                self.files = gr.File(
                    label=training.files_label, file_count="multiple", file_types=list(training.accepted), height=130,
                    elem_id=f"{name}-training-files",
                )  # fmt: skip
                folder = gr.UploadButton("Or give a folder", file_count="directory", size="sm")
                with gr.Group():
                    controls = form.controls(settings, form.basic(settings))
                with gr.Accordion("Finer training settings", open=False):
                    controls |= form.controls(settings, form.advanced(settings))
                choices = list(RunOptions.controls()["weights"].choices or ())
                weights = gr.Dropdown(choices, value="real", label="Weights")
                with gr.Row():
                    start = gr.Button("Train", variant="primary", elem_id=f"{name}-train")
                    stop = gr.Button("Cancel", min_width=80)
            with gr.Column(scale=7, min_width=340):
                status = gr.Markdown("The loss and sample videos appear here.", elem_id=f"{name}-training-status")
                curve = gr.HTML(elem_id=f"{name}-loss")
                samples = players(f"{name}-training-samples")
                made = gr.File(label="Trained files", file_count="multiple", visible=False, interactive=False)

        handler = form.handler(
            self._run,
            settings,
            before={"take": Take, "training_files": list[str], "weights": str},
            name=f"{name}_train",
        )
        running = start.click(
            handler, [take, self.files, weights, *(controls[key] for key in settings.controls())],
            [status, curve, samples, made, target], api_name=f"{name}_train", concurrency_id="train", concurrency_limit=2,
            show_progress="hidden",
        )  # fmt: skip
        private = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}
        stop.click(lambda: CANCELLED, None, status, cancels=[running], **private)
        folder.upload(form.said(self._of_a_folder), folder, self.files, **private)

    def _of_a_folder(self, files: list[str] | None) -> list[str]:
        return [file for file in files or [] if Path(file).suffix.lower() in self.training.accepted]

    def _run(self, take: Take, training_files: list[str], weights: str, settings: Settings):
        """Train on clips with captions; returns the loss, sample videos and the trained files. Begun again, it goes on."""
        from pipelines.runtime.training import trained

        yield "**Reading the files**", *[gr.skip()] * 4
        job = self.training.prepare(training_files or [], settings)
        folder = take.file(f"training-{uuid.uuid4().hex[:8]}")
        folder.mkdir()
        losses: list[float] = []
        videos: dict[str, Path] = {}
        shown = 0.0
        for step in trained(job.train, mode=weights, gigabytes=job.gigabytes):  # type: ignore[arg-type]
            if isinstance(step, Sample):
                videos[f"After {step.step} steps"] = _kept(folder, step.file)
                videos = dict(list(videos.items())[-SAMPLES_SHOWN:])
                yield gr.skip(), gr.skip(), clips(videos, self.training.fps), gr.skip(), gr.skip()
            elif isinstance(step, Trained):
                files = [_kept(folder, file) for file in (step.file, *step.further)]
                words = f"**Trained**, loss {step.loss:.4f}. The next shot in this tab uses it: {files[0].name}."
                yield (
                    words,
                    loss_curve(losses),
                    gr.skip(),
                    gr.File([str(file) for file in files], visible=True),
                    str(files[0]),
                )
            else:
                losses += [step.loss] if isinstance(step, Learnt) else []
                if time.monotonic() - shown > SHOWN_EVERY:
                    shown = time.monotonic()
                    yield _words(step), loss_curve(losses), *[gr.skip()] * 3


def _words(step: Progress) -> str:
    count = f" {step.step} of {step.steps}" if step.steps > 1 else ""
    left = f" · {in_words(step.seconds_left)} left" if step.seconds_left else ""
    return f"**{step.phase}**{count}{left}" + (f" · {step.note}" if step.note else "")


def _kept(folder: Path, file: Path) -> Path:
    """A copy that the page may serve, under a path that no other run has; the training's own folder stays closed."""
    return Path(shutil.copyfile(file, folder / file.name))


def loss_curve(losses: Sequence[float], *, points: int = 240, width: int = 600, height: int = 90) -> str:
    """The losses of all steps as a small picture in HTML, averaged to at most ``points``; empty for less than two."""
    if len(losses) < 2:
        return ""
    size = -(-len(losses) // points)
    means = [sum(part) / len(part) for part in (losses[i : i + size] for i in range(0, len(losses), size))]
    low, high = min(means), max(means)
    across, up = width / max(len(means) - 1, 1), (height - 4) / ((high - low) or 1.0)
    line = " ".join(f"{i * across:.1f},{height - 2 - (mean - low) * up:.1f}" for i, mean in enumerate(means))
    said = f"Loss from {high:.4f} (top) to {low:.4f} (bottom), {means[-1]:.4f} now"
    return (
        f'<figure style="margin:0"><svg viewBox="0 0 {width} {height}" width="100%" height="{height}" '
        f'preserveAspectRatio="none" role="img" aria-label="{said}"><polyline points="{line}" fill="none" '
        f'stroke="var(--color-accent)" stroke-width="1.5" vector-effect="non-scaling-stroke"/></svg>'
        f'<figcaption class="told">{said}</figcaption></figure>'
    )
