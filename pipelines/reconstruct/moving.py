"""A scene that moves, in 3D: points for every moment, seen by one camera each or by several."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from camera.cloud import PointCloud
from camera.errors import InputError
from camera.path import CameraPath
from camera.view import FAR, View
from pipelines.method import Frames, Progress
from pipelines.reconstruct import making
from pipelines.reconstruct.making import Made, Shots, noise_words
from pipelines.reconstruct.moments import Moments, timed_zip

MOST_POINTS = 100_000
"""Of each moment."""
FLYING = 0.04
"""A pixel whose nearness differs by more from all its neighbours in a row, or in a column, floats between two surfaces."""


@dataclass(frozen=True, eq=False)
class Moving:
    """``moments``: what was made of each, all in one world; ``seconds``: when each is. ``notes``: what one should read."""

    moments: tuple[Made, ...]
    seconds: tuple[float, ...]
    notes: tuple[str, ...] = ()

    def at(self, share: float) -> Made:
        """The moment at a share 0..1 of the time, each as long as any other."""
        return self.moments[min(max(int(share * len(self.moments)), 0), len(self.moments) - 1)]

    @property
    def path(self) -> CameraPath:
        """The cameras of all moments: one of each, or of the first moment where each has several."""
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
        """``moments.zip``: for each moment pictures and cameras for COLMAP, points, and all times; see `timed_zip`."""
        return {"moments.zip": timed_zip(self.seconds, [(each.frames, each.path, each.cloud) for each in self.moments])}


def moving(
    shots: Shots, moments: Moments | None = None, *, cameras: str = "given", depth_model: str = "small"
) -> Generator[Progress | Moving, None, None]:
    """Yields `Progress` and, last, `Moving`: of ``moments``, each seen by all cameras, else a moment for each frame of ``shots``.

    ``cameras``: a value of `making.CAMERAS`; those of ``moments`` are found in the first one and hold for all. Raises
    `InputError` as `making.make`.
    """
    try:
        if moments is None:
            yield (yield from _each_frame(shots, cameras, depth_model))
        else:
            yield (yield from _each_moment(shots, moments, cameras, depth_model))
    except InputError as error:
        if shots.weights == "real":
            raise
        raise InputError(f"{noise_words(shots.weights).strip('*')} {error}") from error


# --- one camera for each moment ------------------------------------------------------------------------------------


def _each_frame(shots: Shots, cameras: str, depth_model: str) -> Generator[Progress, None, Moving]:
    views, numbers, notes = yield from _views(shots, cameras, depth_model)
    made = []
    for step, view in enumerate(views):
        yield Progress("Placing points", step, len(views))
        made.append(Made("points", view.colour[None], view.camera.with_fps(shots.path.fps), _cloud(view)))
    return Moving(tuple(made), tuple(number / shots.path.fps for number in numbers), notes)


def _views(
    shots: Shots, cameras: str, depth_model: str
) -> Generator[Progress, None, tuple[tuple[View, ...], list[int], tuple[str, ...]]]:
    """Frames with depth in one world, their numbers, and what one should read."""
    from pipelines.reconstruct.scene import scene_of

    aligned = shots.aligned and cameras == "given"
    try:
        scene = yield from scene_of(
            shots.frames, shots.path, depth=shots.depth, model=depth_model, source=shots.source, aligned=aligned,
            cameras=cameras, name=shots.name,  # type: ignore[arg-type]
        )  # fmt: skip
    except InputError as error:
        if shots.depth is None or cameras != "given" or len(shots.path) < 2:
            raise
        note = f"Depth is as it came ({shots.source}), not fitted to the cameras: {error}"
        lenses, poses = shots.path.intrinsics, shots.path.world_from_camera
        views = tuple(View.of(*each) for each in zip(shots.frames, shots.depth, lenses, poses))
        return views, list(range(len(views))), (note,)
    return scene.views, _numbers(shots.frames, scene.views), (f"Depth: {scene.source}.",)


def _numbers(frames: Frames, views: tuple[View, ...]) -> list[int]:
    """Which of the ``frames`` each view shows; views keep their order."""
    numbers, i = [], 0
    for view in views:
        while not np.array_equal(frames[i], view.colour):
            i += 1
        numbers.append(i)
        i += 1
    return numbers


def _cloud(view: View) -> PointCloud:
    from camera.points import points_of

    kept = view.known & (view.depth < FAR) & ~_flying(view)
    step = max(int(np.ceil(np.sqrt(kept.sum() / MOST_POINTS))), 1)  # a lattice: points left out at random leave specks
    kept = kept[::step, ::step]
    return PointCloud(points_of(view)[::step, ::step][kept], view.colour[::step, ::step][kept])


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


def _each_moment(shots: Shots, moments: Moments, cameras: str, depth_model: str) -> Generator[Progress, None, Moving]:
    yield Progress("Placing cameras", 0, 1)
    numbers, path, words = _placed(moments, cameras)
    made = []
    for number, view in enumerate(moments.views):
        one = Shots(view[numbers], path, f"moment {number + 1}")
        note = f"moment {number + 1} of {len(moments.views)}"
        for step in making.make(one, "points", depth_model=depth_model):
            if isinstance(step, Progress):
                yield replace(step, note=note)
            else:
                made.append(replace(step, cloud=step.cloud.thinned(MOST_POINTS)))
    notes = tuple(filter(None, (words, *made[0].notes)))
    return Moving(tuple(made), moments.seconds, notes)


def _placed(moments: Moments, cameras: str) -> tuple[list[int], CameraPath, str]:
    """Which cameras can be placed in the first moment, where they are, and how that was found."""
    from pipelines import pose

    frames, path = moments.views[0], moments.path
    if cameras == "given":
        return list(range(len(path))), path, ""
    if cameras == "refined":
        better = pose.refined(frames, path)
        return list(better.frames), better.found.path, f"Cameras refined, {better.words}"
    found = pose.reconstruct(frames, fps=path.fps)
    words = f"Cameras estimated in the first moment: {len(found.frames)} of {len(frames)} placed."
    if len(found.frames) < max(3, pose.LEAST_PLACED * len(frames)):
        raise InputError(f"Too few frames could be placed. {words} Give frames with more texture, or their cameras.")
    nominal = path.sliced(list(found.frames))  # type: ignore[arg-type]
    return list(found.frames), pose.gauge(found.path, nominal).of_path(found.path), words
