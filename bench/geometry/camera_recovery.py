"""Cameras recovered from clips with ground truth: errors, kinds, injected faults. `camera_recovery_speed` measures time and memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bench import Row, Scale, long_subject
from bench.geometry.known_clips import Ball, compress, film, lengthen, path_in
from camera.evaluation import paths as metrics
from camera.evaluation.response import response
from camera.evaluation.take import compare_paths
from camera.path import CameraPath
from camera.rotation import about_axis
from examples import load
from pipelines.estimation.recovery.follow import clip_of
from pipelines.estimation.recovery.recover import CameraEstimate, recover


@dataclass(frozen=True)
class Travel:
    """A clip of a translating camera. ``move`` None: the example's own clip, from its renderer. ``ball``: with a moving object."""

    scene: str
    move: str | None
    frames: int
    ball: bool = False


TRAVELS = (
    Travel("courtyard", "arc 16", 49),
    Travel("toy_train", None, 49),
    Travel("street_at_dusk", "dolly 0.25 + pan 10", 49),
    Travel("reading_room", "arc 18 ease", 49),
    Travel("still_life", "arc 24 ease + pedestal 0.1", 49, ball=True),
    Travel("lighthouse", "truck 0.3 + pan -10", 49),
    Travel("temple_garden", "arc -14 + dolly 0.1", 49, ball=True),
    Travel("street_at_dusk", "truck 0.2 + pan 8", 49, ball=True),
    Travel("mountain_lake", "arc 20", 49),
    Travel("fox", "arc 30 ease", 121),
    Travel("courtyard", "crane 0.2 + arc -12", 121),
    Travel("reading_room", "truck 0.15 + pan -8", 121, ball=True),
)
"""In the toy train's clip, the train moves along with the camera."""
STANDING = tuple(
    (scene, move, kind)
    for scene in ("courtyard", "fox", "mountain_lake", "reading_room")
    for move, kind in (("pan 16", "pan"), ("hold", "tripod"), ("zoom 1.3", "zoom"))
)
"""The tripod clips have a moving ball: without motion, H.264 leaves as little noise as in a still picture."""
FAULTY, FAULTY_MOVE = "still_life", "arc 24 ease"
"""Scene and move of the injected faults."""
WIDTH, HEIGHT = 640, 352
"""The size to which recovery scales larger clips."""
TURN_DEGREES, DIRECTION_DEGREES, LENS_SHARE = 0.15, 1.5, 0.02


@long_subject
def camera_recovery(scale: Scale) -> list[Row]:
    """Errors of translating cameras with a fixed and a free lens, kinds of static ones, and faults; fewer of each if quick."""
    few = scale.width < WIDTH
    rows: list[Row] = []
    for travel in TRAVELS[:2] if few else TRAVELS:
        rows += show(measure_travel(travel))
    rows += [] if few else [sum_up(rows)]
    rows += show([measure_kinds(STANDING[:3] if few else STANDING, 9)])
    return rows + show(measure_faults(49, FAULTS[2:3] if few else FAULTS))


def show(rows: list[Row]) -> list[Row]:
    """Print rows as soon as they are measured."""
    for row in rows:
        print(f"{row.what}: {row.agreement}", flush=True)
    return rows


def film_travel(travel: Travel) -> tuple[NDArray[np.uint8], CameraPath]:
    """Frames (F,H,W,3), compressed once, and their ground-truth camera."""
    if travel.move is None:
        scene = load(travel.scene)
        return np.stack([view.colour for view in scene.views]), camera_of_clip(travel.scene)
    path = path_in(travel.scene, travel.move, travel.frames, WIDTH, HEIGHT)
    return compress(film(travel.scene, path, Ball() if travel.ball else None)), path


def camera_of_clip(scene: str) -> CameraPath:
    views = load(scene).views
    poses, lenses = np.stack([v.world_from_camera for v in views]), np.stack([v.intrinsics for v in views])
    return CameraPath(poses, lenses, views[0].width, views[0].height, 24.0)


def errors(estimate: CameraEstimate, truth: CameraPath) -> tuple[float, float, float]:
    """Medians over the placed frames: degrees of rotation, degrees of travel direction, relative focal length."""
    own = truth.sliced(list(estimate.frames))  # type: ignore[arg-type]
    turn = float(np.median(metrics.rotation_error_degrees(estimate.path, own)))
    direction = float(np.nanmedian(metrics.translation_direction_degrees(estimate.path, own)))
    lens = float(np.median(np.abs(estimate.path.intrinsics[:, 0, 0] / own.intrinsics[:, 0, 0] - 1)))
    return turn, direction, lens


def measure_travel(travel: Travel) -> list[Row]:
    """One row with the lens fixed and one with it free."""
    frames, path = film_travel(travel)
    return [_measure(travel, frames, path, focal) for focal in (float(path.intrinsics[0, 0, 0]), None)]


def _measure(travel: Travel, frames: NDArray[np.uint8], path: CameraPath, focal: float | None) -> Row:
    start = time.process_time()
    estimate = recover(clip_of(frames, path.fps), focal_px=focal)
    frame_ms = 1e3 * (time.process_time() - start) / len(frames)
    turn, direction, off = errors(estimate, path)
    lens = "" if focal else f", lens {100 * off:.2f} %" + (" (said to be unsure)" if estimate.lens == "assumed" else "")
    less = "" if len(estimate.frames) == len(frames) else f", {len(estimate.frames)} of {len(frames)} placed"
    words = f"{estimate.kind}, turn {turn:.3f} deg, direction {direction:.2f} deg{lens}{less}"
    met = turn <= TURN_DEGREES and direction <= DIRECTION_DEGREES and (focal is not None or off <= LENS_SHARE)
    target = f"{TURN_DEGREES} deg, {DIRECTION_DEGREES} deg" + ("" if focal else f", {100 * LENS_SHARE:.0f} %")
    move = (travel.move or "its own clip") + (", ball" if travel.ball else "")
    name = f"{travel.scene}, {move}, {len(frames)} frames, lens {'held' if focal else 'free'}"
    return Row(name, frame_ms, agreement=words, target=target, met=met)


def sum_up(rows: list[Row]) -> Row:
    """The number of clips within all targets."""
    met = sum(bool(row.met) for row in rows)
    return Row("travels within all aims", 0.0, agreement=f"{met} of {len(rows)}", target="all", met=met == len(rows))


def measure_kinds(clips: tuple[tuple[str, str, str], ...], frames: int) -> Row:
    hits, missed, start = 0, [], time.process_time()
    for scene, move, kind in clips:
        path = path_in(scene, move, frames, WIDTH, HEIGHT)
        estimate = recover(clip_of(compress(film(scene, path, Ball() if kind == "tripod" else None))))
        hits += estimate.kind == kind
        missed += [] if estimate.kind == kind else [f"{scene} {move}: {estimate.kind}"]
    words = f"{hits} of {len(clips)} kinds" + "".join(f"; {each}" for each in missed)
    frame_ms = 1e3 * (time.process_time() - start) / frames / len(clips)
    return Row("tripods, pans and zooms", frame_ms, agreement=words, target="all", met=hits == len(clips))


@dataclass(frozen=True)
class Fault:
    """A known deviation from the request: its ``size``, the resulting path, and how the size is measured from the estimate."""

    name: str
    size: float
    apply: Callable[[CameraPath], CameraPath]
    measure: Callable[[CameraPath, CameraEstimate], float]
    free_lens: bool = False


def measure_faults(frames: int, faults: tuple[Fault, ...]) -> list[Row]:
    """Shots with known deviations from the request: the measured size of each fault against the true one."""
    request = path_in(FAULTY, FAULTY_MOVE, frames, WIDTH, HEIGHT)
    rows = []
    for fault in faults:
        path = fault.apply(request)
        start = time.process_time()
        focal = None if fault.free_lens else float(request.intrinsics[0, 0, 0])
        estimate = recover(clip_of(compress(film(FAULTY, path)), path.fps), focal_px=focal)
        frame_ms = 1e3 * (time.process_time() - start) / frames
        measured = fault.measure(request, estimate)
        met = abs(measured - fault.size) <= 0.1 * fault.size
        words = f"measured {measured:.3g} of {fault.size:g}"
        rows.append(Row(f"fault: {fault.name}", frame_ms, agreement=words, target="within 10 %", met=met))
    return rows


def _weaker(request: CameraPath) -> CameraPath:
    return path_in(FAULTY, "arc 19.2 ease", len(request), request.width, request.height)


def _late(request: CameraPath) -> CameraPath:
    return request.sliced(np.maximum(np.arange(len(request)) - 6, 0))  # type: ignore[arg-type]


def _rolled(request: CameraPath) -> CameraPath:
    poses = request.world_from_camera.copy()
    poses[:, :3, :3] = poses[:, :3, :3] @ about_axis([0, 0, 1], 3 * np.linspace(0, 1, len(request)))
    return request.with_poses(poses)


def _longer(request: CameraPath) -> CameraPath:
    return lengthen(request, 1.1)


def _pan_answer(request: CameraPath, estimate: CameraEstimate):
    own = request.sliced(list(estimate.frames))  # type: ignore[arg-type]
    return next(one for one in response("", "", [(own, estimate.path)]).answers if one.axis == "pan")


def _lost_gain(request: CameraPath, estimate: CameraEstimate) -> float:
    return 1 - _pan_answer(request, estimate).gain


def _lag(request: CameraPath, estimate: CameraEstimate) -> float:
    return _pan_answer(request, estimate).lag


def _roll(request: CameraPath, estimate: CameraEstimate) -> float:
    own = request.sliced(list(estimate.frames))  # type: ignore[arg-type]
    turns = own.world_from_camera[0, :3, :3].T @ own.world_from_camera[-1, :3, :3]
    achieved = estimate.path.world_from_camera[0, :3, :3].T @ estimate.path.world_from_camera[-1, :3, :3]
    return abs(float(np.degrees(cv2.Rodrigues(turns.T @ achieved)[0][2, 0])))


def _lens(request: CameraPath, estimate: CameraEstimate) -> float:
    return float(np.median(compare_paths(estimate.path, request, frames=estimate.frames).lens)) - 1


FAULTS = (
    Fault("gain 0.8", 0.2, _weaker, _lost_gain),
    Fault("lag of 6 frames", 6.0, _late, _lag),
    Fault("roll of 3 degrees", 3.0, _rolled, _roll),
    Fault("lens 10 % too long", 0.1, _longer, _lens, free_lens=True),
)
