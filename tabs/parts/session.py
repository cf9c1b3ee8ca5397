"""What one visitor has on one tab, and the operations on it; values in, a new take out."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from camera.cloud import PointCloud
from camera.editing import commands
from camera.editing.fit import Fit as KeyFit
from camera.editing.fit import fitted_keys
from camera.editing.keys import Key, KeyedMove
from camera.editing.track import path_of as path_of_keys
from camera.errors import InputError
from camera.objects.scene import StagedScene, staged, subject_distance
from camera.path import CameraPath
from camera.rotation import from_pan_tilt_roll
from camera.trajectories import film_script
from camera.trajectories.scaling import KEEP, scaled_to
from camera.view import Scene
from pipelines.method import Method, Moves
from pipelines.settings import Settings
from tabs.parts import session_files

METHOD_MOVES, FILM_MOVES, KEYFRAMES, PATH_FILE = "This method's moves", "Film moves", "Keyframes", "Path file"
SOURCES = (METHOD_MOVES, FILM_MOVES, KEYFRAMES, PATH_FILE)


ROOT = session_files.made()
"""Where the files of all sessions are; folder names cannot be guessed."""


def new_folder() -> Path:
    """A folder for one session, made when something is written to it."""
    return ROOT / uuid.uuid4().hex


@dataclass(frozen=True, eq=False)
class Take:
    """``scene`` as given, ``framed`` as the method's frame sees it, ``path`` in it and the ``moves`` that made it,
    ``own`` the uploaded path file, ``track`` the move's keys, in the size of the scene's picture, and ``edit`` what was done
    to them last, as in "retime key 3". ``own_as_given``: the path file's cameras came with the scene, so they are neither
    moved nor resampled. ``own_scale``: how it comes to the size of the scene, see `camera.trajectories.scaling.scaled_to`.
    ``points``: sparse points that came with the scene."""

    scene: Scene | None = None
    framed: Scene | None = None
    path: CameraPath | None = None
    moves: Moves | None = None
    own: CameraPath | None = None
    own_as_given: bool = False
    own_scale: str = KEEP
    points: PointCloud | None = None
    track: KeyedMove | None = None
    edit: str = ""
    folder: Path = field(default_factory=new_folder)

    def __deepcopy__(self, memo: dict) -> Take:
        """How Gradio makes a session's own from the page's: with a folder that no other session has."""
        return replace(self, folder=new_folder())

    def opened(self, scene: Scene, points: PointCloud | None = None) -> Take:
        """Another scene; objects of the one before stand in it too, unless it brings its own."""
        if isinstance(self.scene, StagedScene) and not isinstance(scene, StagedScene):
            scene = staged(scene, self.scene.objects)
        own = None if self.own_as_given else self.own
        return replace(
            self, scene=scene, points=points, framed=None, path=None, track=None, edit="", own=own, own_as_given=False
        )

    def keyed(self, moves: Moves) -> KeyedMove:
        """The keys of the move; where there are none yet, one: the picture's own camera, for as long as ``moves`` last."""
        if self.scene is None:
            raise InputError("There is no scene yet: pick an example or give a picture first.")
        return self.track or KeyedMove((Key(self.scene.first.camera, 0.0),), max(moves.frames - 1, 1) / moves.fps)

    def edited(
        self, moves: Moves, asked: commands.Asked, seeing: CameraPath | None = None
    ) -> tuple[Take, commands.Edited]:
        """The take after an edit of its keys, see `camera.editing.commands.edited`, and the edit. Cameras in ``asked`` are of
        the method's frame, as the page draws it; ``seeing`` is the camera where the page could not say it."""
        before = self.keyed(moves)
        assert self.scene is not None
        origin = self.scene.first.camera
        seen = commands.camera_of(asked["camera"]) if asked.get("camera") else seeing
        if seen is not None:
            asked = {**asked, "camera": commands.camera_written(seen.unfitted(origin, moves.fit))}  # type: ignore[arg-type]
        edit = commands.edited(before, asked, origin=origin)
        return replace(self, track=edit.move, edit=edit.name), edit

    def with_keys_of(self, path: CameraPath, moves: Moves, name: str) -> tuple[Take, KeyFit]:
        """The take whose keys are fitted to a path in the method's frame, and how near they come to it; ``name``: of the edit."""
        if self.scene is None:
            raise InputError("There is no scene yet: pick an example or give a picture first.")
        fit = fitted_keys(path.unfitted(self.scene.first.camera, moves.fit))  # type: ignore[arg-type]
        return replace(self, track=fit.move, edit=name), fit

    def with_own(self, path: CameraPath, *, as_given: bool = False, scale: str = KEEP) -> Take:
        return replace(self, own=path, own_as_given=as_given, own_scale=scale)

    def drawn(
        self,
        method: Method,
        moves: Moves,
        source: str,
        film: str = "",
        *,
        as_given: bool = False,
    ) -> Take:
        """The take with the path that the controls describe; ``as_given`` takes a path file's cameras as they are."""
        if self.scene is None:
            raise InputError("There is no scene yet: pick an example or give a picture first.")
        framed = self._framed(moves)
        as_given = as_given or self.own_as_given
        path = _path(self, method, moves, framed, source, film, as_given)
        return replace(self, framed=framed, path=path, moves=moves)

    def _framed(self, moves: Moves) -> Scene:
        """The scene in the frame of ``moves``; the one there is where the frame has not changed."""
        frame, old = (moves.width, moves.height, moves.fit), self.moves
        if self.framed is not None and old is not None and frame == (old.width, old.height, old.fit):
            return self.framed
        assert self.scene is not None
        return self.scene.fitted(*frame)  # type: ignore[arg-type]

    def ready(self) -> tuple[Scene, CameraPath]:
        """Scene and path; raises `InputError` where there is none yet."""
        if self.framed is None or self.path is None:
            raise InputError("There is no camera path yet: pick an example or give a picture first.")
        return self.framed, self.path

    def check_files(self, settings: Settings) -> None:
        """Raises `InputError` for a setting that names a file which this session neither brought nor made: nobody may have
        other files of a public server read by naming them."""
        for name in settings.files():
            given = getattr(settings, name)
            if given and not _inside(Path(given), self.folder):
                label = settings.controls()[name].label
                raise InputError(f"{label}: upload the file; a path on the server's disk is not opened.")

    def file(self, name: str) -> Path:
        """Where to write a file of this take; the folder goes away with the session."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / name

    @cached_property
    def viewfinder(self):
        """See `pipelines.rehearsal.Viewfinder`."""
        from pipelines.rehearsal import Viewfinder

        return Viewfinder(*self.ready())


def _inside(file: Path, folder: Path) -> bool:
    try:
        return file.resolve().is_relative_to(folder.resolve())
    except (ValueError, OSError, RuntimeError):  # no path at all, or a loop of links
        return False


def forget(take: Take) -> None:
    """Removes the files of a session that has ended."""
    shutil.rmtree(take.folder, ignore_errors=True)


def _path(
    take: Take, method: Method, moves: Moves, framed: Scene, source: str, film: str, as_given: bool
) -> CameraPath:
    if source == METHOD_MOVES:
        return method.path(moves, framed)
    if source == FILM_MOVES:
        return film_script.path_of(film, framed.first, frames=moves.frames, fps=moves.fps)
    if source == KEYFRAMES:
        keys = take.keyed(moves).fitted(moves.width, moves.height, moves.fit)  # type: ignore[arg-type]
        return path_of_keys(keys, frames=moves.frames, fps=moves.fps)
    if source != PATH_FILE:
        raise InputError(f"The path can come from {', '.join(SOURCES)}; got {source!r}.")
    if take.own is None:
        raise InputError("Upload a path file first: COLMAP, nerfstudio, RealEstate10K, TUM, GEN3C or Reshoot JSON.")
    own, _ = scaled_to(take.own, take.own_scale, subject_distance(framed.first))
    path = own.fitted(moves.width, moves.height, moves.fit)  # type: ignore[arg-type]
    if as_given:
        return path
    path = path.moved_to(framed.first.world_from_camera)
    return path.resampled(moves.frames).with_fps(moves.fps)


def flown(
    take: Take, seeing: CameraPath | None, frame: int | None, turn: Sequence[float], move: Sequence[float]
) -> CameraPath:
    """The camera (a path of one frame) after flying on from path frame ``frame``, or from ``seeing`` where it is None.

    ``turn``: radians to the right, down and clockwise; ``move``: right, down and forward in distances to the subject.
    """
    scene, path = take.ready()
    if frame is not None or seeing is None:
        index = min(max(int(frame or 0), 0), len(path) - 1)
        seeing = path.sliced(slice(index, index + 1))
    return moved_on(seeing, turn, move, scene.first.focus_depth)


def moved_on(seeing: CameraPath, turn: Sequence[float], move: Sequence[float], reach: float) -> CameraPath:
    """The camera ``seeing`` after `flown`'s ``turn`` and ``move``; ``reach``: distance to the subject in scene units."""
    pose = np.eye(4)
    pose[:3, :3] = from_pan_tilt_roll(*np.degrees([turn[0], -turn[1], turn[2]]))
    pose[:3, 3] = np.asarray(move, float) * reach
    return seeing.with_poses(seeing.world_from_camera @ pose)
