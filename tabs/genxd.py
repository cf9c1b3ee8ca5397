"""The tab of this method: what stands where."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from pipelines import method
from tabs.curation import curation
from tabs.form import said
from tabs.header import header
from tabs.keep import keep
from tabs.move import Move
from tabs.rehearsal import path_download, rehearsal
from tabs.shoot import Shoot
from tabs.source import source
from tabs.take import Take, forget
from tabs.views import given_views

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
            given_views(METHOD.name, take, opened)
            rehearsal(METHOD, take)
            path_download(METHOD, take)
            shoot.screen(move.draws)
            _contact_sheet(shoot)
            keep(page, METHOD, take, move, shoot, example)


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
