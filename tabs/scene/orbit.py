"""The stage of the Scene tab: points to orbit with their cameras, a view from any camera, and moments in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import gradio as gr
import numpy as np

from camera.cloud import PointCloud
from camera.figure.path import DOTS, FRUSTUM_COLOUR, frustum_lines, frustum_size, palette, spec, to_display
from camera.path import CameraPath, spread_indices
from camera.view import Scene
from pipelines.reconstruct.dynamic_points import MovingPoints
from pipelines.reconstruct.pipeline import Reconstruction
from tabs.browser.stage import figure_value, picture_update, save_points, stage
from tabs.parts.event_values import optional, read_event, triple, whole
from tabs.parts.form import wrap_handler
from tabs.project.flying import move_camera
from tabs.scene.session import SceneTabState

STILL_POINTS, MOVING_POINTS, MOST_OF_A_MOMENT = 24_000, 240_000, 8_000
"""Maximum number of points: of a static reconstruction, of all moments together, of one moment."""
SHOWN_FRUSTA = 24
WIDEST_EYE = 480


@dataclass(frozen=True, eq=False)
class OrbitView:
    """The viewer's position: at ``frame`` of the stage or, after flying on from there, at ``free``, a path of one frame."""

    frame: int = 0
    free: CameraPath | None = None


def orbit(name: str, solid: gr.State) -> tuple[gr.HTML, gr.State]:
    """Place the stage; fill it with `orbit_value`. Returns it and the viewer's position."""
    view = stage(f"{name}-orbit", "The reconstruction appears here in 3D, with its cameras.")
    seeing = gr.State(OrbitView())

    def look(solid: SceneTabState, seeing: OrbitView, event: gr.EventData):
        if solid.made is None:
            return gr.skip(), gr.skip()
        frame, turn, move, question = read_event(event, frame=optional(whole), turn=triple, move=triple, id=whole)
        seeing = follow_viewer(solid, seeing, frame, turn, move)
        return seeing, picture_update(picture(solid, seeing), question, caption(solid, seeing))

    view.select(
        wrap_handler(look), [solid, seeing], [seeing, view], api_visibility="private", queue=False, show_progress="hidden",
        trigger_mode="multiple",
    )  # fmt: skip
    return view, seeing


def follow_viewer(
    solid: SceneTabState, seeing: OrbitView, frame: int | None, turn: Sequence[float], move: Sequence[float]
) -> OrbitView:
    """The viewer's position after the stage moved to ``frame`` or the viewer flew on.

    In a moving scene, a viewer who has flown keeps the position as time passes.
    """
    if frame is not None:
        free = seeing.free if solid.moving is not None and int(frame) else None
        seeing = OrbitView(int(frame), free)
    if any(turn) or any(move):
        seeing = replace(
            seeing, free=move_camera(camera(solid, seeing), turn, move, current_result(solid, seeing).first.focus_depth)
        )
    return seeing


def current_result(solid: SceneTabState, seeing: OrbitView) -> Reconstruction:
    """The reconstruction to show; of several moments, the current one."""
    moving = solid.moving
    return solid.thing() if moving is None else moving.moments[min(max(seeing.frame, 0), len(moving.moments) - 1)]


def camera(solid: SceneTabState, seeing: OrbitView) -> CameraPath:
    """The current camera as a path of one frame, no wider than the stage."""
    path = current_result(solid, seeing).path
    frame = 0 if solid.moving is not None else min(max(seeing.frame, 0), len(path) - 1)
    one = seeing.free or path.sliced(slice(frame, frame + 1))
    scale = min(1.0, WIDEST_EYE / one.width)
    return one.resized(max(round(one.width * scale), 1), max(round(one.height * scale), 1))


def picture(solid: SceneTabState, seeing: OrbitView) -> np.ndarray:
    from pipelines.reconstruct import display

    return next(iter(display.render_flight(current_result(solid, seeing), camera(solid, seeing))))


def caption(solid: SceneTabState, seeing: OrbitView) -> str:
    """Caption of the picture beside the stage."""
    moving = solid.moving
    if moving is not None:
        when = f"Moment {seeing.frame + 1} of {len(moving.moments)}, {moving.seconds[seeing.frame]:.2f} s"
        return when + (", from your position; the first moment leads back" if seeing.free else ", from its camera")
    if seeing.free:
        return "The reconstruction, from your position"
    return f"The reconstruction, from camera {seeing.frame + 1} of {len(solid.thing().path)}"


# --- figures -------------------------------------------------------------------------------------------------------


def orbit_value(solid: SceneTabState) -> dict:
    """Value of the stage; the points of all moments go into a file that the page fetches."""
    moving = solid.moving
    if moving is None:
        made = solid.thing()
        cloud = _near_points(made).thinned(STILL_POINTS)
        return figure_value(_figure(made, made.path, _dots(cloud, *palette(cloud.colours))), made.path, fresh=True)
    dots = _moments(moving)
    figure = _figure(moving.moments[0], moving.path, dots[0])
    if len(moving.path) != len(dots):
        figure["frames"] = [{"traces": [], "data": []} for _ in dots]
    points = save_points(dots, _number(figure), solid.file)
    length = moving.seconds[-1] - moving.seconds[0]
    fps = min(max((len(dots) - 1) / length, 1.0), 60.0) if length > 0 else 1.0
    return {**figure_value(figure, moving.path, fresh=True), "frames": len(dots), "fps": fps, "points": points}


def animation_page(moving: MovingPoints) -> bytes:
    """The moving points as a separate page, which any browser shows without a network."""
    import plotly.graph_objects as go
    from plotly.io import to_html

    dots = _moments(moving)
    figure = _figure(moving.moments[0], moving.path, dots[0])
    number, own = _number(figure), len(moving.path) == len(dots)
    steps = figure["frames"] if own else [{"traces": [], "data": []} for _ in dots]
    figure["frames"] = [
        {"name": str(i), "traces": [*step["traces"], number], "data": [*step["data"], one]}
        for i, (step, one) in enumerate(zip(steps, dots))
    ]
    (slider,) = figure["layout"]["sliders"]
    show = slider["steps"][0]["args"][1]
    slider["currentvalue"] = {"prefix": "second "}
    slider["steps"] = [
        {"label": f"{second:.2f}", "method": "animate", "args": [[str(i)], show]}
        for i, second in enumerate(moving.seconds)
    ]
    return to_html(go.Figure(figure), include_plotlyjs=True, full_html=True).encode()


def _moments(moving: MovingPoints) -> list[dict]:
    """A trace of points for each moment; one table of colours for all."""
    most = min(MOST_OF_A_MOMENT, MOVING_POINTS // len(moving.moments))
    clouds = [_near_points(moment).thinned(most) for moment in moving.moments]
    indices, scale = palette(np.concatenate([cloud.colours for cloud in clouds]))
    parts = np.split(indices, np.cumsum([len(cloud) for cloud in clouds])[:-1])
    return [_dots(cloud, part, scale) for cloud, part in zip(clouds, parts)]


def _figure(made: Reconstruction, path: CameraPath, dots: dict) -> dict:
    """The figure of ``path`` and ``dots``, without the first picture, which would hide the reconstruction."""
    scene = Scene((made.first,), name="made")
    figure = spec(path, scene)
    traces = {"frusta": _frusta(path, frustum_size(path, scene) / 2), "scene": dots}
    removed = {i for i, trace in enumerate(figure["data"]) if trace["name"] == "picture"}
    data = [{**trace, **traces.get(trace["name"], {})} for trace in figure["data"]]
    figure["data"] = [trace for i, trace in enumerate(data) if i not in removed]
    figure["frames"] = [
        {**step, "traces": [i - sum(each < i for each in removed) for i in step["traces"]]} for step in figure["frames"]
    ]
    return figure


def _number(figure: dict) -> int:
    """Index of the trace with the points."""
    return next(i for i, trace in enumerate(figure["data"]) if trace["name"] == "scene")


def _near_points(made: Reconstruction) -> PointCloud:
    from pipelines.reconstruct.display import near_points

    return near_points(made)


def _dots(cloud: PointCloud, indices: np.ndarray, scale: list) -> dict:
    x, y, z = to_display(cloud.points).T
    marker = {**DOTS, "color": indices, "colorscale": scale, "cmin": 0, "cmax": 255, "showscale": False}
    return {"type": "scatter3d", "x": x.copy(), "y": y.copy(), "z": z.copy(), "mode": "markers", "marker": marker}


def _frusta(path: CameraPath, size: float) -> dict:
    chosen = spread_indices(len(path), SHOWN_FRUSTA)
    lines = frustum_lines(path, chosen, size)
    gaps = np.full((len(chosen), 1, 3), np.nan, np.float32)
    x, y, z = np.concatenate([lines, gaps], axis=1).reshape(-1, 3).T
    return {"x": x.copy(), "y": y.copy(), "z": z.copy(), "line": {"color": FRUSTUM_COLOUR, "width": 2}}
