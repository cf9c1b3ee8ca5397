"""Achieved and requested path in one figure."""

from __future__ import annotations

from typing import Any

import numpy as np

from camera.figure.path import frustum_lines, frustum_size, spec, to_display
from camera.path import CameraPath
from camera.view import Scene

ASKED_COLOUR = "#868e96"


def overlay(achieved: CameraPath, requested: CameraPath | None, scene: Scene | None = None) -> dict[str, Any]:
    """The figure of ``achieved``, with the requested way dashed and grey and its last camera; alone where nothing was asked."""
    figure = spec(achieved, scene)
    if requested is None:
        return figure
    way = to_display(requested.centres)
    last = frustum_lines(requested, np.array([len(requested) - 1]), frustum_size(requested, scene))[0]
    drawn = (("asked", way, "dash"), ("asked, end", last, "solid"))
    figure["data"] += [
        {
            "type": "scatter3d", "x": points[:, 0], "y": points[:, 1], "z": points[:, 2], "mode": "lines", "name": name,
            "hoverinfo": "skip", "line": {"color": ASKED_COLOUR, "width": 4, "dash": dash}, "connectgaps": False,
        }
        for name, points, dash in drawn
    ]  # fmt: skip
    return figure
