"""The tab of this method: what stands where."""

from __future__ import annotations

import gradio as gr

from pipelines import method
from pipelines.gen3c import guardrail
from tabs.extend import Extend
from tabs.header import header
from tabs.keep import keep
from tabs.move import Move
from tabs.points import points
from tabs.rehearsal import path_download, rehearsal
from tabs.shoot import Shoot
from tabs.source import source
from tabs.take import Take, forget

METHOD = method("gen3c")


def build(page: gr.Blocks) -> None:
    """Places the tab; call inside a `gr.Tab` of ``page``."""
    take = gr.State(Take(), time_to_live=6 * 3600, delete_callback=forget)
    header(METHOD)
    with gr.Row():
        with gr.Column(scale=4, min_width=340):
            example, opened = source(METHOD.name, METHOD.scenes, take, dense=METHOD.dense_views)
            move = Move(METHOD, take)
            move.controls()
            shoot = Shoot(METHOD, take)
            shoot.controls()
            gr.Markdown(f"<small>{guardrail.state()} {guardrail.LICENCE_NOTE}</small>", elem_id="gen3c-guardrail")
        with gr.Column(scale=7, min_width=340):
            move.stage(opened)
            rehearsal(METHOD, take, opened)
            path_download(METHOD, take)
            shoot.screen(move.draws)
            extend = Extend(shoot, take)
            extend.controls()
            points(shoot, take)
            extend.reopens(keep(page, METHOD, take, move, shoot, example))
