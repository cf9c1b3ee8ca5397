"""The second layer against the truth, beside today's filling, Telea's and Navier-Stokes: nine scenes, twelve moves, holes alone.

The truth is drawn in the holes only. A frame at three quarters of every move is judged, and for flicker the frame before it:
what a pixel of a hole showed there, found by the true depth. A move that would put the camera inside something is left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from bench import Row, Scale, long_subject
from camera.completion.complete import complete_scene
from camera.path import CameraPath, inverse
from camera.render.painters import RenderedFrame
from camera.render.scene import render, render_all
from camera.trajectories.film_script import path_of
from camera.view import View
from examples import EXAMPLES, load
from examples.render import render_within, setting_of
from pipelines.media.image_metrics import psnr

MOVES = (
    "dolly in 0.3", "dolly out 0.15", "truck right 0.2", "truck left 0.2", "pedestal up 0.12", "pedestal down 0.1",
    "arc right 15", "arc left 15", "arc-up 10", "pan right 12", "tilt up 8", "crane up 0.2",
)  # fmt: skip
FRAMES, JUDGED = 49, 36
LARGEST_WIDTH = 256
"""The truth is marched ray by ray: larger pictures would take an hour."""
FEWEST = 200
"""Holes of fewer pixels are not judged."""
ROOM = 0.02
"""A camera keeps this part of the focus depth between itself and what stands there."""
NAMES = ("today", "layer", "Telea", "Navier-Stokes")


@dataclass(frozen=True)
class Judgement:
    """In the holes: decibels, structural similarity, change against the frame before, edge energy over the truth's."""

    decibels: float
    similarity: float
    flicker: float
    edges: float


@long_subject
def completion(scale: Scale) -> list[Row]:
    """Means over all moves, per scene and over all, and how long the completion takes at full size."""
    found: dict[str, list[Judgement]] = {name: [] for name in NAMES}
    rows = []
    for example in EXAMPLES:
        here: dict[str, list[Judgement]] = {name: [] for name in NAMES}
        for move in MOVES if scale.width > LARGEST_WIDTH * 2 else MOVES[2:4]:
            for name, judgement in judge_move(example.name, move, min(scale.width // 2, LARGEST_WIDTH)).items():
                here[name].append(judgement)
                found[name].append(judgement)
        rows += [
            Row(f"{example.name}, {name}", 0.0, agreement=_words(values)) for name, values in here.items() if values
        ]
    rows += [Row(f"all, {name}", 0.0, agreement=_words(values)) for name, values in found.items() if values]
    return [*rows, full_size(scale)]


def full_size(scale: Scale) -> Row:
    """Completion of one move and its rehearsal with and without the second layer, frames at full size."""
    scene = load("street_at_dusk").fitted(scale.width, scale.height)
    path = path_of("truck right 0.1", scene.first, frames=scale.frames)
    complete_scene(scene, path)  # compiled
    start = time.perf_counter()
    behind = complete_scene(scene, path)
    made = time.perf_counter() - start
    taken = []
    for layer in ((), behind, (), behind):
        start = time.perf_counter()
        for _ in render_all(scene, path, behind=layer):
            pass
        taken.append(1e3 * (time.perf_counter() - start) / len(path))
    today, ours = min(taken[::2]), min(taken[1::2])
    words = f"completed in {made:.1f} s; a frame takes {ours / today:.2f} times as long"
    return Row(
        f"a rehearsal of {scale.width} x {scale.height}",
        ours,
        today,
        words,
        "3 s, 1.3x",
        made < 3 and ours < 1.3 * today,
    )


def judge_move(name: str, move: str, width: int) -> dict[str, Judgement]:
    """The four fillings of one move; empty where the camera would stand inside something or hardly anything is hidden."""
    scene = load(name)
    scene = scene.fitted(width, round(width * scene.first.height / scene.first.width), "stretch")
    path = path_of(move, scene.first, frames=FRAMES, fps=scene.fps)
    clock = JUDGED / path.fps if scene.kind == "clip" else setting_of(name).seconds
    x, y, z = path.centres[JUDGED]
    if setting_of(name).distance(x, -y, z, clock) < ROOM * scene.first.focus_depth:
        return {}
    before, seen = (render(scene, path, frame=frame) for frame in (JUDGED - 1, JUDGED))
    if seen.holes.sum() < FEWEST:
        return {}
    truth = render_within(name, path, seen.holes, JUDGED, time=clock, samples=1)
    truth = replace(truth, colour=np.where(seen.holes[..., None], truth.colour, seen.colour))
    behind = complete_scene(scene, path)
    images = [image.colour for image in render_all(scene, path, behind=behind)][JUDGED - 1 : JUDGED + 1]
    fillings: dict[str, Callable[[RenderedFrame, int], NDArray[np.uint8]]] = {
        "today": lambda image, i: render(scene, path, frame=JUDGED - 1 + i, fill="background").colour,
        "layer": lambda image, i: images[i],
        "Telea": lambda image, i: cv2.inpaint(image.colour, image.holes.astype(np.uint8), 3, cv2.INPAINT_TELEA),
        "Navier-Stokes": lambda image, i: cv2.inpaint(image.colour, image.holes.astype(np.uint8), 3, cv2.INPAINT_NS),
    }
    there = came_from(truth, path)
    return {
        which: judge_filling(fill(seen, 1), fill(before, 0), truth, seen.holes, before.holes, there)
        for which, fill in fillings.items()
    }


def came_from(truth: View, path: CameraPath) -> NDArray[np.float64]:
    """(H,W,2): where every pixel's point stood in the picture of the frame before."""
    y, x = np.mgrid[: truth.height, : truth.width]
    rays = np.linalg.inv(truth.intrinsics) @ np.stack([x, y, np.ones_like(x)]).reshape(3, -1)
    turn = inverse(path.world_from_camera[JUDGED - 1]) @ truth.world_from_camera
    points = path.intrinsics[JUDGED - 1] @ (turn[:3, :3] @ (rays * truth.depth.reshape(-1)) + turn[:3, 3:])
    return (points[:2] / np.maximum(points[2], 1e-9)).T.reshape(truth.height, truth.width, 2)


def judge_filling(
    now: NDArray, then: NDArray, truth: View, holes: NDArray, holes_then: NDArray, there: NDArray
) -> Judgement:
    from skimage.metrics import structural_similarity

    similar = structural_similarity(now, truth.colour, channel_axis=2, full=True, data_range=255)[1].mean(axis=2)
    before, was_hole = _sample(then, there), _sample(holes_then, there) > 0.99
    both = holes & was_hole
    change = np.abs(now[both].astype(np.float64) - before[both]).mean() if both.any() else np.nan
    return Judgement(
        psnr(now, truth.colour, holes), float(similar[holes].mean()), float(change),
        edge_energy(now, holes) / max(edge_energy(truth.colour, holes), 1e-9),
    )  # fmt: skip


def _sample(picture: NDArray, there: NDArray[np.float64]) -> NDArray[np.float32]:
    """``picture`` (H,W) or (H,W,3) between its pixels, at places (H,W,2)."""
    x, y = np.ascontiguousarray(np.moveaxis(there.astype(np.float32), -1, 0))
    return np.asarray(cv2.remap(picture.astype(np.float32), x, y, cv2.INTER_LINEAR), np.float32)


def edge_energy(picture: NDArray[np.uint8], where: NDArray[np.bool_]) -> float:
    """Mean squared step between neighbours inside ``where``; the hole's own outline is left out."""
    grey = picture.astype(np.float64).mean(axis=2)
    inside = np.asarray(cv2.erode(where.view(np.uint8), np.ones((3, 3), np.uint8), borderValue=0)).astype(bool)
    if not inside.any():
        return 0.0
    return float(
        np.mean((np.asarray(np.gradient(grey, axis=0)) ** 2 + np.asarray(np.gradient(grey, axis=1)) ** 2)[inside])
    )


def _words(values: list[Judgement]) -> str:
    decibels, similarity, flicker, edges = (
        float(np.nanmedian([getattr(each, name) for each in values])) if name == "edges"
        else float(np.nanmean([getattr(each, name) for each in values]))
        for name in ("decibels", "similarity", "flicker", "edges")
    )  # fmt: skip
    return (
        f"{decibels:.2f} dB, SSIM {similarity:.3f}, change between frames {flicker:.2f} levels, "
        f"edges {edges:.0%} of the truth's; {len(values)} moves"
    )
