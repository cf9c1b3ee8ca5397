"""How methods answer moves: gain, lag and cross-talk per axis, from shots whose cameras are measured; kept per method and weights.

    python -m pipelines.cli.evaluation.response SHOTS... --out FOLDER

Shots are results of Reshoot: shoot a few moves at several strengths first (`python -m pipelines evaluate --matrix`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from camera.errors import InputError
from camera.evaluation.response import Response, response
from camera.path import CameraPath
from pipelines.cli.evaluation.results import all_scored
from pipelines.media.video import complete

LEAST_FRAMES = 3


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 done, 1 something could not be measured, which is said."""
    parser = argparse.ArgumentParser(
        "python -m pipelines.cli.evaluation.response", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("shots", type=Path, nargs="+", metavar="SHOTS", help="folders and mp4s")
    parser.add_argument(
        "--out", type=Path, default=Path("responses"), help="folder for one file per method and weights"
    )
    asked = parser.parse_args(arguments)
    refused: list[str] = []
    try:
        for one in responses(asked.shots, refused):
            print(f"{save_responses(one, asked.out)}: {words(one)}")
    except InputError as error:
        refused.append(str(error))
    for reason in refused:
        print(reason, file=sys.stderr)
    return int(bool(refused))


def responses(shots: Sequence[Path], refused: list[str]) -> list[Response]:
    """One per method and weights; what cannot be measured goes to ``refused`` in words."""
    groups: dict[tuple[str, str], list[tuple[CameraPath, CameraPath]]] = {}
    for one in all_scored(shots, refused.append):
        requested, placed = one.report.requested_path, list(one.report.frames)
        if requested is None or len(placed) < LEAST_FRAMES or one.report.verdict == "cannot be told":
            refused.append(f"{one.name}: its camera cannot be told, so it answers nothing.")
            continue
        pair = requested.sliced(placed), one.report.achieved_path  # type: ignore[arg-type]
        groups.setdefault((one.method, one.weights), []).append(pair)
    if not groups:
        raise InputError("None of these shots has a camera that was measured beside its move.")
    return [response(method, weights, pairs) for (method, weights), pairs in groups.items()]


def words(one: Response) -> str:
    """A short text about every axis."""
    axes = [f"{answer.axis} {100 * answer.gain:.0f} % of asked, {answer.lag:g} frames late" for answer in one.answers]
    return "; ".join(axes) or "no axis was asked for anything"


def save_responses(one: Response, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{one.method or 'unknown'}-{one.weights or 'unknown'}.json"
    with complete(file) as part:
        part.write_text(json.dumps(one.values(), indent=2, allow_nan=False) + "\n")
    return file


def load_responses(folder: Path, method: str, weights: str) -> Response | None:
    """What `save_responses` wrote for this method and these weights; None where there is nothing."""
    file = folder / f"{method}-{weights}.json"
    if not file.is_file():
        return None
    try:
        return Response.of(json.loads(file.read_text()))
    except ValueError as error:
        raise InputError(f"{file.name} is damaged; measure the response again.") from error


if __name__ == "__main__":
    sys.exit(main())
