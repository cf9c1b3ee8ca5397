"""Shoots the known cameras of data sets and compares the results with the ground truth: the original code's evaluation modes.

    python -m pipelines.cli.evaluate DATA OUT --views 3

``DATA``: a scene of Google Scanned Objects or a folder of them, a data set in ReconFusion format or one of its .torch files, or
posed pictures in a folder or zip. ``OUT`` gets SCENE.mp4, SCENE-compare.mp4 (given pictures, the true and the generated view)
and scores.json with PSNR and SSIM of every frame.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np

from camera.errors import InputError
from pipelines import generate
from pipelines.inputs.archive import open_folder
from pipelines.inputs.datasets.genxd import read_reconfusion, reconfusion_scenes
from pipelines.inputs.datasets.gso import Subset, is_gso, read_gso
from pipelines.inputs.posed_files import PosedInput, gather_folder, limit_given
from pipelines.inputs.posed_images import add_truth
from pipelines.media.video import complete, write_mp4
from pipelines.method import Clip, Progress
from pipelines.methods.genxd.comparison import Comparison, compare_with_truth
from pipelines.methods.genxd.method import METHOD
from pipelines.methods.genxd.settings import GenXDSettings
from pipelines.options import RunOptions
from pipelines.results.record import record, save
from pipelines.shot import Shot


def scenes(
    data: str | Path, *, views: int, subset: Subset = "nvs", everything: bool = False
) -> Iterator[tuple[str, PosedInput]]:
    """Name, input pictures, known cameras and ground-truth pictures of every scene in ``data``; raises `InputError`.

    ``views``: number of given pictures, 0 for 1 of objects and 3 of other scenes. ``everything``: also generates the given ones.
    """
    data = Path(data)
    if data.suffix in (".torch", ".pt"):
        yield data.stem, _read_reconfusion(data, views, everything)
        return
    with open_folder(data) as folder:
        folders = [folder, *sorted(child for child in folder.iterdir() if child.is_dir())]
        if objects := [child for child in folders if is_gso(child)]:
            for child in objects:
                yield data.stem if child == folder else child.name, read_gso(child, subset, views=views)
            return
        for child in folders[:2]:
            if (child / "index.json").is_file():
                for name, file in reconfusion_scenes(child).items():
                    yield name, _read_reconfusion(file, views, everything)
                return
        yield data.stem, limit_given(gather_folder(folder, name=data.stem), views or 3, everything=everything)


def _read_reconfusion(file: Path, views: int, everything: bool) -> PosedInput:
    given = PosedInput(read_reconfusion(file), None, "Cameras of the data set.")
    return limit_given(given, views or 3, everything=everything)


def evaluate(
    name: str, given: PosedInput, out: Path, settings: GenXDSettings, options: RunOptions, *, size: int = 256
) -> Iterator[Progress | Comparison]:
    """Yield `Progress`, then the comparison of the generated views with the ground truth; saves clip and comparison in ``out``."""
    if given.targets is None or given.truth is None:
        raise InputError(f"{name} has no pictures to compare with; give fewer of them to the method.")
    scene = add_truth(given.views.scene(), given.truth).fitted(size, size)
    path = given.targets.fitted(size, size)
    shot = Shot(METHOD, scene, path, settings, options)
    shot.check()
    for item in generate(shot):
        if isinstance(item, Progress):
            yield item
        elif isinstance(item, Clip):
            clip = item
    save(out, name, clip, record(replace(shot, path=clip.path)))
    found = compare_with_truth(clip.frames, clip.path, scene)
    write_mp4(out / f"{name}-compare.mp4", found.frames, clip.fps)
    yield found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m pipelines.cli.evaluate", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--views", type=int, default=0, help="number of input pictures; default 1 for objects, 3 for other scenes"
    )
    parser.add_argument(
        "--subset", choices=get_args(Subset), default="nvs", help="known cameras of Google Scanned Objects"
    )
    parser.add_argument("--all", action="store_true", help="generate the input views too")
    parser.add_argument("--only", default="", help="one scene of a data set, by name")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=GenXDSettings().steps)
    parser.add_argument("--seed", type=int, default=GenXDSettings().seed)
    parser.add_argument("--weights", choices=RunOptions.controls()["weights"].choices, default="real")
    asked = parser.parse_args(arguments)
    try:
        return _evaluate_all(asked)
    except InputError as error:
        print(error, file=sys.stderr)
        return 1


def _evaluate_all(asked: argparse.Namespace) -> int:
    settings = GenXDSettings(steps=asked.steps, seed=asked.seed)
    scores: dict[str, dict[str, list]] = {}
    for name, given in scenes(asked.data, views=asked.views, subset=asked.subset, everything=asked.all):
        if asked.only and name != asked.only:
            continue
        for item in evaluate(name, given, asked.out, settings, RunOptions(weights=asked.weights), size=asked.size):
            if isinstance(item, Progress):
                print(f"{name}: {item.phase} {item.step}/{item.steps}", file=sys.stderr)
            else:
                scores[name] = {"frames": list(item.numbers), "psnr": list(item.psnr), "ssim": list(item.ssim)}
                print(f"{name}: {item.words}")
    if not scores:
        raise InputError(f"There is no scene {asked.only!r} in {asked.data.name}.")
    mean = {kind: float(np.mean([np.mean(each[kind]) for each in scores.values()])) for kind in ("psnr", "ssim")}
    with complete(asked.out / "scores.json") as part:
        part.write_text(json.dumps({"mean": mean, "scenes": scores}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
