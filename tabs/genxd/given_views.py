"""A stage for the input pictures: shows their cameras and sparse points."""

from __future__ import annotations

import gradio as gr
import numpy as np

from camera.cloud import PointCloud
from camera.figure.path import DOTS, FRUSTUM_COLOUR, frustum_lines, frustum_size, spec, to_display
from camera.path import CameraPath
from camera.view import Scene
from pipelines.methods.genxd.groups_plan import cameras_of
from tabs.browser.stage import figure_value, picture_update, stage
from tabs.parts.event_values import optional, read_event, whole
from tabs.parts.form import wrap_handler
from tabs.project.project import Project
from tabs.shared.studio import PRIVATE, Studio

MOST_POINTS = 6000
WIDEST_EYE = 480


def given_views(name: str, studio: Studio) -> None:
    """Place the stage; it is visible when several pictures are open."""
    with gr.Accordion("The given pictures: cameras, points, frames", open=True, visible=False) as box:
        view = stage(f"{name}-given")
        status = gr.Markdown(elem_classes="status")
    last = gr.State(0)

    def show(project: Project):
        if project.scene is None or len(project.scene.views) < 2:
            return gr.Accordion(visible=False), gr.skip(), "", 0
        return (
            gr.Accordion(visible=True),
            views_figure(project.scene, project.points),
            describe_views(project.scene, project.points),
            0,
        )

    def look(project: Project, last: int, event: gr.EventData):
        if project.scene is None:
            return gr.skip(), gr.skip()
        asked, question = read_event(event, frame=optional(whole), id=whole)
        frame = last if asked is None else min(max(asked, 0), len(project.scene.views) - 1)
        return frame, picture_update(
            _small(project.scene, frame), question, f"Picture {frame + 1} of {len(project.scene.views)}"
        )

    studio.opened.change(wrap_handler(show), studio.project, [box, view, status, last], **PRIVATE)
    view.select(wrap_handler(look), [studio.project, last], [last, view], trigger_mode="multiple", **PRIVATE)


def views_figure(scene: Scene, points: PointCloud | None) -> dict:
    """Value of a stage: every camera with its frustum, and the sparse points if there are any, otherwise the depth's."""
    path = cameras_of(scene, scene.fps)
    figure = spec(path, scene)
    traces = {"frusta": _frusta(path, frustum_size(path, scene))}
    if points is not None:
        traces["scene"] = _dots(points.thinned(MOST_POINTS))
    figure["data"] = [{**trace, **traces.get(trace["name"], {})} for trace in figure["data"]]
    return figure_value(figure, path, fresh=True)


def describe_views(scene: Scene, points: PointCloud | None) -> str:
    """One line: number of cameras, their distances, and the source of the points."""
    path = cameras_of(scene, scene.fps)
    apart = float(np.linalg.norm(path.centres[:, None] - path.centres[None], axis=2).max())
    cloud = (
        f"{len(points)} sparse points of the set"
        if points is not None
        else f"the points are the depth's, {scene.source}"
    )
    return f"{len(path)} cameras, at most {apart:.2g} apart; {cloud}."


def _frusta(path: CameraPath, size: float) -> dict:
    lines = frustum_lines(path, np.arange(len(path)), size)
    gaps = np.full((len(path), 1, 3), np.nan, np.float32)
    x, y, z = np.concatenate([lines, gaps], axis=1).reshape(-1, 3).T
    return {"x": x.copy(), "y": y.copy(), "z": z.copy(), "line": {"color": FRUSTUM_COLOUR, "width": 2}}


def _dots(cloud: PointCloud) -> dict:
    x, y, z = to_display(cloud.points).T
    colours = [f"rgb({red},{green},{blue})" for red, green, blue in cloud.colours.tolist()]
    return {"x": x.copy(), "y": y.copy(), "z": z.copy(), "marker": {**DOTS, "color": colours}}


def _small(scene: Scene, frame: int) -> np.ndarray:
    """The input picture of a frame, scaled down to the width of the stage."""
    view = scene.views[frame]
    if view.width <= WIDEST_EYE:
        return view.colour
    return view.resized(WIDEST_EYE, max(1, round(view.height * WIDEST_EYE / view.width))).colour
