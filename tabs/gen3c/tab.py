"""The tab of this method: what stands where."""

from __future__ import annotations

import gradio as gr

from pipelines import method
from pipelines.methods.gen3c import guardrail
from tabs.gen3c.cache_view import points
from tabs.gen3c.continuation import Extend
from tabs.parts.header import header
from tabs.parts.move import Move
from tabs.parts.rehearsal import path_download, rehearsal
from tabs.parts.restore import keep
from tabs.parts.session import Take, forget
from tabs.parts.shoot import Shoot
from tabs.parts.source import source

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
