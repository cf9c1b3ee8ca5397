"""Errors of a shot as ribbons synchronised with a player, beside a map of the requested and the achieved path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from camera.evaluation.report import TakeReport

_HERE = Path(__file__).parent
_TEMPLATE = """
<div class="take-numbers"></div>
<div class="take-rows">
  <svg class="take-map" viewBox="0 0 160 160" role="img" aria-label="The path from above: dashed as requested, solid as shot"></svg>
  <div class="take-lines"></div>
</div>
"""
ROWS = (("turn", "°", "#d9480f"), ("place", "", "#1c7ed6"), ("lens", " %", "#2f9e44"))


def ribbons(name: str, player: str) -> gr.HTML:
    """Empty ribbons; fill them with `show_ribbons`. ``player``: the element whose first video sets the time, and seeks on a click."""
    return gr.HTML(
        value=None,
        elem_id=name,
        html_template=_TEMPLATE,
        css_template=(_HERE / "ribbons.css").read_text(),
        js_on_load=(_HERE / "ribbons.js").read_text(),
        apply_default_css=False,
        player=player,
    )


def value(report: TakeReport) -> dict[str, Any]:
    """The ribbons' data: rows of errors per frame, the unplaced frames, and both paths from above."""
    lens = tuple(100 * (ratio - 1) for ratio in report.lens)
    unit = f" {'m' if report.unit == 'metres' else report.unit}"
    curves = zip(ROWS, (report.turn_degrees, report.distance, lens))
    rows = [
        {"name": name, "unit": sign or unit, "colour": colour, "values": list(values), "most": max(map(abs, values))}
        for (name, sign, colour), values in curves
        if values
    ]
    achieved, requested = report.achieved_path, report.requested_path
    ways = [np.zeros((0, 3)) if requested is None else requested.centres, achieved.centres]
    return {
        "count": report.count,
        "fps": achieved.fps,
        "frames": list(report.frames),
        "unplaced": list(report.unplaced),
        "rows": rows,
        "ways": [_from_above(way, ways) for way in ways],
        "numbers": numbers(report),
    }


def numbers(report: TakeReport) -> list[list[str]]:
    """Label and text of the numbers above the ribbons."""
    found = [["verdict", report.verdict], ["placed", f"{len(report.frames)} of {report.count} frames"]]
    if report.turn_gain is not None:
        found.append(["turn", f"{100 * report.turn_gain:.0f} % of asked"])
    if report.drift is not None:
        found.append(["scale drift", f"{100 * report.drift:+.0f} %"])
    return [*found, ["jitter", f"{report.jitter_degrees:.2f}°"], ["parallax", f"{report.parallax_degrees:.1f}°"]]


def show_ribbons(report: TakeReport) -> dict:
    """Update that shows the ribbons of a report."""
    return gr.update(value=value(report), visible=True)


def _from_above(way: NDArray, ways: list[NDArray]) -> list[list[float]]:
    """(F,2) in the map's units: x to the right, forward upwards, both paths at one scale."""
    everything = np.concatenate(ways)[:, [0, 2]]
    low, size = everything.min(axis=0), max(float(np.ptp(everything, axis=0).max()), 1e-9)
    middle = low + np.ptp(everything, axis=0) / 2
    shown = (way[:, [0, 2]] - middle) / size * 130 * [1, -1] + 80
    return np.round(shown, 1).tolist()
