"""Draws the documentation's diagrams of conventions: ``python -m docs.draw`` writes ``docs/drawings/*.svg``.

Axes come from `camera.conventions`, so that a drawing cannot disagree with the code.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from camera.conventions import opengl_from_opencv

FOLDER = Path(__file__).parent / "drawings"
COLOURS = {"x": "#d1495b", "y": "#3a9d5d", "z": "#2f6fde"}
_INK = "#808690"
_OPENCV = np.eye(3)
_CAMERAS: dict[str, tuple[str, NDArray[np.float64]]] = {
    "OpenCV, COLMAP, Reshoot": ("right, down, forward", _OPENCV),
    "OpenGL, nerfstudio, Blender": ("right, up, backward", opengl_from_opencv(np.eye(4))[:3, :3]),
    "PyTorch3D": ("left, up, forward", np.diag([-1.0, -1.0, 1.0])),
    "Unreal (left-handed)": ("forward, right, up", np.array([[0, 1.0, 0], [0, 0, -1.0], [1.0, 0, 0]])),
}
"""Columns: a convention's axes in OpenCV's."""


def _flat(point: NDArray[np.float64]) -> NDArray[np.float64]:
    """A point (3,) in OpenCV axes to the drawing's plane, seen from behind, right and above."""
    x, y, z = point
    return np.array([0.92 * x + 0.48 * z, 0.95 * y + 0.22 * x - 0.42 * z])


def _line(start: NDArray[np.float64], end: NDArray[np.float64], colour: str, width: float, marker: str = "") -> str:
    end_mark = f' marker-end="url(#{marker})"' if marker else ""
    return (
        f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" '
        f'stroke="{colour}" stroke-width="{width}"{end_mark}/>'
    )


def _text(place: NDArray[np.float64], words: str, *, size: int = 13, colour: str = _INK, weight: str = "normal") -> str:
    return (
        f'<text x="{place[0]:.1f}" y="{place[1]:.1f}" font-size="{size}" fill="{colour}" font-weight="{weight}" '
        f'text-anchor="middle" font-family="sans-serif">{words}</text>'
    )


def _camera(centre: NDArray[np.float64], title: str, words: str, axes: NDArray[np.float64]) -> list[str]:
    def at(point: tuple[float, float, float] | NDArray[np.float64]) -> NDArray[np.float64]:
        return centre + 62 * _flat(np.asarray(point, dtype=np.float64))

    corners = [at((x, y, 1.0)) for x, y in ((-0.6, -0.4), (0.6, -0.4), (0.6, 0.4), (-0.6, 0.4))]
    parts = [_line(at((0, 0, 0)), corner, _INK, 1) for corner in corners]
    parts += [_line(corners[i], corners[(i + 1) % 4], _INK, 1) for i in range(4)]
    parts += [_line(corners[0], at((0, -0.7, 1.0)), _INK, 1), _line(corners[1], at((0, -0.7, 1.0)), _INK, 1)]
    for name, axis in zip("xyz", axes.T):
        parts.append(_line(at((0, 0, 0)), at(axis), COLOURS[name], 3, name))
        parts.append(_text(np.add(at(1.22 * axis), [0, 4]), name, colour=COLOURS[name], weight="bold"))
    return [
        *parts,
        _text(np.add(centre, [10, 112]), title, weight="bold"),
        _text(np.add(centre, [10, 130]), words, size=12),
    ]


def _svg(width: int, height: int, parts: list[str]) -> str:
    heads = "".join(
        f'<marker id="{name}" markerWidth="5" markerHeight="5" refX="3" refY="2.5" orient="auto">'
        f'<path d="M0 0L5 2.5L0 5z" fill="{colour}"/></marker>'
        for name, colour in COLOURS.items()
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        f"<defs>{heads}</defs>{''.join(parts)}</svg>\n"
    )


def axes() -> str:
    """One camera with the axes of four conventions."""
    parts: list[str] = []
    for column, (title, (words, matrix)) in enumerate(_CAMERAS.items()):
        parts += _camera(np.array([110.0 + 215 * column, 105.0]), title, words, matrix)
    return _svg(880, 250, parts)


def pixels() -> str:
    """The same four by three pixels counted from the first centre and from the corner."""
    parts: list[str] = []
    for left, shift, title in ((60, 0.0, "centres at integers"), (400, 0.5, "centres at half-integers")):
        for row in range(3):
            for column in range(4):
                x, y = left + 60 * column, 30 + 60 * row
                parts.append(f'<rect x="{x}" y="{y}" width="60" height="60" fill="none" stroke="{_INK}"/>')
                parts.append(f'<circle cx="{x + 30}" cy="{y + 30}" r="3" fill="{COLOURS["z"]}"/>')
        first, middle = np.array([left + 30.0, 54.0]), np.array([left + 120.0, 120.0])
        parts.append(_text(np.add(first, [0, -2]), f"{shift:g}, {shift:g}", size=11))
        parts.append(f'<circle cx="{middle[0]}" cy="{middle[1]}" r="4" fill="{COLOURS["x"]}"/>')
        parts.append(_text(np.add(middle, [0, -8]), f"{1.5 + shift:g}, {1 + shift:g}", size=11, colour=COLOURS["x"]))
        parts.append(_text(np.array([left + 120.0, 240.0]), title, weight="bold"))
    return _svg(700, 260, parts)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, drawing in (("axes", axes), ("pixels", pixels)):
        (FOLDER / f"{name}.svg").write_text(drawing())


if __name__ == "__main__":
    main()
