"""What one visitor has on the Scene tab: the frames that were opened, and what was made of them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from camera import formats, timeline
from camera.errors import InputError
from camera.path import CameraPath
from pipelines.clips import kept
from pipelines.material import VIDEOS, read_material
from pipelines.reconstruct.making import (
    Made,
    Shots,
    shots_of_clip,
    shots_of_result,
    shots_of_views,
)
from tabs.shoot import KEPT
from tabs.take import Take, new_folder

if TYPE_CHECKING:
    from pipelines.genxd.given import Given

AS_SHOT, FILM, OWN_FILE, ROUND = (
    "The path it was shot on",
    "Film moves",
    "Path file",
    "Round the ellipse of its cameras",
)
FLIGHTS = (AS_SHOT, FILM, OWN_FILE, ROUND)


@dataclass(frozen=True, eq=False)
class Solid:
    """``shots`` as opened, ``made`` the last thing made of them, ``flight`` an uploaded path file."""

    shots: Shots | None = None
    made: Made | None = None
    flight: CameraPath | None = None
    folder: Path = field(default_factory=new_folder)

    def __deepcopy__(self, memo: dict) -> Solid:
        """How Gradio makes a session's own from the page's: with a folder that no other session has."""
        return replace(self, folder=new_folder())

    def opened(self, shots: Shots) -> Solid:
        """With other frames; the files of what was made of those before go away."""
        shutil.rmtree(self.folder, ignore_errors=True)
        return replace(self, shots=shots, made=None)

    def ready(self) -> Shots:
        if self.shots is None:
            raise InputError(
                "There is nothing to make 3D of yet: drop a result's mp4, give frames with cameras, or try an example."
            )
        return self.shots

    def thing(self) -> Made:
        if self.made is None:
            raise InputError("Make points, a mesh or splats first; then it can be shown, flown through and taken home.")
        return self.made

    def file(self, name: str) -> Path:
        """Where to write a file; the folder goes away with the session."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / name

    def path(self, source: str, film: str, frames: int, longest: int) -> CameraPath:
        """The path of a flight, at most ``longest`` pixels a side, both sides even."""
        made = self.thing()
        if source == FILM:
            path = timeline.path_of(film, made.first, frames=frames, fps=24)
        elif source == ROUND:
            from pipelines.reconstruct.splat_flight import ellipse

            path = ellipse(made.path, frames=frames, fps=24)
        elif source == OWN_FILE:
            if self.flight is None:
                raise InputError("Upload a path file first.")
            path = self.flight.moved_to(made.path.world_from_camera[0])
        elif source == AS_SHOT:
            path = made.path
        else:
            raise InputError(f"The path of a flight is one of {', '.join(FLIGHTS)}; got {source!r}.")
        scale = min(1.0, longest / max(path.width, path.height))
        width, height = (max(round(side * scale / 2) * 2, 2) for side in (path.width, path.height))
        return path.resized(width, height)


def of_result(file: str | Path, take: Take | None = None) -> Shots:
    """A result's mp4; with the geometry that its session keeps beside it, where it has that."""
    shots = shots_of_result(file)
    beside = Path(file).with_suffix(KEPT)
    if take is None or take.framed is None or not beside.is_file():
        return shots
    clip = kept(beside, take.framed)
    return shots_of_clip(clip, name=shots.name, weights=shots.weights, nominal=shots.nominal)


def of_files(files: Sequence[str | Path], cameras: str | Path | None) -> Shots:
    """A person's own frames: a video, pictures, or a zip, with a file of their cameras or what brings its own.

    Where no camera is given they are estimated. Raises `InputError`.
    """
    given = [Path(file) for file in files]
    if len(given) == 1 and given[0].suffix.lower() in VIDEOS:
        return _video(given[0], cameras)
    if len(given) == 1 and given[0].suffix.lower() == ".zip":
        return _zip(given[0])
    from pipelines.genxd.given import gather

    return _posed(gather([*given, *([Path(cameras)] if cameras else [])]), "Your pictures")


def _posed(found: Given, name: str) -> Shots:
    return Shots(found.views.pictures, found.views.path, name)


def _video(file: Path, cameras: str | Path | None) -> Shots:
    from pipelines.video import read_video

    if cameras is None:
        return shots_of_views(read_material([file]).scene)
    frames, fps = read_video(file)
    path = formats.read(Path(cameras).name, Path(cameras).read_bytes())
    if len(path) != len(frames):
        raise InputError(f"{Path(cameras).name} has {len(path)} cameras for {len(frames)} frames; give one for each.")
    return Shots(frames, path.resized(frames.shape[2], frames.shape[1]).with_fps(fps), file.stem)


def _zip(file: Path) -> Shots:
    """A posed clip with depth, or pictures with their cameras."""
    from pipelines.archive import opened
    from pipelines.gen3c.data import clip_folder, read_scene
    from pipelines.gen3c.vipe import is_vipe
    from pipelines.genxd.given import gather_folder

    with opened(file) as folder:
        place = clip_folder(folder)
        if is_vipe(place) or (place / "rgb.mp4").is_file():
            return shots_of_views(read_scene(place)[0])
        return _posed(gather_folder(place, name=file.stem), file.stem)
