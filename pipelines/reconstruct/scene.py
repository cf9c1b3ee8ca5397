"""Frames with cameras, or a method's result, as a scene with depth: the input for points, mesh and splats.

Depth of a frame is given, or estimated by a depth model; its scale and offset are fitted to points triangulated from the
cameras, so that all frames share one world. The points come from tracking corners along the path
(`pipelines.estimation.tracking`), or from structure from motion (`pipelines.estimation.sfm`) if cameras are refined or estimated.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from camera.cloud import PointCloud
from camera.errors import InputError
from camera.path import CameraPath
from camera.view import Scene, View
from pipelines.estimation import sfm
from pipelines.estimation.colmap import Matcher
from pipelines.estimation.depth_fit import SparseDepth, apply_fit, fit_to
from pipelines.estimation.tracking import LEAST_ANGLE, match_tracks, track_points
from pipelines.method import Clip, Frames, Progress

Cameras = Literal["given", "refined", "estimated"]
"""The path's own; refined by bundle adjustment; or estimated from the frames and aligned to the path."""
Estimate = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""RGB (H,W,3) to depth (H,W) of any scale, NaN or infinite where unknown."""

LEAST_AGREEING = 0.3
"""Minimum share of the tracked points with parallax that are static according to the cameras."""
FEWEST_POINTS = 40
"""Minimum number of points in all frames together for fitting depth."""
DOUBTFUL = 0.1
"""A depth map whose median relative error against the points exceeds this is reported as doubtful."""
ROUNDS = 3
"""Number of times that depth is fitted to neighbouring frames: sparse points alone leave small errors per frame."""
FROM_NEIGHBOUR = 60
"""Number of points from a neighbouring frame: fewer than the sparse ones, which determine the scale."""
SIMILAR = 0.15
"""Maximum relative difference of depths on one surface."""
INSTEAD = "A flat video can still be made, and its cameras exported"


def scene_from_frames(
    frames: Frames,
    path: CameraPath,
    *,
    depth: NDArray[np.float32] | None = None,
    estimate: Estimate | None = None,
    model: str = "small",
    source: str = "",
    aligned: bool = False,
    cameras: Cameras = "given",
    closed: bool = False,
    matcher: Matcher | None = None,
    masks: NDArray[np.bool_] | None = None,
    keep: NDArray[np.bool_] | None = None,
    movers: bool = False,
    name: str = "scene",
) -> Generator[Progress, None, Scene]:
    """All frames (F,H,W,3) as a scene of kind "views" in one world; returned by the generator.

    ``depth`` (F,H,W), NaN or infinite where unknown (sky); without it ``estimate``, or the depth model ``model`` of
    `pipelines.estimation.depth.MODELS`, is applied to each frame. ``aligned``: the given depth has the cameras' scale already.
    ``matcher``: matches frames if cameras are not the given ones, see `pipelines.estimation.matching`; by default tracked points
    or SIFT. ``closed``: the path ends where it began; drift of the given cameras is distributed, see
    `pipelines.reconstruct.loop_closure`, and last and first frames are matched if cameras are refined or estimated.
    ``masks`` (F,H,W): True on moving parts, which are not tracked, and kept only with ``movers``. ``keep`` (F,H,W): True on
    the object, the only part that is kept. Frames that cannot be placed are dropped; `Scene.source` describes what was done.
    Raises `InputError` for too few frames, no parallax, cameras that contradict the frames, or a missing depth model; the
    error says what can still be made.
    """
    _check(frames, path, depth, cameras, aligned)
    for marked in (masks, keep):
        if marked is not None and marked.shape != frames.shape[:3]:
            raise InputError(f"Masks must have the shape of the frames, {frames.shape[:3]}, got {marked.shape}.")
    yield Progress("Placing cameras", 0, 1)
    ended = None
    if closed and cameras != "estimated":
        from pipelines.reconstruct import loop_closure

        ended = loop_closure.close_loop(frames, path, masks=masks)
        path = ended.path
    if aligned and depth is not None:
        cameras_found = _Placed(tuple(range(len(path))), path, None, "")
    else:
        cameras_found = _place(frames, path, cameras, masks, closed, matcher)
    if depth is None and estimate is None:
        estimate, source = _model(model)
    raw = []
    for step, i in enumerate(cameras_found.frames):
        yield Progress("Depth", step, len(cameras_found.frames))
        raw.append(np.asarray(depth[i], np.float32) if depth is not None else _ask_estimate(estimate, frames[i]))
    yield Progress("Fitting depth", 0, 1)
    fitted, miss = raw, 0.0
    if cameras_found.points is not None:
        cameras_found, raw = _drop_sparse_frames(cameras_found, cameras_found.points, raw)
        assert cameras_found.points is not None, "frames are dropped only if there are points"
        fitted, miss = _fit_depths(raw, cameras_found.points)
    hidden = [each for each in (None if movers else masks, None if keep is None else ~keep) if each is not None]
    views = _views(frames, cameras_found, fitted, np.any(hidden, axis=0) if hidden else None)
    words = [source or "given depth", _describe_misfit(miss), ended.words if ended else "", cameras_found.words]
    return Scene(views, "views", "relative", path.fps, "; ".join(filter(None, words)), name)


def scene_of_result(clip: Clip, **settings) -> Generator[Progress, None, Scene]:
    """`scene_from_frames` for a method's result: uses its generated depth if there is one map per frame.

    ``settings``: as in `scene_from_frames`.
    """
    made = clip.scene
    if made is None or len(made.views) != len(clip.frames) or "depth" in settings or len(clip.frames) < 2:
        return (yield from scene_from_frames(clip.frames, clip.path, **settings))
    resized = made.fitted(clip.path.width, clip.path.height)
    depth = np.stack([np.where(view.known, view.depth, np.nan) for view in resized.views])
    return (yield from scene_from_frames(clip.frames, clip.path, depth=depth, source=made.source, **settings))


def sparse_cloud(
    frames: Frames, path: CameraPath, *, cameras: Cameras = "given", masks: NDArray[np.bool_] | None = None
) -> PointCloud:
    """The points triangulated from the cameras, without a depth model: the fallback if none is available."""
    found = _place(frames, path, cameras, masks, False, None).points
    assert found is not None
    return PointCloud(found.points.astype(np.float32), found.colours)


@dataclass(frozen=True, eq=False)
class _Placed:
    """The frames with a camera, their cameras, sparse points in their world, and a description of what was done."""

    frames: tuple[int, ...]
    path: CameraPath
    points: sfm.Reconstruction | None
    words: str


def _check(frames: Frames, path: CameraPath, depth: NDArray | None, cameras: Cameras, aligned: bool) -> None:
    shape = (len(path), path.height, path.width)
    if frames.shape != (*shape, 3):
        raise InputError(
            f"The path is for {shape[0]} frames of {shape[2]} x {shape[1]}, got {len(frames)} of {frames.shape[2]} x "
            f"{frames.shape[1]}; use the path they were shot on."
        )
    if depth is not None and depth.shape != shape:
        raise InputError(f"Depth must have the shape of the frames, {shape}, got {depth.shape}; add one map per frame.")
    if len(path) < 3:
        raise InputError(f"3D needs at least 3 frames, got {len(path)}. {INSTEAD}; for 3D, shoot more frames.")
    if cameras not in get_args(Cameras):
        raise InputError(f"Cameras are {', '.join(get_args(Cameras))}; got {cameras!r}.")
    if aligned and (depth is None or cameras != "given"):
        raise InputError("Only given depth with the given cameras can be set to aligned; leave that option out.")


def _place(
    frames: Frames,
    path: CameraPath,
    cameras: Cameras,
    masks: NDArray[np.bool_] | None,
    closed: bool,
    matcher: Matcher | None,
) -> _Placed:
    if cameras == "given":
        found = track_points(frames, path, masks=masks)
        if found.followed and found.wide < LEAST_AGREEING * found.followed and found.wide < FEWEST_POINTS:
            raise InputError(
                f"Of {found.followed} tracked points only {found.wide} have viewing directions {LEAST_ANGLE:g} degrees "
                f"apart: too little parallax for 3D. {INSTEAD}; for 3D use a move that changes position more."
            )
        if found.agreeing < max(LEAST_AGREEING * found.wide, FEWEST_POINTS):
            raise InputError(
                f"Only {found.words}: the cameras contradict the frames, the scene moves, or it has no texture. "
                f"{INSTEAD}; for 3D have the cameras refined or estimated, or mask moving parts."
            )
        return _Placed(tuple(range(len(path))), path, found.found, found.words)
    if cameras == "refined":
        if (
            matcher is None and not closed and masks is None
        ):  # these matchers support neither masks nor a jump from the last frame to the first
            matcher = match_tracks
        better = sfm.refine_cameras(frames, path, masks=masks, pairing="closed" if closed else "auto", matcher=matcher)
        return _Placed(better.frames, better.found.path, better.found, f"cameras refined, {better.words}")
    found = sfm.reconstruct(frames, masks=masks, fps=path.fps, pairing="closed" if closed else "auto", matcher=matcher)
    words = f"cameras estimated, {len(found.frames)} of {len(frames)} frames placed"
    if len(found.frames) < max(3, sfm.LEAST_PLACED * len(frames)):
        raise InputError(f"Too few frames could be placed: {words}. {INSTEAD}; use a path or frames with more texture.")
    if closed:
        from pipelines.reconstruct import loop_closure

        found, ended = loop_closure.join_ends(frames, found, masks=masks, matcher=matcher)
        words = f"{ended}; {words}"
    nominal = path.sliced(list(found.frames))  # type: ignore[arg-type]
    onto = sfm.fit_gauge(found.path, nominal)
    found = replace(found, path=onto.of_path(found.path), points=onto(found.points))
    return _Placed(found.frames, found.path, found, words)


def _model(model: str) -> tuple[Estimate, str]:
    """A depth model and its name; depth is unknown where a model of nearness returns almost zero."""
    from pipelines.estimation.depth import MODELS, depth_of
    from pipelines.media.image import Picture

    if model not in MODELS:
        raise InputError(
            f"Frames need depth measured or estimated by one of {', '.join(MODELS)}, got {model!r}; a guessed layout is no 3D."
        )
    chosen = MODELS[model]

    def estimate(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        values = depth_of(Picture(frame, None), chosen).values
        if chosen.output != "disparity":
            return values
        return np.where(values < values.min() * NOTHING_NEAR, values, np.nan).astype(np.float32)

    return estimate, chosen.label


NOTHING_NEAR = 39.9
"""Multiple of the nearest distance that `pipelines.media.image.from_disparity` assigns to pixels of zero nearness."""


def _ask_estimate(estimate: Estimate | None, frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    assert estimate is not None
    try:
        return np.asarray(estimate(frame), np.float32)
    except InputError as error:
        raise InputError(f"{error} Without depth the cameras and a sparse cloud can still be made.") from error


def _drop_sparse_frames(
    placed: _Placed, points: sfm.Reconstruction, raw: list[NDArray[np.float32]]
) -> tuple[_Placed, list[NDArray[np.float32]]]:
    """Drop the frames with too few triangulated points to fit their depth: black ones, or a wall without texture."""
    usable = [i for i, depth in enumerate(raw) if fit_to(depth, SparseDepth(*points.depths(i))) is not None]
    if len(usable) < 3 or sum(len(points.seen[i][0]) for i in usable) < FEWEST_POINTS:
        raise InputError(
            f"Fewer than three frames show enough placed points to fit their depth. {INSTEAD}; for 3D use aligned depth."
        )
    if len(usable) == len(raw):
        return placed, raw
    path = placed.path.sliced(usable)  # type: ignore[arg-type]
    frames = tuple(placed.frames[i] for i in usable)
    fewer = replace(points, frames=frames, path=path, seen=tuple(points.seen[i] for i in usable))
    words = f"{placed.words}; {len(raw) - len(usable)} frames left out that show too few placed points"
    return _Placed(frames, path, fewer, words), [raw[i] for i in usable]


def _fit_depths(raw: list[NDArray[np.float32]], points: sfm.Reconstruction) -> tuple[list[NDArray[np.float32]], float]:
    """Fit each depth map to its points, and return the median relative error."""
    known = [SparseDepth(*points.depths(i)) for i in range(len(raw))]
    done = [apply_fit(depth, fit_to(depth, one)) for depth, one in zip(raw, known)]
    for _ in range(ROUNDS):
        done = [_refit_depth(i, raw, done, known[i], points.path) for i in range(len(raw))]
    return done, float(np.median(np.concatenate([_relative_errors(*each) for each in zip(done, known)])))


def _refit_depth(
    i: int, raw: list[NDArray[np.float32]], done: list[NDArray[np.float32]], known: SparseDepth, path: CameraPath
) -> NDArray[np.float32]:
    """Depth of frame ``i``, fitted again to its sparse points and to the depth of its neighbours in time."""
    pixels, depths = [known.pixels], [known.depths]
    for j in (i - 3, i - 1, i + 1, i + 3):
        if 0 <= j < len(raw):
            projected = _project_neighbour(i, j, done, path)
            pixels.append(projected.pixels)
            depths.append(projected.depths)
    fit = fit_to(raw[i], SparseDepth(np.concatenate(pixels), np.concatenate(depths)))
    return done[i] if fit is None else apply_fit(raw[i], fit)


def _project_neighbour(i: int, j: int, done: list[NDArray[np.float32]], path: CameraPath) -> SparseDepth:
    """About `FROM_NEIGHBOUR` points of frame ``j`` projected into frame ``i``, where its own depth is similar."""
    height, width = done[j].shape
    step = max(1, round(np.sqrt(height * width / FROM_NEIGHBOUR)))
    row, column = (each.ravel() for each in np.mgrid[:height:step, :width:step])
    depth = done[j][row, column].astype(np.float64)
    there = np.isfinite(depth)
    rays = np.stack([column, row, np.ones_like(row)], axis=1)[there] @ np.linalg.inv(path.intrinsics[j]).T
    turn = path.camera_from_world[i] @ path.world_from_camera[j]
    local = (rays * depth[there, None]) @ turn[:3, :3].T + turn[:3, 3]
    local = local[local[:, 2] > 0]
    pixels = (local @ path.intrinsics[i].T)[:, :2] / local[:, 2:]
    inside = ((pixels >= 0) & (pixels <= (width - 1, height - 1))).all(axis=1)
    pixels, depths = pixels[inside], local[inside, 2]
    x, y = pixels.round().astype(int).T
    with np.errstate(invalid="ignore"):
        similar = np.abs(done[i][y, x] / depths - 1) < SIMILAR
    return SparseDepth(pixels[similar], depths[similar])


def _relative_errors(depth: NDArray[np.float32], known: SparseDepth) -> NDArray[np.float64]:
    column, row = known.pixels.round().astype(int).T
    there = depth[row.clip(0, depth.shape[0] - 1), column.clip(0, depth.shape[1] - 1)]
    miss = np.abs(there / known.depths - 1)
    return miss[np.isfinite(miss)]


def _describe_misfit(miss: float) -> str:
    if miss <= DOUBTFUL:
        return ""
    return f"doubtful: after fitting, the depth deviates from the placed points by {miss:.0%}"


def _views(
    frames: Frames, placed: _Placed, depths: list[NDArray[np.float32]], masks: NDArray[np.bool_] | None
) -> tuple[View, ...]:
    """Views of the placed frames; drops views that show nothing but sky."""
    views = []
    for index, (i, depth) in enumerate(zip(placed.frames, depths)):
        depth = depth if masks is None else np.where(masks[i], np.float32(np.nan), depth)
        if (np.isfinite(depth) & (depth > 0)).any():
            lens, camera = placed.path.intrinsics[index], placed.path.world_from_camera[index]
            views.append(View.of(frames[i], depth, lens, camera))
    if not views:
        raise InputError(f"No frame has any known depth. {INSTEAD}.")
    return tuple(views)
