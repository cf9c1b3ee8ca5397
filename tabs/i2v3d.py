"""The tab of this method: what stands where."""

from __future__ import annotations

import gradio as gr

from pipelines import method
from tabs.header import header
from tabs.keep import keep
from tabs.move import Move
from tabs.objects import Objects
from tabs.project import ProjectFile
from tabs.rehearsal import path_download, rehearsal
from tabs.shoot import Shoot
from tabs.source import source
from tabs.steps import Steps
from tabs.take import Take, forget

METHOD = method("i2v3d")


def build(page: gr.Blocks) -> None:
    """Places the tab; call inside a `gr.Tab` of ``page``."""
    take = gr.State(Take(), time_to_live=6 * 3600, delete_callback=forget)
    objects, move, shoot = Objects(METHOD, take), Move(METHOD, take), Shoot(METHOD, take)
    steps = Steps(shoot, take)
    header(METHOD)
    with gr.Row():
        with gr.Column(scale=4, min_width=340):
            example, opened = source(METHOD.name, METHOD.scenes, take)
            objects.controls()
            move.controls()
            shoot.controls()
            restored = ProjectFile(take, move, shoot, steps).place()
            opened = [*opened, objects.empty(shoot), restored]
        with gr.Column(scale=7, min_width=340):
            move.stage(opened)
            objects.picture()
            rehearsal(METHOD, take, opened)
            path_download(METHOD, take)
            shoot.screen(move.draws)
            steps.controls()
            keep(page, METHOD, take, move, shoot, example)
    steps.restore(restored)
    objects.connect(shoot, move, restored)
