"""The timeline: a `gr.HTML` that shows the keys of a move over time, and sends edits as small messages."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from camera.editing.commands import describe_move
from camera.editing.keys import KeyedMove
from camera.editing.track import times_of
from camera.path import CameraPath
from tabs.serving.named_files import address_of

_HERE = Path(__file__).parent
SCRIPTS = _HERE / "scripts"
WORDS: dict[str, dict[str, str]] = {
    "easing": {
        "linear": "Even", "ease": "Ease in and out", "ease-in": "Ease in", "ease-out": "Ease out", "smooth": "Smoothest",
    },
    "tangent": {"smooth": "Runs through", "corner": "Corner", "rest": "Comes to rest"},
    "curve": {"smooth": "Smooth", "tight": "Tight", "straight": "Straight"},
}  # fmt: skip
"""Labels of the choices in the page."""


def timeline(stage: str) -> gr.HTML:
    """An empty timeline beside the stage whose element is ``stage``; fill it with `timeline_value`. Its event "edit" contains a command of
    `camera.editing.commands.apply_command`, with "request", a number that the answer repeats."""
    gr.set_static_paths([SCRIPTS])
    return gr.HTML(
        value=None,
        elem_id="timeline",
        html_template=(_HERE / "timeline.html").read_text(),
        css_template=(_HERE / "timeline.css").read_text(),
        js_on_load=(_HERE / "timeline.js").read_text(),
        apply_default_css=False,
        stage=stage,
        scripts=address_of(SCRIPTS / "timeline.js"),
        words=WORDS,
    )


def timeline_value(
    path: CameraPath,
    track: KeyedMove | None,
    origin: CameraPath,
    *,
    unit: str,
    reach: float,
    trained: dict[str, Any],
    chosen: tuple[int, ...] = (),
    status: str = "",
    wrong: bool = False,
    request: int | None = None,
    warnings: dict[str, Any] | None = None,
    target: list[float] | None = None,
    object: dict[str, float] | None = None,
    unseen: list[list[float]] | None = None,
    look: dict[str, Any] | None = None,
    has_clip: bool = False,
) -> dict[str, Any]:
    """Value of a timeline over ``path``, which runs through the keys of ``track``, or through none.

    ``origin``: the picture's camera, the reference for the keys' numbers, in ``unit``; ``reach``: distance to the subject.
    ``trained``: "travel" and "turn_degrees" of the method's training data, if known, and "words" on them; ``chosen``: the selected
    keys; ``status``: the result of the last edit, an error if ``wrong``; ``request``: number of the command that this answers;
    ``warnings``: by frame, the share that is "new" and whether something is "near"; ``target``: a picked point, ``object``: its
    object, at a share of the video; ``unseen``: x and z of places that the move shows but no picture does; ``look``: values of
    `pipelines.project.look.Look`; ``has_clip``: whether the scene is a clip with a camera of its own to lie under the keys.
    """
    keys: dict[str, Any] = {"seconds": max(len(path) - 1, 1) / path.fps, "keys": []}
    when = np.arange(len(path)) / path.fps
    if track is not None:
        keys, when = describe_move(track, origin=origin), times_of(track, len(path))
        for key, pose in zip(keys["keys"], track.cameras.world_from_camera):
            key["pose"] = pose[:3].ravel().tolist()
    return {
        **keys,
        "id": uuid.uuid4().hex,
        "keyed": track is not None,
        "when": when.round(9).tolist(),
        "lasts": len(path) / path.fps,
        "unit": unit,
        "reach": reach,
        "trained": trained,
        "chosen": list(chosen),
        "status": status,
        "wrong": wrong,
        "request": request,
        "warnings": warnings,
        "target": target,
        "object": object,
        "unseen": unseen or [],
        "look": look,
        "has_clip": has_clip,
    }
