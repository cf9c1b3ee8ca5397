"""A method's tab, built from its record: its camera presets, settings, Shoot and results. Picture and move are shared by all tabs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import gradio as gr
from gradio.components import Component

from pipelines.method import Method, Moves
from pipelines.options import RunOptions
from pipelines.project.content import MoveSource
from tabs.parts import form
from tabs.parts.drawer import Drawer
from tabs.parts.form import wrap_handler
from tabs.parts.header import header
from tabs.parts.shoot import Shoot
from tabs.project.on_stage import stage_update
from tabs.project.project import Project
from tabs.shared.move import Move
from tabs.shared.notes import notes
from tabs.shared.old_endpoints import Shared, old_endpoints
from tabs.shared.studio import PRIVATE, QUIET, Studio, signal

FRAMES = "frames"
MOST_SHOWN = 8
"""Maximum number of a method's controls above Shoot; the others are in the drawer."""
ALWAYS = ("prompt", "seed", "steps", "weights")
"""Settings that are shown for every method that has them."""


class MethodTab:
    """``first``, not yet placed, is placed above the presets; ``beneath`` places more below the settings of these names, ``between``
    more between moves and settings; ``shown`` selects the controls outside the drawer, see `choose_controls`."""

    def __init__(
        self, method: Method, studio: Studio, shared: Shared, *, first: Component | None = None,
        beneath: Mapping[str, Callable[[], None]] | None = None, between: Callable[[], None] | None = None,
        shown: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.method, self.studio, self.shared = method, studio, shared
        self.project = studio.project
        self.shoot = Shoot(method, studio)
        names = choose_controls(method, shown)
        header(method)
        moves = self._presets(shared.move, names, first)
        if between is not None:
            between()
        settings = _group_settings(method.settings, names, beneath or {})
        with gr.Group():
            options = form.controls(RunOptions, [name for name in RunOptions.controls() if name in names])
        with Drawer(method.name):
            moves |= _rest(method.moves, moves)
            settings |= _rest(method.settings, settings)
            options |= _rest(RunOptions, options)
        self.moves = {name: moves[name] for name in method.moves.controls()}
        self.shoot.controls(settings, options)
        self._connect()

    def _presets(self, move: Move, names: Sequence[str], first: Component | None) -> form.Components:
        basic = [name for name in self.method.moves.controls() if name in names and name != FRAMES]
        with gr.Group(elem_id=f"{self.method.name}-presets") as own:
            if first is not None:
                first.render()
            placed = form.controls(self.method.moves, basic)
        move.own.append(own)
        if FRAMES in names:
            with gr.Group():
                placed |= form.controls(self.method.moves, [FRAMES])
        return placed

    @contextmanager
    def results(self) -> Iterator[None]:
        """The column of this method's results beside the controls, visible while its tab is selected."""
        with self.studio.viewing, self.studio.results[self.method.name]:
            yield

    def finish(self, followed: Sequence[str] = ()) -> None:
        """Place the results and connect the tab's endpoints. Further parts of a tab may be placed before or after this call.
        ``followed`` as in `tabs.parts.shoot.Shoot.screen`."""
        self.shoot.screen(self.shared.stage.view, followed)

    def _connect(self) -> None:
        method, studio, name = self.method, self.studio, self.method.name

        def set_moves(project: Project, moves: Moves):
            changed = project.with_moves(moves)
            return changed, signal() if changed is not project else gr.skip()

        def draw(project: Project, source: MoveSource, moves: Moves):
            """Draw the camera path of the current scene; returns the 3D figure (the scene's points are in a file named in it)
            and notes on the path."""
            if project.scene is None:
                return project, gr.skip(), notes(project)
            project = project.with_source(source).with_moves(moves)
            project.ready()
            return project, stage_update(project, turn=True), notes(project)

        def show(project: Project):
            return *project.moves.values().values(), *project.settings.values()

        before = {"project": Project}
        handler = form.handler(set_moves, method.moves, before=before, name=f"{name}_set_moves", method=name)
        gr.on(
            [component.change for component in self.moves.values()],  # type: ignore[attr-defined]
            handler, [self.project, *self.moves.values()], [self.project, studio.moved], api_visibility="private", **QUIET,
        )  # fmt: skip
        move, stage = self.shared.move, self.shared.stage
        sources = [move.described[key] for key in MoveSource.controls()]
        studio.api.click(
            form.handler(
                draw, MoveSource, method.moves, before=before, name=f"{name}_draw", method=name
            ),
            [self.project, *sources, *self.moves.values()], [self.project, stage.view, stage.notes],
            api_name=f"{name}_draw", **QUIET,
        )  # fmt: skip
        controls = [*self.moves.values(), *self.shoot.settings.values(), *self.shoot.options.values()]
        self.showing = studio.shown[name].change(wrap_handler(show, name), self.project, controls, **PRIVATE)
        old_endpoints(self.shared, method, {**self.moves, **self.shoot.settings})


def choose_controls(method: Method, chosen: Sequence[str] = ()) -> tuple[str, ...]:
    """Names of the controls shown above Shoot, at most `MOST_SHOWN`: ``chosen``, or those shown for every method, then the
    method's presets and settings in order."""
    if chosen:
        return tuple(chosen)
    settings = form.basic_names(method.settings)
    known = [FRAMES, *(name for name in ALWAYS if name in (*settings, *RunOptions.controls()))]
    others = [name for name in (*form.basic_names(method.moves), *settings) if name not in known]
    return (*known, *others[: MOST_SHOWN - len(known)])


def _group_settings(settings: Any, names: Sequence[str], beneath: Mapping[str, Callable[[], None]]) -> form.Components:
    """Place the settings among ``names`` in groups, each followed by its parts from ``beneath``."""
    placed: form.Components = {}
    left = [name for name in settings.controls() if name in names]
    while left:
        last = next((i for i, name in enumerate(left) if name in beneath), len(left) - 1)
        with gr.Group():
            placed |= form.controls(settings, left[: last + 1])
        if left[last] in beneath:
            beneath[left[last]]()
        left = left[last + 1 :]
    return placed


def _rest(settings: Any, placed: form.Components) -> form.Components:
    return form.controls(settings, [name for name in settings.controls() if name not in placed])


def build(method: Method, studio: Studio, shared: Shared) -> MethodTab:
    """The whole tab of a method without special controls."""
    tab = MethodTab(method, studio, shared)
    with tab.results():
        tab.finish()
    return tab
