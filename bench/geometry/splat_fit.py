"""Splat fitting steps on the CPU: this project's against torch with a compiled compositor over tiles, alternately."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, nullcontext
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from bench import Row, Scale, long_subject
from bench.geometry.reconstruct import SCENES
from camera.cloud import PointCloud, cloud_of
from camera.path import CameraPath
from camera.trajectories.film_script import path_of
from camera.view import Scene, View
from examples.render import home, setting_of
from examples.render import render as true_view
from pipelines.media.image_metrics import psnr

STEPS, QUICK_STEPS = 300, 60
SIDE, FRAMES, HELD_BACK = 192, 9, (2, 6)
POINTS = 6000
TARGET = 3.0


@long_subject
def splat_fit(scale: Scale) -> list[Row]:
    """Time per step, and the quality of held-out frames after the same number of steps of each."""
    steps = STEPS if scale.width > 2 * SIDE else QUICK_STEPS
    rows = []
    for name in list(SCENES)[: 2 if steps == STEPS else 1]:
        views, path = shot(name)
        shown = [i for i in range(len(path)) if i not in HELD_BACK]
        cloud = cloud_of(Scene(tuple(views[i] for i in shown), "views", "metres"), most=POINTS)
        frames = np.stack([views[i].colour for i in shown])
        begin = partial(_begin, frames, path.sliced(shown), cloud, steps)  # type: ignore[arg-type]
        ours, theirs = _in_turns(begin, steps)
        held_out = [views[i] for i in HELD_BACK]
        words = ", ".join(
            f"{who} {_decibels(side.splats, held_out):.2f} dB on held-back frames, {1e3 * side.cpu / steps:.1f} ms of processor a step"
            for who, side in (("ours", ours), ("reference", theirs))
        )
        met = theirs.elapsed >= TARGET * ours.elapsed
        rows.append(
            Row(
                f"{name}, {len(shown)} of {SIDE} x {path.height}, {len(ours.splats)} Gaussians, {steps} steps",
                1e3 * ours.elapsed / steps, 1e3 * theirs.elapsed / steps, agreement=words, target=f"{TARGET:g}x", met=met,
            )
        )  # fmt: skip
    return rows


def shot(name: str) -> tuple[list[View], CameraPath]:
    setting = setting_of(name)
    first = true_view(name, home(setting, SIDE, SIDE * 2 // 3), time=setting.seconds, samples=1)
    path = path_of(SCENES[name], first, frames=FRAMES)
    return [true_view(name, path, i, time=setting.seconds, samples=1) for i in range(FRAMES)], path


class _Side:
    """One of the two fits: its generator, the context in which it runs, and its times."""

    def __init__(self, begin: Callable[[], Generator[Any, None, Any]], inside: Callable[[], Any]) -> None:
        self.inside, self.elapsed, self.cpu = inside, 0.0, 0.0
        with inside():
            self.steps = begin()
            next(self.steps)  # warm-up: compiles the kernels
        self.splats: Any = None

    def advance(self) -> None:
        """One step of the fit; the time of intermediate results between steps is not counted."""
        from pipelines.reconstruct.gaussians.fit import SplatFit

        with self.inside():
            start, spent = time.perf_counter(), time.process_time()
            event = next(self.steps, None)
            step_times = time.perf_counter() - start, time.process_time() - spent
            while isinstance(event, SplatFit):
                self.splats, event = event.splats, next(self.steps, None)
                step_times = 0.0, 0.0
            self.elapsed, self.cpu = self.elapsed + step_times[0], self.cpu + step_times[1]


def _begin(frames, path: CameraPath, cloud: PointCloud, steps: int) -> Generator[Any, None, Any]:
    from pipelines.reconstruct.gaussians.fit import fit
    from pipelines.reconstruct.gaussians.settings import SplatSettings

    return fit(frames, path, cloud, settings=SplatSettings(iterations=steps), device="cpu")


def _in_turns(begin: Callable[[], Generator[Any, None, Any]], steps: int) -> tuple[_Side, _Side]:
    ours, theirs = _Side(begin, nullcontext), _Side(begin, _as_before)
    for _ in range(steps):
        ours.advance()
        theirs.advance()
    return ours, theirs


def _as_before() -> ExitStack:
    """Projection, loss and Adam in torch, and compositing over tiles, as before the kernels."""
    from bench.geometry.splat_tiles import composite_tiles
    from pipelines.reconstruct.gaussians import cameras, densify, fit
    from pipelines.reconstruct.gaussians.loss import photometric_reference
    from pipelines.splats.drawing import Drawing
    from pipelines.splats.rasterizer import draw

    draw_tiles = partial(draw, composite=composite_tiles)
    drawing = Drawing(draw_tiles, torch.device("cpu"), "drawn over tiles", 1000, SIDE, POINTS)
    stack = ExitStack()
    stack.enter_context(patch.object(fit, "drawing_on", lambda _: drawing))
    stack.enter_context(patch.object(fit, "photometric", photometric_reference))
    stack.enter_context(patch.object(densify, "adam", torch.optim.Adam))
    stack.enter_context(patch.object(cameras, "adam", torch.optim.Adam))
    stack.enter_context(
        patch.object(
            cameras.Cameras,
            "corrected",
            lambda self, colour, view: cameras.correct_colour_reference(colour, self.colour[view]),
        )
    )
    return stack


def _decibels(splats: Any, held_out: list[View]) -> float:
    from pipelines.splats.drawing import drawing_on, render_path

    pictures = [next(render_path(splats, view.camera, drawing=drawing_on("cpu")))[0] for view in held_out]
    return float(np.mean([psnr(picture, view.colour) for picture, view in zip(pictures, held_out)]))
