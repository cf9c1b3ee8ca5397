"""Saved response curves, one per method and weights, and shots corrected by them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from camera.errors import InputError
from camera.evaluation.response import Response
from pipelines.environment import cache_folder
from pipelines.media.video import complete
from pipelines.method import Clip
from pipelines.shot import Shot

HOME_VARIABLE = "RESHOOT_RESPONSES"
"""Environment variable: the folder of the curves."""


def responses_folder() -> Path:
    """The folder of saved curves: `HOME_VARIABLE`, or the user's cache."""
    return cache_folder(HOME_VARIABLE, "responses")


def words(one: Response) -> str:
    """A short description of every axis."""
    axes = [
        f"{answer.axis} {100 * answer.gain:.0f} % of requested, {answer.lag:g} frames late" for answer in one.answers
    ]
    return "; ".join(axes) or "no axis was requested"


def save_responses(one: Response, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{one.method or 'unknown'}-{one.weights or 'unknown'}.json"
    with complete(file) as part:
        part.write_text(json.dumps(one.values(), indent=2, allow_nan=False) + "\n")
    return file


def load_responses(folder: Path, method: str, weights: str) -> Response | None:
    """The curve saved by `save_responses` for this method and these weights; None if there is none."""
    file = folder / f"{method}-{weights}.json"
    if not file.is_file():
        return None
    try:
        return Response.of(json.loads(file.read_text()))
    except ValueError as error:
        raise InputError(f"{file.name} is damaged; measure the response again.") from error


def generate_corrected(shot: Shot, run: Callable[[Shot], Iterator[Any]]) -> Iterator[Any]:
    """Yield from ``run`` for the path that must be requested to get that of ``shot``; its clips have the drawn path, and a note
    on what was requested.

    Raises `InputError` if the method receives no poses, or has no curve with these weights.
    """
    name, weights = shot.method.name, shot.options.weights
    known = load_responses(responses_folder(), name, weights)
    if shot.method.nominal:
        raise InputError(f"{shot.method.title} does not receive the path's poses, so no other path can be requested.")
    if known is None:
        raise InputError(
            f"There is no response curve of {shot.method.title} with {weights} weights yet; measure one, or request the move as drawn."
        )
    path, note = known.asked_for(shot.path)
    asked = replace(shot, path=path, options=replace(shot.options, correct_turns=False))
    for step in run(asked):
        if isinstance(step, Clip):
            drawn = shot.path.sliced(slice(0, len(step.path)))
            notes = (*step.notes, note or "No correction by the response curve: requested as drawn.")
            step = replace(step, path=drawn, notes=notes)
        yield step
