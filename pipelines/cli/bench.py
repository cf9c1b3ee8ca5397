"""Measures one run of a method: seconds and peak memory per phase and step, and how an option changes time and picture."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from camera.errors import InputError
from camera.path import CameraPath, pinhole
from camera.view import Scene, View
from pipelines import method
from pipelines.cli.parser import read_settings
from pipelines.media.image_metrics import psnr
from pipelines.method import Clip, Frames, Method, Progress
from pipelines.options import RunOptions
from pipelines.runtime.parallel import ranks
from pipelines.runtime.progress_clock import Report
from pipelines.runtime.runner import Runtime
from pipelines.settings import Settings
from pipelines.shot import Shot

FOV_DEGREES = 55.0


@dataclass(frozen=True, eq=False)
class BenchRun:
    """One run: its report and its frames."""

    report: Report
    frames: Frames


def bench(given: argparse.Namespace) -> int:
    """The ``bench`` command; prints Markdown."""
    shot = shot_from_arguments(given)
    runtime = Runtime()
    measured = measure(runtime, shot)
    text = table(shot, measured)
    for change in given.compare:
        options: Any = apply_change(shot.options, change)
        other = measure(runtime, replace(shot, options=options))
        text += "\n\n" + comparison(change, measured, other)
    print(text)
    if given.out:
        with given.out.open("a", encoding="utf-8") as file:
            file.write(text + "\n\n")
    return 0


def calibrate(given: argparse.Namespace) -> int:
    """The ``calibrate`` command: one run without skipped steps; prints MagCache's ratios and where they were saved."""
    from pipelines.runtime.acceleration import magcache

    shot = shot_from_arguments(given)
    if shot.options.cache != "none" or shot.options.gpus > 1:
        raise InputError("Calibration needs a run on one GPU without a step cache; leave out --cache and --gpus.")
    measured = magcache.MeasuredRatios(int(getattr(shot.settings, "steps", 1)))
    for item in Runtime().run(shot, around=partial(magcache.measure_ratios, measured=measured)):
        if isinstance(item, Progress):
            print(f"{item.phase} {item.step}/{item.steps} {item.note}".rstrip(), file=sys.stderr)
    for network, ratios in measured.ratios.items():
        print(f"{network}: {len(ratios)} steps, ratios {min(ratios):.3f} to {max(ratios):.3f}")
    print(magcache.save_ratios(measured, shot.method.name, shot.options.weights))
    return 0


def compile_ahead(given: argparse.Namespace) -> int:
    """The ``compile`` command: one run, then one package per kind of repeated block; prints where they were saved."""
    from pipelines.runtime.acceleration import compiled_blocks

    shot = shot_from_arguments(given)
    if shot.options.cache != "none" or shot.options.compile or shot.options.gpus > 1:
        raise InputError("Compiling ahead needs a plain run; leave out --cache, --compile and --gpus.")
    made: list[Path] = []
    around = partial(compiled_blocks.compile_blocks, folder=compiled_blocks.folder_of(shot.method.name), made=made)
    for item in Runtime().run(shot, around=around):
        if isinstance(item, Progress):
            print(f"{item.phase} {item.step}/{item.steps} {item.note}".rstrip(), file=sys.stderr)
    print(*made, sep="\n")
    return 0


def shot_from_arguments(given: argparse.Namespace) -> Shot:
    """The shot that a command describes, over a synthetic scene."""
    known, options = method(given.method), read_settings(RunOptions, given, "options")
    made_up = default_shot(known, steps=given.steps, frames=given.frames, size=given.size, given=given.set)
    return Shot(known, *made_up, options)  # type: ignore[arg-type]


def default_shot(
    known: Method,
    *,
    steps: int | None = None,
    frames: int | None = None,
    size: str | None = None,
    given: Sequence[str] = (),
) -> tuple[Scene, CameraPath, Settings]:
    """A synthetic scene of the method's first kind at its default size, with the default move and settings except for those given.

    ``given``: further moves or settings, each as NAME=VALUE.
    """
    wanted: dict[str, Any] = {"frames": frames} if frames else {}
    if size:
        try:
            wanted["width"], wanted["height"] = (int(side) for side in size.lower().split("x"))
        except ValueError as error:
            raise InputError(f"The size is written WIDTHxHEIGHT, as 480x320; got {size!r}.") from error
    moves = known.moves.of(wanted)
    settings = known.settings.of({"steps": steps} if steps else {})
    for change in given:
        if change.partition("=")[0] in known.moves.controls():
            moves = apply_change(moves, change)
        else:
            settings = apply_change(settings, change)
    scene = _scene(moves.width, moves.height, known.scenes[0], moves.frames)  # type: ignore[attr-defined]
    return scene, known.path(moves, scene), settings  # type: ignore[arg-type]


def measure(runtime: Runtime, shot: Shot) -> BenchRun:
    """Measure one run after a warm-up run. Skips the warm-up if the weights are full size and it would take too long.

    Over several GPUs every run loads the weights again, since its processes are new."""
    measured: list[BenchRun] = []
    for _ in range(2 if shot.options.compile or shot.options.weights == "tiny" else 1):
        clip: Clip | None = None
        for item in ranks.run(shot) if shot.options.gpus > 1 else runtime.run(shot):
            if isinstance(item, Clip):
                clip = item
            elif isinstance(item, Report) and clip is not None:
                measured.append(BenchRun(item, clip.frames))
    return measured[-1]


def apply_change(settings: Settings, change: str) -> Settings:
    """``settings`` with one changed; ``change``: NAME=VALUE."""
    name, _, text = change.partition("=")
    if name not in settings.controls():
        raise InputError(f"There is no option {name!r} here; known are {', '.join(settings.controls())}.")
    kind = type(settings.defaults()[name])
    try:
        value = text.lower() in ("1", "true", "yes", "on") if kind is bool else kind(text)
    except ValueError as error:
        raise InputError(f"{name} must be a number; got {text!r}.") from error
    return replace(settings, **{name: value})


def table(shot: Shot, measured: BenchRun) -> str:
    """Markdown: the conditions in a line, then a row per phase."""
    import torch

    report, path = measured.report, shot.path
    lines = [
        f"**{shot.method.title}**, {len(path)} frames of {path.width}x{path.height}, {report.options['weights']} weights, "
        f"memory mode {report.mode}, {report.device}, torch {torch.__version__}",
        "",
        "| phase | seconds | per step | peak GB |",
        "| --- | --- | --- | --- |",
    ]
    for phase in report.phases:
        pace = f"{phase.seconds_per_step:.3f}" if phase.seconds_per_step else ""
        lines.append(f"| {phase.name} | {phase.seconds:.2f} | {pace} | {phase.peak_gigabytes:.2f} |")
    lines.append(f"| all | {report.seconds:.2f} | | {report.peak_gigabytes:.2f} |")
    return "\n".join(lines)


def comparison(change: str, before: BenchRun, after: BenchRun) -> str:
    """The effect of an option: time, memory, and the difference between the pictures."""
    difference = np.abs(before.frames.astype(np.int16) - after.frames)
    apart = "the same picture" if not difference.any() else f"PSNR {psnr(after.frames, before.frames):.1f} dB"
    return (
        f"With {change}: {before.report.seconds:.2f} -> {after.report.seconds:.2f} s "
        f"({before.report.seconds / after.report.seconds:.2f}x), peak {before.report.peak_gigabytes:.2f} -> "
        f"{after.report.peak_gigabytes:.2f} GB, {apart}, largest difference {difference.max()} of 255."
    )


def _scene(width: int, height: int, kind: str, frames: int) -> Scene:
    """A receding floor and a wall, coloured by position; ``frames`` views of it for a clip, two for views."""
    down, across = np.mgrid[:height, :width].astype(np.float32)
    colour = np.stack([across / width, down / height, (across // 32 + down // 32) % 2], axis=-1)
    depth = 1 / np.maximum(down / height - 0.4, 0.1)
    view = View.of((colour * 255).astype(np.uint8), depth, pinhole(width, height, FOV_DEGREES))
    count = {"still": 1, "clip": frames, "views": 2}[kind]
    return Scene((view,) * count, kind, source="synthetic, for measuring", name="bench")  # type: ignore[arg-type]
