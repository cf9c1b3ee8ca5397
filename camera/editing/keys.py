"""`Key` and `KeyedMove`: a camera move as keyframes, and how the camera moves between them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import CameraPath, Fit
from camera.trajectories.keyframes import EASINGS, Curve

Tangent = Literal["smooth", "corner", "rest"]
"""The curve at a key: continues smoothly, may have a corner, or comes to rest."""

MOST_KEYS = 500
SAME_TIME = 1e-6
"""Two keys within this many seconds count as simultaneous."""
LONGEST_SECONDS = 3600.0


@dataclass(frozen=True, eq=False)
class Key:
    """A camera that the move passes through at a given time.

    ``camera``: a path of one frame. ``time``: arrival in seconds from the start of the move. ``hold``: seconds for which the
    camera then stays. ``easing``: to the next key, a name of `camera.trajectories.keyframes.EASINGS`. ``name``: the user's
    label. ``follows``: in a move over a source camera, the key is the source's own camera at this time, which replaces
    ``camera``.
    """

    camera: CameraPath
    time: float
    easing: str = "linear"
    tangent: Tangent = "smooth"
    hold: float = 0.0
    name: str = ""
    follows: bool = False

    def __post_init__(self) -> None:
        if len(self.camera) != 1:
            raise InputError(f"A key is one camera, got a path of {len(self.camera)} frames.")
        for what, value in (("time", self.time), ("hold", self.hold)):
            if not (np.isfinite(value) and 0 <= value <= LONGEST_SECONDS):
                raise InputError(f"The {what} of a key must be between 0 and {LONGEST_SECONDS:g} seconds, got {value}.")
        if self.easing not in EASINGS:
            raise InputError(f"Unknown easing {self.easing!r}; choose one of {', '.join(EASINGS)}.")
        if self.tangent not in get_args(Tangent):
            raise InputError(f"Unknown tangent {self.tangent!r}; choose one of {', '.join(get_args(Tangent))}.")
        object.__setattr__(self, "time", float(self.time))
        object.__setattr__(self, "hold", float(self.hold))

    @property
    def leaves(self) -> float:
        """The time at which the camera leaves the key, in seconds."""
        return self.time + self.hold

    @property
    def stops(self) -> bool:
        """Whether the camera comes to a stop here."""
        return self.tangent == "rest" or (self.hold > 0 and self.tangent != "corner")

    @property
    def splits(self) -> bool:
        """Whether this key separates the curve into two."""
        return self.tangent != "smooth" or self.hold > 0


SpeedGraph = tuple[tuple[float, float], ...]
"""Points (share of the time, relative speed) from share 0 to share 1, connected by straight lines."""


@dataclass(frozen=True, eq=False)
class KeyedMove:
    """Keys in temporal order, checked on creation; immutable.

    ``seconds``: from the first frame to the last; for a loop, until the first key is reached again. The camera is static before
    the first key and after the last. ``curve``, ``easing``, ``constant_speed``, ``loop``: as in
    `camera.trajectories.keyframes.through`, over the whole move; at constant speed the keys' times are ignored.
    ``speed``: a speed graph over the whole move; empty for constant.
    ``source``: the camera of a clip, frame by frame, which the move follows until a key overrides it (`camera.editing.track`);
    such a move has the duration of its source and no loop, easing or speed of its own. ``same_first``, ``same_last``: its first
    or last frame is the source's, so no other key may be there.
    All keys have the same picture size. Raises `InputError` for anything else.
    """

    keys: tuple[Key, ...]
    seconds: float
    curve: Curve = "smooth"
    easing: str = "linear"
    constant_speed: bool = False
    loop: bool = False
    speed: SpeedGraph = ()
    source: CameraPath | None = None
    same_first: bool = True
    same_last: bool = True

    def __post_init__(self) -> None:
        if not 1 <= len(self.keys) <= MOST_KEYS:
            raise InputError(f"A move has 1 to {MOST_KEYS} keys, got {len(self.keys)}.")
        if not (np.isfinite(self.seconds) and 0 < self.seconds <= LONGEST_SECONDS):
            raise InputError(
                f"The duration of a move must be above 0 and at most {LONGEST_SECONDS:g} seconds, got {self.seconds}."
            )
        sizes = {(key.camera.width, key.camera.height) for key in self.keys}
        if len(sizes) > 1:
            raise InputError(f"All keys of a move need the same picture size, got {sorted(sizes)}; fit them first.")
        if self.curve not in get_args(Curve):
            raise InputError(f"Unknown curve {self.curve!r}; choose {', '.join(get_args(Curve))}.")
        if self.easing not in EASINGS:
            raise InputError(f"Unknown easing {self.easing!r}; choose one of {', '.join(EASINGS)}.")
        object.__setattr__(self, "seconds", float(self.seconds))
        self._check_times()
        self._check_speed()
        if self.source is not None:
            self._check_source(self.source)
            object.__setattr__(self, "keys", tuple(map(self._followed, self.keys)))
        elif any(key.follows for key in self.keys):
            raise InputError("A key can follow the source camera only in a move that has one.")

    def _check_times(self) -> None:
        for number, (key, after) in enumerate(pairwise(self.keys), start=1):
            if not after.time > key.leaves:
                raise InputError(
                    f"Key {number + 1} must come after key {number} and its hold, later than {key.leaves:.4g} s; "
                    f"got {after.time:.4g} s."
                )
        last = self.keys[-1].leaves
        if last > self.seconds * (1 + 1e-9) or (self.loop and last >= self.seconds):
            raise InputError(
                f"The move lasts {self.seconds:.4g} s, but its last key ends at {last:.4g} s; make it longer."
            )

    def _check_speed(self) -> None:
        individual = any(key.hold or key.easing != "linear" or key.tangent != "smooth" for key in self.keys)
        if self.constant_speed and individual:
            raise InputError(
                "At constant speed keys cannot have their own holds, easings or tangents; remove these first."
            )
        if not self.speed:
            return
        graph = np.array(self.speed, dtype=np.float64)
        if graph.ndim != 2 or graph.shape[1] != 2 or len(graph) < 2 or not np.isfinite(graph).all():
            raise InputError("A speed graph needs at least two points, each a share of the time and a speed.")
        shares, speeds = graph.T
        if shares[0] != 0 or shares[-1] != 1 or not (np.diff(shares) > 0).all():
            raise InputError("The points of a speed graph must rise from share 0 to share 1 of the time.")
        if (speeds < 0).any() or not speeds.any():
            raise InputError("The speeds of a speed graph must be 0 or more, and not all 0.")

    def _check_source(self, source: CameraPath) -> None:
        if abs(self.seconds - seconds_of(source)) > 1e-6:
            raise InputError(
                f"A move over a clip's camera lasts as long as the clip, {seconds_of(source):.4g} s; got {self.seconds:.4g} s."
            )
        if self.loop or self.constant_speed or self.speed or self.easing != "linear":
            raise InputError(
                "A move over a clip's camera has the clip's timing: it cannot have its own loop, easing or speed."
            )
        if (source.width, source.height) != (self.width, self.height):
            raise InputError("The camera of a clip and the keys over it need the same picture size; fit them first.")
        first, last = self.keys[0], self.keys[-1]
        for same, key, at_end, which in (
            (self.same_first, first, first.time <= SAME_TIME, "first"),
            (self.same_last, last, last.leaves >= self.seconds - SAME_TIME, "last"),
        ):
            if same and at_end and not key.follows:
                raise InputError(
                    f"The {which} frame is set to be the clip's own, so no other key can be there; change that setting, or move the key."
                )

    def _followed(self, key: Key) -> Key:
        return replace(key, camera=self.source_at(np.array([key.time]))) if key.follows else key

    def source_at(self, seconds: NDArray[np.float64]) -> CameraPath:
        """The source's cameras at ``seconds`` (F,), interpolated between frames. The move must have a source."""
        assert self.source is not None
        return self.source.between(seconds * self.source.fps)

    @property
    def width(self) -> int:
        return self.keys[0].camera.width

    @property
    def height(self) -> int:
        return self.keys[0].camera.height

    @property
    def cameras(self) -> CameraPath:
        """The cameras of all keys, one frame each."""
        return CameraPath(
            np.concatenate([key.camera.world_from_camera for key in self.keys]),
            np.concatenate([key.camera.intrinsics for key in self.keys]),
            self.width, self.height,
        )  # fmt: skip

    def fitted(self, width: int, height: int, fit: Fit = "crop") -> KeyedMove:
        """The same move at another picture size, as in `CameraPath.fitted`."""
        source = None if self.source is None else self.source.fitted(width, height, fit)
        return replace(self, keys=self._keys_with(self.cameras.fitted(width, height, fit)), source=source)

    def with_cameras(self, cameras: CameraPath) -> KeyedMove:
        """Other cameras (one frame for each key) at the same times; keys that follow a source still follow it."""
        return replace(self, keys=self._keys_with(cameras))

    def _keys_with(self, cameras: CameraPath) -> tuple[Key, ...]:
        frames = [cameras.sliced(slice(i, i + 1)) for i in range(len(cameras))]
        return tuple(replace(key, camera=frame) for key, frame in zip(self.keys, frames))


def seconds_of(source: CameraPath) -> float:
    """Duration from the first frame to the last, in seconds; for a single frame, its display time."""
    return max(len(source) - 1, 1) / source.fps


def key_every_frame(cameras: CameraPath, seconds: float, *, loop: bool = False) -> KeyedMove:
    """A move with a key for every frame of ``cameras``, evenly spaced in time."""
    count = len(cameras)
    times = np.arange(count) * (seconds / max(count - (0 if loop else 1), 1))
    keys = tuple(Key(cameras.sliced(slice(i, i + 1)), time) for i, time in enumerate(times.tolist()))
    return KeyedMove(keys, seconds, loop=loop)
