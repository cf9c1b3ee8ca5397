"""The content of a project: everything that can be undone, saved and reopened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.cloud import PointCloud
from camera.editing.keys import KeyedMove
from camera.path import CameraPath
from camera.sequence.shots import Shot
from camera.trajectories.scaling import KEEP
from camera.view import Scene
from pipelines.method import Moves
from pipelines.project.look import Look
from pipelines.settings import Settings, setting

METHOD_MOVES, FILM_MOVES, KEYFRAMES, PATH_FILE = "This method's moves", "Film moves", "Keyframes", "Path file"
SOURCES = (METHOD_MOVES, FILM_MOVES, KEYFRAMES, PATH_FILE)


@dataclass(frozen=True, kw_only=True)
class MoveSource(Settings):
    """The source of the move, shared by all methods."""

    moves_from: str = setting(METHOD_MOVES, "The move comes from", choices=SOURCES)
    film_moves: str = setting("arc 30 ease", "Moves", lines=2)
    path_as_given: bool = setting(False, "In the scene's world coordinates")


@dataclass(frozen=True, eq=False)
class Content:
    """``scene`` as it was opened and ``example``, its name if it is one; ``points``: sparse points that belong to it.

    ``source`` describes the move; ``own``: an uploaded path file, ``own_as_given``: its cameras came with the scene, so they
    are neither moved nor resampled, ``own_scale``: how it is scaled to the scene, see
    `camera.trajectories.scaling.scale_path`; ``track``: the move's keys, in the size of the scene's picture; ``shots``: moves in
    sequence, with cuts between them. ``moves``, ``settings``: changed values of the controls, by method; settings and options of a
    run share one dictionary. ``kept``: data that a method stores in the project, in its own format, by "METHOD/NAME". ``look``:
    lens and shutter of the rehearsal. ``moving`` (F,h,w): the user's masks of moving parts of a clip, of any size; None without.
    """

    scene: Scene | None = None
    example: str = ""
    points: PointCloud | None = None
    own: CameraPath | None = None
    own_as_given: bool = False
    own_scale: str = KEEP
    track: KeyedMove | None = None
    shots: tuple[Shot, ...] = ()
    source: MoveSource = field(default_factory=MoveSource)
    moves: Mapping[str, Moves] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    kept: Mapping[str, bytes] = field(default_factory=dict)
    look: Look = field(default_factory=Look)
    moving: NDArray[np.bool_] | None = None

    def kept_by(self, method: str) -> dict[str, bytes]:
        """What a method stores in the project, by name."""
        return {name.split("/", 1)[1]: data for name, data in self.kept.items() if name.split("/", 1)[0] == method}
