"""The browser's own copy of the project: an HTML component that saves it and asks to restore it after a reload."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

_HERE = Path(__file__).parent
PLACE = "reshoot-place"
"""In the tab's sessionStorage: where in the browser its project is kept."""
_TEMPLATE = """
<div class="kept" hidden>
  <p role="status"></p>
  <button class="kept-open" title="In this tab">Open it</button>
  <button class="kept-forget" title="Removes it from this browser">Forget it</button>
  <button class="kept-afresh" title="Loads the page anew; this project stays in the browser and can be opened again">Start afresh</button>
</div>
"""


def autosave() -> gr.HTML:
    """An empty component. Its value is what to save: ``words`` by name, ``parts`` as (name, id, bytes), ``title``, ``edit`` (a name for
    the state of the history), ``session`` and the ``status`` to show with it. Its event "parts" carries ``ids`` of parts whose
    ``addresses`` it wants; its event "restore" carries ``words`` and, by name, where the ``parts`` were uploaded, and is
    answered by a value with ``restored`` and, where that is so, the sentence ``failed``."""
    return gr.HTML(
        value=None,
        elem_id="kept",
        html_template=_TEMPLATE,
        css_template=(_HERE / "autosave.css").read_text(),
        js_on_load=(_HERE / "autosave.js").read_text(),
        apply_default_css=False,
        addresses=None,
    )
