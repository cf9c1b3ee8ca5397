"""The camera move: the method's own controls, film moves, or a path file; drawn on the stage as they change."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency

from camera.errors import InputError
from camera.path import CameraPath
from camera.trajectories.film import MOVES
from pipelines.method import Method, Moves
from tabs.browser.stage import seen, shown, stage
from tabs.keys.edits import Timeline
from tabs.parts import form
from tabs.parts.path_file import PathFile
from tabs.parts.session import FILM_MOVES, KEYFRAMES, METHOD_MOVES, PATH_FILE, SOURCES, Take, flown

FRAMES = "frames"


class Move:
    """The controls of one tab's camera move and the stage they draw on."""

    def __init__(self, method: Method, take: gr.State) -> None:
        self.method, self.take = method, take
        self.seeing = gr.State()

    def controls(self, first: Component | None = None) -> None:
        """Places the controls of the move; ``first``, not yet placed, comes above the method's own."""
        gr.Markdown("### 2 · Camera move")
        self.source = gr.Radio(
            list(SOURCES), value=METHOD_MOVES, show_label=False, elem_id=f"{self.method.name}-moves-from"
        )
        with gr.Group() as own:
            if first is not None:
                first.render()
            basic = [name for name in form.basic(self.method.moves) if name != FRAMES]
            components = form.controls(self.method.moves, basic)
        with gr.Group(visible=False) as film:
            self.film = gr.Textbox(
                "arc 30 ease", label="Moves", lines=2,
                info="One after another with ; and at the same time with +, as in: arc 30 ease + pedestal 0.1; hold 1s",
            )  # fmt: skip
            self._builder()
        with gr.Group(visible=False) as keys:
            gr.Markdown(KEYS_HELP, padding=True)
        with gr.Group(visible=False) as file:
            self.file = PathFile(self.method.name, self.take)
            self.as_given = gr.Checkbox(
                label="In the scene's own world",
                info="Takes every camera where it stands. Else the move begins at the picture, in the frames set below.",
            )
        if FRAMES in form.basic(self.method.moves):
            with gr.Group():  # of every move, wherever it comes from
                components |= form.controls(self.method.moves, [FRAMES])
        with gr.Accordion("Frame, rate and finer controls", open=False):
            components |= form.controls(self.method.moves, form.advanced(self.method.moves))
        self.components = {name: components[name] for name in self.method.moves.controls()}
        chosen = {"moves_from": self.source, "film_moves": self.film, "path_as_given": self.as_given}
        self.described = {**chosen, **self.components}
        groups = {METHOD_MOVES: own, FILM_MOVES: film, KEYFRAMES: keys, PATH_FILE: file}
        self.source.change(
            lambda source: [gr.Group(visible=source == name) for name in groups], self.source, list(groups.values()),
            api_visibility="private", queue=False, show_progress="hidden",
        )  # fmt: skip

    def _builder(self) -> None:
        """Pick a move and an amount; it is written after, or beside, what is there."""
        with gr.Row():
            kind = gr.Dropdown([(move.label, name) for name, move in MOVES.items()], label="Move", min_width=130)
            amount = gr.Number(0.5, label="Amount", min_width=80)
        with gr.Row():
            then, also = gr.Button("Then", size="sm"), gr.Button("At the same time", size="sm")
        kind.change(
            lambda name: gr.Number(MOVES[name].default, label=f"Amount ({MOVES[name].unit})"), kind, amount,
            api_visibility="private", queue=False, show_progress="hidden",
        )  # fmt: skip
        for button, joint in ((then, "; "), (also, " + ")):
            button.click(
                lambda text, name, amount, joint=joint: f"{text}{joint if text.strip() else ''}{name} {amount:g}",
                [self.film, kind, amount], self.film, api_visibility="private", queue=False, show_progress="hidden",
            )  # fmt: skip

    def stage(self, opened: Sequence[Dependency]) -> None:
        """Places the stage and draws on it whenever a control changes or a scene was ``opened``."""
        method, take = self.method, self.take
        self.view = stage(method.name, stays=True)
        timeline = Timeline(method, take)
        self.told = gr.Markdown(elem_classes="told")

        def draw(take: Take, moves_from: str, film_moves: str, path_as_given: bool, moves: Moves):
            """Draw the camera path of the current scene; returns the 3D figure (the scene's points are in a file that it names)
            and what to know about it."""
            if take.scene is None:
                return take, gr.skip(), "Pick an example or give a picture, then the path appears here."
            fresh = take.framed is None
            take = take.drawn(method, moves, moves_from, film_moves, as_given=path_as_given)
            scene, path = take.ready()
            return take, shown(path, scene, take.file, nominal=method.nominal, fresh=fresh), self._notes(take)

        def draw_in_place(take: Take, moves_from: str, *described):
            """As `draw`; what is wrong is said under the stage, as a toast would jump up at every letter that is typed."""
            try:
                take, *drawn = draw(take, moves_from, *described)
                return take, *drawn, timeline.value(take, moves_from) if take.path is not None else gr.skip()
            except InputError as error:
                return take, gr.skip(), f"**{error}**", gr.skip()

        def look(take: Take, seeing: CameraPath | None, event: gr.EventData):
            seeing = flown(take, seeing, event.frame, event.turn, event.move)
            picture, holes = take.viewfinder.see(seeing, frame=int(event.at))
            where = "Free view" if event.frame is None else f"Frame {int(event.frame) + 1}"
            return seeing, seen(picture, event.id, f"{where}: {holes:.0%} of it is new to the scene (pink)")

        before = {"take": Take, "moves_from": str, "film_moves": str, "path_as_given": bool}
        handler = form.handler(draw_in_place, method.moves, before=before, name=f"{method.name}_draw_in_place")
        inputs = [take, *self.described.values()]
        outputs = [take, self.view, self.told]
        quietly = {"queue": False, "show_progress": "hidden", "trigger_mode": "always_last"}
        changes = [component.change for component in self.described.values()]
        gr.Button(visible=False).click(
            form.handler(draw, method.moves, before=before, name=f"{method.name}_draw"), inputs, outputs,
            api_name=f"{method.name}_draw", **quietly,
        )  # fmt: skip
        timeline.edits(self.source, self.film, self.seeing, list(self.described.values()), outputs, before, self._notes)
        outputs = [*outputs, timeline.strip]
        self.drawn = gr.on(changes, handler, inputs, outputs, api_visibility="private", **quietly)
        self.draws = [self.drawn]
        self._drawing = {"fn": handler, "inputs": inputs, "outputs": outputs, "api_visibility": "private", **quietly}
        for event in (*opened, *self.file.opened()):
            self.draws_after(event)
        for drawn in self.draws[1 : 1 + len(opened)]:
            drawn.success(
                form.said(self._frames_of_clip), take, self.components[FRAMES], api_visibility="private", **quietly
            )
        self.view.select(
            form.said(look), [take, self.seeing], [self.seeing, self.view], api_visibility="private", queue=False, show_progress="hidden",
            trigger_mode="multiple",
        )  # fmt: skip

    def draws_after(self, event: Dependency) -> None:
        """Draws once ``event`` has changed the take."""
        self.draws.append(event.success(**self._drawing))

    def _frames_of_clip(self, take: Take):
        """As many frames as the method takes along a clip that is shorter than the path."""
        scene, path = take.framed, take.path
        if scene is None or path is None or scene.kind != "clip" or len(path) <= len(scene.views):
            return gr.skip()
        for frames in range(len(scene.views), 0, -1):
            with suppress(InputError):
                self.method.check(scene, path.resampled(frames), self.method.settings())
                return frames
        return gr.skip()

    def _notes(self, take: Take) -> str:
        """Length of the path and what the method will not like about it."""
        scene, path = take.ready()
        unit = "m" if scene.unit == "metres" else "scene units"
        steps = ((path.centres[1:] - path.centres[:-1]) ** 2).sum(axis=1) ** 0.5
        lines = [
            f"{len(path)} frames, {path.seconds:.1f} s, {path.width} x {path.height}, {steps.sum():.2f} {unit} long"
        ]
        try:
            lines += [f"Note: {warning}" for warning in self.method.check(scene, path, self.method.settings())]
        except InputError as error:
            lines.append(f"{error}")
        return "  \n".join(lines)


KEYS_HELP = (
    "The keys stand on the timeline under the picture. Fly in the picture (drag, wheel, W A S D Q E), then add what you see; "
    "the move begins at the picture."
)
