"""The tab of this method: what stands where."""

from __future__ import annotations

import gradio as gr

from pipelines import method
from pipelines.methods.dualcamctrl.disparity import disparity_picture
from pipelines.methods.dualcamctrl.method import TEXT
from tabs.parts.form import said
from tabs.parts.header import header
from tabs.parts.move import Move
from tabs.parts.rehearsal import path_download, rehearsal
from tabs.parts.restore import keep
from tabs.parts.session import Take, forget
from tabs.parts.shoot import Shoot
from tabs.parts.source import source

METHOD = method("dualcamctrl")


def open_blank(take: Take):
    """A scene without a picture, for text to video."""
    assert METHOD.blank is not None
    return take.opened(METHOD.blank()), TEXT


def build(page: gr.Blocks) -> None:
    """Places the tab; call inside a `gr.Tab` of ``page``."""
    take = gr.State(Take(), time_to_live=6 * 3600, delete_callback=forget)
    header(METHOD)
    with gr.Row():
        with gr.Column(scale=4, min_width=340):
            example, opened = source(METHOD.name, METHOD.scenes, take)
            without = gr.Button("Without a picture: from words alone", size="sm", elem_id=f"{METHOD.name}-blank")
            gr.Markdown("Depth as the network reads it: near is bright", elem_classes="told")
            depth = gr.Image(label="Depth", show_label=False, height=160, interactive=False)
            move = Move(METHOD, take)
            move.controls()
            shoot = Shoot(METHOD, take)
            shoot.controls()
            blank = without.click(
                said(open_blank), take, [take, shoot.settings["mode"]], api_name=f"{METHOD.name}_open_blank",
                show_progress="hidden",
            )  # fmt: skip
            opened = [*opened, blank]
        with gr.Column(scale=7, min_width=340):
            move.stage(opened)
            rehearsal(METHOD, take, opened)
            path_download(METHOD, take)
            shoot.screen(move.draws)
            keep(page, METHOD, take, move, shoot, example)

    def depth_read(take: Take):
        return disparity_picture((take.framed or take.scene).first) if take.scene else None

    for event in move.draws:
        event.success(said(depth_read), take, depth, api_visibility="private", queue=False, show_progress="hidden")
