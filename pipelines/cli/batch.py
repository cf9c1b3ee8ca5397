"""Batches of shots from a JSON Lines file; each line has a picture, clip or views, a prompt, and other options."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from pathlib import Path
from typing import Any, TypeVar

from camera.errors import InputError, reading
from pipelines.method import Method
from pipelines.shot import Shot

One = TypeVar("One")
Result = TypeVar("Result")

INPUT = "visual_input"
"""The key of the input in upstream's lists; all other keys are names of moves and settings."""
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".tif", ".tiff", ".bmp")


def shots_of(known: Method, given: argparse.Namespace) -> list[argparse.Namespace]:
    """The command ``given``, once per line of its list; the line's values override those of the command.

    Paths in the list are relative to it; results are named by line, 0.mp4 and so on, in the folder ``given.out``. Raises
    `InputError` for an invalid line, before anything is shot.
    """
    with reading(f"The list {given.batch} cannot be read; use a text file with one JSON object per line."):
        lines = given.batch.read_text(encoding="utf-8").splitlines()
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not numbered:
        raise InputError(f"The list {given.batch} is empty; write one JSON object per line.")
    rows = [_row(line, f"Line {number} of {given.batch.name}") for number, line in numbered]
    return [_shot(known, given, *row, number) for number, row in enumerate(rows)]


def _row(line: str, where: str) -> tuple[dict[str, Any], str]:
    with reading(f"{where} is not JSON; write it like {{'{INPUT}': 'room.png', 'prompt': '...'}}."):
        row = json.loads(line)
    if not isinstance(row, dict):
        raise InputError(f"{where} is not a JSON object; write it like {{'{INPUT}': 'room.png', 'prompt': '...'}}.")
    return row, where


def _shot(known: Method, given: argparse.Namespace, row: dict[str, Any], where: str, number: int) -> argparse.Namespace:
    shot = copy(given)
    shot.resumes = True
    shot.batch, shot.out = None, given.out / f"{number}.mp4"
    source = row.pop(INPUT, None)
    if source is None and known.blank is None:
        raise InputError(f"{where} names no {INPUT}; name a picture, a clip or views.")
    if source is None:
        shot.no_picture = True
    elif not isinstance(source, str) or not (file := given.batch.parent / source).exists():
        raise InputError(f"{where}: {source} does not exist; paths are relative to the list.")
    elif file.suffix.lower() in PICTURES:
        shot.image = file
    else:
        shot.files = [file]
    for name, value in row.items():
        kinds = {"moves": known.moves, "settings": known.settings}
        places = [prefix for prefix, kind in kinds.items() if name in kind.controls()]
        if not places:
            raise InputError(f"{where}: {known.title} has no move or setting {name}.")
        try:
            kinds[places[0]].of({name: value})
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
        setattr(shot, f"{places[0]}.{name}", value)
    return shot


def is_finished(file: Path, shot: Shot) -> bool:
    """Whether ``file`` is the complete result of exactly this shot. Files get their final names only when complete, and contain their inputs."""
    from pipelines.results.record import record, restore

    if not file.is_file():
        return False
    try:
        made = restore(file)
    except InputError:
        return False
    same = record(shot)
    keys = ("method", "settings", "input_sha256", "weights")
    alike = all(getattr(made, key) == getattr(same, key) for key in keys)
    return bool(made.report) and alike and made.path.values() == shot.path.values()


def in_order(shoot: Callable[[One], Result], shots: Iterable[One], at_once: int) -> Iterator[Result]:
    """Run ``shoot`` on each item, ``at_once`` at the same time, starting in order; returns results in order."""
    if at_once == 1:
        yield from map(shoot, shots)
        return
    with ThreadPoolExecutor(at_once, thread_name_prefix="shot") as threads:
        yield from threads.map(shoot, shots)
