"""The section of the camera move, shared by all methods: presets, film moves, keyframes or a path file."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import gradio as gr

from camera.errors import InputError
from camera.trajectories.film import MOVES
from pipelines.project.content import FILM_MOVES, KEYFRAMES, METHOD_MOVES, PATH_FILE, SOURCES, MoveSource
from tabs.parts import form
from tabs.parts.event_values import choice_of
from tabs.parts.form import wrap_handler
from tabs.project.project import Project
from tabs.shared.path_file import PathFile
from tabs.shared.studio import PRIVATE, QUIET, Studio, signal

KEYS_HELP = (
    "The keys are on the timeline under the picture. Fly in the picture (drag, wheel, W A S D Q E), then add the current view; "
    "the move starts at the picture."
)


class Move:
    """The section. ``own``: a method's group of presets, shown while the move comes from them; each tab adds its own."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.seeing = gr.State()
        gr.Markdown("### Camera move")
        self.source = gr.Radio(list(SOURCES), value=METHOD_MOVES, show_label=False, elem_id="moves-from")
        self.own: list[gr.Group] = []
        with gr.Group(visible=False) as self.film_group:
            self.film = gr.Textbox(
                MoveSource().film_moves, label="Moves", lines=2, elem_id="film-moves",
                info="Separate consecutive moves with ; and join simultaneous moves with +, as in: arc 30 ease + pedestal 0.1; hold 1s",
            )  # fmt: skip
            self._builder()
        with gr.Group(visible=False) as self.keys_group:
            gr.Markdown(KEYS_HELP, padding=True)
        with gr.Group(visible=False) as self.file_group:
            self.file = PathFile(studio)
            self.as_given = gr.Checkbox(
                label="In the scene's world coordinates",
                info="Uses every camera at its own position. Otherwise the move starts at the picture and has the method's number of frames.",
            )
        self.described = {"moves_from": self.source, "film_moves": self.film, "path_as_given": self.as_given}

    def _builder(self) -> None:
        """Place the picker of film moves; a picked move is appended to the text, after or together with the last one."""
        with gr.Row():
            kind = gr.Dropdown([(move.label, name) for name, move in MOVES.items()], label="Move", min_width=130)
            amount = gr.Number(0.5, label="Amount", min_width=80)
        with gr.Row():
            then, also = gr.Button("Then", size="sm"), gr.Button("At the same time", size="sm")
        kind.change(wrap_handler(_default_amount), kind, amount, **PRIVATE)
        for button, joint in ((then, "; "), (also, " + ")):
            append = partial(_append_move, joint=joint)
            button.click(wrap_handler(append), [self.film, kind, amount], self.film, **PRIVATE)

    def connect(self) -> None:
        """Connect the controls; call when all tabs have placed their presets."""
        project, moved = self.studio.project, self.studio.moved

        def describe(project: Project, source: MoveSource):
            changed = project.with_source(source)
            return changed, signal() if changed is not project else gr.skip()

        def show(project: Project):
            return tuple(project.content.source.values().values())

        groups = [*self.own, self.film_group, self.keys_group, self.file_group]
        names = [*[METHOD_MOVES] * len(self.own), FILM_MOVES, KEYFRAMES, PATH_FILE]
        self.source.change(
            lambda source: [gr.Group(visible=source == name) for name in names], self.source, groups,
            trigger_mode="multiple", **PRIVATE,
        )  # fmt: skip
        described = form.handler(describe, MoveSource, before={"project": Project}, name="describe_move")
        changes = [component.change for component in self.described.values()]  # type: ignore[attr-defined]
        gr.on(
            changes, described, [project, *self.described.values()], [project, moved], api_visibility="private", **QUIET
        )
        self.studio.source_shown.change(wrap_handler(show), project, list(self.described.values()), **PRIVATE)
        self.file.connect()


def adopt_scene_cameras(project: Project) -> tuple[Project, bool]:
    """Update the project after a scene was opened: its own cameras become the move, and stop being it when another scene is opened; a
    clip sets the number of frames. Also returns whether the source of the move changed."""
    source = project.content.source
    if project.own_as_given:
        wanted = PATH_FILE
    else:
        wanted = METHOD_MOVES if source.moves_from == PATH_FILE and project.own is None else source.moves_from
    if wanted != source.moves_from:
        content: Any = replace(project.content, source=replace(source, moves_from=wanted))
        return replace(project, content=content).fitted_to_clip(), True
    return project.fitted_to_clip(), False


def _default_amount(name: str) -> gr.Number:
    move = choice_of(MOVES, name, "The move")
    return gr.Number(move.default, label=f"Amount ({move.unit})")


def _append_move(text: str, name: str, amount: float, joint: str = "; ") -> str:
    """The film text with one more move."""
    choice_of(MOVES, name, "The move")
    if amount is None:
        raise InputError("Set the amount of the move first.")
    return f"{text}{joint}{name} {amount:g}" if (text or "").strip() else f"{name} {amount:g}"
