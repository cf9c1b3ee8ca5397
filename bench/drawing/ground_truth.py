"""Previews against ground truth: example scenes rendered from the preview's cameras."""

from __future__ import annotations

from typing import get_args

import numpy as np
from numpy.typing import NDArray

from bench import Row, Scale, milliseconds, subject
from camera.path import CameraPath, inverse
from camera.render.painters import RenderedFrame, Renderer
from camera.render.scene import render
from camera.view import Scene, View
from examples import load
from examples.render import render as true_view
from pipelines.media.image_metrics import psnr

SCENES = ("reading_room", "lighthouse")
LARGEST_WIDTH = 640
"""Ground truth is ray marched; a larger one would take minutes."""
SIDEWAYS, TURN_DEGREES = 0.10, 5.0
"""The move: to the right by this fraction of the focus depth, rotated back towards the focus."""
SAME_SURFACE = 0.02
"""Relative depth difference below which two pixels are on one surface."""


@subject
def ground_truth(scale: Scale) -> list[Row]:
    """PSNR where the first picture shows the surface, share of holes, and share of pixels that show the background through a surface."""
    rows = []
    for name in SCENES:
        width = min(scale.width, LARGEST_WIDTH)
        view = load(name).first.resized(width, width * 9 // 16)
        scene, path = Scene((view,)), step_sideways(view)
        truth = true_view(name, path, samples=2)
        for renderer in get_args(Renderer):
            (frame_ms,) = milliseconds(lambda: render(scene, path, renderer=renderer), rounds=scale.rounds)  # noqa: B023
            words = judge_preview(render(scene, path, renderer=renderer), truth, view)
            rows.append(Row(f"{name}, {renderer}, {width} x {view.height}", frame_ms, agreement=words))
    return rows


def step_sideways(view: View) -> CameraPath:
    """The camera of ``view``, moved to the right and turned back."""
    angle = np.radians(TURN_DEGREES)
    step = np.eye(4)
    step[:3, :3] = [[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]]
    step[0, 3] = SIDEWAYS * view.focus_depth
    return view.camera.with_poses((view.world_from_camera @ step)[None])


def judge_preview(preview: RenderedFrame, truth: View, source: View) -> str:
    """Quality, holes and leaks of a preview in words; PSNR only over the pixels that ``source`` shows too."""
    visible = pixels_seen_by(source, truth)
    true_depth = np.where(truth.known, truth.depth, np.inf)
    behind = np.where(preview.far, np.inf, preview.depth) > (1 + SAME_SURFACE) * true_depth
    leaks = ~preview.holes & truth.known & behind
    quality = psnr(preview.colour, truth.colour, visible & ~preview.holes)
    return f"{quality:.1f} dB over visible, {preview.holes.mean():.2%} holes, {leaks.mean():.2%} leaks"


def pixels_seen_by(source: View, truth: View) -> NDArray[np.bool_]:
    """(H,W): pixels of ``truth`` whose surface (or sky) ``source`` also shows."""
    y, x = np.mgrid[: truth.height, : truth.width]
    rays = np.linalg.inv(truth.intrinsics) @ np.stack([x, y, np.ones_like(x)]).reshape(3, -1)
    turn = inverse(source.world_from_camera) @ truth.world_from_camera
    points = turn[:3, :3] @ (rays * truth.depth.reshape(-1)) + turn[:3, 3:]
    u, v = np.round((source.intrinsics @ points)[:2] / np.maximum(points[2], 1e-6)).astype(int)
    inside = (points[2] > 0) & (u >= 0) & (v >= 0) & (u < source.width) & (v < source.height)
    u, v = np.where(inside, u, 0), np.where(inside, v, 0)
    same = np.abs(source.depth[v, u] / np.maximum(points[2], 1e-6) - 1) < SAME_SURFACE
    sky = ~truth.known.reshape(-1)
    return (inside & np.where(sky, ~source.known[v, u], same & source.known[v, u])).reshape(truth.height, truth.width)
