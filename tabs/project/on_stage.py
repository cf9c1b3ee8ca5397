"""The stage's update for a project."""

from __future__ import annotations

from typing import Any

import gradio as gr

from camera.path import CameraPath
from pipelines.project.look import exposure_of
from tabs.browser.stage import stage_value
from tabs.project.project import Project


def stage_update(project: Project, *, at: int | None = None, turn: bool = False, shot: CameraPath | None = None) -> Any:
    """Update of the stage with the path as the project's method follows it, through the project's lens and shutter; no update without
    a path. ``turn``: reset the view if the scene is another one than at the last such call; ``at`` and ``shot``: see
    `tabs.browser.stage.stage_value`."""
    if project.path is None:
        return gr.skip()
    scene, path = project.ready()
    exposure = exposure_of(project.content.look, scene)
    fresh = turn and project.framings.is_new(project.scene)
    return stage_value(
        path, scene, project.file, nominal=project.record.nominal, at=at, fresh=fresh, shot=shot, exposure=exposure
    )
