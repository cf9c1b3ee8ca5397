"""A picker of DimensionX's directors; each button shows its nominal move as a small drawing."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import numpy as np
from gradio.components import Component
from numpy.typing import NDArray

from camera.path import CameraPath
from camera.trajectories.dimensionx import DIRECTORS, Director, nominal_path, transform_of_twist
from tabs.parts.event_values import read_event
from tabs.parts.form import wrap_handler

_HERE = Path(__file__).parent
WIDTH, HEIGHT, MARGIN = 84, 52, 5
LENS = np.array([[3.0, 0, 1], [0, 3, 0.5], [0, 0, 1]])
_PAN, _TILT = transform_of_twist(np.radians([[0, 0, 0, 0, 28, 0], [0, 0, 0, -24, 0, 0]]))[:, :3, :3]
SEEN_FROM = _PAN @ _TILT
"""View direction of the drawings: from behind, above and slightly to the side."""
SUBJECT = np.array([0.0, 0, 1])
_NAMES = {"orbit_360": "All around", "t_director": "Scene moves"}


def directors(chosen: str) -> gr.HTML:
    """The buttons, not yet placed, with ``chosen`` selected; connect them with `connected`."""
    tiles = "".join(
        f'<button type="button" data-director="{each.id}" title="{each.title}">{drawing(each)}'
        f"<span>{_NAMES.get(each.id, each.title)}</span></button>"
        for each in DIRECTORS.values()
    )
    return gr.HTML(
        chosen,
        elem_id="dimensionx-directors",
        html_template=f'<div class="directors" role="group" aria-label="Directors">{tiles}</div>',
        css_template=(_HERE / "directors.css").read_text(),
        js_on_load=(_HERE / "directors.js").read_text(),
        apply_default_css=False,
        render=False,
    )


def connected(buttons: gr.HTML, target: Component) -> None:
    """Connect the buttons to ``target``, the component that holds the director's id."""

    def chosen(event: gr.EventData) -> str:
        (director,) = read_event(event, director=str)
        return director

    buttons.select(wrap_handler(chosen), None, target, api_visibility="private", queue=False, show_progress="hidden")
    target.change(None, target, buttons, js="director => director", api_visibility="private")  # type: ignore[attr-defined]


def drawing(director: Director) -> str:
    """The nominal move as SVG: first camera (grey), last camera, path and subject."""
    start = CameraPath(np.eye(4)[None], LENS, 3, 2)
    path = nominal_path(start, [(director.id, 1.0)], frames=33)
    first, last = _camera(path.world_from_camera[0]), _camera(path.world_from_camera[-1])
    flat = [_project(points) for points in (first, last, path.centres, SUBJECT[None])]
    low, high = np.concatenate(flat).min(0), np.concatenate(flat).max(0)
    scale = min((np.array([WIDTH, HEIGHT]) - 2 * MARGIN) / np.maximum(high - low, 1e-6))
    before, after, way, subject = ((points - (low + high) / 2) * scale + [WIDTH / 2, HEIGHT / 2] for points in flat)
    moved = [_line(before, "before"), _line(after, "after")] if director.group != "time" else [_line(before, "after")]
    way = [_line(way, "way")] if np.ptp(path.centres) > 0 else []
    x, y = subject[0]
    dots = [(x, y, 2.4)] if director.group != "time" else [(x - 7, y + 2, 1.2), (x - 3.5, y - 1, 1.8), (x, y, 2.4)]
    circles = [f'<circle class="subject" cx="{x:.1f}" cy="{y:.1f}" r="{r}"/>' for x, y, r in dots]
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true">{"".join([*circles, *moved, *way])}</svg>'


def _camera(world_from_camera: NDArray[np.float64], size: float = 0.3) -> NDArray[np.float64]:
    """(N,3): a camera as one polyline: image plane with an up mark, and lines to the centre."""
    x, y, z = 0.5 * size, 0.34 * size, size
    corners = [[-x, -y, z], [x, -y, z], [x, y, z], [-x, y, z]]
    stroke = [
        *corners,
        corners[0],
        [0, -1.7 * y, z],
        corners[1],
        [0, 0, 0],
        corners[2],
        corners[3],
        [0, 0, 0],
        corners[0],
    ]
    return np.array(stroke) @ world_from_camera[:3, :3].T + world_from_camera[:3, 3]


def _project(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,2): orthographic projection of ``points`` (N,3)."""
    return (points @ SEEN_FROM)[:, :2]


def _line(points: NDArray[np.float64], kind: str) -> str:
    return f'<polyline class="{kind}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'
