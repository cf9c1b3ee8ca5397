"""The tab of this method: what stands where."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency

from camera.errors import InputError
from camera.trajectories.dimensionx import FPS
from pipelines import method
from pipelines.environment import on_zerogpu
from pipelines.inputs.open import VIDEOS
from pipelines.methods.dimensionx.blank import blank
from pipelines.methods.dimensionx.method import nearest
from pipelines.methods.dimensionx.training.settings import PROGRAM, Recipe, TrainSettings
from pipelines.methods.dimensionx.training.uploads import ACCEPTED, code_of, collected, left_by, source_of, trainings
from pipelines.settings import Settings
from tabs.dimensionx.directors import connected, directors
from tabs.dimensionx.training import Job, Training, train_section
from tabs.parts.form import SHOOTS, cancelled_by, said
from tabs.parts.header import header
from tabs.parts.move import Move
from tabs.parts.rehearsal import path_download, rehearsal
from tabs.parts.restore import keep
from tabs.parts.session import Take, forget
from tabs.parts.shoot import Shoot
from tabs.parts.source import source

METHOD = method("dimensionx")
LORA_FILES = (".safetensors", ".pt")


def nearest_directors(take: gr.State, move: Move) -> None:
    """Places the line that says which directors stand in for the path, and what of it they lose; follows every change."""
    line = gr.Markdown(elem_classes="told", elem_id="dimensionx-nearest")

    def nearest_of_path(take: Take) -> str:
        """The directors nearest to the current path, with their similarity and what they lose; how the picture is framed."""
        return f"{nearest(*take.ready())}  \n{_framing(take)}" if take.path is not None else ""

    first, *others = move.draws
    quietly = {"queue": False, "show_progress": "hidden"}
    first.success(said(nearest_of_path), take, line, api_name="dimensionx_nearest", **quietly)
    for draw in others:
        draw.success(said(nearest_of_path), take, line, api_visibility="private", **quietly)


def _framing(take: Take) -> str:
    """How the picture enters the frame of the move."""
    assert take.scene is not None and take.framed is not None and take.moves is not None
    old, new = take.scene.first, take.framed.first
    sizes = f"The picture of {old.width} x {old.height} fills the frame of {new.width} x {new.height}"
    ratio = (old.width / old.height) / (new.width / new.height)
    if abs(ratio - 1) < 0.01:
        return f"{sizes}, whole."
    part, side = (
        1 - min(ratio, 1 / ratio),
        "left and right" if (ratio > 1) == (take.moves.fit == "crop") else "above and below",
    )
    return {
        "crop": f"{sizes}, cropped: {part:.0%} of it is cut off {side}.",
        "pad": f"{sizes}, padded: {part:.0%} of the frame is black {side}.",
    }.get(
        take.moves.fit,
        f"{sizes}, stretched: it gets {max(ratio, 1 / ratio):.2f} times too {'narrow' if ratio > 1 else 'wide'}.",
    )


def open_blank(take: Take):
    """A scene without a picture, for a video from words alone."""
    return take.opened(blank()), False


def without_picture(take: gr.State, button: gr.Button, opened: Sequence[Dependency], shoot: Shoot) -> Dependency:
    """Connects the button of `open_blank`; who opens a picture (``opened``) starts from it again."""
    target = shoot.settings["use_picture"]
    for event in opened:
        event.success(lambda: True, None, target, api_visibility="private", queue=False, show_progress="hidden")
    return button.click(
        said(open_blank), take, [take, target], api_name="dimensionx_open_blank", show_progress="hidden"
    )


class Describing:
    """The button that lets a model write the prompt, to be read and changed before the shot."""

    def place(self) -> None:
        with gr.Row():
            self.write = gr.Button("Describe the picture here", size="sm", elem_id="dimensionx-describe", scale=2)
            self.stop = gr.Button("Stop", size="sm", min_width=60)
        self.told = gr.Markdown()

    def connect(self, take: gr.State, shoot: Shoot) -> None:
        running = self.write.click(
            said(describe_picture), [take, shoot.settings["caption"], shoot.options["weights"]],
            [shoot.settings["prompt"], self.told], api_name="dimensionx_describe", show_progress="hidden",
            **SHOOTS,
        )  # fmt: skip
        cancelled_by(self.stop, [running], self.told)


def describe_picture(take: Take, caption: str, weights: str):
    """A vision-language model (small unless the caption setting says large) writes the prompt."""
    scene, _ = take.ready()
    if on_zerogpu():
        raise InputError("Here a picture is described within a shot: choose small or large and leave the prompt empty.")
    from pipelines.methods.dimensionx.caption import GIGABYTES, describe
    from pipelines.runtime.training.job import errand

    size = "large" if caption == "large" else "small"
    job = partial(describe, picture=scene.first.colour, size=size)
    for step in errand(job, mode=weights, gigabytes=GIGABYTES[size]):  # type: ignore[arg-type]
        if isinstance(step, str):
            yield step, "The prompt was written by a model: read it before the shot."
        else:
            yield gr.skip(), f"**{step.phase}** {step.note}"


def own_director(take: gr.State, target: Component) -> None:
    """Places the upload of a LoRA; ``target`` gets the path that it has here."""
    with gr.Accordion("Your own director", open=False):
        files = gr.File(
            label="LoRA file", file_count="multiple", file_types=[*LORA_FILES, ".json"], height=130, elem_id="dimensionx-lora"
        )  # fmt: skip
        told = gr.Markdown(
            "A LoRA of CogVideoX-5b-I2V in diffusers, peft (with its adapter_config.json) or SAT layout. It takes the director's "
            "place; the path shown stays the one you chose.", padding=True,
        )  # fmt: skip
        back = gr.Button("Back to the published directors", size="sm")

    def open_lora(take: Take, lora_files: list[str]):
        """Read a LoRA file; the next shots use it in the director's place."""
        file = _taken(take, [Path(given) for given in lora_files or []])
        from pipelines.methods.dimensionx.loras.layouts import read_lora

        lora = read_lora(file, layers_may_differ=True)
        return str(file), " ".join((f"{len(lora.modules)} layers of rank {lora.rank}.", lora.told, *lora.notes))

    files.upload(said(open_lora), [take, files], [target, told], api_name="dimensionx_open_lora")
    back.click(lambda: ("", None), None, [target, files], api_visibility="private", queue=False)


def _taken(take: Take, given: Sequence[Path]) -> Path:
    """The LoRA among the files, copied with what lies beside it to where it stays as long as the session."""
    loras = [path for path in given if path.suffix.lower() in LORA_FILES]
    if len(loras) != 1:
        raise InputError(f"Give one LoRA file ({' or '.join(LORA_FILES)}) at a time; these are {len(loras)}.")
    folder = take.file(f"lora-{uuid.uuid4().hex[:8]}")
    folder.mkdir()
    for path in given:
        shutil.copyfile(path, folder / path.name)
    return folder / loras[0].name


def _training_job(files: Sequence[str], recipe: Settings, mode: str) -> Job:
    assert isinstance(recipe, Recipe)
    folder = collected(files, recipe.name, trainings() / METHOD.name)
    data, output = str(source_of(folder / "clips")), folder / f"{mode}-{recipe.identity}"

    def train(weights):
        from accelerate import Accelerator

        from pipelines.methods.dimensionx.training.train import train

        settings = TrainSettings(**recipe.values(), data=data, output=str(output))
        yield from train(settings, weights, accelerator=Accelerator(cpu=weights.device.type == "cpu"))

    return Job(train, recipe.gigabytes, code_of(output))


def _saved_training(code: str) -> tuple[str, tuple[Path, ...]]:
    steps, files = left_by(code, trainings() / METHOD.name)
    words = f"It does not run. {steps} steps were saved"
    return f"{words}; train with the same files and settings, and it goes on from there.", files


TRAINING = Training(
    title="Train a director",
    about=(
        "A new move from your own clips of it (S-Director), or a way for scenes to move from clips of a still camera "
        f"(T-Director): upstream's recipe. Full size needs a GPU with about {Recipe().gigabytes:.0f} GB (computed, not measured) and "
        "hours; tiny weights show on any computer how it goes. Closing this page stops it after a step, unless it shall go on; "
        "it is saved then, and the same files and settings take it up again. For several GPUs there is the command line: "
        f"`{PROGRAM}`."
    ),
    settings=Recipe,
    accepted=(".zip", ".csv", ".txt", *VIDEOS),
    files_told=f"Give {ACCEPTED}.",
    fps=FPS,
    program=PROGRAM,
    prepare=_training_job,
    saved=_saved_training,
)


def build(page: gr.Blocks) -> None:
    """Places the tab; call inside a `gr.Tab` of ``page``."""
    take = gr.State(Take(), time_to_live=6 * 3600, delete_callback=forget)
    header(METHOD)
    with gr.Row():
        with gr.Column(scale=4, min_width=340):
            example, opened = source(METHOD.name, METHOD.scenes, take)
            without = gr.Button("Without a picture: from words alone", size="sm", elem_id="dimensionx-blank")
            move, buttons = Move(METHOD, take), directors(METHOD.moves.defaults()["director"])
            move.controls(buttons)
            connected(buttons, move.components["director"])
            shoot, describing = Shoot(METHOD, take), Describing()
            shoot.controls({"prompt": describing.place})
            describing.connect(take, shoot)
            opened = [*opened, without_picture(take, without, opened, shoot)]
            own_director(take, shoot.settings["lora_file"])
        with gr.Column(scale=7, min_width=340):
            move.stage(opened)
            nearest_directors(take, move)
            rehearsal(METHOD, take, opened)
            path_download(METHOD, take)
            shoot.screen(move.draws)
            keep(page, METHOD, take, move, shoot, example)
    train_section(METHOD, take, TRAINING, shoot.settings["lora_file"])
