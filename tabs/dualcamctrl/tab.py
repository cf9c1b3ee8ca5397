"""The layout of DualCamCtrl's tab."""

from __future__ import annotations

import gradio as gr

from pipelines import method
from pipelines.methods.dualcamctrl.disparity import disparity_picture
from pipelines.methods.dualcamctrl.method import TEXT
from tabs.parts.form import wrap_handler
from tabs.parts.method_tab import MethodTab
from tabs.project.project import Project
from tabs.shared.old_endpoints import Shared
from tabs.shared.studio import PRIVATE, Studio, signal

METHOD = method("dualcamctrl")


def open_blank(project: Project):
    """A scene without a picture, for text to video."""
    assert METHOD.blank is not None
    return project.opened(METHOD.blank()), TEXT, signal()


def build(studio: Studio, shared: Shared) -> None:
    """Place the tab; call inside a `gr.Tab`."""
    tab = MethodTab(METHOD, studio, shared)
    without = gr.Button("Without a picture: from text alone", size="sm", elem_id=f"{METHOD.name}-blank")
    gr.Markdown("The network's depth input: near is bright", elem_classes="status")
    depth = gr.Image(label="Depth", show_label=False, height=160, interactive=False)
    without.click(
        wrap_handler(open_blank, METHOD.name), studio.project, [studio.project, tab.shoot.settings["mode"], studio.opened],
        api_name=f"{METHOD.name}_open_blank", show_progress="hidden",
    )  # fmt: skip
    with tab.results():
        tab.finish()

    def depth_read(project: Project):
        scene = project.framed or project.scene
        return disparity_picture(scene.first) if scene else None

    studio.drawn[METHOD.name].change(wrap_handler(depth_read, METHOD.name), studio.project, depth, **PRIVATE)
