"""The browser's own copy of the project: an HTML component that saves it and asks to restore it after a reload."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

_HERE = Path(__file__).parent
PLACE = "reshoot-place"
"""Key in the tab's sessionStorage for the place of its project in the browser."""
_TEMPLATE = """
<div class="kept" hidden>
  <p role="status"></p>
  <button class="kept-open" title="In this tab">Open it</button>
  <button class="kept-forget" title="Removes it from this browser">Forget it</button>
  <button class="kept-afresh" title="Loads the page anew; this project stays in the browser and can be opened again">Start afresh</button>
</div>
"""


def autosave() -> gr.HTML:
    """An empty component. Its value is the project to save: ``words`` by name, ``parts`` as (name, id, bytes), ``title``, ``edit`` (a name of
    the history's state), ``session`` and the ``status`` to show with it. Its event "parts" contains ``ids`` of parts whose
    ``addresses`` it requests; its event "restore" contains ``words`` and the paths of the uploaded ``parts`` by name, and is
    answered by a value with ``restored`` and, after an error, the sentence ``failed``."""
    return gr.HTML(
        value=None,
        elem_id="kept",
        html_template=_TEMPLATE,
        css_template=(_HERE / "autosave.css").read_text(),
        js_on_load=(_HERE / "autosave.js").read_text(),
        apply_default_css=False,
        addresses=None,
    )
