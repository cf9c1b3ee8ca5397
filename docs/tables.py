"""Tables of the documentation, generated from the records in code when mkdocs builds, so that each fact is stored once.

A line ``{{ name }}`` or ``{{ name: argument }}`` of a page becomes the table of that name; an unknown name stops the build.
"""

from __future__ import annotations

import re
from typing import Any

from camera.formats import FORMATS
from camera.trajectories.film import MOVES
from pipelines import NAMES, method
from pipelines.settings import Control, Settings

_PLACE = re.compile(r"^\{\{ (\w+)(?:: (\w+))? \}\}$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs for every page."""
    return _PLACE.sub(lambda place: TABLES[place[1]](*filter(None, [place[2]])), markdown)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table; bars inside cells are escaped."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines
    )


def path_formats() -> str:
    rows = [(f.label, f"`{f.file_name}`", f.matrix, f.axes, f.units, f.lens) for f in FORMATS.values()]
    return table(("format", "file", "matrix", "camera axes", "units", "lens"), rows)


def film_moves() -> str:
    rows = []
    for name, move in MOVES.items():
        words = f"{move.positive}, {move.negative}" if move.positive else ""
        amount = f"{move.minimum:g} to {move.maximum:g} {move.unit}" if move.unit else ""
        rows.append((f"`{name}`", words, amount, move.help))
    return table(("move", "directions", "amount", "what it does"), rows)


def methods() -> str:
    rows = [
        (
            f"[{m.title}](methods/{m.name}.md)", m.camera_use, f"{m.moves.defaults()['frames']}",
            f"{m.moves.defaults()['width']} x {m.moves.defaults()['height']}", _licences(m.name),
        )
        for m in map(method, NAMES)
    ]  # fmt: skip
    return table(("method", "camera input", "frames", "size", "licences"), rows)


def facts(name: str) -> str:
    """Summary, links, licences and weights of one record."""
    record = method(name)
    links = {"paper": record.paper, "code": record.code, **record.links}
    weights = [
        (f"`{c.repo}`", f"{c.gigabytes:g} GB" if c.gigabytes else "", f"`{c.revision}`") for c in record.checkpoints
    ]
    licences = [
        (part.part, f"[{part.name}]({part.url})" if part.url else part.name, part.note) for part in record.licences
    ]
    return "\n\n".join(
        [
            record.summary,
            f"**Camera.** {record.camera_use}",
            "Links: " + ", ".join(f"[{label}]({url})" for label, url in links.items() if url) + ".",
            table(("licence of", "name", "note"), licences),
            table(("weights", "size", "revision"), weights),
        ]
    )


def moves(name: str) -> str:
    return _controls(method(name).moves)


def settings(name: str) -> str:
    return _controls(method(name).settings)


def _controls(kind: type[Settings]) -> str:
    defaults = kind.defaults()
    rows = [(f"`{key}`", c.label, _range(c), _shown(defaults[key]), c.help) for key, c in kind.controls().items()]
    return table(("name", "label", "range", "default", "what it does"), rows)


def _range(control: Control) -> str:
    if control.choices:
        return ", ".join(f"`{choice}`" for choice in control.choices)
    if control.minimum is None or control.maximum is None:
        return ""
    return f"{control.minimum:g} to {control.maximum:g}"


def _shown(value: object) -> str:
    text = str(value)
    return f"`{text if len(text) <= 40 else text[:40] + ' ...'}`" if text else "empty"


def _licences(name: str) -> str:
    return "; ".join(f"{part.part}: {part.name}" for part in method(name).licences)


TABLES = {
    "path_formats": path_formats, "film_moves": film_moves, "methods": methods,
    "facts": facts, "moves": moves, "settings": settings,
}  # fmt: skip
