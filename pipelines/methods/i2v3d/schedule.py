"""Chooses keyframes, and groups them and the frames between them into windows that are denoised together."""

from __future__ import annotations

from itertools import pairwise

from camera.errors import InputError

MOST_KEYFRAMES = 20
"""Upstream's maximum number of keyframes."""
LONGEST_WINDOW = 48
"""Maximum number of frames between two keyframes chosen by hand, both included; the networks were trained with 14 and 16."""


def keyframe_indices(frames: int, window: int, *, upstream: bool = False) -> list[int]:
    """Indices of the keyframes, counted from 0, of a video of ``frames`` frames in windows of ``window`` frames.

    Neighbouring windows share a keyframe. The last frame is always a keyframe, so the last window may be shorter.
    ``upstream``: frames after the last full window are lost, the last frame is never a keyframe, and there are at
    most `MOST_KEYFRAMES`. Raises `InputError`.
    """
    if window < 2:
        raise InputError(f"A window joins two keyframes, so it needs at least 2 frames; got {window}.")
    if frames < 2:
        raise InputError(f"I2V3D needs at least 2 frames, got {frames}.")
    spacing = window - 1
    if upstream:
        return list(range(0, frames - 1, spacing))[:MOST_KEYFRAMES]
    return [*range(0, frames - 1, spacing), frames - 1]


def parse_indices(frames: int, text: str) -> list[int]:
    """Parse frames in ``text``, counted from 0 and separated by commas; first and last are always included.

    Raises `InputError` for numbers that are not frames of the video, and for keyframes too far apart for the video network.
    """
    try:
        named = {int(part) for part in text.split(",") if part.strip()}
    except ValueError:
        raise InputError(f"Keyframes are numbers of frames, as in 0, 12, 30; got {text!r}.") from None
    if wrong := sorted(number for number in named if not 0 <= number < frames):
        raise InputError(f"The video has frames 0 to {frames - 1}, so there is no keyframe {wrong[0]}.")
    found = sorted(named | {0, frames - 1})
    longest = max(b - a + 1 for a, b in pairwise(found)) if len(found) > 1 else 0
    if longest > LONGEST_WINDOW:
        raise InputError(f"Two keyframes are {longest} frames apart; put one between them, at most {LONGEST_WINDOW}.")
    return found


def sliding_windows(count: int, size: int, overlap: int) -> list[list[int]]:
    """Groups of at most ``size`` of ``count`` items, neighbours sharing ``overlap``; raises `InputError`.

    A last group that would only repeat the overlap is omitted.
    """
    if not 0 <= overlap < size:
        raise InputError(f"The overlap must be less than the window of {size}, got {overlap}.")
    step = size - overlap
    groups = [list(range(start, min(start + size, count))) for start in range(0, count, step)]
    return [group for number, group in enumerate(groups) if number == 0 or len(group) != overlap]
