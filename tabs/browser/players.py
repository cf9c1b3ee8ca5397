"""Several video players with shared controls, synchronised to within half a frame."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import gradio as gr

_HERE = Path(__file__).parent
_TEMPLATE = """
<div class="players-grid"></div>
<div class="players-bar">
  <button class="players-back" aria-label="One frame back">‹</button>
  <button class="players-play" aria-label="Play">Play</button>
  <button class="players-on" aria-label="One frame on">›</button>
  <input type="range" min="0" max="1" step="any" value="0" aria-label="Time">
  <output></output>
</div>
"""


def players(name: str) -> gr.HTML:
    """Empty players; fill them with `clips`."""
    return gr.HTML(
        value=None,
        elem_id=name,
        html_template=_TEMPLATE,
        css_template=(_HERE / "players.css").read_text(),
        js_on_load=(_HERE / "players.js").read_text(),
        apply_default_css=False,
        fps=24,
    )


NOISE = "noise, not a picture"
"""Label on the picture of clips made by random weights, shown over the player; the file itself is unchanged."""


def clips(videos: Mapping[str, Path], fps: float, *, noise: Collection[str] = ()) -> dict:
    """Update of players: labels and mp4 files below a folder that the app may serve; ``noise``: labels of clips made by random
    weights. Not a `gr.HTML`: Gradio 6 adds one that an event creates to whatever page is being built at that moment."""
    value = [
        {"label": label, "url": f"gradio_api/file={video}", "written": NOISE if label in noise else ""}
        for label, video in videos.items()
    ]
    return gr.update(value=value, fps=fps)
