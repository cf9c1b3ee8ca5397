"""The table as a single-file web page, and plots of errors over time as SVG and PNG."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from camera.evaluation.report import TakeReport
from pipelines.cli.evaluation.forms import group_results
from pipelines.cli.evaluation.pictures import ROWS
from pipelines.cli.evaluation.results import ResultScores

WIDTH, HEIGHT = 640, 160
COLOURS = {"turn, degrees": "#d9480f", "distance": "#1c7ed6", "lens, %": "#2f9e44"}
STYLE = (
    "body{font:15px system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;color:#212529;background:#fff}"
    "table{border-collapse:collapse}td,th{padding:.3rem .6rem;border-bottom:1px solid #dee2e6;text-align:left}"
    "td.n{text-align:right;font-variant-numeric:tabular-nums}small{color:#495057}"
)


def curves(report: TakeReport) -> dict[str, tuple[float, ...]]:
    """Errors per placed frame, by name; unknown errors are missing."""
    lens = tuple(100 * (ratio - 1) for ratio in report.lens)
    named = dict(zip(COLOURS, (report.turn_degrees, report.distance, lens)))
    return {name: values for name, values in named.items() if values}


def svg(report: TakeReport) -> str:
    """Curves of the errors over the frames, each with its own scale and maximum; unplaced frames are grey."""
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img">']
    step = WIDTH / max(report.count, 1)
    parts += [
        f'<rect x="{i * step:.1f}" y="0" width="{step:.2f}" height="{HEIGHT}" fill="#ced4da"/>' for i in report.unplaced
    ]
    for row, (name, values) in enumerate(curves(report).items()):
        most = max(max(map(abs, values)), 1e-9)
        points = " ".join(
            f"{(frame + 0.5) * step:.1f},{HEIGHT - 8 - (HEIGHT - 30) * abs(value) / most:.1f}"
            for frame, value in zip(report.frames, values)
        )
        parts.append(f'<polyline fill="none" stroke="{COLOURS[name]}" stroke-width="2" points="{points}"/>')
        label = html.escape(f"{name}: at most {most:.3g}")
        parts.append(f'<text x="{8 + 210 * row}" y="14" fill="{COLOURS[name]}" font-size="12">{label}</text>')
    return "".join([*parts, "</svg>"])


def png(report: TakeReport, file: Path) -> None:
    """Write the curves of `svg` as a picture."""
    import cv2

    from pipelines.media.image import png as encoded
    from pipelines.media.video import complete

    canvas = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    step = WIDTH / max(report.count, 1)
    for frame in report.unplaced:
        canvas[:, int(frame * step) : int((frame + 1) * step) + 1] = (206, 212, 218)
    for row, (name, values) in enumerate(curves(report).items()):
        colour = tuple(int(COLOURS[name][i : i + 2], 16) for i in (1, 3, 5))
        most = max(max(map(abs, values)), 1e-9)
        places = [
            ((frame + 0.5) * step, HEIGHT - 8 - (HEIGHT - 30) * abs(value) / most)
            for frame, value in zip(report.frames, values)
        ]
        cv2.polylines(canvas, [np.array(places).round().astype(np.int32)], False, colour, 2, cv2.LINE_AA)
        label = f"{name}: at most {most:.3g}"
        cv2.putText(canvas, label, (8 + 210 * row, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1, cv2.LINE_AA)
    with complete(file) as part:
        part.write_bytes(encoded(canvas))


def as_html(results: Sequence[ResultScores]) -> str:
    """One file without external links: the table, then every result with its description and curves."""
    groups = group_results(results)
    head = "".join(
        f"<th>{html.escape(text)}</th>" for text in ("number", "source", "convention", *(g.label for g in groups))
    )
    rows = [
        "<tr><td>frames placed</td><td></td><td></td>"
        + "".join(f'<td class="n">{g.placed}</td>' for g in groups)
        + "</tr>"
    ]
    for number in ROWS:
        arrow = "↓" if number.better == "low" else "↑"
        cells = "".join(f'<td class="n">{group.cell(number) or "–"}</td>' for group in groups)
        about = f"<td>{html.escape(number.source)}</td><td><small>{html.escape(number.convention)}</small></td>"
        rows.append(f"<tr><td>{html.escape(number.label)} {arrow}</td>{about}{cells}</tr>")
    each = "".join(
        f"<h2>{html.escape(one.name)}</h2><p><b>{html.escape(one.report.verdict)}</b>. {html.escape(' '.join(one.notes))}</p>"
        + svg(one.report)
        for one in results
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Camera evaluation</title>'
        f"<style>{STYLE}</style><h1>Camera evaluation</h1><table><tr>{head}</tr>{''.join(rows)}</table>{each}</html>\n"
    )
