"""A moving scene in 3D: points for every moment, seen by one or several cameras."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from camera.cloud import PointCloud
from camera.errors import InputError
from camera.path import CameraPath
from camera.view import Scene, View
from pipelines.method import Frames, Progress
from pipelines.reconstruct import pipeline
from pipelines.reconstruct.gaussians.settings import SplatSettings
from pipelines.reconstruct.pipeline import Choices, Reconstruction, Shots, noise_words
from pipelines.reconstruct.time_slices import Moments, timed_zip

if TYPE_CHECKING:
    import trimesh

    from pipelines.estimation.colmap import Matcher

MOST_POINTS = 100_000
"""Maximum number of points per moment."""
FLYING = 0.04
"""A pixel whose nearness differs by more from all its neighbours in a row, or in a column, floats between two surfaces."""


@dataclass(frozen=True, eq=False)
class MovingPoints:
    """``moments``: the reconstruction of each moment, all in one world; ``seconds``: their times. ``notes``: for the user."""

    moments: tuple[Reconstruction, ...]
    seconds: tuple[float, ...]
    notes: tuple[str, ...] = ()

    def at(self, share: float) -> Reconstruction:
        """The moment at a share 0..1 of the time; all moments have the same length."""
        return self.moments[min(max(int(share * len(self.moments)), 0), len(self.moments) - 1)]

    @property
    def path(self) -> CameraPath:
        """The cameras of all moments: one per moment, or those of the first moment if each has several."""
        if len(self.moments[0].path) > 1:
            return self.moments[0].path
        poses, lenses = (
            np.concatenate([getattr(moment.path, name) for moment in self.moments])
            for name in ("world_from_camera", "intrinsics")
        )
        return CameraPath(poses, lenses, self.moments[0].path.width, self.moments[0].path.height, self._fps)

    @property
    def _fps(self) -> float:
        between = (self.seconds[-1] - self.seconds[0]) / max(len(self.seconds) - 1, 1)
        return min(max(1 / between, 1.0), 60.0) if between > 0 else 1.0

    def sentence(self) -> str:
        cameras = len(self.moments[0].path)
        points = int(np.median([len(moment.cloud) for moment in self.moments]))
        words = f"{len(self.moments)} moments of {self.seconds[-1] - self.seconds[0]:.1f} seconds, each about {points:,} points seen by "
        return "  \n".join([words + ("one camera." if cameras == 1 else f"{cameras} cameras."), *self.notes])

    def files(self) -> dict[str, bytes]:
        """``moments.zip``: for each moment pictures and cameras for COLMAP, points, and all times; see `timed_zip`.

        With a far background also ``background.ply``, that of the first moment."""
        from pipelines.reconstruct.export import mesh_ply

        steps = [(each.frames, each.path, each.cloud) for each in self.moments]
        dome = self.moments[0].dome
        behind = {} if dome is None else {"background.ply": mesh_ply(dome)}
        return {"moments.zip": timed_zip(self.seconds, steps), **behind}


def find_moving_points(
    shots: Shots,
    moments: Moments | None = None,
    *,
    cameras: str = "given",
    depth_model: str = "small",
    closed: bool = False,
    keep: str = "everything",
    background: str = "nothing",
    matcher: Matcher | None = None,
) -> Generator[Progress | MovingPoints, None, None]:
    """Yield `Progress` and, last, `MovingPoints`: of ``moments``, each seen by all cameras, otherwise one moment per frame of ``shots``.

    The options are those of `pipeline.make`; cameras of ``moments`` are estimated in the first one and used for all. Pixels
    marked in ``shots.moving`` are ignored when cameras and depth are fitted, but are part of the result. Raises `InputError`
    as `pipeline.make`, and for masks together with ``moments``.
    """
    pipeline.check(shots, "points", keep, background)
    choices = Choices(cameras, depth_model, SplatSettings(), closed, keep, background, False, matcher)
    try:
        if moments is None:
            yield (yield from _each_frame(shots, choices))
        else:
            yield (yield from _each_moment(shots, moments, choices))
    except InputError as error:
        if shots.weights == "real":
            raise
        raise InputError(f"{noise_words(shots.weights).strip('*')} {error}") from error


# --- one camera for each moment ------------------------------------------------------------------------------------


def _each_frame(shots: Shots, choices: Choices) -> Generator[Progress, None, MovingPoints]:
    scene, notes = yield from _scene(shots, choices)
    if choices.keep == "object":
        from pipelines.reconstruct.object_mask import cut_out, object_masks

        yield Progress("Cutting the object out", 0, 1)
        scene = cut_out(scene, object_masks(scene))
    made = []
    for step, view in enumerate(scene.views):
        yield Progress("Placing points", step, len(scene.views))
        made.append(Reconstruction("points", view.colour[None], view.camera.with_fps(shots.path.fps), _cloud(view)))
    if choices.background == "dome":
        yield Progress("Background", 0, 1)
        dome = _dome(scene, made)
        made = [replace(each, dome=dome) for each in made]
    seconds = tuple(number / shots.path.fps for number in _numbers(shots.frames, scene.views))
    return MovingPoints(tuple(made), seconds, notes)


def _scene(shots: Shots, choices: Choices) -> Generator[Progress, None, tuple[Scene, tuple[str, ...]]]:
    """Frames with depth in one world, and notes for the user."""
    from pipelines.reconstruct.scene import scene_from_frames

    plain = choices.cameras == "given" and not choices.closed
    mask = shots.marked if choices.keep == "masks" else None
    try:
        scene = yield from scene_from_frames(
            shots.frames, shots.path, depth=shots.depth, model=choices.depth_model, source=shots.source,
            aligned=shots.aligned and choices.cameras == "given", cameras=choices.cameras, closed=choices.closed,  # type: ignore[arg-type]
            matcher=choices.matcher, masks=shots.moving, keep=mask, movers=True, name=shots.name,
        )  # fmt: skip
    except InputError as error:
        if shots.depth is None or not plain or len(shots.path) < 2:
            raise
        note = f"Depth is as it came ({shots.source}), not fitted to the cameras: {error}"
        depth = shots.depth if mask is None else np.where(mask, shots.depth, np.float32(np.nan))
        lenses, poses = shots.path.intrinsics, shots.path.world_from_camera
        views = tuple(View.of(*each) for each in zip(shots.frames, depth, lenses, poses) if np.isfinite(each[1]).any())
        if not views:
            raise InputError("The masks leave nothing of known depth; mark the object, or keep everything.") from error
        return Scene(views, "views", "relative", shots.path.fps, shots.source, shots.name), (note,)
    return scene, (f"Depth: {scene.source}.",)


def _dome(scene: Scene, made: list[Reconstruction]) -> trimesh.Trimesh:
    """One far background for all frames, behind the points of every moment."""
    from pipelines.reconstruct.export import posed_frames
    from pipelines.reconstruct.sky_dome import make_dome

    frames, path = posed_frames(scene)
    return make_dome(frames, path, PointCloud.joined(each.cloud for each in made), scene)


def _numbers(frames: Frames, views: tuple[View, ...]) -> list[int]:
    """Index into ``frames`` of each view's frame; views are in the same order."""
    numbers, i = [], 0
    for view in views:
        while not np.array_equal(frames[i], view.colour):
            i += 1
        numbers.append(i)
        i += 1
    return numbers


def _cloud(view: View) -> PointCloud:
    from camera.unproject import points_of

    valid = view.known & ~_flying(view)
    # a lattice: dropping points at random leaves speckles
    step = max(int(np.ceil(np.sqrt(valid.sum() / MOST_POINTS))), 1)
    valid = valid[::step, ::step]
    return PointCloud(points_of(view)[::step, ::step][valid], view.colour[::step, ::step][valid])


def _flying(view: View) -> NDArray[np.bool_]:
    """(H,W): pixels between two surfaces, as blurred depth has at edges."""
    near = np.where(view.known, 1 / view.depth, np.nan)
    flying = np.zeros(near.shape, bool)
    with np.errstate(invalid="ignore"):
        for axis in (0, 1):
            unlike = np.abs(np.diff(near, axis=axis)) > FLYING * near.take(range(1, near.shape[axis]), axis)
            none = np.ones_like(unlike.take([0], axis))
            flying |= np.concatenate([none, unlike], axis) & np.concatenate([unlike, none], axis)
    return flying


# --- several cameras for each moment -------------------------------------------------------------------------------


def _each_moment(shots: Shots, moments: Moments, choices: Choices) -> Generator[Progress, None, MovingPoints]:
    if choices.keep == "masks" or shots.moving is not None:
        raise InputError("Masks belong to the frames of one path, and here every moment has its own; leave them out.")
    yield Progress("Placing cameras", 0, 1)
    numbers, path, words = _place_cameras(moments, choices)
    made = []
    for number, view in enumerate(moments.views):
        one = Shots(view[numbers], path, f"moment {number + 1}")
        note = f"moment {number + 1} of {len(moments.views)}"
        steps = pipeline.make(
            one, "points", depth_model=choices.depth_model, keep=choices.keep, background=choices.background
        )
        for step in steps:
            if isinstance(step, Progress):
                yield replace(step, note=note)
            else:
                made.append(replace(step, cloud=step.cloud.thinned(MOST_POINTS)))
    notes = tuple(filter(None, (words, *made[0].notes)))
    return MovingPoints(tuple(made), moments.seconds, notes)


def _place_cameras(moments: Moments, choices: Choices) -> tuple[list[int], CameraPath, str]:
    """Indices of the cameras that can be placed in the first moment, their path, and a description of the method."""
    from pipelines.estimation import sfm
    from pipelines.reconstruct import loop_closure

    frames, path, words = moments.views[0], moments.path, ""
    pairing = "closed" if choices.closed else "auto"
    if choices.closed and choices.cameras != "estimated":
        ended = loop_closure.close_loop(frames, path)
        path, words = ended.path, f"First moment {ended.words}."
    if choices.cameras == "given":
        return list(range(len(path))), path, words
    if choices.cameras == "refined":
        better = sfm.refine_cameras(frames, path, pairing=pairing, matcher=choices.matcher)
        return list(better.frames), better.found.path, f"{words} Cameras refined, {better.words}".strip()
    found = sfm.reconstruct(frames, fps=path.fps, pairing=pairing, matcher=choices.matcher)
    words = f"Cameras estimated in the first moment: {len(found.frames)} of {len(frames)} placed."
    if len(found.frames) < max(3, sfm.LEAST_PLACED * len(frames)):
        raise InputError(f"Too few frames could be placed. {words} Give frames with more texture, or their cameras.")
    if choices.closed:
        found, ended = loop_closure.join_ends(frames, found, matcher=choices.matcher)
        words = f"{words} First moment {ended}."
    nominal = path.sliced(list(found.frames))  # type: ignore[arg-type]
    return list(found.frames), sfm.fit_gauge(found.path, nominal).of_path(found.path), words
