"""The shared stage: the path as the selected method follows it, its camera's view, and the parts that are lost."""

from __future__ import annotations

import gradio as gr

from camera.path import CameraPath
from tabs.browser.stage import picture_update, stage
from tabs.keys.edits import Timeline
from tabs.keys.shots import ShotList
from tabs.parts.event_values import optional, read_event, triple, whole
from tabs.parts.form import wrap_handler
from tabs.project.flying import fly
from tabs.project.on_stage import stage_update
from tabs.project.project import Project
from tabs.shared.move import Move, adopt_scene_cameras
from tabs.shared.notes import notes
from tabs.shared.studio import PRIVATE, Studio, signal


class Stage:
    """``view`` shows the path; ``notes`` describes how the selected method frames and follows it."""

    def __init__(self, studio: Studio, move: Move) -> None:
        self.studio, self.move = studio, move
        self.view = stage("", stays=True)
        self.timeline = Timeline(studio)
        self.notes = gr.Markdown(elem_classes="status", elem_id="path-notes")
        self.shots = ShotList(studio)

    def connect(self) -> None:
        """Draw whenever the move changes or a scene is opened, and signal an edit."""
        studio, seeing = self.studio, self.move.seeing
        outputs = [self.view, self.notes, self.timeline.strip, studio.edited, *studio.drawn.values()]

        def draw(project: Project):
            drawn = stage_update(project, turn=True), notes(project), self.timeline.value(project)
            return *drawn, signal(), *self._drawn_signals(project)

        def arrive(project: Project):
            before = project.moves
            project, other_source = adopt_scene_cameras(project)
            other = project.moves is not before and project.moves != before
            fields = [signal() if other and name == project.method else gr.skip() for name in studio.shown]
            source = signal() if other_source else gr.skip()
            return project, source, *fields, *draw(project)

        def look(project: Project, seeing: CameraPath | None, event: gr.EventData):
            frame, turn, move, at, question = read_event(
                event, frame=optional(whole), turn=triple, move=triple, at=whole, id=whole
            )
            seeing = fly(project, seeing, frame, turn, move)
            picture, holes = project.viewfinder.see(seeing, frame=at)
            where = "Free view" if frame is None else f"Frame {frame + 1}"
            return seeing, picture_update(picture, question, f"{where}: {holes:.0%} of it is new to the scene (pink)")

        gr.on(
            [studio.moved.change, studio.redraw.change], wrap_handler(draw), studio.project, outputs, trigger_mode="always_last",
            **PRIVATE,
        )  # fmt: skip
        studio.opened.change(
            wrap_handler(arrive), studio.project, [studio.project, studio.source_shown, *studio.shown.values(), *outputs],
            trigger_mode="always_last", **PRIVATE,
        )  # fmt: skip
        self.timeline.connect(seeing, self.view, self.notes, self.move.film)
        self.view.select(
            wrap_handler(look), [studio.project, seeing], [seeing, self.view], trigger_mode="multiple", **PRIVATE
        )

    def _drawn_signals(self, project: Project) -> list:
        there = project.path is not None
        return [signal() if there and name == project.method else gr.skip() for name in self.studio.drawn]
