"""Response of methods to moves: gain, lag and cross-talk per axis, from the measured cameras of shots; saved per method and weights.

    python -m pipelines.cli.evaluation.response SHOTS... --out FOLDER

Shots are results of Reshoot. ``--shoot METHOD --image room.jpg`` first shoots a fixed set of moves at several strengths; options of
`python -m pipelines run` may follow.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from camera.errors import InputError
from camera.evaluation.response import Response, response
from camera.path import CameraPath
from pipelines.cli.evaluation.results import score_all
from pipelines.media.video import complete
from pipelines.results.responses import responses_folder, save_responses, words

if TYPE_CHECKING:
    from pipelines.cli.evaluation.matrix import PlannedShot
    from pipelines.method import Progress

LEAST_FRAMES = 3
SET = {
    "pan": (-20, 10, 20, 30), "tilt": (-10, 10), "roll": (-10, 10), "truck": (-0.2, 0.2), "pedestal": (-0.1, 0.1), "dolly": (0.1, 0.3),
}  # fmt: skip
"""Film moves and strengths for a curve: degrees, and shares of the subject's distance."""


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 done, 1 something could not be measured; a message says what."""
    parser = argparse.ArgumentParser(
        "python -m pipelines.cli.evaluation.response", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("shots", type=Path, nargs="*", metavar="SHOTS", help="folders and mp4s")
    parser.add_argument(
        "--out", type=Path, help="folder for one file per method and weights; by default where shots look for it"
    )
    parser.add_argument(
        "--shoot", metavar="METHOD", default="", help="first shoot a fixed set of moves with this method"
    )
    parser.add_argument("--image", type=Path, help="the picture for --shoot")
    parser.add_argument(
        "--shots-to", type=Path, default=Path("response-shots"), help="folder for the results of --shoot"
    )
    asked, options = parser.parse_known_args(arguments)
    refused: list[str] = []
    if bool(asked.shoot) != bool(asked.image) or not (asked.shots or asked.shoot) or (options and not asked.shoot):
        parser.error("name shots, or --shoot METHOD with --image; options of `run` may follow --shoot")
    try:
        shots = list(asked.shots)
        if asked.shoot:
            shots += shoot_set(asked.shoot, asked.image, asked.shots_to, options, refused)
        for one in responses(shots, refused):
            print(f"{save_responses(one, asked.out or responses_folder())}: {words(one)}")
    except InputError as error:
        refused.append(str(error))
    for reason in refused:
        print(reason, file=sys.stderr)
    return int(bool(refused))


def responses(shots: Sequence[Path], refused: list[str]) -> list[Response]:
    """Responses, one per method and weights; ``refused`` collects messages about what could not be measured."""
    groups: dict[tuple[str, str], list[tuple[CameraPath, CameraPath]]] = {}
    for one in score_all(shots, refused.append):
        requested, placed = one.report.requested_path, list(one.report.frames)
        if requested is None or len(placed) < LEAST_FRAMES or one.report.verdict == "cannot be told":
            refused.append(f"{one.name}: its camera cannot be measured, so it is not used.")
            continue
        pair = requested.sliced(placed), one.report.achieved_path  # type: ignore[arg-type]
        groups.setdefault((one.method, one.weights), []).append(pair)
    if not groups:
        raise InputError("None of these shots has both a measured camera and its requested move.")
    return [response(method, weights, pairs) for (method, weights), pairs in groups.items()]


def shoot_set(method: str, image: Path, out: Path, options: Sequence[str], refused: list[str]) -> list[Path]:
    """Shoot a fixed set of moves at several strengths with ``method`` from ``image``; skips finished shots and returns the mp4s."""
    from pipelines.__main__ import main as command
    from pipelines.cli.evaluation.matrix import shot_all

    out.mkdir(parents=True, exist_ok=True)
    file = out / "matrix.json"
    with complete(file) as part:
        part.write_text(json.dumps(_set_matrix(method, image, options), indent=2))
    return shot_all(file, out, refused.append, command)


def shoot_set_steps(method: str, image: Path, out: Path, options: Sequence[str]) -> Iterator[Progress | Path]:
    """Like `shoot_set`, one after another: yields `Progress`, whose phase names the shot, and every mp4 when it is finished. Closing it
    cancels; finished shots stay in ``out``."""
    from pipelines.cli.evaluation.matrix import plan_shots

    out.mkdir(parents=True, exist_ok=True)
    matrix = _set_matrix(method, image, options)
    planned = list(plan_shots({"seeds": [0], **matrix}, out, out))
    for number, (one, move) in enumerate(zip(planned, matrix["moves"]), start=1):
        if not one.video.is_file():
            for step in _shoot(one):
                yield replace(step, phase=f"{step.phase}, shot {number} of {len(planned)} ({move})")
        yield one.video


def _set_matrix(method: str, image: Path, options: Sequence[str]) -> dict[str, Any]:
    moves = [f"{name} {strength:g} ease" for name, strengths in SET.items() for strength in strengths]
    return {"image": str(image.absolute()), "methods": [method], "moves": moves, "seeds": [0], "options": list(options)}


def _shoot(planned: PlannedShot) -> Iterator[Progress]:
    from pipelines import generate
    from pipelines import method as method_of
    from pipelines.cli.parser import parser
    from pipelines.cli.shot import shot_of
    from pipelines.method import Clip, Progress
    from pipelines.results.record import record, save

    given = parser().parse_args(planned.words)
    with tempfile.TemporaryDirectory(prefix="reshoot-") as folder:
        shot, moves = shot_of(method_of(given.name), given, Path(folder))
        shot.check()
        clip, report = None, None
        for item in generate(shot):
            if isinstance(item, Progress):
                yield item
            elif isinstance(item, Clip):
                clip = item
            else:
                report = item
        if clip is None:
            raise InputError("The shot ended without a video; please report it with your settings.")
        save(planned.video.parent, planned.video.stem, clip, record(shot, moves=moves, report=report))


if __name__ == "__main__":
    sys.exit(main())
