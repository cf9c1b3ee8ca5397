"""The layout of GenXD's tab."""

from __future__ import annotations

import zipfile
from pathlib import Path

import gradio as gr

from camera.errors import InputError
from camera.formats import read
from pipelines import method
from pipelines.media.video import read_video, write_mp4
from tabs.genxd.curation import curation
from tabs.genxd.given_views import given_views
from tabs.parts.form import wrap_handler
from tabs.parts.method_tab import MethodTab
from tabs.parts.shoot import Shoot
from tabs.project.project import Project
from tabs.shared.old_endpoints import Shared
from tabs.shared.studio import Studio

METHOD = method("genxd")
NATURE = (
    "**GenXD works in groups of twelve**: every run generates 12 square pictures of 256 pixels together, including the given "
    "ones. A path of any other length is resampled to 12 frames or, with several given views or *More than 12 views*, split "
    "into groups; a line under the stage says which."
)


def build(studio: Studio, shared: Shared) -> None:
    """Place the tab; call inside a `gr.Tab`."""
    tab = MethodTab(METHOD, studio, shared)
    gr.Markdown(NATURE, elem_classes="status")
    curation(METHOD.name, studio)
    with tab.results():
        given_views(METHOD.name, studio)
        tab.finish()
        _contact_sheet(tab.shoot)
        _comparison(tab.shoot)


def _contact_sheet(shoot: Shoot) -> None:
    """Place the contact sheet: all views of the last shot on one picture, each with its camera."""
    sheet = gr.Image(
        label="Contact sheet: every view, how its camera turned and moved, and its position from above", type="filepath",
        visible=False, interactive=False, elem_id=f"{METHOD.name}-sheet",
    )  # fmt: skip

    def show(shot: str | None):
        file = Path(shot).with_name(f"{Path(shot).stem}-contact-sheet.png") if shot else None
        return gr.Image(str(file), visible=True) if file and file.is_file() else gr.Image(visible=False)

    shoot.shot.change(
        wrap_handler(show), shoot.shot, sheet, api_visibility="private", queue=False, show_progress="hidden"
    )


def _comparison(shoot: Shoot) -> None:
    """Place the comparison with ground truth, for data sets with more pictures than were used as input."""
    start = gr.Button("Compare with the ground truth", size="sm", visible=False, elem_id=f"{METHOD.name}-compare")
    status = gr.Markdown(elem_classes="status")
    video = gr.Video(
        label="Given pictures · ground truth · generated", visible=False, interactive=False, autoplay=True, loop=True,
        elem_id=f"{METHOD.name}-comparison",
    )  # fmt: skip

    def offer(project: Project, shot: str | None):
        from pipelines.inputs.posed_images import SceneWithTruth

        known = isinstance(project.framed, SceneWithTruth) and bool(shot)
        return gr.Button(visible=known), "", gr.Video(visible=False)

    def compare_with_truth(project: Project, shot: str | None):
        """PSNR and SSIM of the last shot's frames against the data set's pictures, and all of them side by side."""
        if not shot:
            raise InputError("Shoot the known cameras first; then you can compare them.")
        from pipelines.methods.genxd.comparison import compare_with_truth

        file = Path(shot)
        with zipfile.ZipFile(file.with_name(f"{file.stem}-cameras.zip")) as archive:
            path = read("camera_path.json", archive.read("camera_path.json"))
        frames, fps = read_video(file)
        scene, _ = project.ready()
        found = compare_with_truth(frames, path, scene)
        beside = write_mp4(file.with_name(f"{file.stem}-compare.mp4"), found.frames, fps)
        return f"{found.words} Measured on the saved video.", gr.Video(str(beside), visible=True)

    start.click(
        wrap_handler(compare_with_truth, METHOD.name),
        [shoot.project, shoot.shot],
        [status, video],
        api_name=f"{METHOD.name}_compare",
    )
    shoot.shot.change(
        wrap_handler(offer, METHOD.name), [shoot.project, shoot.shot], [start, status, video], api_visibility="private", queue=False, show_progress="hidden"
    )  # fmt: skip
