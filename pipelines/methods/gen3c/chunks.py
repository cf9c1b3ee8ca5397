"""Splits a long video into chunks that share one frame, and counts latent frames."""

from __future__ import annotations

from camera.errors import InputError

CHUNK = 121
"""Frames per chunk in training: one latent frame for the first frame, then one for every eight."""

LONGEST = 4 * (CHUNK - 1) + 1
"""Frames of the longest video: twenty seconds. The method itself has no limit."""


def latent_frames(frames: int) -> int:
    """Number of latent frames of a chunk of ``frames`` = 8k+1 frames."""
    return 1 + (frames - 1) // 8


def chunks(frames: int, chunk: int = CHUNK) -> tuple[slice, ...]:
    """Slices of a path, each ``chunk`` frames long and starting at the last frame of the previous one.

    A video no longer than one chunk may have any 8k+1 frames; a longer one has (chunk-1) N + 1, 120 N + 1 for the full
    chunk. Raises `InputError` with the nearest lengths otherwise.
    """
    _check_chunk(chunk)
    if frames <= chunk:
        if frames % 8 != 1 or frames < 9:
            below = max(9, (frames - 1) // 8 * 8 + 1)
            raise InputError(f"GEN3C makes 8k+1 frames in one chunk, got {frames}; use {below} or {below + 8}.")
        return (slice(0, frames),)
    step = chunk - 1
    if (frames - 1) % step:
        below = (frames - 1) // step * step + 1
        raise InputError(
            f"A video longer than one chunk has {step} N + 1 frames, got {frames}; use {below} or {below + step}."
        )
    return tuple(slice(start, start + chunk) for start in range(0, frames - 1, step))


def _check_chunk(chunk: int) -> None:
    if chunk % 8 != 1 or not 9 <= chunk <= CHUNK:
        raise InputError(f"A chunk has 8k+1 frames, at least 9 and at most {CHUNK}; got {chunk}.")
