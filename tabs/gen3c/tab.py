"""The layout of GEN3C's tab."""

from __future__ import annotations

import gradio as gr

from pipelines import method
from pipelines.methods.gen3c import guardrail
from tabs.gen3c.cache_view import points
from tabs.gen3c.continuation import Extend
from tabs.parts.method_tab import MethodTab
from tabs.shared.old_endpoints import Shared
from tabs.shared.studio import Studio

METHOD = method("gen3c")


def build(studio: Studio, shared: Shared) -> None:
    """Place the tab; call inside a `gr.Tab`."""
    tab = MethodTab(METHOD, studio, shared)
    gr.Markdown(f"<small>{guardrail.describe_state()} {guardrail.LICENCE_NOTE}</small>", elem_id="gen3c-guardrail")
    with tab.results():
        tab.finish()
        extend = Extend(tab.shoot)
        extend.controls()
        points(tab.shoot)
    extend.reopens(shared.restore.file)
