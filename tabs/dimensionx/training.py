"""The training section: accepts clips, and returns a trained file that the tab uses at once. A training can be stopped, left running and resumed."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from pipelines.environment import on_zerogpu
from pipelines.method import Method, Progress
from pipelines.options import RunOptions
from pipelines.runtime.forecast import in_words
from pipelines.settings import Settings
from tabs.browser.players import clips, players
from tabs.parts import form
from tabs.parts.loss_curve import CANCELLED, loss_curve
from tabs.project.project import Project

SAMPLES_SHOWN = 4


@dataclass(frozen=True)
class Job:
    """A training ready to start: ``train(weights)`` yields the types of `pipelines.training`; GPU memory in GB.

    ``code``: the same for the same clips, settings and weights, and impossible to guess without the clips.
    """

    train: Callable[[Any], Iterator[Any]]
    gigabytes: float
    code: str


@dataclass(frozen=True)
class Training:
    """A training that a tab offers. ``about``: one paragraph; ``accepted``: file types for the file chooser.

    ``prepare(files, settings, weights)`` copies uploaded files to their permanent folder and returns the job; raises `InputError`.
    ``saved(code)``: a sentence on the saved state of a training that is not running, and its trained files.
    ``program``: the command line for the same training.
    """

    title: str
    about: str
    settings: type[Settings]
    accepted: tuple[str, ...]
    accepted_text: str
    fps: float
    program: str
    prepare: Callable[[Sequence[str], Settings, str], Job]
    saved: Callable[[str], tuple[str, tuple[Path, ...]]]


def train_section(method: Method, project: gr.State, training: Training, target: Component) -> None:
    """Place the section, closed; ``target`` receives the path of the trained file."""
    with gr.Accordion(training.title, open=False, elem_id=f"{method.name}-training"):
        gr.Markdown(training.about, padding=True)
        if on_zerogpu():
            gr.Markdown(
                "**Not available on this Space:** ZeroGPU lends a GPU for minutes, but a training needs its own GPU for hours. Give the "
                f"Space a GPU, or train on your own computer: `{training.program}`.",
                padding=True,
            )
            return
        _Section(method, project, training, target)


class _Section:
    def __init__(self, method: Method, project: gr.State, training: Training, target: Component) -> None:
        self.method, self.training = method, training
        settings, name = training.settings, method.name
        with gr.Row():
            with gr.Column(scale=4, min_width=340):
                self.files = gr.File(
                    label="Clips", file_count="multiple", file_types=list(training.accepted), height=130,
                    elem_id=f"{name}-training-files",
                )  # fmt: skip
                gr.Markdown(training.accepted_text, padding=True)
                folder = gr.UploadButton("Or give a folder", file_count="directory", size="sm")
                with gr.Group():
                    controls = form.controls(settings, form.basic_names(settings))
                with gr.Accordion("Finer training settings", open=False):
                    controls |= form.controls(settings, form.advanced_names(settings))
                choices = list(RunOptions.controls()["weights"].choices or ())
                weights = gr.Dropdown(choices, value="real", label="Weights")
                keep = gr.Checkbox(
                    label="Continue when this page is closed", info="Only Cancel stops it then, here or with its code.",
                    elem_id=f"{name}-training-stays",
                )  # fmt: skip
                with gr.Row():
                    start = gr.Button("Train", variant="primary", elem_id=f"{name}-train")
                    stop = gr.Button("Cancel", min_width=80, elem_id=f"{name}-train-stop")
                code = gr.Textbox(
                    label="Code of the training", info="Keep it to find this training again later, from any page.",
                    buttons=["copy"], elem_id=f"{name}-training-code",
                )  # fmt: skip
                again = gr.Button("Show the training with this code", size="sm", elem_id=f"{name}-training-look")
            with gr.Column(scale=7, min_width=340):
                status = gr.Markdown("The loss and sample videos appear here.", elem_id=f"{name}-training-status")
                curve = gr.HTML(elem_id=f"{name}-loss")
                samples = players(f"{name}-training-samples")
                made = gr.File(label="Trained files", file_count="multiple", visible=False, interactive=False)

        handler = form.handler(
            self._run,
            settings,
            before={"project": Project, "training_files": list[str], "weights": str, "keep_going": bool},
            name=f"{name}_train",
        )
        outputs = [status, curve, samples, made, target]
        shared = {**form.TRAINS, "show_progress": "hidden"}
        running = start.click(
            handler, [project, self.files, weights, keep, *(controls[key] for key in settings.controls())], [*outputs, code],
            api_name=f"{name}_train", **shared,
        )  # fmt: skip
        looking = again.click(
            form.wrap_handler(self._look), [project, code], outputs, api_name=f"{name}_look_at_training", **shared
        )
        stop.click(None, cancels=[running, looking], api_visibility="private").then(
            form.wrap_handler(self._stop),
            code,
            status,
            api_name=f"{name}_stop_training",
            queue=False,
            show_progress="hidden",
        )
        private = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}
        folder.upload(form.wrap_handler(self._choose_accepted), folder, self.files, **private)

    def _choose_accepted(self, files: list[str] | None) -> list[str]:
        return [file for file in files or [] if Path(file).suffix.lower() in self.training.accepted]

    def _run(self, project: Project, training_files: list[str], weights: str, keep_going: bool, settings: Settings):
        """Train on clips with captions; returns the loss, sample videos and the trained files. If started again, the training resumes.

        The last output is the training's code; with keep_going the training continues after this call, until stop_training.
        """
        from pipelines.runtime.training import background
        from pipelines.runtime.training.job import run_training

        yield "**Reading the files**", *[gr.skip()] * 5
        job = self.training.prepare(training_files or [], settings, weights)
        training = background.begin(
            job.code,
            lambda: run_training(job.train, mode=weights, gigabytes=job.gigabytes),  # type: ignore[arg-type]
        )
        training.stays |= keep_going
        try:
            for update in self._follow(project, training):
                yield *update, job.code
        finally:
            if not training.stays:
                training.stop()

    def _look(self, project: Project, training_code: str):
        """Watch a training that continues without a page, or see its results; the code is what train returned last."""
        from pipelines.runtime.training import background

        training = background.find_training((training_code or "").strip())
        if training is not None and (training.made or not training.is_over):
            yield from self._follow(project, training)
            return
        words, files = self.training.saved((training_code or "").strip())
        yield words, gr.skip(), gr.skip(), *_files(project, files)

    def _stop(self, training_code: str) -> str:
        """Stop a training after the current step, which is saved."""
        from pipelines.runtime.training import background

        if (training_code or "").strip():
            background.stop((training_code or "").strip())
        return CANCELLED

    def _follow(self, project: Project, training: Any) -> Iterator[tuple]:
        """Updates of status, loss curve, samples, files and target while a training runs."""
        folder = project.file(f"training-{uuid.uuid4().hex[:8]}")
        folder.mkdir()
        videos: dict[str, Path] = {}

        def newest() -> Any:
            """The last samples if they changed, since players restart with every value."""
            files = {f"After {sample.step} steps": sample.file for sample in training.samples[-SAMPLES_SHOWN:]}
            if files.keys() == videos.keys():
                return gr.skip()
            copies = {title: videos.get(title) or _copy_file(folder, file) for title, file in files.items()}
            videos.clear()
            videos.update(copies)
            return clips(videos, self.training.fps)

        for new in training.follow():
            if not new or training.made is not None:
                yield (*[gr.skip()] * 5,)
                continue
            words = _progress_text(training.progress) if training.progress else gr.skip()
            yield words, loss_curve(training.losses), newest(), gr.skip(), gr.skip()
        if training.made is None:
            yield CANCELLED, *[gr.skip()] * 4
            return
        made = training.made
        words = f"**Trained**, loss {made.loss:.4f}. The next shot in this tab uses it: {made.file.name}."
        yield words, loss_curve(training.losses), newest(), *_files(project, (made.file, *made.further))


def _files(project: Project, files: Sequence[Path]) -> tuple:
    """Updates of files and target with copies that the page may serve, in their own folder."""
    if not files:
        return gr.skip(), gr.skip()
    folder = project.file(f"trained-{uuid.uuid4().hex[:8]}")
    folder.mkdir()
    copies = [str(_copy_file(folder, file)) for file in files]
    return gr.File(copies, visible=True), copies[0]


def _progress_text(step: Progress) -> str:
    count = f" {step.step} of {step.steps}" if step.steps > 1 else ""
    left = f" · {in_words(step.seconds_left)} left" if step.seconds_left else ""
    return f"**{step.phase}**{count}{left}" + (f" · {step.note}" if step.note else "")


def _copy_file(folder: Path, file: Path) -> Path:
    """Copy a file to a folder that the page may serve; the training's own folder is not served."""
    return Path(shutil.copyfile(file, folder / file.name))
