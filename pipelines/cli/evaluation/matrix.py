"""Methods x moves x seeds, shot one after another; a result that is there already is not shot again."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

from camera.errors import InputError

KEYS = {"image", "methods", "moves", "seeds", "options"}


def shot_all(file: Path, out: Path, say: Callable[[str], None], shoot: Callable[[list[str]], int]) -> list[Path]:
    """The mp4s of a matrix; raises `InputError` for a file that is none, and says what was refused.

    ``{"image": "room.jpg", "methods": ["gen3c"], "moves": ["arc 20 ease"], "seeds": [0, 1, 2, 3, 4], "options": ["--weights",
    "tiny"]}``; moves are film moves in words, or path files beside the matrix.
    """
    matrix = read(file)
    out.mkdir(parents=True, exist_ok=True)
    made = []
    for method, (number, move), seed in product(matrix["methods"], enumerate(matrix["moves"]), matrix["seeds"]):
        video = out / f"{method}_move{number}_seed{seed}.mp4"
        if not video.is_file():
            shot = ["run", method, "--image", str(file.parent / matrix["image"]), *map(str, matrix["options"])]
            path = file.parent / move
            if not path.is_file():
                path = out / f"{method}_move{number}.json"
                path.write_bytes(_in_words(move, shot))
            words = [*shot, "--path", str(path), "--seed", str(seed), "--out", str(video)]
            try:
                status = shoot(words)
            except SystemExit as error:  # wrong usage: argparse has told it
                status = int(error.code or 0) or 2
            if status:
                say(f"{video.name} was not shot.")
                continue
        made.append(video)
    return made


def _in_words(move: str, shot: list[str]) -> bytes:
    """A film move as a path file for the scene and the frames of a method's ``shot``."""
    from camera.formats.reshoot import write
    from camera.trajectories.film_script import path_of
    from pipelines import method
    from pipelines.cli.parser import parser
    from pipelines.cli.shot import shot_of

    given = parser().parse_args([*shot, "--out", "shot.mp4"])
    with tempfile.TemporaryDirectory(prefix="reshoot-") as folder:
        usual, _ = shot_of(method(given.name), given, Path(folder))
    return write(path_of(move, usual.scene.first, frames=len(usual.path), fps=usual.path.fps))


def read(file: Path) -> dict[str, Any]:
    try:
        matrix = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{file.name} is no matrix: JSON with image, methods, moves and seeds is needed.") from error
    if not isinstance(matrix, dict) or not {"image", "methods", "moves"} <= set(matrix):
        raise InputError(f"{file.name} is no matrix: JSON with image, methods, moves and seeds is needed.")
    if unknown := sorted(set(matrix) - KEYS):
        raise InputError(f"{file.name} has {unknown[0]!r}, which is not known; known are {', '.join(sorted(KEYS))}.")
    lists = {"seeds": [0], "options": []} | matrix
    if not all(isinstance(lists[key], list) and lists[key] for key in ("methods", "moves", "seeds")):
        raise InputError(f"{file.name}: methods, moves and seeds are lists with at least one entry.")
    return lists
