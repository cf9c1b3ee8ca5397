"""An orbit of 145 frames with drifting cameras: how much drift loop closure removes."""

from __future__ import annotations

import time

import cv2
import numpy as np
from numpy.typing import NDArray

from bench import Row, Scale, long_subject
from camera.evaluation import paths as metrics
from camera.path import CameraPath, inverse, pinhole
from examples.render import camera_at, setting_of
from examples.render import render as true_view
from pipelines.estimation import sfm
from pipelines.reconstruct.loop_closure import close_loop

SCENE, FRAMES, FEW = "fox", 145, 49
"""DimensionX's orbit has 145 frames; a quick run uses fewer."""
WIDTH, HEIGHT = 240, 160
TURN, TURN_NOISE, GROWTH = (0.1, 0.08, 0.03), 0.05, 5e-4
"""Error of each step: mean and standard deviation of the rotation about each axis in degrees, and relative growth of the step length."""


@long_subject
def reconstruct_orbit(scale: Scale) -> list[Row]:
    """Errors of drifting cameras around a full orbit, after loop closure, and after bundle adjustment with the closed loop."""
    frames = FRAMES if scale.width >= 2 * WIDTH else FEW
    truth = orbit(SCENE, frames, WIDTH, HEIGHT)
    pictures = render_truth(SCENE, truth)
    given = add_drift(truth)
    what = f"{SCENE}, orbit of {frames} frames of {WIDTH} x {HEIGHT}"
    start = time.perf_counter()
    closed = close_loop(pictures, given)
    middle = time.perf_counter()
    better = sfm.refine_cameras(pictures, closed.path, pairing="closed")
    end = time.perf_counter()
    before, after = turn_off(given, truth), turn_off(closed.path, truth)
    return [
        Row(
            f"{what}: closed", 1e3 * (middle - start) / frames,
            agreement=f"{errors(closed.path, truth)}; given {errors(given, truth)}",
            target="half the turn", met=after < before / 2,
        ),
        Row(
            f"{what}: closed and refined", 1e3 * (end - middle) / frames,
            agreement=f"{errors(better.path, truth)}; {len(better.frames)} placed, {better.after_px:.2f} px",
            target="nearer than closed", met=turn_off(better.path, truth) < after,
        ),
    ]  # fmt: skip


def orbit(name: str, frames: int, width: int, height: int) -> CameraPath:
    """One orbit around the subject, at the height and distance of the scene's view; the last camera equals the first."""
    setting = setting_of(name)
    eye, target = np.array(setting.eye), np.array(setting.target)
    away = eye - target
    angles = np.arctan2(away[0], away[2]) + np.linspace(0, 2 * np.pi, frames)
    reach = float(np.hypot(away[0], away[2]))
    places = target + np.stack([reach * np.sin(angles), np.full(frames, away[1]), reach * np.cos(angles)], axis=1)
    poses = np.stack([camera_at(tuple(place), tuple(target)) for place in places])
    return CameraPath(poses, pinhole(width, height, setting.fov_degrees), width, height)


def render_truth(name: str, path: CameraPath) -> NDArray[np.uint8]:
    """(F,H,W,3): ground-truth frames, with the scene's time stopped."""
    seconds = setting_of(name).seconds
    return np.stack([true_view(name, path, i, time=seconds, samples=1).colour for i in range(len(path))])


def add_drift(path: CameraPath) -> CameraPath:
    """The path as estimated by a tracker with small rotation and translation errors at every frame."""
    random, poses = np.random.default_rng(0), [path.world_from_camera[0]]
    steps = inverse(path.world_from_camera[:-1]) @ path.world_from_camera[1:]
    for number, step in enumerate(steps):
        wrong = cv2.Rodrigues(np.radians(random.normal(TURN, TURN_NOISE)))[0]
        step[:3, :3] = step[:3, :3] @ wrong
        step[:3, 3] *= 1 + GROWTH * number
        poses.append(poses[-1] @ step)
    return path.with_poses(np.array(poses))


def turn_off(path: CameraPath, truth: CameraPath) -> float:
    return float(metrics.rotation_error_degrees(path, truth).mean())


def errors(path: CameraPath, truth: CameraPath) -> str:
    """Errors in the world of the first camera, and after the best-fitting similarity."""
    reach = float(np.linalg.norm(truth.centres - truth.centres.mean(axis=0), axis=1).max())
    away = np.linalg.norm(path.centres - truth.centres, axis=1).mean() / reach
    shape = np.linalg.norm(metrics.align_path(path, truth).centres - truth.centres, axis=1).mean() / reach
    return f"{turn_off(path, truth):.2f} deg, {100 * away:.1f} % of the radius off, {100 * shape:.1f} % in shape"
