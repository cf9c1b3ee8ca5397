"""Reconstructions against ground truth: refined cameras, points and mesh against the surface, held-out views."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bench import Row, Scale, long_subject
from bench.room import orbit
from bench.room import shot as room_from
from camera.cloud import PointCloud
from camera.evaluation import paths as metrics
from camera.path import CameraPath
from camera.render.triangles import Surface, draw
from camera.trajectories.film_script import path_of
from camera.view import Scene, View
from examples.render import home, setting_of
from examples.render import render as true_view
from pipelines.estimation import sfm
from pipelines.estimation.tracking import match_tracks
from pipelines.media.image_metrics import psnr
from pipelines.reconstruct.points import fuse_points
from pipelines.reconstruct.scene import scene_from_frames
from pipelines.reconstruct.surface.mesh import extract_mesh

SCENES = {"courtyard": "arc 14", "reading_room": "arc 12"}
"""Scenes and their moves; a longer arc would put a tree or a wall in front of the camera."""
LARGEST_WIDTH = 320
"""Ground truth is ray marched; larger frames would take minutes."""
FRAMES = 13
HELD_BACK = 4
"""Every fourth frame is held out for comparison."""
OFF_DEGREES, OFF_SHARE = 0.7, 0.01
"""Standard deviation of the errors of the given cameras: rotation, and position as a share of the largest distance travelled."""
SPLAT_STEPS = 300
FULL, FULL_QUICK = (49, 720, 480), (7, 96, 64)
"""Number of frames, width, height."""


@long_subject
def reconstruct(scale: Scale) -> list[Row]:
    """Time of a full-size result; then refinement of erroneous cameras; surfaces from exact depth, and from depth of unknown scale;
    splats."""
    rows = [full_size(scale)]
    for name in SCENES:
        width = min(scale.width // 2, LARGEST_WIDTH)
        views, path = shot(name, width, width * 2 // 3)
        shown = [i for i in range(len(path)) if i % HELD_BACK != HELD_BACK // 2]
        held_out = [i for i in range(len(path)) if i not in shown]
        scene = Scene(tuple(views[i] for i in shown), "views", "metres")
        what = f"{name}, {len(shown)} of {width} x {views[0].height}"
        rows.append(_cameras(what, np.stack([view.colour for view in views]), path))
        rows += _surfaces(name, f"{what}, true depth", scene, [views[i] for i in held_out])
        rows += _surfaces(
            name, f"{what}, fitted depth", _lose_scale(scene, choose_frames(path, shown)), [views[i] for i in held_out]
        )
        rows.append(_splats(what, scene, choose_frames(path, shown), [views[i] for i in held_out]))
    return rows


def full_size(scale: Scale) -> Row:
    """Points and mesh of as many frames as DimensionX generates, at its size; smaller in a quick run."""
    frames, width, height = FULL if scale.width >= FULL[1] else FULL_QUICK
    views = [room_from(orbit(height, width, float(degrees))) for degrees in np.linspace(-12, 12, frames)]
    scene = Scene(tuple(views), "views", "metres")
    start, spent = time.perf_counter(), time.process_time()
    cloud = _run_to_end(fuse_points(scene))
    mesh = _run_to_end(extract_mesh(scene))
    elapsed, spent = time.perf_counter() - start, time.process_time() - spent
    words = (
        f"{len(cloud)} points, {len(mesh.faces)} triangles; {elapsed:.0f} s, {spent:.0f} s of all processors together"
    )
    return Row(
        f"room, {frames} of {width} x {height}: points and mesh", 1e3 * elapsed / frames, agreement=words,
        target="60 s in all", met=elapsed < 60,
    )  # fmt: skip


def shot(name: str, width: int, height: int) -> tuple[list[View], CameraPath]:
    """Ground-truth frames of a short arc around the subject, with the scene's time stopped."""
    setting = setting_of(name)
    first = true_view(name, home(setting, width, height), time=setting.seconds, samples=1)
    path = path_of(SCENES[name], first, frames=FRAMES)
    return [true_view(name, path, i, time=setting.seconds, samples=2) for i in range(FRAMES)], path


def choose_frames(path: CameraPath, frames: list[int]) -> CameraPath:
    return CameraPath(path.world_from_camera[frames], path.intrinsics[frames], path.width, path.height, path.fps)


def _cameras(what: str, frames: NDArray[np.uint8], path: CameraPath) -> Row:
    """Bundle adjustment from erroneous cameras."""
    rng = np.random.default_rng(0)
    poses = path.world_from_camera.copy()
    way = float(np.linalg.norm(path.centres - path.centres[0], axis=1).max())
    for camera in poses[1:]:
        camera[:3, :3] = camera[:3, :3] @ cv2.Rodrigues(rng.normal(0, np.radians(OFF_DEGREES), 3))[0]
        camera[:3, 3] += rng.normal(0, OFF_SHARE * way, 3)
    given = path.with_poses(poses)
    start = time.perf_counter()
    refined = sfm.refine_cameras(frames, given, matcher=match_tracks)
    frame_ms = 1e3 * (time.perf_counter() - start) / len(path)

    def errors(one: CameraPath) -> tuple[float, float]:
        away = np.linalg.norm(metrics.align_path(one, path).centres - path.centres, axis=1).mean() / way
        return float(metrics.rotation_error_degrees(one, path)[1:].mean()), 100 * float(away)

    (turn, place), (turn_before, place_before) = errors(refined.path), errors(given)
    words = (
        f"{len(refined.frames)} of {len(path)} placed, {turn:.2f} deg (given {turn_before:.2f}), {place:.1f} % of the way "
        f"(given {place_before:.1f} %), {refined.after_px:.2f} px"
    )
    return Row(
        f"{what}: cameras refined", frame_ms, agreement=words, target="nearer than given", met=place < place_before
    )


def _lose_scale(scene: Scene, path: CameraPath) -> Scene:
    """The scene reconstructed from depth with a different scale and offset per frame, like a depth model's."""
    rng = np.random.default_rng(1)
    depth = np.stack([np.where(view.known, view.depth, np.inf) for view in scene.views])
    spread = rng.uniform(0.5, 2, (len(depth), 1, 1)), rng.uniform(0, 0.05, (len(depth), 1, 1))
    frames = np.stack([view.colour for view in scene.views])
    return _run_to_end(scene_from_frames(frames, path, depth=(1 / (spread[0] / depth + spread[1])).astype(np.float32)))


def _surfaces(name: str, what: str, scene: Scene, held_out: list[View]) -> list[Row]:
    eye, count = scene.first.world_from_camera[:3, 3], len(scene.views)
    start = time.perf_counter()
    cloud = _run_to_end(fuse_points(scene, tolerance=0.03))
    middle = time.perf_counter()
    mesh = _run_to_end(extract_mesh(scene, tolerance=0.03))
    end = time.perf_counter()
    words = f"{len(cloud)} points, {_distances(name, cloud.points, eye)}"
    mesh_words = (
        f"{len(mesh.faces)} triangles, {_distances(name, mesh.vertices, eye)}; {_held_out_psnr(mesh, held_out)}"
    )
    return [
        Row(f"{what}: points", 1e3 * (middle - start) / count, agreement=words),
        Row(f"{what}: mesh", 1e3 * (end - middle) / count, agreement=mesh_words),
    ]


def _distances(name: str, points: NDArray, eye: NDArray) -> str:
    off = 100 * off_surface(name, points[:: max(1, len(points) // 20_000)], eye)
    return f"{np.median(off):.2f} % of their distance off, 95th {np.quantile(off, 0.95):.2f} %"


def off_surface(name: str, points: NDArray, eye: NDArray) -> NDArray[np.float64]:
    """(N,): distance of ``points`` (N,3) from the scene's true surface, by its distance function, as a share of their distance from
    ``eye``, because depths vary widely."""
    setting = setting_of(name)
    off = np.abs([setting.distance(x, -y, z, setting.seconds) for x, y, z in points.astype(float)])  # its y points up
    return off / np.linalg.norm(points - eye, axis=1)


def _held_out_psnr(mesh: Any, held_out: list[View]) -> str:
    colours = np.ascontiguousarray(mesh.visual.vertex_colors[:, :3])
    surface = Surface(np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.int32), colours)
    decibels, covered = [], []
    for truth in held_out:
        rendered = draw([surface], truth.camera, 0)
        both = (rendered.depth > 0) & truth.known
        decibels.append(psnr(rendered.colour, truth.colour, both))
        covered.append(both.sum() / truth.known.sum())
    return f"{np.mean(decibels):.1f} dB on held-back frames over the {np.mean(covered):.0%} it covers"


def _splats(what: str, scene: Scene, path: CameraPath, held_out: list[View]) -> Row:
    from pipelines.reconstruct.gaussians.fit import fit
    from pipelines.reconstruct.gaussians.settings import SplatSettings
    from pipelines.splats.drawing import render_path

    cloud: PointCloud = _run_to_end(fuse_points(scene, tolerance=0.03, most_points=6000))
    frames = np.stack([view.colour for view in scene.views])
    start = time.perf_counter()
    fitted = _run_to_end(fit(frames, path, cloud, settings=SplatSettings(iterations=SPLAT_STEPS, appearance=False)))
    elapsed = time.perf_counter() - start
    cameras = CameraPath(
        np.stack([view.world_from_camera for view in held_out]),
        path.intrinsics[: len(held_out)],
        path.width,
        path.height,
    )
    everywhere = np.ones((path.height, path.width), bool)
    pictures = [
        psnr(picture, view.colour, everywhere)
        for (picture, _), view in zip(render_path(fitted.splats, cameras), held_out)
    ]
    words = f"{len(fitted.splats)} Gaussians, {SPLAT_STEPS} steps: {np.mean(pictures):.1f} dB on held-back frames, all of them"
    return Row(f"{what}: splats", 1e3 * elapsed / len(frames), agreement=words)


def _run_to_end(steps: Generator[Any, None, Any]) -> Any:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
