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

from camera.errors import InputError
from camera.view import Scene
from examples import EXAMPLES, load
from pipelines import method as record_of
from pipelines.estimation.depth import MODELS, Depth, DepthModel, depth_of
from pipelines.inputs.open import ACCEPTED, read_material
from pipelines.inputs.picture import guess_layout, scene_from
from pipelines.media.budget import BUDGET
from pipelines.media.depth_map.meanings import DepthMeaning
from pipelines.media.depth_map.read import KINDS, read_depth_map
from pipelines.media.image import Picture, read_picture
from pipelines.project.content import PATH_FILE
from pipelines.splats.formats.axes import UPS
from tabs.parts.event_values import read_event, whole
from tabs.parts.form import wrap_handler
from tabs.project.project import Project
from tabs.shared.studio import PRIVATE, Studio, signal

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
    "Virtual KITTI (cm)": "vkitti",
    "Matterport3D (1/4000 m)": "matterport",
    "Replica (1/6553.5 m)": "replica",
}


class Source:
    """The section; ``status`` describes the open scene."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        gr.Markdown("### Picture")
        self.gallery = gr.Gallery(
            [(str(example.thumbnail), example.title) for example in EXAMPLES], columns=5, height="auto",
            allow_preview=False, show_label=False, elem_id="examples", elem_classes="examples", object_fit="cover",
            buttons=[],
        )  # fmt: skip
        with gr.Accordion("Your own picture, clip, views or splats", open=False, elem_id="own-material"):
            self._place_uploads()
        self.status = gr.Markdown(elem_classes="status", elem_id="picture-status")
        self.example = gr.Textbox(visible=False)
        self._connect()

    def _place_uploads(self) -> None:
        self.picture = gr.Image(
            type="filepath", label="Picture", sources=["upload", "clipboard"], height=150, elem_id="picture"
        )
        self.picture.preprocess = uploaded_path  # type: ignore[method-assign]
        self.depth_from = gr.Dropdown([*BY_LABEL, GIVEN, GUESS], value=next(iter(BY_LABEL)), label="Depth from")
        self.depth_map = gr.File(label=f"My depth map ({KINDS})", height=90)
        with gr.Row():
            self.meaning = gr.Dropdown(list(MEANINGS), value="metres", label="Its numbers are", min_width=120)
            self.scale = gr.Number(1.0, label="times", info="0.001 for millimetres", min_width=90)
        self.fov = gr.Slider(
            0,
            120,
            0,
            step=1,
            label="Field of view",
            info="Horizontal degrees; 0 uses the file's or the model's value, else 55.",
        )
        self.prepare = gr.Button("Open the picture with these", size="sm")
        self.files = gr.File(label="Clip, views or splats", file_count="multiple", height=110, elem_id="files-in")
        gr.Markdown(f"{ACCEPTED} {BUDGET.words}", padding=True)
        self.up = gr.Dropdown(
            [*UPS], value="auto", label="Up axis of a file of splats",
            info="auto: the convention of its format; choose another if the scene is not upright.",
        )  # fmt: skip
        self.given_views = gr.Number(
            0, label="Pictures given to the method", precision=0, minimum=0,
            info="For posed pictures; the cameras of the others become the path to shoot. 0: all, or the file's own split.",
        )  # fmt: skip
        self.begin_at = gr.Number(
            0, label="First frame of the clip", precision=0, minimum=0,
            info="Counted from 0; press Enter to read the clip from this frame.",
        )  # fmt: skip
        self.steady = gr.Checkbox(
            label="Steady a clip's depth over time",
            info="One scale for all frames, from static points, smoothed without lag. Reports how much neighbouring frames differ.",
        )

    @property
    def outputs(self) -> list:
        """Components that are updated when something is opened."""
        return [self.studio.project, self.status, self.studio.opened]

    @property
    def picture_inputs(self) -> list:
        return [self.studio.project, self.picture, self.depth_from, self.depth_map, self.meaning, self.scale, self.fov]

    @property
    def files_inputs(self) -> list:
        return [self.studio.project, self.files, self.given_views, self.begin_at, self.up, self.steady]

    def _connect(self) -> None:
        def pick(event: gr.EventData) -> str:
            (index,) = read_event(event, index=whole)
            return EXAMPLES[index % len(EXAMPLES)].name

        project = self.studio.project
        self.gallery.select(wrap_handler(pick), None, self.example, **PRIVATE).success(
            wrap_handler(open_picked), [project, self.example], self.outputs, show_progress_on=self.status,
            api_visibility="private",
        )  # fmt: skip
        self.studio.follow(lambda project: gr.Gallery(selected_index=_number_of(project.content.example)), self.gallery)
        self.studio.endpoint(open_example, [project, self.example], self.outputs, name="open_example")
        gr.on(
            [self.picture.upload, self.prepare.click], wrap_handler(open_picture), self.picture_inputs, self.outputs,
            api_name="open_picture", show_progress_on=self.status,
        )  # fmt: skip
        gr.on(
            [self.files.upload, self.given_views.submit, self.begin_at.submit, self.up.input, self.steady.input], wrap_handler(open_files_of_any_kind),
            self.files_inputs, self.outputs, api_name="open_files", show_progress_on=self.status,
        )  # fmt: skip


def open_example(project: Project, example: str):
    """Open one of the example scenes by name."""
    scene = load(example)
    return project.opened(scene, example=example), describe_scene(scene), signal()


def open_picked(project: Project, example: str):
    """Open the example whose picture was clicked on, unless it is open and unchanged."""
    return (gr.skip(),) * 3 if project.content.example == example else open_example(project, example)


def _number_of(example: str) -> int | None:
    """Index of the open picture in the gallery; None after an edit, or if something else is open."""
    return next((i for i, each in enumerate(EXAMPLES) if each.name == example), None)


def open_picture(
    project: Project,
    picture: str,
    depth_from: str = next(iter(BY_LABEL)),
    depth_map: str | None = None,
    meaning: str = "metres",
    scale: float = 1.0,
    fov_degrees: float = 0,
):
    """Make a scene of a picture: with a depth model, a given depth map, or a labelled guess."""
    if not picture:
        raise InputError("Choose a picture first.")
    read = read_picture(picture)
    depth, warning = _depth(read, depth_from, depth_map, meaning, scale)
    scene = scene_from(read, depth, fov_degrees=fov_degrees or None)
    words = describe_scene(scene) + "".join(f"  \n{note}" for note in read.notes) + warning
    return project.opened(scene), words, signal()


def open_files_of_any_kind(
    project: Project,
    files: list[str],
    given_views: int,
    begin_at: int = 0,
    up: str = "auto",
    steady_depth: bool = False,
):
    """Make a scene of a clip or of several views, with their own or estimated cameras, or of a file of splats."""
    return open_files(project, files, given_views, begin_at, up, steady_depth, kinds=("still", "clip", "views"))


def open_files(
    project: Project, files: list[str], given_views: int, begin_at: int = 0, up: str = "auto", steady_depth: bool = False, *,
    kinds: Sequence[str] | None = None,
):  # fmt: skip
    """Make a scene of a clip or of several views, with their own or estimated cameras, or of a file of splats."""
    record = record_of(project.method)
    kinds = kinds or record.scenes
    with gather_files(project, files or []) as together:
        material = read_material(
            together, given_views=given_views or 0, dense=record.dense_views, begin_at=begin_at or 0,
            up=up, steady=steady_depth,  # type: ignore[arg-type]
        )  # fmt: skip
    if material.scene.kind not in kinds:
        raise InputError(f"This method takes {' or '.join(kinds)}, but these files are a {material.scene.kind}.")
    project = project.opened(material.scene, material.points)
    if material.steady is not None:
        table = table_file(project)
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_text(material.steady.table())
    if material.path is not None:
        project = project.with_own(material.path, as_given=material.path_as_given)
    words = f" Its own path is ready under {PATH_FILE}." if material.path is not None else ""
    return project, f"{describe_scene(material.scene)}  \n{material.note}{words}", signal()


def table_file(project: Project) -> Path:
    """Path of the table of the open clip's depth over time, if there is one."""
    return project.file(f"depth-{id(project.scene):x}") / "depth_over_time.csv"


@contextmanager
def gather_files(project: Project, files: Sequence[str]) -> Iterator[list[Path]]:
    """Gather the files in one folder, so that their names alone give their order: each upload is in its own randomly named folder."""
    given = [Path(file) for file in files]
    if len({file.name for file in given}) < len(given):
        yield given
        return
    with TemporaryDirectory(dir=project.file("uploads").parent) as folder:
        together = [Path(folder) / file.name for file in given]
        for file, beside in zip(given, together):
            try:
                os.link(file, beside)
            except OSError:  # on another disk
                shutil.copyfile(file, beside)
        yield together


def uploaded_path(payload: ImageData | None) -> str | None:
    """The file of a picture field, unchanged. The field's own reader turns 16 bits white and transparency black, decodes before
    any size is checked, and reports files that are not pictures by their index in a list of inputs."""
    return payload.path if payload else None


def describe_scene(scene: Scene) -> str:
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
    """Depth and a warning to show. If the model is not available, a guess is used and labelled as such."""
    if depth_from == GUESS:
        return guess_layout(picture.colour), ""
    if depth_from == GIVEN:
        if not depth_map:
            raise InputError("Upload your depth map, or choose a depth model or the guessed layout.")
        given = read_depth_map(depth_map, MEANINGS[meaning], scale=scale)
        return Depth(given.values, given.unit, "your depth map", given.fov_degrees), f"  \n{given.note}"
    try:
        return depth_of(picture, BY_LABEL[depth_from]), ""
    except InputError as error:
        return guess_layout(picture.colour), f"\n\nNote: {error} Until then the depth below is a **guess**."
