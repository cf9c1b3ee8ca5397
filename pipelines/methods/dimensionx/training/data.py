"""Clips with captions for LoRA training, and their training frames."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camera.errors import InputError, reading
from pipelines.inputs.open import VIDEOS
from pipelines.media.video import probe, read_video
from pipelines.methods.dimensionx.framing import crop_frame_bytes

STILL_PIXELS = 0.15
"""Maximum corner motion of a static camera: median per frame, per hundred pixels of width."""

Camera = Literal["any", "still", "moving"]


@dataclass(frozen=True)
class CaptionedClip:
    video: Path
    caption: str


def find_clips(source: str | Path) -> list[CaptionedClip]:
    """Read a CSV (header, then file and caption per row, files relative to it) or a folder of videos with a ``.txt`` each.

    Raises `InputError` that names the wrong row or file; upstream's trainer silently skips such rows.
    """
    source = Path(source)
    if source.is_dir():
        clips = [_read_captioned_clip(path) for path in sorted(source.iterdir()) if path.suffix.lower() in VIDEOS]
    elif source.suffix.lower() == ".csv" and source.is_file():
        clips = _csv_clips(source)
    else:
        raise InputError(
            f"{source.name} is neither a folder of videos nor a CSV file with a file and a caption per row."
        )
    if not clips:
        raise InputError(f"{source.name} contains no clips; give mp4, mov or webm files with captions.")
    return clips


def training_indices(length: int, fps: float, frames: int, *, wanted_fps: float = 8.0) -> list[int]:
    """The source frame of each of ``frames`` training frames, as chosen by upstream's dataset.

    A clip longer than the training clip in seconds: spread over the whole clip (so time is compressed). Longer only in
    frames: the first ones. Shorter: the largest 4k+1 from the start, then the last one repeated.
    """
    if length / fps * wanted_fps > frames:
        return spread(length, frames)
    if length > frames:
        return list(range(0, length, length // frames))[:frames]
    kept = (length - 1) // 4 * 4 + 1
    return [min(i, kept - 1) for i in range(frames)]


def spread(length: int, frames: int) -> list[int]:
    """``frames`` indices over ``length`` frames in whole steps; the remainder is distributed as evenly spaced longer steps."""
    step, remainder = divmod(length, frames)
    longer = {k * frames // remainder for k in range(remainder)}
    indices, now = [], 0
    for i in range(frames):
        indices.append(now)
        now += step + (i in longer)
    return indices


def read_clip(path: Path, *, frames: int, width: int, height: int) -> Tensor:
    """(3,F,height,width) float32 in -1..1."""
    video, fps = read_video(path)
    if len(video) < 5:
        raise InputError(f"{path.name} has {len(video)} frames; a training clip needs at least five.")
    chosen = video[training_indices(len(video), fps, frames)]
    cropped = crop_frame_bytes(torch.from_numpy(chosen).permute(0, 3, 1, 2), width, height)
    return ((cropped.float() - 127.5) / 127.5).transpose(0, 1)


def with_camera(clips: list[CaptionedClip], camera: Camera) -> list[CaptionedClip]:
    """The clips with a static or a moving camera: T-Directors learn from the first, S-Directors from the second."""
    if camera == "any":
        return clips
    matching = [
        clip for clip in clips if (camera_speed(read_video(clip.video)[0]) < STILL_PIXELS) == (camera == "still")
    ]
    if not matching:
        raise InputError(f"None of the {len(clips)} clips has a {camera} camera; choose 'any' or other clips.")
    return matching


def camera_speed(video: NDArray[np.uint8]) -> float:
    """How far the picture's four corners move per frame, median over the clip, in hundredths of the width.

    Tracks feature points between frames and fits a shift, rotation and zoom that most of them agree on, so that objects
    moving in the scene do not count. The paper filters by optical flow, without details; this is our own choice.
    """
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in video]
    speeds = [_corner_motion(a, b) for a, b in pairwise(grey)]
    return float(np.median(speeds)) * 100 / video.shape[2]


def _corner_motion(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    points = cv2.goodFeaturesToTrack(a, 200, 0.01, 7)
    if points is None:
        return 0.0
    moved, found, _ = cv2.calcOpticalFlowPyrLK(a, b, points, np.zeros_like(points))
    found = found.ravel() == 1
    if found.sum() < 4:
        return 0.0
    fit, _ = cv2.estimateAffinePartial2D(points[found], moved[found], ransacReprojThreshold=1.0)
    if fit is None:
        return 0.0
    height, width = a.shape
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], dtype=np.float64)
    return float(np.linalg.norm(corners @ fit.T - corners[:, :2], axis=1).mean())


def _read_captioned_clip(path: Path) -> CaptionedClip:
    caption = path.with_suffix(".txt")
    if not caption.is_file():
        raise InputError(f"{path.name} has no caption; put a file {caption.name} beside it.")
    with reading(f"{caption.name} is not text; save it as plain text in UTF-8."):
        return CaptionedClip(path, caption.read_text(encoding="utf-8-sig").strip())


def _csv_clips(source: Path) -> list[CaptionedClip]:
    damaged = reading(
        f"{source.name} is damaged: a line is incomplete, or it is not text; save it again as CSV in UTF-8."
    )
    with source.open(newline="", encoding="utf-8-sig") as file, damaged:
        rows = list(csv.reader(file))
    clips = []
    for number, row in enumerate(rows[1:], 2):
        if len(row) != 2:
            raise InputError(f"Row {number} of {source.name} has {len(row)} columns; expected a file and a caption.")
        path = source.parent / row[0]
        if not _is_file(path):
            raise InputError(f"Row {number} of {source.name} names {row[0][:80]!r}, which does not exist.")
        clips.append(CaptionedClip(path, row[1].strip()))
    return clips


def _is_file(path: Path) -> bool:
    """Whether the file exists; never raises, however long or strange the name is."""
    try:
        return path.is_file()
    except (ValueError, OSError):
        return False


def check_videos(clips: list[CaptionedClip]) -> None:
    """Open every video once, so that a broken one is found before the first step rather than after an hour."""
    for clip in clips:
        probe(clip.video)
