"""The tab of this method: what stands where."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import gradio as gr
from gradio.events import Dependency

from camera.errors import InputError
from camera.formats import read
from pipelines import method
from pipelines.media.video import read_video, write_mp4
from tabs.genxd.curation import curation
from tabs.genxd.given_views import given_views
from tabs.parts.form import said
from tabs.parts.header import header
from tabs.parts.move import Move
from tabs.parts.rehearsal import path_download, rehearsal
from tabs.parts.restore import keep
from tabs.parts.session import METHOD_MOVES, PATH_FILE, Take, forget
from tabs.parts.shoot import Shoot
from tabs.parts.source import source

METHOD = method("genxd")
NATURE = (
    "**It thinks in twelves**: every run makes 12 square pictures of 256 pixels, seen together, of which the given ones are "
    "part. A path of any other length is resampled to 12, or (several given views, or *More than 12 views*) made in groups; "
    "a line under the stage says which."
)


def build(page: gr.Blocks) -> None:
    """Places the tab; call inside a `gr.Tab` of ``page``."""
    take = gr.State(Take(), time_to_live=6 * 3600, delete_callback=forget)
    header(METHOD)
    gr.Markdown(NATURE, elem_classes="told")
    with gr.Row():
        with gr.Column(scale=4, min_width=340):
            example, opened = source(METHOD.name, METHOD.scenes, take)
            opened.append(curation(METHOD.name, take))
            move = Move(METHOD, take)
            move.controls()
            shoot = Shoot(METHOD, take)
            shoot.controls()
        with gr.Column(scale=7, min_width=340):
            move.stage(opened)
            _known_cameras(take, move, opened)
            given_views(METHOD.name, take, opened)
            rehearsal(METHOD, take, opened)
            path_download(METHOD, take)
            shoot.screen(move.draws)
            _contact_sheet(shoot)
            _comparison(take, shoot)
            keep(page, METHOD, take, move, shoot, example)


def _known_cameras(take: gr.State, move: Move, opened: Sequence[Dependency]) -> None:
    """Where files bring cameras to make, these are the path at once, and no longer when another scene comes."""

    def moves_from(take: Take, source: str):
        if take.own_as_given:
            return PATH_FILE
        return METHOD_MOVES if source == PATH_FILE and take.own is None else gr.skip()

    for event in opened:
        event.success(
            said(moves_from),
            [take, move.source],
            move.source,
            api_visibility="private",
            queue=False,
            show_progress="hidden",
        )


def _contact_sheet(shoot: Shoot) -> None:
    """All views of the last shot on one picture, each with its camera."""
    sheet = gr.Image(
        label="Contact sheet: every view, how its camera turned and moved, and where it stands from above", type="filepath",
        visible=False, interactive=False, elem_id=f"{METHOD.name}-sheet",
    )  # fmt: skip

    def show(shot: str | None):
        file = Path(shot).with_name(f"{Path(shot).stem}-contact-sheet.png") if shot else None
        return gr.Image(str(file), visible=True) if file and file.is_file() else gr.Image(visible=False)

    shoot.shot.change(said(show), shoot.shot, sheet, api_visibility="private", queue=False, show_progress="hidden")


def _comparison(take: gr.State, shoot: Shoot) -> None:
    """Where a data set knows more pictures than were given: the made views beside the true ones, in pictures and numbers."""
    start = gr.Button("Compare with the true pictures", size="sm", visible=False, elem_id=f"{METHOD.name}-compare")
    told = gr.Markdown(elem_classes="told")
    video = gr.Video(
        label="Given pictures · true · made", visible=False, interactive=False, autoplay=True, loop=True,
        elem_id=f"{METHOD.name}-comparison",
    )  # fmt: skip

    def offer(take: Take, shot: str | None):
        from pipelines.inputs.posed_images import SceneWithTruth

        known = isinstance(take.framed, SceneWithTruth) and bool(shot)
        return gr.Button(visible=known), "", gr.Video(visible=False)

    def compare_with_truth(take: Take, shot: str | None):
        """PSNR and SSIM of the last shot's frames against the data set's own pictures, and all of them side by side."""
        if not shot:
            raise InputError("Shoot the known cameras first, then they can be compared.")
        from pipelines.methods.genxd.comparison import compared

        file = Path(shot)
        with zipfile.ZipFile(file.with_name(f"{file.stem}-cameras.zip")) as archive:
            path = read("camera_path.json", archive.read("camera_path.json"))
        frames, fps = read_video(file)
        scene, _ = take.ready()
        found = compared(frames, path, scene)
        beside = write_mp4(file.with_name(f"{file.stem}-compare.mp4"), found.frames, fps)
        return f"{found.words} Measured on the saved video.", gr.Video(str(beside), visible=True)

    start.click(said(compare_with_truth), [take, shoot.shot], [told, video], api_name=f"{METHOD.name}_compare")
    shoot.shot.change(
        said(offer), [take, shoot.shot], [start, told, video], api_visibility="private", queue=False, show_progress="hidden"
    )  # fmt: skip
