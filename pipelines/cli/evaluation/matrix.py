"""Shoots all combinations of methods, moves and seeds in order, as many at once as a pool has room for; skips finished ones."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from camera.errors import InputError
from pipelines.cli.batch import in_order
from pipelines.runtime.pool.together import parallel_shots

KEYS = {"image", "methods", "moves", "seeds", "options"}


def shot_all(file: Path, out: Path, say: Callable[[str], None], shoot: Callable[[list[str]], int]) -> list[Path]:
    """The mp4s of a matrix; raises `InputError` for a file that is not a matrix, and reports refused shots.

    ``{"image": "room.jpg", "methods": ["gen3c"], "moves": ["arc 20 ease"], "seeds": [0, 1, 2, 3, 4], "options": ["--weights",
    "tiny"]}``; moves are film moves in words, or path files beside the matrix.
    """
    matrix = read(file)
    out.mkdir(parents=True, exist_ok=True)
    asked = list(plan_shots(matrix, file.parent, out))

    def made(one: PlannedShot) -> Path | None:
        if not one.video.is_file():
            try:
                status = shoot(one.words)
            except SystemExit as error:  # wrong usage: argparse has printed it
                status = int(error.code or 0) or 2
            if status:
                say(f"{one.video.name} was not shot.")
                return None
        return one.video

    return [video for video in in_order(made, asked, parallel_shots()) if video is not None]


@dataclass(frozen=True)
class PlannedShot:
    """One shot of a matrix: its result, and the command line that makes it."""

    video: Path
    words: list[str]


def plan_shots(matrix: dict[str, Any], beside: Path, out: Path) -> Iterator[PlannedShot]:
    """Every shot of a matrix whose files are in the folder ``beside``; writes the paths of its moves to ``out``."""
    for method, (number, move) in product(matrix["methods"], enumerate(matrix["moves"])):
        shot = ["run", method, "--image", str(beside / matrix["image"]), *map(str, matrix["options"])]
        videos = {seed: out / f"{method}_move{number}_seed{seed}.mp4" for seed in matrix["seeds"]}
        path = beside / move
        if not path.is_file():
            path = out / f"{method}_move{number}.json"
            if not all(video.is_file() for video in videos.values()):
                path.write_bytes(_write_path(move, shot))
        for seed, video in videos.items():
            yield PlannedShot(video, [*shot, "--path", str(path), "--seed", str(seed), "--out", str(video)])


def _write_path(move: str, shot: list[str]) -> bytes:
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
        raise InputError(
            f"{file.name} is not a matrix: JSON with image, methods, moves and seeds is needed."
        ) from error
    if not isinstance(matrix, dict) or not {"image", "methods", "moves"} <= set(matrix):
        raise InputError(f"{file.name} is not a matrix: JSON with image, methods, moves and seeds is needed.")
    if unknown := sorted(set(matrix) - KEYS):
        raise InputError(
            f"{file.name} contains {unknown[0]!r}, which is not known; known are {', '.join(sorted(KEYS))}."
        )
    lists = {"seeds": [0], "options": []} | matrix
    if not all(isinstance(lists[key], list) and lists[key] for key in ("methods", "moves", "seeds")):
        raise InputError(f"{file.name}: methods, moves and seeds are lists with at least one entry.")
    return lists
