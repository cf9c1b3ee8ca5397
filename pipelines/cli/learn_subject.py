"""Phase 1 without a browser: ``python -m pipelines.cli.learn_subject --image fox.jpg --prompt "a sks fox" --folder fox``.

Learns the subject of a picture or of a project as a LoRA, from the picture and masked views of its 3D. Started again with the same
folder and settings, it resumes from the last save.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from camera.errors import InputError
from pipelines.cli.parser import add_scene, add_settings, read_settings
from pipelines.cli.shot import shot_of
from pipelines.methods.i2v3d.method import METHOD, RENDERS, I2V3DSettings
from pipelines.methods.i2v3d.scene.project import read_project
from pipelines.methods.i2v3d.subject.settings import SubjectSettings
from pipelines.project.file import is_project
from pipelines.training import TrainedWeights, TrainingStep


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Exit status: 0 finished, 1 refused (the reason is printed), 2 wrong usage, 130 cancelled."""
    parser = argparse.ArgumentParser(
        "python -m pipelines.cli.learn_subject", description=(__doc__ or "").split("\n\n")[1]
    )
    add_scene(parser, METHOD)
    parser.add_argument("--folder", type=Path, required=True, help="folder for the LoRA and the state to resume from")
    parser.add_argument("--weights", choices=("real", "tiny", "random"), default="real")
    add_settings(parser.add_argument_group("training"), SubjectSettings, "subject", used_names=())
    views = parser.add_argument_group("views")
    add_settings(views, METHOD.moves, "moves", used_names=(), only=("width", "height", "fit"))
    add_settings(views, METHOD.settings, "settings", used_names=(), only=("foreground", "foreground_reach"))
    parser.set_defaults(
        **{"path": None, "convention": "", "path_scale": "keep", "path_as_given": False, "settings.make": RENDERS}
    )
    given = parser.parse_args(arguments)
    try:
        print(*_learn(given), sep="\n")
        return 0
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"Cancelled; start again with {given.folder} to resume from the last save.", file=sys.stderr)
        return 130


def _learn(given: argparse.Namespace) -> tuple[Path, ...]:
    """Train, and return the files: first those in other layouts, last the LoRA."""
    from pipelines.runtime.training.job import run_training

    with tempfile.TemporaryDirectory(prefix="reshoot-") as carried:
        shot, _ = shot_of(METHOD, given, Path(carried))
    usual = SubjectSettings(prompt=getattr(shot.settings, "prompt", ""))
    if given.project and not is_project(given.project):
        usual = read_project(given.project).subject or usual
    subject: Any = read_settings(SubjectSettings, given, "subject", over=usual)
    scene, look = shot.scene, cast(I2V3DSettings, shot.settings)

    def train(weights: Any) -> Iterator[Any]:
        from pipelines.methods.i2v3d.subject.data import render_views
        from pipelines.methods.i2v3d.subject.train import train as learn

        views = render_views(scene, look, subject.resolution) if subject.view_weight else None
        yield from learn(scene.first.colour, views, subject, weights, given.folder)

    made: TrainedWeights | None = None
    for step in run_training(train, mode=given.weights, gigabytes=subject.gigabytes):
        if isinstance(step, TrainedWeights):
            made = step
        else:
            note = f" {step.note}" if isinstance(step, TrainingStep) else ""
            print(f"{step.phase} {step.step}/{step.steps}{note}", file=sys.stderr)
    assert made is not None, "a training must end with its file"
    return (*made.further, made.file)


if __name__ == "__main__":
    sys.exit(main())
