"""The layout of DimensionX's tab."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import gradio as gr
from gradio.components import Component

from camera.errors import InputError
from camera.trajectories.dimensionx import FPS
from pipelines import method
from pipelines.environment import on_zerogpu
from pipelines.inputs.open import VIDEOS
from pipelines.methods.dimensionx.blank import blank, is_blank
from pipelines.methods.dimensionx.method import nearest
from pipelines.methods.dimensionx.training.settings import PROGRAM, Recipe, TrainSettings
from pipelines.methods.dimensionx.training.uploads import (
    ACCEPTED,
    code_of,
    collect_clips,
    find_source,
    read_progress,
    trainings_folder,
)
from pipelines.project.framing import framing_words
from pipelines.settings import Settings
from tabs.dimensionx.directors import connected, directors
from tabs.dimensionx.training import Job, Training, train_section
from tabs.parts.form import SHOOTS, cancel_with, wrap_handler
from tabs.parts.method_tab import MethodTab
from tabs.parts.shoot import Shoot
from tabs.project.project import Project
from tabs.shared.old_endpoints import Shared
from tabs.shared.studio import PRIVATE, Studio, signal

METHOD = method("dimensionx")
LORA_FILES = (".safetensors", ".pt")


def nearest_directors(studio: Studio) -> None:
    """Place the line with the directors nearest to the path and their deviation from it; updated with every change."""
    line = gr.Markdown(elem_classes="status", elem_id="dimensionx-nearest")

    def nearest_of_path(project: Project) -> str:
        """The directors nearest to the current path with their similarity and deviation, and how the picture is framed."""
        if project.path is None or project.scene is None:
            return ""
        scene, path = project.ready()
        return f"{nearest(scene, path)}  \n{framing_words(project.scene, scene, project.moves.fit)}"

    def shown(project: Project) -> str:
        return nearest(*project.ready()) if project.path is not None else ""

    studio.endpoint(nearest_of_path, studio.project, line, name="dimensionx_nearest", method=METHOD.name, queue=False)
    studio.drawn[METHOD.name].change(wrap_handler(shown, METHOD.name), studio.project, line, **PRIVATE)


def open_blank(project: Project):
    """A scene without a picture, for text to video."""
    return project.opened(blank()), False, signal()


def without_picture(studio: Studio, button: gr.Button, shoot: Shoot) -> None:
    """Connect the button of `open_blank`; opening a picture switches back to image to video."""
    target = shoot.settings["use_picture"]
    studio.opened.change(
        lambda project: project.scene is None or not is_blank(project.scene), studio.project, target, **PRIVATE
    )
    button.click(
        wrap_handler(open_blank, METHOD.name), studio.project, [studio.project, target, studio.opened],
        api_name="dimensionx_open_blank", show_progress="hidden",
    )  # fmt: skip


class PromptWriter:
    """A button that lets a model write the prompt, which can be edited before the shot."""

    def place(self) -> None:
        with gr.Row():
            self.write = gr.Button("Describe the picture here", size="sm", elem_id="dimensionx-describe", scale=2)
            self.stop = gr.Button("Stop", size="sm", min_width=60)
        self.status = gr.Markdown()

    def connect(self, shoot: Shoot) -> None:
        running = self.write.click(
            wrap_handler(describe_picture, METHOD.name), [shoot.project, shoot.settings["caption"], shoot.options["weights"]],
            [shoot.settings["prompt"], self.status], api_name="dimensionx_describe", show_progress="hidden",
            **SHOOTS,
        )  # fmt: skip
        cancel_with(self.stop, [running], self.status)


def describe_picture(project: Project, caption: str, weights: str):
    """A vision-language model (small unless the caption setting says large) writes the prompt."""
    scene, _ = project.ready()
    if on_zerogpu():
        raise InputError(
            "Here, a picture is described as part of a shot: choose small or large and leave the prompt empty."
        )
    from pipelines.methods.dimensionx.caption import GIGABYTES, describe
    from pipelines.runtime.training.job import run_task

    size = "large" if caption == "large" else "small"
    job = partial(describe, picture=scene.first.colour, size=size)
    for step in run_task(job, mode=weights, gigabytes=GIGABYTES[size]):  # type: ignore[arg-type]
        if isinstance(step, str):
            yield step, "A model wrote this prompt: check it before you shoot."
        else:
            yield gr.skip(), f"**{step.phase}** {step.note}"


def own_director(project: gr.State, target: Component) -> None:
    """Place the upload of a LoRA; ``target`` receives the path of the copy on the server."""
    with gr.Accordion("Your own director", open=False):
        files = gr.File(
            label="LoRA file", file_count="multiple", file_types=[*LORA_FILES, ".json"], height=130, elem_id="dimensionx-lora"
        )  # fmt: skip
        status = gr.Markdown(
            "A LoRA of CogVideoX-5b-I2V in diffusers, peft (with its adapter_config.json) or SAT layout. It replaces the "
            "director; the path shown is still the one you chose.", padding=True,
        )  # fmt: skip
        back = gr.Button("Back to the published directors", size="sm")

    def open_lora(project: Project, lora_files: list[str]):
        """Open a LoRA file; the next shots use it instead of the director."""
        file = _copy_lora(project, [Path(given) for given in lora_files or []])
        from pipelines.methods.dimensionx.loras.layouts import read_lora

        lora = read_lora(file, layers_may_differ=True)
        return str(file), " ".join(
            (f"{len(lora.modules)} layers of rank {lora.rank}.", lora.strength_words, *lora.notes)
        )

    files.upload(wrap_handler(open_lora), [project, files], [target, status], api_name="dimensionx_open_lora")
    back.click(lambda: ("", None), None, [target, files], api_visibility="private", queue=False)


def _copy_lora(project: Project, given: Sequence[Path]) -> Path:
    """Copy the LoRA among the files, with its configuration, to the session's folder."""
    loras = [path for path in given if path.suffix.lower() in LORA_FILES]
    if len(loras) != 1:
        raise InputError(f"Open one LoRA file ({' or '.join(LORA_FILES)}) at a time; these are {len(loras)}.")
    folder = project.file(f"lora-{uuid.uuid4().hex[:8]}")
    folder.mkdir()
    for path in given:
        shutil.copyfile(path, folder / path.name)
    return folder / loras[0].name


def _training_job(files: Sequence[str], recipe: Settings, mode: str) -> Job:
    assert isinstance(recipe, Recipe)
    folder = collect_clips(files, recipe.name, trainings_folder() / METHOD.name)
    data, output = str(find_source(folder / "clips")), folder / f"{mode}-{recipe.identity}"

    def train(weights):
        from accelerate import Accelerator

        from pipelines.methods.dimensionx.training.train import train

        settings = TrainSettings(**recipe.values(), data=data, output=str(output))
        yield from train(settings, weights, accelerator=Accelerator(cpu=weights.device.type == "cpu"))

    return Job(train, recipe.gigabytes, code_of(output))


def _describe_saved(code: str) -> tuple[str, tuple[Path, ...]]:
    steps, files = read_progress(code, trainings_folder() / METHOD.name)
    words = f"It is not running. {steps} steps were saved"
    return f"{words}; train with the same files and settings to resume.", files


TRAINING = Training(
    title="Train a director",
    about=(
        "Train a new camera move on your own clips of it (S-Director), or a scene motion on clips from a static camera "
        f"(T-Director), with upstream's recipe. Full size needs a GPU with about {Recipe().gigabytes:.0f} GB (computed, not measured) and "
        "hours; with tiny weights you can try it on any computer. Closing this page stops the training after a step and saves it, "
        "unless you let it continue; the same files and settings resume it. To use several GPUs, run the command line: "
        f"`{PROGRAM}`."
    ),
    settings=Recipe,
    accepted=(".zip", ".csv", ".txt", *VIDEOS),
    accepted_text=f"Give {ACCEPTED}.",
    fps=FPS,
    program=PROGRAM,
    prepare=_training_job,
    saved=_describe_saved,
)


def build(studio: Studio, shared: Shared) -> None:
    """Place the tab; call inside a `gr.Tab`."""
    buttons, describing = directors(METHOD.moves.defaults()["director"]), PromptWriter()
    tab = MethodTab(METHOD, studio, shared, first=buttons, beneath={"prompt": describing.place})
    connected(buttons, tab.moves["director"])
    describing.connect(tab.shoot)
    without = gr.Button("Without a picture: from text alone", size="sm", elem_id="dimensionx-blank")
    without_picture(studio, without, tab.shoot)
    own_director(studio.project, tab.shoot.settings["lora_file"])
    with tab.results():
        nearest_directors(studio)
        tab.finish()
        train_section(METHOD, studio.project, TRAINING, tab.shoot.settings["lora_file"])
