"""The Python API: open a picture, rehearse a path over it, and shoot it. Heavy packages are imported only when needed."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from camera.errors import InputError
from pipelines.method import Clip, Method, Progress
from pipelines.options import RunOptions
from pipelines.project.look import Look, exposure_of
from pipelines.registry import NAMES, method
from pipelines.runtime.dispatch import generate
from pipelines.shot import Shot

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from camera.path import CameraPath, Fit
    from camera.render.painters import Renderer
    from camera.view import Scene
    from pipelines.estimation.depth import Depth
    from pipelines.media.image import DepthMeaning, Picture
    from pipelines.rehearsal import Holes
    from pipelines.rehearsal import Rehearsal as Rehearsed
    from pipelines.results.record import SavedResult
    from pipelines.runtime.progress_clock import Report
    from pipelines.splats.formats.axes import Up

GUESS = "guess"


def open_picture(
    file: str | Path,
    depth: str | Path | NDArray[np.float32] = "depth-anything-v2-small",
    *,
    meaning: DepthMeaning = "distance",
    scale: float = 1.0,
    fov_degrees: float | None = None,
) -> Scene:
    """A picture with depth as a still scene, in the picture's own size.

    ``depth``: a depth model by name, a depth map as a file (PNG, TIFF, EXR, PFM, npy, npz) or as an array (H,W) along z, or
    "guess" for a made-up floor and backdrop. ``meaning`` and ``scale`` say what the numbers of a file are (one of
    `pipelines.media.depth_map.meanings.MEANINGS`, times ``scale``). ``fov_degrees``: horizontal field of view; else the depth
    model's, the depth map's, the picture's, or 55. Warns with `FileNote` about what a reader ignored or assumed. Raises
    `InputError` for files that cannot be read and models that are not available.
    """
    from pipelines.inputs.picture import scene_from
    from pipelines.media.image import read_picture

    picture = read_picture(file)
    _warn(picture.notes)
    found = _depth(picture, depth, meaning, scale)
    return scene_from(picture, found, fov_degrees=fov_degrees, name=Path(file).stem)


def _depth(picture: Picture, depth: Any, meaning: DepthMeaning, scale: float) -> Depth:
    import numpy as np

    from pipelines.estimation.depth import MODELS, Depth, depth_of
    from pipelines.inputs.picture import guess_layout
    from pipelines.media.depth_map.read import read_depth_map

    if not isinstance(depth, (str, Path)):
        return Depth(np.asarray(depth, np.float32), "relative", "given depth")
    if depth == GUESS:
        return guess_layout(picture.colour)
    models = {model.key: model for model in MODELS.values()} | {_code_name(m.label): m for m in MODELS.values()}
    if str(depth) in models:
        return depth_of(picture, models[str(depth)])
    if not Path(depth).is_file():
        names = ", ".join(_code_name(model.label) for model in MODELS.values())
        raise InputError(f"There is no depth model or depth map {str(depth)!r}; the models are {names}, {GUESS}.")
    read = read_depth_map(depth, meaning, scale=scale)
    _warn(read.notes)
    return Depth(read.values, read.unit, "given depth", read.fov_degrees)


def _warn(notes: Iterable[str]) -> None:
    """Raise warnings about what a reader ignored or assumed."""
    from camera.formats import FileNote

    for note in notes:
        warnings.warn(note, FileNote, stacklevel=4)


def _code_name(label: str) -> str:
    """A model's label as an identifier: without the part in brackets, words joined by hyphens."""
    return "-".join(label.split("(")[0].lower().split())


def open_splats(
    file: str | Path, *, up: Up = "auto", camera: CameraPath | None = None, fov_degrees: float = 60.0
) -> Scene:
    """A file of Gaussian splats (3DGS or compressed .ply, .splat, SPZ, SOG, glTF) as a still scene.

    Methods receive it as one picture with depth, rendered from ``camera``'s first frame, or without ``camera`` from the
    origin or from in front of the scene; rehearsals draw the splats. ``up``: the file's up axis ("y-down", "y-up", "z-up",
    "z-down"), "auto" for the convention of its format. ``fov_degrees``: horizontal, if no camera is given. Raises
    `InputError` for other files.
    """
    from pipelines.splats import scene

    return scene.open_splats(file, up=up, camera=camera, fov_degrees=fov_degrees)[0]


def control_pack(scene: Scene, path: CameraPath, file: str | Path) -> Path:
    """One zip for other video models: warped colour, holes, depth, normals, flow, tracks, a grey-box and the camera.

    ``scene`` is brought to the path's size; see `pipelines.pack.readme` for the parts and their conventions. Raises
    `InputError` for too many pixels.
    """
    from pipelines.pack.make import pack
    from pipelines.pack.targets import describe_targets

    scene = scene.fitted(path.width, path.height)
    for _ in pack(scene, path, Path(file), targets=describe_targets(scene, path)):
        pass
    return Path(file)


def scene_file(scene: Scene, path: CameraPath, file: str | Path) -> Path:
    """The scene's surface, or its splats, with the animated camera as one file for other programs; see
    `pipelines.pack.scene_file`. ``file`` ends in .usdc, .usda (both need ``usd-core``), .glb or .html. Raises `InputError`."""
    from pipelines.pack.scene_file import scene_file as write

    return write(scene, path, file)


@dataclass(frozen=True, eq=False)
class Rehearsal:
    """A rehearsal of a path, which is rendered when you save it."""

    scene: Scene
    path: CameraPath
    renderer: Renderer = "mesh"
    holes: Holes = "filled"
    look: Look = field(default_factory=Look)

    def save(self, file: str | Path) -> Rehearsed:
        """Render to an mp4. The returned value says what share of each frame the scene does not show, in numbers and words."""
        from pipelines.rehearsal import rehearse

        file = Path(file)
        file.parent.mkdir(parents=True, exist_ok=True)
        exposure = exposure_of(self.look, self.scene)
        *_, last = rehearse(self.scene, self.path, file, renderer=self.renderer, holes=self.holes, exposure=exposure)
        assert not isinstance(last, Progress)
        return last


def rehearse(
    scene: Scene,
    path: CameraPath,
    *,
    side: int = 1280,
    renderer: Renderer = "mesh",
    holes: Holes = "filled",
    aperture: float = 0.0,
    focus: str = "",
    shutter: float = 0.0,
) -> Rehearsal:
    """Prepare a rehearsal of ``path`` over the 3D cache of ``scene``; runs on any CPU, without weights. Call `Rehearsal.save`.

    ``side``: pixels of the longer side, at most the path's own. ``holes``: "filled" from the background, "remembered" from
    static parts at other times of a clip, "shown" in a signal colour, or "map". ``aperture``, ``focus``, ``shutter``: depth
    of field and motion blur, see `pipelines.project.look.Look`.
    """
    scale = min(1.0, side / max(path.width, path.height))
    width, height = (max(16, round(length * scale)) for length in (path.width, path.height))
    look = Look(aperture=aperture, focus=focus, shutter=shutter)
    return Rehearsal(scene.fitted(width, height, "stretch"), path.resized(width, height), renderer, holes, look)


@dataclass(frozen=True, eq=False)
class Result:
    """The result of a shot. ``report``: phases, seconds, memory and revisions of the weights; None while it still runs."""

    shot: Shot
    clip: Clip
    report: Report | None = None

    @property
    def frames(self) -> NDArray[np.uint8]:
        """(F,H,W,3) RGB."""
        return self.clip.frames

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user; the first says that weights were random, if they were."""
        weights = self.shot.options.weights
        made_up = (f"Made with {weights} random weights: noise, not a picture.",) if weights != "real" else ()
        return (*made_up, *self.clip.notes)

    def save(self, file: str | Path) -> SavedResult:
        """Write the mp4 with its record inside; beside it, write the record as JSON and the method's other files."""
        from pipelines.results.embedded_scene import scene_to_embed
        from pipelines.results.record import record, save

        file = Path(file)
        if file.suffix.lower() != ".mp4":
            raise InputError(f"A shot is saved as mp4; use a name that ends in .mp4 instead of {file.name!r}.")
        carries = scene_to_embed(self.clip, self.shot.scene, goes_on=self.shot.method.goes_on is not None)
        return save(file.parent, file.stem, self.clip, record(self.shot, report=self.report), carries=carries)


class Shooter:
    """The type of `shoot`: call it to get the result, or iterate over `steps` to follow progress."""

    def __call__(self, name: str, scene: Scene, path: CameraPath, **wishes: Any) -> Result:
        """Shoot ``path`` through ``scene`` with the method ``name`` and wait for the `Result`; see `prepare`."""
        last: Result | None = None
        for item in self.steps(name, scene, path, **wishes):
            if isinstance(item, Result):
                last = item
        if last is None:
            raise InputError("The run ended without a video; please report it with your settings.")
        return last

    def steps(self, name: str, scene: Scene, path: CameraPath, **wishes: Any) -> Iterator[Progress | Result]:
        """Like calling it, step by step: yields `Progress`, and a `Result` for every clip; each replaces the previous one.

        Closing the iterator cancels after the step in progress.
        """
        shot = self.prepare(name, scene, path, **wishes)
        clip: Clip | None = None
        for item in generate(shot):
            if isinstance(item, Progress):
                yield item
            elif isinstance(item, Clip):
                clip = item
                yield Result(shot, clip)
            elif clip is not None:
                yield Result(shot, clip, item)

    def prepare(
        self,
        name: str,
        scene: Scene,
        path: CameraPath,
        *,
        size: tuple[int, int] | None = None,
        fit: Fit = "crop",
        after: Result | None = None,
        **wishes: Any,
    ) -> Shot:
        """Prepare the shot: fit scene and path to ``size`` (width, height in pixels; by default the method's own) by ``fit``
        ("crop", "pad", "stretch"). The path keeps its number of frames; errors list the numbers that a method accepts.

        ``wishes``: settings of the method by name (seed, steps, prompt ...) and options of a run (weights, memory ...).
        ``after``: a result that the path begins with. Raises `InputError` for an unknown method or setting.
        """
        if name not in NAMES:
            raise InputError(f"There is no method {name!r}; the methods are {', '.join(NAMES)}.")
        known = method(name)
        settings, options = _sort_wishes(known, wishes)
        frame: Any = known.moves()
        width, height = size or (frame.width, frame.height)
        clip = after.clip if after else None
        return Shot(known, scene.fitted(width, height, fit), path.fitted(width, height, fit), settings, options, clip)


def _sort_wishes(known: Method, wishes: dict[str, Any]) -> tuple[Any, Any]:
    """Settings of the method and options of the run among ``wishes``."""
    ours, theirs = known.settings.controls(), RunOptions.controls()
    if unknown := [name for name in wishes if name not in ours and name not in theirs]:
        raise InputError(f"{known.title} has no setting {unknown[0]!r}; it has {', '.join([*ours, *theirs])}.")
    settings = known.settings.of({name: value for name, value in wishes.items() if name in ours})
    return settings, RunOptions.of({name: value for name, value in wishes.items() if name not in ours})


shoot = Shooter()
