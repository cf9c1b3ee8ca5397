"""The state of a visitor's Scene tab: the opened frames and the reconstruction."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from camera import formats
from camera.errors import InputError
from camera.path import CameraPath
from camera.trajectories import film_script
from pipelines.inputs.open import VIDEOS, read_material
from pipelines.media.video import probe
from pipelines.reconstruct.dynamic_points import MovingPoints
from pipelines.reconstruct.pipeline import Reconstruction, Shots, shots_of_result, shots_of_views
from pipelines.reconstruct.time_slices import GRID, MOMENT, Moments, moments_of_files
from pipelines.results.depth_frames import read_saved_depth
from pipelines.results.embedded_scene import read_embedded_scene
from pipelines.results.record import TAG, restore
from tabs.project.folders import new_folder

if TYPE_CHECKING:
    from pipelines.inputs.posed_files import PosedInput

ID = "scene"
PRIVATE: dict[str, Any] = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}
AS_SHOT, FILM, OWN_FILE, ROUND = (
    "The path it was shot on",
    "Film moves",
    "Path file",
    "Round the ellipse of its cameras",
)
FLIGHTS = (AS_SHOT, FILM, OWN_FILE, ROUND)


PASSES, STANDS = "passes", "stands still"
TIMES = (PASSES, STANDS)
"""How time passes while the camera flies through a moving scene."""
CLOSE, TURNED = 0.15, 270.0
"""A path is closed if it ends within this share of its extent from its start, after at least this many degrees."""


@dataclass(frozen=True, eq=False)
class OpenedFrames:
    """Frames with cameras. ``moments``: if several cameras show each of several moments, of which ``shots`` is the first.
    ``moves``: whether the scene is known to move."""

    shots: Shots
    moments: Moments | None = None
    moves: bool = False

    @property
    def closes(self) -> bool:
        """Whether the camera returns to its start, after an orbit."""
        path = self.shots.path
        apart = np.linalg.norm(path.centres - path.centres[0], axis=1)
        forward = path.world_from_camera[:, :3, 2]
        steps = np.degrees(np.arccos(np.clip((forward[1:] * forward[:-1]).sum(axis=1), -1, 1)))
        return bool(apart[-1] < CLOSE * apart.max() and steps.sum() > TURNED)

    def sentence(self) -> str:
        words = self.shots.sentence()
        if self.moments is not None:
            words += f"  \nThe scene moves: {len(self.moments.views)} moments, each seen by all of these cameras."
        elif self.moves:
            words += "  \nThe scene moves: each frame is a separate moment."
        return words + ("  \nThe camera comes back to where it began." if self.closes else "")


@dataclass(frozen=True, eq=False)
class SceneTabState:
    """``opened``: the opened frames; ``made``: their last reconstruction; ``flight``: an uploaded path file.

    ``moving``: all moments of points in motion; ``made`` is then the first.
    """

    opened: OpenedFrames | None = None
    made: Reconstruction | None = None
    moving: MovingPoints | None = None
    flight: CameraPath | None = None
    folder: Path = field(default_factory=new_folder)

    def __deepcopy__(self, memo: dict) -> SceneTabState:
        """Called by Gradio to copy the page's value for a session: gives it its own folder."""
        return replace(self, folder=new_folder())

    def with_opened(self, opened: OpenedFrames) -> SceneTabState:
        """With other frames; removes the files of earlier reconstructions."""
        shutil.rmtree(self.folder, ignore_errors=True)
        return replace(self, opened=opened, made=None, moving=None)

    def ready(self) -> OpenedFrames:
        if self.opened is None:
            raise InputError(
                "There are no frames yet: drop a result's mp4, open frames with cameras, or try an example."
            )
        return self.opened

    def marked(self, files: Sequence[str | Path], *, moving: bool = False) -> SceneTabState:
        """With the object, or the ``moving`` parts, marked by a mask for each frame; unmarked without ``files``."""
        from pipelines.reconstruct.object_mask import masks_of_files

        if self.opened is None and not files:
            return self
        opened = self.ready()
        count, height, width = opened.shots.frames.shape[:3]
        masks = masks_of_files(files, count, width, height) if files else None
        shots = replace(opened.shots, **{"moving" if moving else "marked": masks})
        return replace(self, opened=replace(opened, shots=shots))

    def with_made(self, made: Reconstruction | MovingPoints) -> SceneTabState:
        if isinstance(made, MovingPoints):
            return replace(self, made=made.moments[0], moving=made)
        return replace(self, made=made, moving=None)

    def sentence(self) -> str:
        """A sentence about the reconstruction."""
        return self.thing().sentence() if self.moving is None else self.moving.sentence()

    def thing(self) -> Reconstruction:
        if self.made is None:
            raise InputError("Make points, a mesh or splats first; then you can view, fly through and download them.")
        return self.made

    def file(self, name: str) -> Path:
        """Path for a file; the folder is removed with the session."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / name

    def path(self, source: str, film: str, frames: int, longest: int) -> CameraPath:
        """The path of a flight, at most ``longest`` pixels a side, both sides even."""
        made = self.thing()
        shot_on = self.moving.path if self.moving is not None else made.path
        if source == FILM:
            path = film_script.path_of(film, made.first, frames=frames, fps=24)
        elif source == ROUND:
            from pipelines.reconstruct.gaussians.ellipse_path import ellipse

            path = ellipse(shot_on, frames=frames, fps=24)
        elif source == OWN_FILE:
            if self.flight is None:
                raise InputError("Upload a path file first.")
            path = self.flight.moved_to(shot_on.world_from_camera[0])
        elif source == AS_SHOT:
            path = shot_on
        else:
            raise InputError(f"The path of a flight is one of {', '.join(FLIGHTS)}; got {source!r}.")
        scale = min(1.0, longest / max(path.width, path.height))
        width, height = (max(round(side * scale / 2) * 2, 2) for side in (path.width, path.height))
        return path.resized(width, height)

    def frames(self, path: CameraPath, time: str = PASSES, moment: float = 0.0) -> Iterator[NDArray[np.uint8]]:
        """The pictures (H,W,3) of a flight; in a moving scene ``time`` passes once, or is frozen at a share of it."""
        from pipelines.reconstruct import display

        if time not in TIMES:
            raise InputError(f"Time {' or '.join(TIMES)}; got {time!r}.")
        made = self.thing()
        if self.moving is None:
            yield from display.render_flight(made, path)
            return
        for i in range(len(path)):
            now = self.moving.at(moment if time == STANDS else i / len(path))
            yield from display.render_flight(now, path.sliced(slice(i, i + 1)))


def read_result(files: Sequence[str | Path]) -> OpenedFrames:
    """A result's mp4, with the files beside it if it shows moments of a moving scene.

    Files that its session saved beside the mp4 are found automatically, including generated depth.
    """
    given = [Path(file) for file in files]
    if len(given) == 1:
        given += sorted(given[0].parent.glob(f"{given[0].stem}-*"))
    videos = [file for file in given if file.suffix.lower() == ".mp4" and not MOMENT.search(file.name)]
    videos = videos if len(videos) < 2 else [file for file in videos if TAG in probe(file).metadata]
    if len(videos) != 1:
        raise InputError(
            f"Choose one mp4 made by Reshoot and, for a 4D result, the files beside it; got {len(videos)}."
        )
    shots, made = shots_of_result(videos[0]), restore(videos[0])
    if made.settings.get("key_frames"):
        return _open_moments(shots, given)
    depth, box = read_saved_depth(videos[0]), read_embedded_scene(videos[0])
    if depth is not None:
        shots = replace(shots, depth=depth, source=f"generated with {shots.name}")
    moves = made.settings.get("mode") in MOVING_MODES or (box is not None and box.scene.kind == "clip")
    return OpenedFrames(shots, moves=moves)


MOVING_MODES = ("4D", "video")
"""Modes of GenXD in which the scene moves."""


def _open_moments(shots: Shots, files: Sequence[Path]) -> OpenedFrames:
    """The moments of DimensionX's 4D result, whose video shows them small and side by side."""
    if not any(file.name.endswith(GRID) for file in files):
        raise InputError(
            "This video shows several moments side by side; choose all files of the result at once (the video, its "
            "grid.json and the videos of its moments), or press Make 3D of this beside it."
        )
    moments = moments_of_files(files)
    first = replace(shots, frames=moments.views[0], path=moments.path, name=shots.name.replace("result", "4D result"))
    return OpenedFrames(first, moments, moves=True)


def read_frames(files: Sequence[str | Path], cameras: str | Path | None) -> OpenedFrames:
    """The user's own frames: a video, pictures or a zip, with a camera file or with cameras inside.

    Cameras are estimated if none are given. Raises `InputError`.
    """
    given = [Path(file) for file in files]
    if len(given) == 1 and given[0].suffix.lower() in VIDEOS:
        return OpenedFrames(_open_video(given[0], cameras))
    if len(given) == 1 and given[0].suffix.lower() == ".zip":
        return OpenedFrames(_open_zip(given[0]))
    from pipelines.inputs.posed_files import gather

    return OpenedFrames(_shots_of_posed(gather([*given, *([Path(cameras)] if cameras else [])]), "Your pictures"))


def _shots_of_posed(found: PosedInput, name: str) -> Shots:
    return Shots(found.views.pictures, found.views.path, name)


def _open_video(file: Path, cameras: str | Path | None) -> Shots:
    from pipelines.media.video import read_video

    if cameras is None:
        return shots_of_views(read_material([file]).scene)
    frames, fps = read_video(file)
    path = formats.read(Path(cameras).name, Path(cameras).read_bytes())
    if len(path) != len(frames):
        raise InputError(
            f"{Path(cameras).name} has {len(path)} cameras for {len(frames)} frames; the numbers must be equal."
        )
    return Shots(frames, path.resized(frames.shape[2], frames.shape[1]).with_fps(fps), file.stem)


def _open_zip(file: Path) -> Shots:
    """A posed clip with depth, or pictures with their cameras."""
    from pipelines.inputs.archive import open_folder
    from pipelines.inputs.gen3c_npz import clip_folder, read_scene
    from pipelines.inputs.posed_files import gather_folder
    from pipelines.inputs.reconstructions.vipe import is_vipe

    with open_folder(file) as folder:
        place = clip_folder(folder)
        if is_vipe(place) or (place / "rgb.mp4").is_file():
            return shots_of_views(read_scene(place)[0])
        return _shots_of_posed(gather_folder(place, name=file.stem), file.stem)
