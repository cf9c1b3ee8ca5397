"""Frame timing of clips: variable frame rates become constant ones of the same duration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from camera.formats.account import Account

Frame = TypeVar("Frame")
UNEVEN = 0.35
"""Intervals that differ from the usual one by more than this share make a clip uneven; phones stay far below it."""
MOST_FPS = 60.0
MOST_PACKETS = 50_000


@dataclass(frozen=True, eq=False)
class Timing:
    """``fps``: the constant output rate. ``holds`` (F,): how often each decoded frame is repeated, None for a clip with a constant rate."""

    fps: float
    seconds: float
    holds: NDArray[np.int64] | None = None

    @property
    def frames(self) -> int:
        """The number of frames according to the file's time stamps, 0 if it has none."""
        return round(self.seconds * self.fps) if self.holds is None else int(self.holds.sum())

    def held(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Repeat every frame as often as it is shown; frames beyond the counted ones appear once."""
        for number, frame in enumerate(frames):
            times = 1 if self.holds is None or number >= len(self.holds) else int(self.holds[number])
            yield from repeat(frame, times)

    def of_every_frame(self) -> Timing:
        """The timing in which each frame is shown once, for the same time."""
        return self if self.holds is None else Timing(len(self.holds) / self.seconds, self.seconds)

    def say(self, count: int, account: Account) -> None:
        """For a clip of variable frame rate, note in ``account`` what was done, and how many frames after the first ``count`` were dropped."""
        if self.holds is None:
            return
        dropped = int((self.holds == 0).sum())
        account.say(
            f"The {len(self.holds)} frames of {account.name} have a variable rate over {self.seconds:.3g} s; they are repeated so that "
            f"it lasts as long at {self.fps:.4g} frames per second"
            + (f", {dropped} too short to be shown are dropped." if dropped else ".")
        )
        account.left_out(
            max(int(self.holds.sum()) - count, 0), int(self.holds.sum()), "frames", f"the first {count} are used"
        )


def read_timing(container: Any, stream: Any) -> Timing:
    """The timing from the packets' time stamps, without decoding; leaves the container at its end. A truncated file is judged by
    its readable part."""
    from av.error import FFmpegError

    found: list[tuple[float, float]] = []
    try:
        for packet in container.demux(stream):
            if packet.pts is not None and not packet.is_discard:
                found.append((float(packet.pts * packet.time_base), float((packet.duration or 0) * packet.time_base)))
            if len(found) >= MOST_PACKETS:
                break
    except FFmpegError:
        pass
    found.sort()
    stamps = np.array([stamp for stamp, _ in found])
    return time_frames(stamps, float(stream.average_rate or stream.guessed_rate or 24), found[-1][1] if found else 0.0)


def time_frames(stamps: NDArray[np.float64], nominal: float, last: float = 0.0) -> Timing:
    """The timing from sorted ``stamps`` in seconds. ``nominal``: the file's rate, used if the stamps agree. ``last``: seconds of the last frame."""
    steps = np.diff(stamps)
    steps = steps[steps > 0]
    if len(steps) < 2 or len(steps) < len(stamps) - 1:
        return Timing(nominal, len(stamps) / nominal)
    usual = float(np.median(steps))
    if np.abs(steps / usual - 1).max() <= UNEVEN:
        measured = len(steps) / float(stamps[-1] - stamps[0])
        fps = nominal if abs(nominal / measured - 1) < 0.02 else measured
        return Timing(fps, len(stamps) / fps)
    fps = min(MOST_FPS, 1 / usual)
    ends = np.append(stamps[1:], stamps[-1] + (last or usual)) - stamps[0]
    repeats = np.diff(np.rint(ends * fps).astype(np.int64), prepend=0)
    return Timing(fps, float(ends[-1]), repeats)
