"""The tab of this method: what stands where."""

from __future__ import annotations

import gradio as gr

from pipelines import method
from tabs.i2v3d.objects import Objects
from tabs.i2v3d.phases import Steps
from tabs.i2v3d.project import ProjectFile
from tabs.parts.header import header
from tabs.parts.move import Move
from tabs.parts.rehearsal import path_download, rehearsal
from tabs.parts.restore import keep
from tabs.parts.session import Take, forget
from tabs.parts.shoot import Shoot
from tabs.parts.source import source

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
