"""The second layer against ground truth, compared with the current filling, Telea's and Navier-Stokes: nine scenes, twelve moves, holes only.

Ground truth is rendered in the holes only and cached on disk (`bench.drawing.truths`). The frame at three quarters of every move is
scored, and flicker against the previous frame, whose pixel is found with the true depth. Moves are skipped if the camera would
be inside an object, or behind one that no picture shows. The blurred truth is a filling that knows every large shape and no detail.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice

import cv2
import numpy as np
from numpy.typing import NDArray

from bench import Row, Scale, long_subject
from bench.drawing.truths import true_holes
from camera.completion.complete import complete_scene
from camera.path import CameraPath, inverse
from camera.render.painters import RenderedFrame
from camera.render.scene import render, render_all
from camera.trajectories.film_script import path_of
from camera.view import View
from examples import EXAMPLES, load
from pipelines.media.image_metrics import psnr

MOVES = (
    "dolly in 0.3", "dolly out 0.15", "truck right 0.2", "truck left 0.2", "pedestal up 0.12", "pedestal down 0.1",
    "arc right 15", "arc left 15", "arc-up 10", "pan right 12", "tilt up 8", "crane up 0.2",
)  # fmt: skip
FRAMES, JUDGED = 49, 36
LARGEST_WIDTH = 256
"""Ground truth is ray marched; larger pictures would take an hour."""
FEWEST = 200
"""Minimum number of hole pixels for a frame to be scored."""
NAMES = ("today", "layer", "Telea", "Navier-Stokes", "truth, blurred")
BLUR = 1 / 32
"""Standard deviation of the truth's blur, as a fraction of the picture's width."""
HELD_OUT = ("mountain_lake", "toy_train", "fox")
"""Scenes that were not used to tune the layer; they have a mean of their own."""
FULL_FRAMES, ROUNDS = 121, 3


@dataclass(frozen=True)
class Judgement:
    """Scores in the holes: PSNR in decibels, structural similarity, change since the previous frame, edge energy over the truth's.

    ``gradients``: similarity of gradient magnitudes, 0 to 1 (Xue et al. 2014), instead of a learned measure such as LPIPS,
    whose weights were not available.
    """

    decibels: float
    similarity: float
    flicker: float
    edges: float
    gradients: float


@long_subject
def completion(scale: Scale) -> list[Row]:
    """Means over all moves, per scene and overall, and the time of the completion at full size; fewer moves if quick."""
    pairs = [(example.name, move) for move in MOVES for example in EXAMPLES]
    return judge_pairs(pairs if scale.width > LARGEST_WIDTH * 2 else pairs[18:36], scale)


@long_subject
def completion_half(scale: Scale) -> list[Row]:
    """`completion` for every second pair of move and scene."""
    return judge_pairs([(example.name, move) for move in MOVES for example in EXAMPLES][::2], scale)


@long_subject
def completion_time(scale: Scale) -> list[Row]:
    """Only the time of the completion and of the frames with it, at full size."""
    return [full_size(scale)]


def judge_pairs(pairs: list[tuple[str, str]], scale: Scale) -> list[Row]:
    scores = {pair: judge_move(*pair, min(scale.width // 2, LARGEST_WIDTH)) for pair in pairs}
    scenes = list(dict.fromkeys(name for name, _ in pairs))
    groups = {name: (name,) for name in scenes} | {"held out": HELD_OUT, "all": tuple(scenes)}
    rows = [
        Row(f"{group}, {name}", 0.0, agreement=_words([each[name] for each in judged]))
        for group, members in groups.items()
        if (judged := [values for (scene, _), values in scores.items() if scene in members and values])
        for name in NAMES
    ]
    return [*rows, _worst(scores), full_size(scale)]


def _worst(found: dict[tuple[str, str], dict[str, Judgement]]) -> Row:
    """The moves in which the layer loses and gains most decibels against the current filling."""
    gains = sorted(
        (values["layer"].decibels - values["today"].decibels, *pair) for pair, values in found.items() if values
    )
    words = "; ".join(f"{scene}, {move}: {gain:+.1f}" for gain, scene, move in [*gains[:3], *gains[-1:]])
    lost = sum(gain < 0 for gain, *_ in gains)
    return Row(f"the layer is worse in {lost} of {len(gains)} moves", 0.0, agreement=f"dB: {words}")


def full_size(scale: Scale) -> Row:
    """Completion of one move, and its rehearsal with and without the second layer, at full size."""
    scene = load("street_at_dusk").fitted(scale.width, scale.height)
    path = path_of("truck right 0.1", scene.first, frames=FULL_FRAMES)
    complete_scene(scene, path)  # warm-up: compiles the kernels
    start, spent = time.perf_counter(), time.process_time()
    behind = complete_scene(scene, path)
    completion_seconds, processor = time.perf_counter() - start, time.process_time() - spent
    elapsed, used = [], []
    for layer in ((), behind) * ROUNDS:
        start, spent = time.perf_counter(), time.process_time()
        for _ in render_all(scene, path, behind=layer):
            pass
        elapsed.append(1e3 * (time.perf_counter() - start) / len(path))
        used.append(1e3 * (time.process_time() - spent) / len(path))
    today, ours = min(elapsed[::2]), min(elapsed[1::2])
    today_cpu, ours_cpu = min(used[::2]), min(used[1::2])
    whole = (1e3 * completion_seconds + ours * len(path)) / (today * len(path))
    whole_cpu = (1e3 * processor + ours_cpu * len(path)) / (today_cpu * len(path))
    return Row(
        f"a rehearsal of {len(path)} frames, {scale.width} x {scale.height}", ours, today,
        f"completed in {completion_seconds:.1f} s, {processor:.1f} s of CPU; a frame takes {ours / today:.2f} times as long and "
        f"{ours_cpu / today_cpu:.2f} times the CPU ({today_cpu:.1f} and {ours_cpu:.1f} ms), all with the completion {whole:.2f} and {whole_cpu:.2f} times",
        "3 s, 1.3x", completion_seconds < 3 and ours < 1.3 * today,
    )  # fmt: skip


def judge_move(name: str, move: str, width: int) -> dict[str, Judgement]:
    """Scores of all fillings for one move; empty if it is skipped or hardly any pixel is a hole."""
    scene = load(name)
    scene = scene.fitted(width, round(width * scene.first.height / scene.first.width), "stretch")
    path = path_of(move, scene.first, frames=FRAMES, fps=scene.fps)
    before, image_now = (render(scene, path, frame=frame) for frame in (JUDGED - 1, JUDGED))
    if image_now.holes.sum() < FEWEST:
        return {}
    truth = true_holes(name, move, path, JUDGED, image_now.holes, JUDGED / path.fps if scene.kind == "clip" else None)
    if truth is None or _stands_before(truth, image_now):
        return {}
    truth = replace(truth, colour=np.where(image_now.holes[..., None], truth.colour, image_now.colour))
    images = [image.colour for image in islice(render_all(scene, path, behind=complete_scene(scene, path)), JUDGED + 1)]
    blurred = blur_within(truth.colour, image_now.holes, BLUR * width)
    fillings: dict[str, Callable[[RenderedFrame, int], NDArray[np.uint8]]] = {
        "today": lambda image, i: render(scene, path, frame=JUDGED - 1 + i, fill="background").colour,
        "layer": lambda image, i: images[JUDGED - 1 + i],
        "Telea": lambda image, i: cv2.inpaint(image.colour, image.holes.astype(np.uint8), 3, cv2.INPAINT_TELEA),
        "Navier-Stokes": lambda image, i: cv2.inpaint(image.colour, image.holes.astype(np.uint8), 3, cv2.INPAINT_NS),
    }
    previous = previous_position(truth, path)
    judged = {
        which: judge_filling(fill(image_now, 1), fill(before, 0), truth, image_now.holes, before.holes, previous)
        for which, fill in fillings.items()
    }
    still = judge_filling(blurred, blurred, truth, image_now.holes, before.holes, previous)
    return judged | {"truth, blurred": replace(still, flicker=np.nan)}


def _stands_before(truth: View, image: RenderedFrame) -> bool:
    """Whether much of the ground truth is far nearer than all visible surfaces, i.e. shows an object that no picture shows."""
    if not (shown := ~image.holes & ~image.far).any():
        return False
    near = truth.known & (truth.depth < 0.5 * np.quantile(image.depth[shown], 0.01))
    return float(near[image.holes].mean()) > 0.25


def blur_within(picture: NDArray[np.uint8], where: NDArray[np.bool_], distance: float) -> NDArray[np.uint8]:
    """``picture`` (H,W,3) blurred inside ``where`` (H,W), using only pixels inside."""
    inside = where.astype(np.float32)
    weight = np.maximum(cv2.GaussianBlur(inside, (0, 0), distance), 1e-6)
    mean = cv2.GaussianBlur(picture * inside[..., None], (0, 0), distance) / weight[..., None]
    return np.where(where[..., None], np.clip(mean + 0.5, 0, 255).astype(np.uint8), picture)


def previous_position(truth: View, path: CameraPath) -> NDArray[np.float64]:
    """(H,W,2): position of every pixel's point in the previous frame."""
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
        edge_energy(now, holes) / max(edge_energy(truth.colour, holes), 1e-9), gradient_similarity(now, truth.colour, holes),
    )  # fmt: skip


def gradient_similarity(picture: NDArray[np.uint8], truth: NDArray[np.uint8], where: NDArray[np.bool_]) -> float:
    """Mean over ``where`` (H,W) of ``(2ab + c) / (a^2 + b^2 + c)``, a and b the gradients' magnitudes of both pictures."""
    a, b = (
        np.hypot(*(np.asarray(each) for each in np.gradient(p.astype(float).mean(axis=2)))) for p in (picture, truth)
    )
    return float(((2 * a * b + 26) / (a * a + b * b + 26))[where].mean())


def _sample(picture: NDArray, there: NDArray[np.float64]) -> NDArray[np.float32]:
    """``picture`` (H,W) or (H,W,3), bilinearly sampled at positions (H,W,2)."""
    x, y = np.ascontiguousarray(np.moveaxis(there.astype(np.float32), -1, 0))
    return np.asarray(cv2.remap(picture.astype(np.float32), x, y, cv2.INTER_LINEAR), np.float32)


def edge_energy(picture: NDArray[np.uint8], where: NDArray[np.bool_]) -> float:
    """Mean squared gradient inside ``where``, without the hole's own outline."""
    grey = picture.astype(np.float64).mean(axis=2)
    inside = np.asarray(cv2.erode(where.view(np.uint8), np.ones((3, 3), np.uint8), borderValue=0)).astype(bool)
    if not inside.any():
        return 0.0
    return float(
        np.mean((np.asarray(np.gradient(grey, axis=0)) ** 2 + np.asarray(np.gradient(grey, axis=1)) ** 2)[inside])
    )


def _words(values: list[Judgement]) -> str:
    mean = {
        name: float(np.nanmean([getattr(each, name) for each in values]))
        for name in ("decibels", "similarity", "gradients", "flicker")
        if not np.isnan([getattr(each, name) for each in values]).all()
    }
    edges = float(np.median([each.edges for each in values]))
    flicker = f"change between frames {mean['flicker']:.2f} levels, " if "flicker" in mean else ""
    return (
        f"{mean['decibels']:.2f} dB, SSIM {mean['similarity']:.3f}, gradients {mean['gradients']:.3f}, {flicker}"
        f"edges {edges:.0%} of the truth's; {len(values)} moves"
    )
