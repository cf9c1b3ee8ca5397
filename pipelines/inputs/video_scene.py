"""Scenes from clips and views without depth: depth from a model, brought to one scale; cameras from structure from motion.

A depth model's output for one picture has its own scale and offset in inverse depth, which flicker from frame to frame.
Both are fitted per picture: to the sparse points of structure from motion if there are cameras, otherwise to the previous frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import CameraPath, pinhole
from camera.trajectories.keyframes import Keyframe, through
from camera.view import Scene, View
from pipelines.estimation.depth import DEFAULT_FOV_DEGREES
from pipelines.estimation.depth_fit import LEAST_POINTS, SparseDepth, apply_fit, fit_to, fit_to_depth

Estimate = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""RGB (H,W,3) to depth (H,W) of any scale, NaN or infinite where unknown."""

LEAST_REGISTERED = 0.8
"""Minimum share of the frames that structure from motion must place; the others are interpolated."""
UNCHANGED = 8
"""Maximum difference of a static pixel between two frames, in levels of 255."""


def scene_of_video(
    frames: NDArray[np.uint8],
    fps: float,
    estimate: Estimate,
    *,
    fov_degrees: float | None = None,
    reconstruct: Callable[..., Any] | None = None,
) -> tuple[Scene, str]:
    """A scene from a clip (F,H,W,3), and one sentence on how its cameras were found.

    ``reconstruct``: by default `pipelines.estimation.sfm.reconstruct`. If it finds no cameras (no parallax, too few frames
    placed, package missing), the camera is assumed to be static with a field of view of ``fov_degrees``.
    """
    if reconstruct is None:
        from pipelines.estimation.sfm import reconstruct
    try:
        found = reconstruct(frames, fps=fps)
    except InputError as error:
        return _scene_of_still_camera(
            frames, fps, estimate, fov_degrees
        ), f"The camera is assumed to be static: {error}"
    if len(found.frames) < LEAST_REGISTERED * len(frames):
        words = f"The camera is assumed to be static: structure from motion placed only {len(found.frames)} of {len(frames)} frames."
        return _scene_of_still_camera(frames, fps, estimate, fov_degrees), words
    path = _complete_path(found.path, found.frames, len(frames))
    sparse: list[SparseDepth | None] = [None] * len(frames)
    for index, frame in enumerate(found.frames):
        pixels, depths = found.depths(index)
        sparse[frame] = SparseDepth(pixels, depths)
    scene = posed_scene(frames, path, estimate, sparse, kind="clip")
    return scene, f"Cameras by structure from motion: {len(found.frames)} of {len(frames)} frames placed."


def posed_scene(
    frames: NDArray[np.uint8],
    path: CameraPath,
    estimate: Estimate,
    sparse: Sequence[SparseDepth | None],
    *,
    kind: Literal["clip", "views"],
) -> Scene:
    """A scene from pictures (F,H,W,3) with known cameras: estimated depth, fitted to sparse points of the same world.

    A picture without its own points is fitted to the depth of the nearest one with points. Raises `InputError` if there is none.
    """
    depths = [estimate(frame) for frame in frames]
    fits = [None if known is None else fit_to(depth, known) for depth, known in zip(depths, sparse)]
    having = np.array([index for index, fit in enumerate(fits) if fit is not None])
    if not len(having):
        raise InputError(
            f"No picture has {LEAST_POINTS} sparse points for fitting depth; add cameras with their points, or depth maps."
        )
    views = []
    for index, depth in enumerate(depths):
        nearest = int(having[np.argmin(np.abs(having - index))])
        fit = fits[index]
        if fit is None:
            fit = fit_to_depth(depth, apply_fit(depths[nearest], fits[nearest]))
        aligned = apply_fit(depth, fit)
        views.append(View.of(frames[index], aligned, path.intrinsics[index], path.world_from_camera[index]))
    return Scene(tuple(views), kind, "relative", path.fps, source="depth model fitted to sparse points")


def _scene_of_still_camera(
    frames: NDArray[np.uint8], fps: float, estimate: Estimate, fov_degrees: float | None
) -> Scene:
    """A clip from one static camera; each depth is fitted to the previous frame where the picture did not change."""
    lens = pinhole(frames.shape[2], frames.shape[1], fov_degrees or DEFAULT_FOV_DEGREES)
    views: list[View] = []
    for index, frame in enumerate(frames):
        depth = estimate(frame)
        if views:
            depth = apply_fit(depth, _fit_to_frame(depth, views[-1].depth, views[-1].known, frame, frames[index - 1]))
        views.append(View.of(frame, depth, lens))
    return Scene(tuple(views), "clip", "relative", fps, source="depth model, one scale for all frames")


def _fit_to_frame(
    depth: NDArray, before: NDArray, known: NDArray[np.bool_], frame: NDArray, frame_before: NDArray
) -> NDArray[np.float64] | None:
    change = np.abs(frame.astype(np.int16) - frame_before).max(axis=2)
    still = known & (change <= UNCHANGED)
    return fit_to_depth(depth, before, still if still.sum() >= 100 else known)


def _complete_path(path: CameraPath, frames: Sequence[int], count: int) -> CameraPath:
    """A path of ``count`` frames through the cameras of ``frames``; static before the first and after the last of them."""
    cameras = zip(path.world_from_camera, path.intrinsics, frames)
    keys = [Keyframe(pose, lens, float(frame)) for pose, lens, frame in cameras]
    if frames[0] > 0:
        keys.insert(0, Keyframe(path.world_from_camera[0], path.intrinsics[0], 0.0))
    if frames[-1] < count - 1:
        keys.append(Keyframe(path.world_from_camera[-1], path.intrinsics[-1], float(count - 1)))
    return through(keys, frames=count, width=path.width, height=path.height, fps=path.fps, curve="straight")
