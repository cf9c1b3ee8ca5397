"""The record of a method, and the values that pass between app and pipeline.

How a value travels: controls -> `Moves` and `Settings` -> ``METHOD.path(moves, scene)`` -> `CameraPath`;
from there on, preview and pipeline know only scene, path and settings. This module imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import CameraPath
from camera.view import Scene
from pipelines.settings import Settings, setting

Frames = NDArray[np.uint8]
"""(F,H,W,3) RGB."""


@dataclass(frozen=True, kw_only=True)
class Moves(Settings):
    """Base of every method's camera controls: the frame the path is drawn for. Subclasses set their own defaults."""

    frames: int = setting(49, "Frames", minimum=1, maximum=481, step=1)
    width: int = setting(720, "Width", minimum=64, maximum=1920, step=8, advanced=True)
    height: int = setting(480, "Height", minimum=64, maximum=1920, step=8, advanced=True)
    fps: float = setting(24.0, "Frames per second", minimum=1, maximum=60, step=1, advanced=True)
    fit: str = setting(
        "crop",
        "Fit the picture by",
        choices=("crop", "pad", "stretch"),
        help="How a picture with another aspect ratio is fitted to the frame.",
        advanced=True,
    )


def check_same_size(scene: Scene, path: CameraPath) -> None:
    """Raise `InputError` if the scene's pictures do not have the size for which the path is drawn."""
    view = scene.first
    if (view.width, view.height) != (path.width, path.height):
        raise InputError(
            f"The scene is {view.width} x {view.height} but the path is drawn for {path.width} x {path.height}; fit one to "
            "the other."
        )


@dataclass(frozen=True)
class Licence:
    """Licence of one part ("code", "weights", "text encoder"); ``note`` says in one sentence what a user must know."""

    part: str
    name: str
    url: str = ""
    note: str = ""


@dataclass(frozen=True)
class Checkpoint:
    """Files of one repository on the Hugging Face hub. ``files`` are glob patterns; ``revision`` is pinned where known."""

    key: str
    repo: str
    files: tuple[str, ...]
    revision: str = "main"
    gigabytes: float = 0.0
    gated: bool = False


@dataclass(frozen=True)
class Estimate:
    """The needs of a run: seconds on the reference GPU and peak gigabytes of GPU memory per memory mode.

    ``basis`` says where the figures come from (measured on what, published by whom, or computed).
    """

    seconds: float
    gigabytes: dict[str, float]
    basis: str


@dataclass(frozen=True)
class TrainedMoves:
    """How far the cameras in a method's training data move from their start: ``travel`` in distances to the subject,
    ``turn_degrees``; ``basis``: a sentence on where the figures are from."""

    travel: float
    turn_degrees: float
    basis: str


@dataclass(frozen=True)
class Method:
    """The record of a published method."""

    name: str
    title: str
    summary: str
    camera_use: str
    """One line: how the camera enters this method, and which parts of a path it cannot follow."""
    nominal: bool
    """Whether the drawn path is only nominal: the method does not receive the poses."""
    paper: str
    code: str
    licences: tuple[Licence, ...]
    checkpoints: tuple[Checkpoint, ...]
    moves: type[Moves]
    settings: type[Settings]
    path: Callable[[Moves, Scene], CameraPath]
    """Computes the path in the scene's world from moves and a scene that is already fitted to the moves' width x height."""
    check: Callable[[Scene, CameraPath, Settings], tuple[str, ...]]
    """Raises `InputError` for what the method cannot shoot; returns warnings, each one sentence."""
    estimate: Callable[[CameraPath, Settings], Estimate]
    pipeline: str
    """Dotted module with ``load(weights: Weights) -> Pipeline``, imported on first use."""
    scenes: tuple[Literal["still", "clip", "views"], ...] = ("still",)
    links: dict[str, str] = field(default_factory=dict)
    dense_views: bool = False
    """Whether several views need dense depth, which a depth model then estimates."""
    goes_on: Callable[[Clip, CameraPath, Settings], object] | None = None
    """Raises `InputError` for a clip that a run along the path cannot continue; None if the method cannot continue clips."""
    blank: Callable[[], Scene] | None = None
    """The scene of a run without a picture; None if the method always needs one."""
    rendered: tuple[str, ...] = ()
    """Companion videos, and values of the setting ``make``, that are renders of the scene rather than network output."""
    trained_moves: TrainedMoves | None = None
    """None if not published."""
    projects: str = ""
    """Dotted module with ``read_project``, ``new_project`` and ``with_kept`` if scenes can contain objects and are saved as projects."""

    def check_after(self, after: Clip | None, path: CameraPath, settings: Settings) -> None:
        """Raise `InputError` if a run along ``path`` cannot continue from ``after``."""
        if after is None:
            return
        if self.goes_on is None:
            raise InputError(f"{self.title} cannot continue a finished video; shoot the whole path in one go.")
        self.goes_on(after, path, settings)


@dataclass(frozen=True)
class Progress:
    """One step of a running job. ``preview`` is an early frame (H,W,3) uint8 where there is one.

    ``seconds_left``: until the phase ends; set by the runtime, not by pipelines.
    """

    phase: str
    step: int
    steps: int
    preview: NDArray[np.uint8] | None = None
    note: str = ""
    seconds_left: float | None = None


@dataclass(frozen=True, eq=False)
class Clip:
    """The output of a pipeline: frames at ``fps``; ``extras`` are named companion videos (depth, cache renders ...).

    ``scene`` is the geometry behind the clip where the method knows it (generated depth, grown cache).
    ``notes`` are sentences for the user. ``files`` are named byte strings to save beside the video.
    """

    frames: Frames
    fps: float
    path: CameraPath
    extras: dict[str, Frames] = field(default_factory=dict)
    scene: Scene | None = None
    notes: tuple[str, ...] = ()
    files: dict[str, bytes] = field(default_factory=dict)


class Pipeline(Protocol):
    """A loaded method. Calling it is one run: a generator that yields `Progress` and, last, one `Clip`.

    It may yield a `Clip` earlier too (a finished chunk of a long video); each replaces the one before.
    Closing the generator cancels at the next step. ``components`` are the networks that the runtime moves,
    offloads, casts and evicts; a pipeline never moves them itself and reads ``device`` for its tensors.
    A pipeline of several networks may have ``prepare(scene, path, settings)``: called before every run, before anything
    is placed, it loads what this run needs and may change ``components``. With a ``tiny_side`` (pixels), runs with tiny
    weights receive the scene at about that size, so that they take seconds. If the record has ``goes_on``, the call also
    takes ``after``: the clip with which the path begins; only the rest is shot.
    """

    components: dict[str, object]
    device: object

    def __call__(self, scene: Scene, path: CameraPath, settings: Settings) -> Iterator[Progress | Clip]: ...


class Weights(Protocol):
    """The source of weights. ``mode`` is "real", "tiny" (random, tiny) or "random" (random, full size).

    The runtime's implementation (pipelines.weights.hub.Weights) also has the ``device`` and ``dtype`` (torch) of the run.
    """

    mode: Literal["real", "tiny", "random"]
    seed: int

    def files(self, checkpoint: Checkpoint) -> dict[str, str]:
        """Local paths of a checkpoint's files by name in the repository; raises `InputError` with what to do."""
        ...

    def shared(self, key: tuple | str, load: Callable[[], object]) -> object:
        """The component under ``key``, loaded once and shared by all methods while any of them holds it."""
        ...
