"""Turns frames with cameras into a 3D reconstruction: the entry point for the Scene tab and programs. Cheap to import."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from camera.cloud import PointCloud
from camera.errors import InputError
from camera.path import CameraPath
from camera.view import Scene, View
from pipelines.method import Clip, Frames, Progress
from pipelines.reconstruct.gaussians.settings import SplatSettings

if TYPE_CHECKING:
    import trimesh

    from pipelines.estimation.colmap import Matcher
    from pipelines.reconstruct.gaussians.fit import SplatFit

T = TypeVar("T")
KINDS = ("points", "mesh", "splats")
CAMERAS = {
    "as they are": "given",
    "refined by bundle adjustment": "refined",
    "estimated from the frames": "estimated",
}
KEEPS = {
    "everything": "everything",
    "the object in the middle": "object",
    "what the masks mark": "masks",
}
"""Which part is kept, by label. "object": the object that all cameras look at, above the ground; see
`pipelines.reconstruct.object_mask`. "masks": pixels where `Shots.marked` is True."""
BACKGROUNDS = {"nothing": "nothing", "a far dome": "dome"}
"""The background, by label. "dome": a far shell with the colours of sky and background, so that fly-throughs show no
black; see `pipelines.reconstruct.sky_dome`."""
DISPLAY_POINTS = 200_000
FIT_GIGABYTES = 6.0
"""Free GPU memory that a fit of splats needs."""


@dataclass(frozen=True, eq=False)
class Shots:
    """Frames (F,H,W,3) with the path they were shot on, the input of a reconstruction.

    ``depth`` (F,H,W), NaN where unknown, or None; ``aligned``: whether it has the cameras' scale. ``source``: source of the
    depth. ``weights``: "real", or the kind of random weights that made the frames. ``nominal``: the method did not receive
    the path. Optional masks (F,H,W) bool, see `pipelines.reconstruct.object_mask`: ``marked`` is True on the object; ``moving``
    on moving parts, which are left out.
    """

    frames: Frames
    path: CameraPath
    name: str
    depth: NDArray[np.float32] | None = None
    aligned: bool = False
    source: str = ""
    weights: str = "real"
    nominal: bool = False
    marked: NDArray[np.bool_] | None = None
    moving: NDArray[np.bool_] | None = None

    def sentence(self) -> str:
        frames, height, width, _ = self.frames.shape
        words = f"**{self.name}**: {frames} frames of {width} x {height} with their cameras"
        words += f", depth: {self.source}." if self.depth is not None else ", without their own depth."
        if self.nominal:
            words += " **The method did not receive this path**: have the cameras estimated from the frames."
        return words + (f"  \n{noise_words(self.weights)}" if self.weights != "real" else "")


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """A reconstruction made of `Shots`: ``kind`` of `KINDS`; the frames used and their cameras, in the reconstruction's world.

    ``cloud`` always exists; ``scene`` if there is depth; ``dome`` if a far background was requested, as a separate mesh;
    ``textured`` if requested: ``mesh`` with fewer triangles and a texture. ``notes``: sentences for the user.
    """

    kind: str
    frames: Frames
    path: CameraPath
    cloud: PointCloud
    scene: Scene | None = None
    mesh: trimesh.Trimesh | None = None
    fitted: SplatFit | None = None
    dome: trimesh.Trimesh | None = None
    textured: trimesh.Trimesh | None = None
    notes: tuple[str, ...] = ()

    @property
    def first(self) -> View:
        """The first view; with a plane at the points' median depth if there is no scene."""
        if self.scene is not None:
            return self.scene.first
        local = self.cloud.points @ self.path.camera_from_world[0, :3, :3].T + self.path.camera_from_world[0, :3, 3]
        ahead = local[local[:, 2] > 0, 2]
        depth = np.full(self.frames.shape[1:3], np.median(ahead) if len(ahead) else 1.0, np.float32)
        return View.of(self.frames[0], depth, self.path.intrinsics[0], self.path.world_from_camera[0])

    def sentence(self) -> str:
        words = f"{len(self.cloud):,} points"
        if self.mesh is not None:
            words = f"A mesh of {len(self.mesh.faces):,} triangles"
        if self.textured is not None:
            words += f", and one of {len(self.textured.faces):,} with a texture"
        if self.fitted is not None:
            words = self.fitted.sentence()
        return "  \n".join([words.removesuffix(".") + ".", *self.notes])


def noise_words(weights: str) -> str:
    return f"**Made with {weights} random weights: noise, in which there is no 3D.**"


def shots_of_clip(clip: Clip, *, name: str, weights: str = "real", nominal: bool = False) -> Shots:
    """Frames of a method's result, with its generated depth if there is one map per frame."""
    shots = Shots(clip.frames, clip.path, name, weights=weights, nominal=nominal)
    made = clip.scene
    if made is None or len(made.views) != len(clip.frames) or len(clip.frames) < 2:
        return shots
    views = made.fitted(clip.path.width, clip.path.height).views
    depth = np.stack([np.where(view.known, view.depth, np.nan) for view in views])
    return replace(shots, depth=depth, source=made.source)


def shots_of_result(file: str | Path) -> Shots:
    """Frames of a result's mp4. Raises `InputError` for any other file."""
    from pipelines.media.video import read_video
    from pipelines.registry import NAMES, method
    from pipelines.results.record import restore

    made = restore(file)
    frames, fps = read_video(file)
    path = made.path.with_fps(fps)
    if len(path) != len(frames):
        path = path.resampled(len(frames)).with_fps(fps)
    known = method(made.method) if made.method in NAMES else None
    path = path.resized(frames.shape[2], frames.shape[1])
    title = known.title if known else made.method
    return Shots(frames, path, f"{title}'s result", weights=made.weights, nominal=bool(known and known.nominal))


def shots_along(scene: Scene, path: CameraPath) -> Generator[Progress, None, Shots]:
    """Frames of ``scene`` rendered from its own depth along ``path``, without a method; areas behind objects are filled in, not real."""
    from camera.render.scene import render_all

    images = []
    for image in render_all(scene, path, fill="background"):
        images.append(image)
        yield Progress("Rendering frames", len(images), len(path))
    depth = np.stack([np.where(image.holes | image.far, np.float32(np.nan), image.depth) for image in images])
    source = f"of the rehearsal ({scene.source})"
    return Shots(
        np.stack([image.colour for image in images]),
        path,
        f"{scene.name}, rehearsed",
        depth,
        aligned=True,
        source=source,
    )


def shots_of_views(scene: Scene) -> Shots:
    """The views of a clip or of several views, with their depth, in one world."""
    from pipelines.reconstruct.export import posed_frames

    frames, path = posed_frames(scene)
    depth = np.stack([np.where(view.known, view.depth, np.float32(np.nan)) for view in scene.views])
    return Shots(frames, path, scene.name, depth, aligned=True, source=scene.source)


def make(
    shots: Shots,
    kind: str,
    *,
    cameras: str = "given",
    depth_model: str = "small",
    settings: SplatSettings | None = None,
    closed: bool = False,
    keep: str = "everything",
    background: str = "nothing",
    texture: bool = False,
    matcher: Matcher | None = None,
) -> Generator[Progress | Reconstruction, None, None]:
    """Yield `Progress` and `Reconstruction`; each `Reconstruction` replaces the previous one, so closing the generator keeps the best so far.

    ``closed``: the camera ends where it began, as in an orbit of 360 degrees; its drift is distributed over all frames.
    ``keep``: a value of `KEEPS`; ``background``: one of `BACKGROUNDS`. ``texture``: also makes the mesh with fewer triangles and
    a texture. ``matcher``: matches frames if cameras are refined or estimated, see `pipelines.reconstruct`. Raises `InputError`
    for too few frames, no parallax, cameras that contradict the frames, missing depth, or an end that does not show the
    beginning; the error says what can still be made.
    """
    check(shots, kind, keep, background)
    choices = Choices(cameras, depth_model, settings or SplatSettings(), closed, keep, background, texture, matcher)
    try:
        yield from _make_steps(shots, kind, choices)
    except InputError as error:
        if shots.weights == "real":
            raise
        raise InputError(f"{noise_words(shots.weights).strip('*')} {error}") from error


def run(shots: Shots, kind: str, **choices) -> Iterator[Progress | Reconstruction]:
    """Run `make` in the queue of this machine's GPU, if there is one."""
    return in_queue(lambda: make(shots, kind, **choices))


def in_queue(begin: Callable[[], Iterator[T]]) -> Iterator[T | Progress]:
    """Run the generator that ``begin`` returns, once this machine's GPU (if any) is free."""
    import torch

    from pipelines.environment import on_zerogpu

    if on_zerogpu() or not torch.cuda.is_available():
        return begin()
    from pipelines.runtime import runner

    return runner.default().exclusive(begin, gigabytes=FIT_GIGABYTES)


@dataclass(frozen=True)
class Choices:
    """Checked options of `make` and `pipelines.reconstruct.dynamic_points.find_moving_points`."""

    cameras: str
    depth_model: str
    settings: SplatSettings
    closed: bool
    keep: str
    background: str
    texture: bool
    matcher: Matcher | None


def check(shots: Shots, kind: str, keep: str, background: str) -> None:
    """Raise `InputError` for options that are unknown, contradict each other, or lack their masks."""
    if kind not in KINDS:
        raise InputError(f"The kind must be {', '.join(KINDS)}; got {kind!r}.")
    if keep not in KEEPS.values():
        raise InputError(f"The part to keep must be {', '.join(KEEPS.values())}; got {keep!r}.")
    if background not in BACKGROUNDS.values():
        raise InputError(f"The background is {', '.join(BACKGROUNDS.values())}; got {background!r}.")
    if keep == "masks" and (shots.marked is None or shots.marked.shape != shots.frames.shape[:3]):
        raise InputError(f"Keeping the masked part needs a mask for each of the {len(shots.frames)} frames; add them.")
    if keep != "everything" and background != "nothing":
        raise InputError("An object that is cut out has no background; keep everything, or leave the background out.")


def _make_steps(shots: Shots, kind: str, choices: Choices) -> Generator[Progress | Reconstruction, None, None]:
    made = yield from _points(shots, kind, choices)
    if choices.background == "dome":
        from pipelines.reconstruct.sky_dome import make_dome

        yield Progress("Background", 0, 1)
        made = replace(made, dome=make_dome(made.frames, made.path, made.cloud, made.scene))
    if kind == "mesh":
        from pipelines.reconstruct.surface.mesh import extract_mesh

        assert made.scene is not None, "missing depth has raised an error before"
        made = replace(made, mesh=(yield from extract_mesh(made.scene)))
        if choices.texture:
            from pipelines.reconstruct.surface.texture import texture_mesh

            assert made.scene is not None and made.mesh is not None
            made = replace(made, textured=(yield from texture_mesh(made.scene, made.mesh)))
    if kind == "splats":
        yield from _splats(made, choices)
    else:
        yield made


def _splats(made: Reconstruction, choices: Choices) -> Generator[Progress | Reconstruction, None, None]:
    from pipelines.reconstruct.gaussians.fit import SplatFit, fit
    from pipelines.reconstruct.gaussians.initialise import add_backdrop

    settings, start, frames, behind = choices.settings, made.cloud, made.frames, None
    weights = _weights(made.scene, settings.confidence)
    if choices.keep != "everything":
        from pipelines.reconstruct.object_mask import isolate_object

        assert made.scene is not None, "cutting out needs a scene"
        frames, clear = isolate_object(made.scene, 255 if settings.background == "white" else 0)
        weights = clear if weights is None else weights * clear
    elif made.scene is not None:
        start = add_backdrop(made.cloud, made.scene)
    if made.dome is not None:
        from pipelines.reconstruct.sky_dome import render_dome

        behind = render_dome(made.dome, made.path)
    for step in fit(frames, made.path, start, settings=settings, weights=weights, behind=behind):
        yield _add_fit(made, step, settings.refine_poses) if isinstance(step, SplatFit) else step


def _add_fit(made: Reconstruction, fitted: SplatFit, refined: bool) -> Reconstruction:
    """Add the splats, and the cameras of the fit if refined, so that files and viewer agree."""
    path = made.path.with_poses(fitted.path.world_from_camera) if refined else made.path
    return replace(made, fitted=fitted, path=path)


def _weights(scene: Scene | None, confidence: str) -> NDArray[np.float32] | None:
    """(F,H,W) in 0..1, scaled per frame as in upstream, or None for equal weights.

    Sky has no depth that other views could confirm: its weight is 1, otherwise it would never be fitted.
    """
    if confidence == "none":
        return None
    if scene is None:
        raise InputError("Pixels can be weighted only if there is depth; choose none for their weights.")
    import torch

    from pipelines.reconstruct.gaussians.initialise import log_confidence
    from pipelines.reconstruct.gaussians.loss import weights_of

    found = [weights_of(torch.tensor(each), confidence).numpy() for each in log_confidence(scene)]  # type: ignore[arg-type]
    return np.where([view.known for view in scene.views], found, np.float32(1))


def _points(shots: Shots, kind: str, choices: Choices) -> Generator[Progress, None, Reconstruction]:
    """The points of all frames; only a few triangulated corners if there is no depth and points or splats are wanted."""
    from pipelines.reconstruct.points import DOUBTFUL, fuse_and_confirm
    from pipelines.reconstruct.scene import scene_from_frames, sparse_cloud

    aligned = shots.aligned and choices.cameras == "given"
    try:
        scene = yield from scene_from_frames(
            shots.frames, shots.path, depth=shots.depth, model=choices.depth_model, source=shots.source, aligned=aligned,
            cameras=choices.cameras, closed=choices.closed, name=shots.name,  # type: ignore[arg-type]
            keep=shots.marked if choices.keep == "masks" else None, masks=shots.moving, matcher=choices.matcher,
        )  # fmt: skip
    except InputError as error:
        plain = choices.cameras == "given" and not choices.closed and choices.keep == "everything"
        if shots.depth is not None or kind == "mesh" or not plain:
            raise
        cloud = sparse_cloud(shots.frames, shots.path, masks=shots.moving)
        note = f"Started from only {len(cloud)} triangulated points, as no depth is available: {error}"
        return Reconstruction(kind, shots.frames, shots.path, cloud, notes=(note,))
    if choices.keep == "object":
        from pipelines.reconstruct.object_mask import cut_out, object_masks

        yield Progress("Cutting the object out", 0, 1)
        scene = cut_out(scene, object_masks(scene))
    cloud, agreeing = yield from fuse_and_confirm(scene, least_views=min(2, len(scene.views) - 1))
    used, notes = shots_of_views(scene), (f"Depth: {scene.source}.",)
    if agreeing < DOUBTFUL:
        notes += (
            f"**Doubtful**: other views confirm only {agreeing:.0%} of the points. The cameras contradict the frames, the "
            "scene moves, or the depth does not fit; have the cameras refined or estimated.",
        )
    return Reconstruction(kind, used.frames, used.path, cloud, scene, notes=notes)
