"""The picture that the camera moves through: examples, uploads, depth, field of view."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import gradio as gr
from gradio.data_classes import ImageData
from gradio.events import Dependency

from camera.errors import InputError
from camera.view import Scene
from examples import EXAMPLES, load
from pipelines.estimation.depth import MODELS, Depth, DepthModel, depth_of
from pipelines.inputs.open import ACCEPTED, SPLATS, read_material
from pipelines.inputs.picture import guessed_layout, scene_from
from pipelines.media.budget import BUDGET
from pipelines.media.depth_map.meanings import DepthMeaning
from pipelines.media.depth_map.read import KINDS, read_depth_map
from pipelines.media.image import Picture, read_picture
from pipelines.splats.formats.axes import UPS
from tabs.parts.form import said
from tabs.parts.session import Take

GIVEN, GUESS = "My depth map", "Guessed layout (no model)"
BY_LABEL: dict[str, DepthModel] = {model.label: model for model in MODELS.values()}
MEANINGS: dict[str, DepthMeaning] = {
    "metres": "metres",
    "millimetres": "millimetres",
    "any unit": "distance",
    "disparity (near is large)": "disparity",
    "KITTI (1/256 m)": "kitti",
    "TUM RGB-D (1/5000 m)": "tum",
    "ScanNet (mm)": "scannet",
    "Middlebury disparity": "middlebury",
}


def source(
    name: str, kinds: Sequence[str], take: gr.State, *, dense: bool = False
) -> tuple[gr.Textbox, list[Dependency]]:
    """Places the examples of these ``kinds`` and uploads; ``name`` begins the names of the endpoints.

    ``dense``: several views get depth in every pixel, see `pipelines.inputs.open.read_material`.

    Returns the field that opens an example by its name, and the events after which ``take`` holds a scene.
    """
    shown = [example for example in EXAMPLES if example.kind in kinds or (example.kind == "mesh" and "still" in kinds)]
    gr.Markdown("### 1 · Picture")
    gallery = gr.Gallery(
        [(str(example.thumbnail), example.title) for example in shown], columns=5, height="auto", allow_preview=False,
        show_label=False, elem_id=f"{name}-examples", elem_classes="examples", object_fit="cover", buttons=[],
    )  # fmt: skip
    picture = gr.Image(
        type="filepath", label="Or your own picture", sources=["upload", "clipboard"], height=170,
        elem_id=f"{name}-picture",
    )  # fmt: skip
    picture.preprocess = as_it_came  # type: ignore[method-assign]
    with gr.Accordion("Depth and field of view", open=False):
        depth_from = gr.Dropdown([*BY_LABEL, GIVEN, GUESS], value=next(iter(BY_LABEL)), label="Depth from")
        depth_map = gr.File(label=f"My depth map ({KINDS})", height=90)
        with gr.Row():
            meaning = gr.Dropdown(list(MEANINGS), value="metres", label="Its numbers are", min_width=120)
            scale = gr.Number(1.0, label="times", info="0.001 for millimetres", min_width=90)
        fov = gr.Slider(
            0, 120, 0, step=1, label="Field of view", info="Degrees across; 0 takes the file's or the model's, else 55."
        )
        prepare = gr.Button("Prepare the scene", size="sm")
    only_still = set(kinds) == {"still"}
    with gr.Accordion("Splats" if only_still else "A clip, several views, or splats", open=False):
        files = gr.File(
            label="Splats" if only_still else "Clip, views or splats", file_count="multiple", height=110,
            elem_id=f"{name}-files-in",
        )  # fmt: skip
        gr.Markdown(f"{SPLATS if only_still else ACCEPTED} {BUDGET.words}", padding=True)
        up = gr.Dropdown(
            [*UPS], value="auto", label="What points up in a file of splats",
            info="auto: as is the custom of its format; choose again if the place stands wrong.",
        )  # fmt: skip
        given_views = gr.Number(
            0, label="Pictures given to the method", precision=0, minimum=0, visible="views" in kinds,
            info="Of posed pictures; the cameras of the others become the path to shoot. 0: all, or the file's own split.",
        )  # fmt: skip
        begin_at = gr.Number(
            0, label="First frame of the clip", precision=0, minimum=0, visible="clip" in kinds,
            info="Counted from 0; press Enter to read the clip from there on.",
        )  # fmt: skip
    told = gr.Markdown(elem_classes="told")
    example = gr.Textbox(visible=False)

    def pick(event: gr.SelectData) -> str:
        return shown[event.index].name

    def open_example(take: Take, example: str):
        """Open one of the example scenes by name."""
        scene = load(example)
        return take.opened(scene), described(scene)

    def open_picture(
        take: Take,
        picture: str,
        depth_from: str = next(iter(BY_LABEL)),
        depth_map: str | None = None,
        meaning: str = "metres",
        scale: float = 1.0,
        fov_degrees: float = 0,
    ):
        """Make a scene of a picture: with a depth model, a given depth map, or a labelled guess."""
        if not picture:
            raise InputError("Give a picture first.")
        read = read_picture(picture)
        depth, warning = _depth(read, depth_from, depth_map, meaning, scale)
        scene = scene_from(read, depth, fov_degrees=fov_degrees or None)
        return take.opened(scene), described(scene) + "".join(f"  \n{note}" for note in read.notes) + warning

    def open_files(take: Take, files: list[str], given_views: int, begin_at: int = 0, up: str = "auto"):
        """Make a scene of a clip or of several views, with the cameras they bring or estimated ones, or of a file of splats."""
        with _in_one_folder(take, files or []) as together:
            material = read_material(
                together,
                given_views=given_views or 0,
                dense=dense,
                begin_at=begin_at or 0,
                up=up,  # type: ignore[arg-type]
            )
        if material.scene.kind not in kinds:
            raise InputError(f"This method takes {' or '.join(kinds)}, and these files are a {material.scene.kind}.")
        take = take.opened(material.scene, material.points)
        if material.path is not None:
            take = take.with_own(material.path, as_given=material.path_as_given)
        words = " Its own path is ready under Path file." if material.path is not None else ""
        return take, f"{described(material.scene)}  \n{material.note}{words}"

    gallery.select(pick, None, example, api_visibility="private", queue=False, show_progress="hidden")
    outputs = [take, told]
    opened = gr.on(
        [example.change], said(open_example), [take, example], outputs, api_name=f"{name}_open_example",
        show_progress_on=told,
    )  # fmt: skip
    prepared = gr.on(
        [picture.upload, prepare.click], said(open_picture),
        [take, picture, depth_from, depth_map, meaning, scale, fov], outputs,
        api_name=f"{name}_open_picture", show_progress_on=told,
    )  # fmt: skip
    gathered = gr.on(
        [files.upload, given_views.submit, begin_at.submit, up.input], said(open_files),
        [take, files, given_views, begin_at, up], outputs,
        api_name=f"{name}_open_files", show_progress_on=told,
    )  # fmt: skip
    return example, [opened, prepared, gathered]


@contextmanager
def _in_one_folder(take: Take, files: Sequence[str]) -> Iterator[list[Path]]:
    """The files where their names alone say their order: each upload lies in a folder of its own, named by chance."""
    given = [Path(file) for file in files]
    if len({file.name for file in given}) < len(given):
        yield given
        return
    with TemporaryDirectory(dir=take.file("uploads").parent) as folder:
        together = [Path(folder) / file.name for file in given]
        for file, beside in zip(given, together):
            try:
                os.link(file, beside)
            except OSError:  # another disk
                shutil.copyfile(file, beside)
        yield together


def as_it_came(payload: ImageData | None) -> str | None:
    """The file of a picture field, untouched. The field's own reading turns 16 bits white and transparency black, decodes
    before any size is checked, and answers what is no picture with its place in a list of inputs."""
    return payload.path if payload else None


def described(scene: Scene) -> str:
    """One line about a scene that has just been opened."""
    view = scene.first
    unit = "m" if scene.unit == "metres" else "units (scale unknown)"
    count = len(scene.views)
    kinds = {"still": "picture", "clip": f"clip of {count} frames", "views": f"{count} view{'s' * (count != 1)}"}
    return (
        f"**{scene.name}** · {kinds[scene.kind]}, {view.width} x {view.height}, {view.camera.fov_degrees[0, 0]:.0f}° across · "
        f"subject at {view.focus_depth:.3g} {unit} · depth: {scene.source}"
    )


def _depth(picture: Picture, depth_from: str, depth_map: str | None, meaning: str, scale: float) -> tuple[Depth, str]:
    """Depth and a warning to show. Where the model cannot be had, the guess is used and said to be one."""
    if depth_from == GUESS:
        return guessed_layout(picture.colour), ""
    if depth_from == GIVEN:
        if not depth_map:
            raise InputError("Upload your depth map, or choose a depth model or the guessed layout.")
        given = read_depth_map(depth_map, MEANINGS[meaning], scale=scale)
        return Depth(given.values, given.unit, "your depth map", given.fov_degrees), f"  \n{given.note}"
    try:
        return depth_of(picture, BY_LABEL[depth_from]), ""
    except InputError as error:
        return guessed_layout(picture.colour), f"\n\nNote: {error} Until then the depth below is a **guess**."
