"""Two paths in one figure: the measured camera of a shot and the requested one."""

from __future__ import annotations

from typing import Any

import numpy as np

from camera.figure.path import frustum_lines, frustum_size, spec, to_display
from camera.path import CameraPath
from camera.view import Scene

ASKED_COLOUR, SHOT_COLOUR = "#2f9e44", "#7048e8"


def overlay(achieved: CameraPath, requested: CameraPath | None, scene: Scene | None = None) -> dict[str, Any]:
    """The figure of ``achieved``, with the requested path as a dashed green line and its last camera; only ``achieved`` without a request."""
    figure = spec(achieved, scene)
    return figure if requested is None else _beside(figure, requested, scene, "asked", ASKED_COLOUR)


def shot_over(figure: dict[str, Any], achieved: CameraPath, scene: Scene) -> dict[str, Any]:
    """The ``figure`` of a path in ``scene``, with the shot's measured path as a dashed violet line and its last camera."""
    return _beside(figure, achieved, scene, "shot", SHOT_COLOUR)


def _beside(figure: dict[str, Any], path: CameraPath, scene: Scene | None, name: str, colour: str) -> dict[str, Any]:
    """The figure with another path's line and last camera after the existing traces, and a legend for the two paths."""
    way = to_display(path.centres)
    last = frustum_lines(path, np.array([len(path) - 1]), frustum_size(path, scene))[0]
    drawn = ((name, way, "dash", True), (f"{name}, end", last, "solid", False))
    data = [trace | {"showlegend": trace["name"] == "path"} for trace in figure["data"]]
    data += [
        {
            "type": "scatter3d", "x": points[:, 0], "y": points[:, 1], "z": points[:, 2], "mode": "lines", "name": label,
            "hoverinfo": "skip", "line": {"color": colour, "width": 5, "dash": dash}, "connectgaps": False, "showlegend": in_legend,
        }
        for label, points, dash, in_legend in drawn
    ]  # fmt: skip
    legend = {"x": 0, "y": 1, "orientation": "h", "bgcolor": "rgba(0,0,0,0)"}
    return {**figure, "data": data, "layout": {**figure["layout"], "showlegend": True, "legend": legend}}
