"""Which frames are keyframes, which of them are denoised together, and which pictures lie between two of them."""

from __future__ import annotations

from camera.errors import InputError

MOST_KEYFRAMES = 20
"""Upstream makes no more than this."""


def keyframe_indices(frames: int, window: int, *, upstream: bool = False) -> list[int]:
    """Indices of the keyframes, counted from 0, of a video of ``frames`` frames in windows of ``window`` frames.

    Neighbouring windows share a keyframe. The last frame is always one, so that the last window may be shorter;
    ``upstream``: frames after the last full window are lost, the last frame itself never counts, and there are at
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


def sliding_windows(count: int, size: int, overlap: int) -> list[list[int]]:
    """Groups of at most ``size`` of ``count`` items, neighbours sharing ``overlap``; raises `InputError`.

    A last group that would only repeat the overlap is left out.
    """
    if not 0 <= overlap < size:
        raise InputError(f"The overlap must be less than the window of {size}, got {overlap}.")
    step = size - overlap
    groups = [list(range(start, min(start + size, count))) for start in range(0, count, step)]
    return [group for number, group in enumerate(groups) if number == 0 or len(group) != overlap]
