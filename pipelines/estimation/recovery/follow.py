"""Tracks points through a clip, and finds cuts and empty frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from pipelines.estimation.tracking import follow_points

LONG_SIDE = 640
"""The longer side is scaled down to so many pixels: a tenth of a pixel gives an accuracy of a twentieth of a degree."""
EMPTY = 3.0
"""Standard deviation, in levels of 255, below which a frame counts as empty."""
LEAST_SURVIVORS = 0.12
"""Share of a frame's points found in the next; a smaller share may be a cut."""
SAME_PLACE_PX, SAME_PLACE_SHARE, OVERLAY_FRAMES, MOVING_PX = (0.4, 1.0), 0.1, 6, 2.5
"""A point that moves less than this over so many frames, while the others move by `MOVING_PX`, belongs to an overlay: a text, a logo.
The limit is a share of the others' motion, clipped, because the picture behind a text pulls at its corners."""


@dataclass(frozen=True, eq=False)
class Observations:
    """N observations of ``count`` points: the point (N,), the frame (N,), and the pixel (N,2), centres at integers."""

    point: NDArray[np.int64]
    frame: NDArray[np.int64]
    pixel: NDArray[np.float64]

    @property
    def count(self) -> int:
        return int(self.point.max()) + 1 if len(self.point) else 0

    def where(self, kept: NDArray[np.bool_]) -> Observations:
        """The observations where ``kept`` (N,) is true, with points renumbered without gaps."""
        return Observations(np.unique(self.point[kept], return_inverse=True)[1], self.frame[kept], self.pixel[kept])

    def seen_at_least(self, frames: int) -> Observations:
        return self.where(np.bincount(self.point, minlength=self.count)[self.point] >= frames)

    def longest(self, most: int) -> Observations:
        """The ``most`` points with the longest tracks."""
        if self.count <= most:
            return self
        kept = np.zeros(self.count, bool)
        kept[np.argsort(-np.bincount(self.point, minlength=self.count), kind="stable")[:most]] = True
        return self.where(kept[self.point])

    def among(self, frames: NDArray[np.int64]) -> Observations:
        """The observations in ``frames`` (K,), ascending; the frames are renumbered 0..K-1."""
        inside = np.isin(self.frame, frames)
        kept = self.where(inside)
        return Observations(kept.point, np.searchsorted(frames, kept.frame), kept.pixel)

    def joined(self, other: Observations) -> Observations:
        return Observations(
            np.append(self.point, other.point + self.count),
            np.append(self.frame, other.frame),
            np.concatenate([self.pixel, other.pixel]),
        )

    def shared(self, first: int, second: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pixels (M,2) and (M,2) of the points visible in both frames."""
        a, b = np.flatnonzero(self.frame == first), np.flatnonzero(self.frame == second)
        _, i, j = np.intersect1d(self.point[a], self.point[b], assume_unique=True, return_indices=True)
        return self.pixel[a[i]], self.pixel[b[j]]


@dataclass(frozen=True, eq=False)
class Clip:
    """A clip prepared for recovery: ``frames`` (F,h,w,3) scaled down; ``width``, ``height`` and ``fps`` of the original."""

    frames: NDArray[np.uint8]
    width: int
    height: int
    fps: float


@dataclass(frozen=True, eq=False)
class ClipTracks:
    """Tracks of a whole clip, as ``observations`` over all frames.

    ``stretches``: first frame and the one after the last of every stretch without cuts; ``cuts``: first frames after a cut;
    ``empty``: frames without content; ``overlays``: number of points left out because they are fixed on the screen.
    """

    observations: Observations
    stretches: tuple[tuple[int, int], ...]
    cuts: tuple[int, ...]
    empty: tuple[int, ...]
    overlays: int


def clip_of(frames: NDArray[np.uint8], fps: float = 24.0) -> Clip:
    """Frames (F,H,W,3) scaled down; raises `InputError` for other shapes."""
    if frames.ndim != 4 or frames.shape[-1] != 3 or not len(frames):
        raise InputError(f"A clip needs frames of shape (F,H,W,3), got {frames.shape}.")
    small = np.stack([_small(frame) for frame in frames])
    return Clip(small, frames.shape[2], frames.shape[1], fps)


def clip_of_video(file: str | Path, *, most_frames: int = 1000) -> Clip:
    """Read a video and scale it down frame by frame, so that it is never held at full size. Raises as `pipelines.media.video` does."""
    from pipelines.media.video import frames_of

    small: list[NDArray[np.uint8]] = []
    width = height = 0
    with frames_of(file, max_frames=most_frames) as (images, fps):
        for frame in images:
            height, width = frame.shape[:2]
            small.append(_small(frame))
    if not small:
        raise InputError("The video holds no frame; export it again as an H.264 mp4.")
    return Clip(np.stack(small), width, height, fps)


def _small(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = frame.shape[:2]
    scale = LONG_SIDE / max(height, width)
    if scale >= 1:
        return frame
    size = round(width * scale), round(height * scale)
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


def follow(clip: Clip) -> ClipTracks:
    """Track points through the whole clip, split at cuts and empty frames."""
    frames = clip.frames
    spread = np.array([float(frame.std(axis=(0, 1)).max()) for frame in frames])
    empty = spread < EMPTY
    seen = Observations(*follow_points(frames, None, strict=True))
    cuts = tuple(_cuts(frames, seen, empty))
    seen = _split_tracks(seen, cuts, empty)
    seen, overlays = _drop_overlays(seen)
    return ClipTracks(
        seen, tuple(_stretches(len(frames), cuts, empty)), cuts, tuple(np.flatnonzero(empty).tolist()), overlays
    )


def _cuts(frames: NDArray[np.uint8], seen: Observations, empty: NDArray[np.bool_]) -> Iterator[int]:
    for i in range(1, len(frames)):
        if empty[i - 1] or empty[i]:
            continue
        here = int((seen.frame == i - 1).sum())
        kept = len(seen.shared(i - 1, i)[0])
        if here >= 8 and kept < LEAST_SURVIVORS * here and not _is_same_place(frames[i - 1], frames[i]):
            yield i


def _is_same_place(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> bool:
    """Whether two frames show the same scene although no point could be tracked, as in a whip pan."""
    first, second = sift_matches(before, after)
    if len(first) < 16:
        return False
    _, good = cv2.findFundamentalMat(first, second, cv2.FM_RANSAC, 1.5, 0.999)
    return good is not None and int(good.sum()) >= max(16, 0.5 * len(first))


def sift_matches(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> tuple[NDArray, NDArray]:
    """Pixels (M,2) and (M,2) of SIFT's matches that pass Lowe's ratio test."""
    sift = cv2.SIFT.create(800)
    (first, a), (second, b) = (
        sift.detectAndCompute(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), None) for f in (before, after)
    )  # type: ignore[call-overload]
    if a is None or b is None or len(b) < 2:
        return np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32)
    pairs = cv2.BFMatcher().knnMatch(a, b, k=2)
    good = [m[0] for m in pairs if len(m) == 2 and m[0].distance < 0.75 * m[1].distance]
    there = np.array([(*first[m.queryIdx].pt, *second[m.trainIdx].pt) for m in good], np.float32).reshape(-1, 4)
    return there[:, :2], there[:, 2:]


def _split_tracks(seen: Observations, cuts: tuple[int, ...], empty: NDArray[np.bool_]) -> Observations:
    """Split tracks at cuts and empty frames."""
    part = np.cumsum(np.isin(np.arange(len(empty)), cuts) | empty)
    kept = ~empty[seen.frame]
    name = seen.point * (int(part[-1]) + 1) + part[seen.frame]
    return Observations(name, seen.frame, seen.pixel).where(kept)


def _stretches(count: int, cuts: tuple[int, ...], empty: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    start = None
    for i in range(count + 1):
        ends = i == count or empty[i] or i in cuts
        if ends and start is not None:
            yield start, i
            start = None
        if i < count and not empty[i] and start is None:
            start = i


def _drop_overlays(seen: Observations) -> tuple[Observations, int]:
    """Drop points that stay fixed on the screen while the picture moves (overlays); also return their number."""
    if not len(seen.point):
        return seen, 0
    low, high = (np.full((seen.count, 2), value) for value in (np.inf, -np.inf))
    np.minimum.at(low, seen.point, seen.pixel)
    np.maximum.at(high, seen.point, seen.pixel)
    reach = (high - low).max(axis=1)
    length = np.bincount(seen.point, minlength=seen.count)
    long = length >= OVERLAY_FRAMES
    others = float(np.median(reach[long] / length[long])) * OVERLAY_FRAMES if long.any() else 0.0
    if others < MOVING_PX:
        return seen, 0
    glass = long & (reach < np.clip(SAME_PLACE_SHARE * others, *SAME_PLACE_PX))
    return seen.where(~glass[seen.point]), int(glass.sum())
