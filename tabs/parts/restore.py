"""A shot that can be taken up again: from a result's own file, or from a link."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from camera.errors import InputError
from camera.view import Scene
from pipelines.method import Method
from pipelines.results.embedded_scene import carried
from pipelines.results.record import Record, restore, scene_sha256
from tabs.parts.form import said
from tabs.parts.move import Move
from tabs.parts.session import PATH_FILE, Take
from tabs.parts.shoot import Shoot

LONGEST_LINK = 4000
"""Characters; what a browser and a chat window still take."""
_SHOT_IN_ADDRESS = "() => new URLSearchParams(location.search).get('s') ?? ''"
"""Asked in the browser: on a page that nobody linked to, Gradio would tend every control as the output of an event, again with
each event that follows, which took most of the page's time."""


def keep(page: gr.Blocks, method: Method, take: gr.State, move: Move, shoot: Shoot, example: gr.Textbox) -> gr.File:
    """Places "Take up again": a result's file restores its path and settings, and its picture where the mp4 carries it; a
    link restores the controls.

    Returns where results are dropped.
    """
    with gr.Accordion("Take up again", open=False):
        file = gr.File(label="A result of Reshoot (mp4 or its JSON)", height=90, elem_id=f"{method.name}-restore")
        told = gr.Markdown(elem_classes="told")
        make = gr.Button("Link to this shot", size="sm")
        link = gr.Textbox(label="Link", buttons=["copy"], elem_id=f"{method.name}-link")
    linked_shot = gr.Textbox("", visible=False)
    controls = {**move.described, **shoot.settings}

    def restored(take: Take, result_file: str):
        """Path and settings of a result, its mp4 or the JSON beside it; an mp4 of this method brings its picture too."""
        if not result_file:
            raise InputError("Choose an mp4 made by Reshoot or the JSON beside it.")
        made = restore(result_file)
        scene = _brought(made, result_file, take) if made.method == method.name else None
        if scene is not None:
            take = take.opened(scene)
        values: dict[str, Any] = {}
        notes: tuple[str, ...] = ()
        if made.method == method.name:
            settings, notes = made.settings_for(method)
            values = settings.values()
        else:
            notes = (f"It was shot with another method ({made.method}), so only its path is taken.",)
        moves, _ = made.moves_for(method) if made.method == method.name else (None, ())
        size = {"frames": len(made.path), "width": made.path.width, "height": made.path.height, "fps": made.path.fps}
        values |= {**(moves.values() if moves else {}), **size, "moves_from": PATH_FILE}
        opened = f" **{scene.name}** is open again, as it was framed." if scene is not None else ""
        words = "  \n".join((f"Path of {len(made.path)} frames taken up.{opened}", *notes))
        as_given = _stands(made, scene or take.framed)
        return take.with_own(made.path, as_given=as_given), words, *updates(values)

    def linked(example: str, *values: Any) -> str:
        state = dict(zip(controls, values))
        if state["moves_from"] == PATH_FILE:
            raise InputError("A link cannot carry a path file: send the result's mp4 or the path file itself.")
        for name in method.settings.files():
            if state.pop(name):
                label = method.settings.controls()[name].label
                raise InputError(f"A link cannot carry a file ({label}): empty that field, or send the file itself.")
        return encoded({"method": method.name, "example": example, "controls": state})

    def opened(linked_shot: str):
        try:
            shot = decoded(linked_shot)
        except InputError:  # said once, by the page, and not by every tab
            shot = {}
        if shot.get("method") != method.name:
            return gr.skip(), *[gr.skip()] * len(controls)
        return shot.get("example", ""), *updates(shot.get("controls", {}))

    def updates(values: dict[str, Any]) -> list[Any]:
        return [values[name] if name in values else gr.skip() for name in controls]

    private = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}
    taken_up = file.upload(
        said(restored), [take, file], [take, told, *controls.values()], api_name=f"{method.name}_restore"
    )
    move.draws_after(taken_up)
    make.click(said(linked), [example, *controls.values()], link, **private).success(
        None, link, link, js="(text) => location.origin + location.pathname + '?s=' + text", api_visibility="private"
    )
    page.load(None, None, linked_shot, js=_SHOT_IN_ADDRESS, **private)
    linked_shot.change(said(opened), linked_shot, [example, *controls.values()], **private)
    return file


def _brought(made: Record, result_file: str, take: Take) -> Scene | None:
    """The scene that a result carries, unless it is open already."""
    if Path(result_file).suffix.lower() != ".mp4" or _is(made, take.framed):
        return None
    box = carried(result_file)
    return box.scene if box is not None and _is(made, box.scene) else None


def _is(made: Record, scene: Scene | None) -> bool:
    return scene is not None and made.input_sha256 == scene_sha256(scene)


def _stands(made: Record, scene: Scene | None) -> bool:
    """Whether a result was shot in this very scene along a path that does not begin at its first camera."""
    if scene is None or not _is(made, scene):
        return False
    return not np.allclose(made.path.world_from_camera[0], scene.first.world_from_camera, atol=1e-6)


def encoded(shot: dict[str, Any]) -> str:
    """A shot as text for an address; raises `InputError` where it is too long."""
    text = base64.urlsafe_b64encode(zlib.compress(json.dumps(shot, separators=(",", ":")).encode(), 9)).decode()
    if len(text) > LONGEST_LINK:
        raise InputError("This shot is too long for a link (its prompt, most likely); send the result's mp4 instead.")
    return text


def decoded(text: str) -> dict[str, Any]:
    """The shot in a link; raises `InputError` for anything else."""
    try:
        unpacker = zlib.decompressobj()
        plain = unpacker.decompress(base64.urlsafe_b64decode((text or "")[:LONGEST_LINK].encode()), 64 * LONGEST_LINK)
        shot = json.loads(plain)
        if isinstance(shot, dict) and isinstance(shot.get("controls"), dict) and isinstance(shot.get("method"), str):
            return shot
    except (ValueError, zlib.error, RecursionError):
        pass
    raise InputError("This link is cut off or damaged; ask for it again.")
