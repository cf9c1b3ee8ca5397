"""The project of one visitor, shared by all tabs: content, history, and its framing for one method. Immutable: edits return a new one."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from camera.cloud import PointCloud
from camera.editing import commands
from camera.editing.fit import Fit, fit_keys
from camera.editing.keys import KeyedMove
from camera.errors import InputError
from camera.objects.scene import StagedScene, stage_objects
from camera.path import CameraPath
from camera.sequence.shots import Shot
from camera.trajectories.scaling import KEEP
from camera.view import Scene
from pipelines import method as record_of
from pipelines.method import Method, Moves
from pipelines.options import RunOptions
from pipelines.project.content import KEYFRAMES, Content, MoveSource
from pipelines.project.framing import FramedScene, Framings, keys_of_move
from pipelines.registry import NAMES
from pipelines.settings import Control, Settings
from tabs.project.folders import is_inside, new_folder
from tabs.project.history import History


@dataclass(frozen=True, eq=False)
class Project:
    """``content`` and its ``history``. ``method``: the name of the method that frames it, of the selected tab or of the handler.
    ``folder``: the folder of its files, which is removed with the session."""

    content: Content = field(default_factory=Content)
    history: History = field(default_factory=History)
    method: str = NAMES[0]
    folder: Path = field(default_factory=new_folder)
    framings: Framings = field(default_factory=Framings)

    def __deepcopy__(self, memo: dict) -> Project:
        """Called by Gradio to copy the page's value for a session: gives it its own folder."""
        return replace(self, folder=new_folder(), framings=Framings())

    # content

    @property
    def scene(self) -> Scene | None:
        return self.content.scene

    @property
    def points(self) -> PointCloud | None:
        return self.content.points

    @property
    def own(self) -> CameraPath | None:
        return self.content.own

    @property
    def own_as_given(self) -> bool:
        return self.content.own_as_given

    @property
    def track(self) -> KeyedMove | None:
        return self.content.track

    def keyed(self) -> KeyedMove:
        """The keys of the move, see `pipelines.project.framing.keys_of_move`."""
        return keys_of_move(self.content, self.moves)

    # framing for a method

    def seen_by(self, method: str) -> Project:
        """The same project, framed by another method."""
        return self if method == self.method else replace(self, method=method)

    @property
    def record(self) -> Method:
        return record_of(self.method)

    @property
    def moves(self) -> Moves:
        """The values of the method's camera controls."""
        return self.content.moves.get(self.method) or self.record.moves()

    @property
    def settings(self) -> Mapping[str, Any]:
        """The values of the method's other controls, its settings and the run's options, by name."""
        usual = {**self.record.settings.defaults(), **RunOptions.defaults()}
        return {**usual, **self.content.settings.get(self.method, {})}

    @property
    def framing(self) -> FramedScene | None:
        """The scene framed for the method; None without a scene. Raises `InputError` if the method cannot frame it."""
        if self.scene is None:
            return None
        return self.framings.of(self.content, self.record, self.moves)

    @property
    def framed(self) -> Scene | None:
        """The scene in the method's frame; None without a scene or if it cannot be framed."""
        with suppress(InputError):
            return self.framing.scene if self.framing else None
        return None

    @property
    def path(self) -> CameraPath | None:
        """The path as the method follows it, or None; `ready` raises the reason."""
        with suppress(InputError):
            return self.framing.path if self.framing else None
        return None

    def ready(self) -> tuple[Scene, CameraPath]:
        """Framed scene and path; raises `InputError` if there are none."""
        framing = self.framing
        if framing is None:
            raise InputError("There is no camera path yet: choose an example or open a picture first.")
        if framing.path is None:
            raise InputError(framing.why)
        return framing.scene, framing.path

    @property
    def viewfinder(self):
        """See `pipelines.rehearsal.Viewfinder`; raises `InputError` as `ready`."""
        self.ready()
        assert self.framing is not None
        return self.framing.viewfinder

    # edits

    def changed(self, name: str, *, merges: bool = False, **changes: Any) -> Project:
        """With other content. ``name``: the edit's name, as in "open Reading room"; ``merges``: see `History.done`."""
        history = self.history.done(name, self.content, time.monotonic(), merges=merges)
        return replace(self, content=replace(self.content, **changes), history=history)

    def opened(self, scene: Scene, points: PointCloud | None = None, *, example: str = "") -> Project:
        """With another scene; keeps the previous scene's objects unless the new one has its own, and drops its keys and shots."""
        if isinstance(self.scene, StagedScene) and not isinstance(scene, StagedScene):
            scene = stage_objects(scene, self.scene.objects)
        own = None if self.own_as_given else self.own
        return self.changed(
            f"open {scene.name}", scene=scene, example=example, points=points, track=None, shots=(), own=own,
            own_as_given=False, moving=None,
        )  # fmt: skip

    def with_scene(self, scene: Scene, name: str, *, merges: bool = False) -> Project:
        """With a changed version of the same scene; path and keys are unchanged."""
        return self.changed(name, merges=merges, scene=scene)

    def with_keys(self, track: KeyedMove | None, name: str) -> Project:
        """With other keys, which become the move."""
        source = replace(self.content.source, moves_from=KEYFRAMES)
        return self.changed(name, track=track, source=source)

    def edited(
        self, command: commands.Command, seeing: CameraPath | None = None
    ) -> tuple[Project, commands.EditResult]:
        """The project after an edit of its keys, see `camera.editing.commands.apply_command`, and the edit. Cameras in ``command`` are
        in the method's frame, as the page draws it; ``seeing``: the current camera if the page could not send it."""
        before = self.keyed()
        assert self.scene is not None
        origin, fit = self.scene.first.camera, self.moves.fit
        seen = commands.read_camera(command["camera"]) if command.get("camera") else seeing
        if seen is not None:
            command = {**command, "camera": commands.write_camera(seen.unfitted(origin, fit))}  # type: ignore[arg-type]
        edit = commands.apply_command(before, command, origin=origin)
        return self.with_keys(edit.move, edit.name), edit

    def with_keys_of(self, path: CameraPath, name: str) -> tuple[Project, Fit]:
        """The project with keys fitted to a path in the method's frame, and the fit with its residual; ``name``: name of the
        edit."""
        if self.scene is None:
            raise InputError("There is no scene yet: choose an example or open a picture first.")
        fit = fit_keys(path.unfitted(self.scene.first.camera, self.moves.fit))  # type: ignore[arg-type]
        return self.with_keys(fit.move, name), fit

    def with_shots(self, shots: tuple[Shot, ...], name: str) -> Project:
        """With another list of shots; the move is unchanged."""
        return self.changed(name, shots=shots)

    def with_kept(self, name: str, kept: Mapping[str, bytes | None]) -> Project:
        """With other data that the method stores beside its settings; None removes it. The same project if nothing changed."""
        now = {f"{self.method}/{key}": data for key, data in kept.items()}
        everything = {key: data for key, data in {**self.content.kept, **now}.items() if data is not None}
        return self if everything == self.content.kept else self.changed(name, kept=everything)

    def with_own(self, path: CameraPath, *, as_given: bool = False, scale: str = KEEP) -> Project:
        return self.changed("open a path file", own=path, own_as_given=as_given, own_scale=scale)

    def with_source(self, source: MoveSource) -> Project:
        """With another source of the move; the same project if nothing changed."""
        if source == self.content.source:
            return self
        name = _name_change(self.content.source.values(), source.values(), MoveSource.controls())
        if source.moves_from != self.content.source.moves_from:
            name = f"move by {source.moves_from.lower()}"
        return self.changed(name, merges=True, source=source)

    def with_moves(self, moves: Moves) -> Project:
        """With other camera controls of the method; the same project if nothing changed."""
        if moves == self.moves:
            return self
        name = _name_change(self.moves.values(), moves.values(), moves.controls())
        return self.changed(name, merges=True, moves={**self.content.moves, self.method: moves})

    def with_settings(self, *given: Settings) -> Project:
        """With other settings or options of the method; the same project if nothing changed."""
        now: dict[str, Any] = {name: value for each in given for name, value in each.values().items()}
        before = self.settings
        if all(before[name] == value for name, value in now.items()):
            return self
        controls = {name: control for each in given for name, control in each.controls().items()}
        name = f"{_name_change(before, now, controls)} of {self.record.title}"
        settings = {**self.content.settings, self.method: {**self.content.settings.get(self.method, {}), **now}}
        return self.changed(name, merges=True, settings=settings)

    def fitted_to_clip(self) -> Project:
        """With the number of frames reduced to a clip that is shorter than the path; otherwise the same project."""
        framing = self.framing
        if framing is None or framing.path is None or framing.scene.kind != "clip":
            return self
        scene, path = framing.scene, framing.path
        if len(path) <= len(scene.views):
            return self
        for frames in range(len(scene.views), 0, -1):
            with suppress(InputError):
                self.record.check(scene, path.resampled(frames), self.record.settings())
                moves: Any = replace(self.moves, frames=frames)
                return replace(self, content=replace(self.content, moves={**self.content.moves, self.method: moves}))
        return self

    def undone(self) -> Project:
        content, history = self.history.undone(self.content)
        return replace(self, content=content, history=history)

    def redone(self) -> Project:
        content, history = self.history.redone(self.content)
        return replace(self, content=content, history=history)

    # files

    def check_files(self, settings: Settings) -> None:
        """Raise `InputError` for a setting that names a file which this session neither uploaded nor made, so that no one can
        read other files of a public server by naming them."""
        for name in settings.files():
            given = getattr(settings, name)
            if given and not is_inside(Path(given), self.folder):
                label = settings.controls()[name].label
                raise InputError(f"{label}: upload the file; a path on the server's disk is not opened.")

    def file(self, name: str) -> Path:
        """Path for a file of this project; the folder is removed with the session."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / name


def forget(project: Any) -> None:
    """Remove the ``folder`` of a session that has ended."""
    shutil.rmtree(project.folder, ignore_errors=True)


def _name_change(before: Mapping[str, Any], after: Mapping[str, Any], controls: Mapping[str, Control]) -> str:
    """A description of the change."""
    other = [name for name, value in after.items() if before.get(name) != value]
    labels = [controls[name].label for name in other]
    return f"change {labels[0]}" if len(labels) == 1 else f"change {len(labels)} controls"
