"""Previews of a sequence of shots, rendered from the scene: an animatic and a contact sheet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from camera.path import CameraPath
from camera.render.scene import render, render_all
from camera.sequence.shots import Shot, join_shots
from camera.view import Scene
from pipelines.media.video import mp4_writer
from pipelines.method import Progress

Picture = NDArray[np.uint8]
MOMENTS = 3
"""Frames per shot on the contact sheet: first, middle and last."""
BAND = 26
"""Height of the caption above each shot, pixels."""
PAPER, INK = (250, 250, 248), (40, 40, 40)


def animatic(scene: Scene, shots: tuple[Shot, ...], video: Path) -> Iterator[Progress | Path]:
    """All shots with straight cuts as one mp4, with holes filled from the background; a clip restarts with each shot.

    Yields progress and, last, ``video``; closing it cancels and leaves no file. Raises `InputError` for no shots, or shots of
    different size or rate.
    """
    frames, done = len(join_shots(shots)), 0
    with mp4_writer(video, shots[0].path.fps, speed="preview") as write:
        for shot in shots:
            images = render_all(scene, shot.path, fill="background")
            try:
                for image in images:
                    write(image.colour)
                    done += 1
                    yield Progress(f"Drawing {shot.name}", done, frames)
            finally:
                images.close()  # type: ignore[attr-defined]
    yield video


def contact_sheet(scene: Scene, shots: tuple[Shot, ...], *, side: int = 320) -> Picture:
    """(H,W,3) uint8: a row for each shot with its first, middle and last frame, ``side`` pixels wide, below its name, length
    and lens. Raises `InputError` for no shots, or shots of different size or rate."""
    whole = join_shots(shots)
    height = max(2, round(side * whole.height / whole.width))
    rows = [_row(scene, number, shot, side, height) for number, shot in enumerate(shots, start=1)]
    return np.concatenate(rows)


def _row(scene: Scene, number: int, shot: Shot, side: int, height: int) -> Picture:
    frames = np.linspace(0, len(shot.path) - 1, MOMENTS).round().astype(int)
    path = shot.path.resized(side, height)
    small = scene.fitted(side, height, "stretch")
    pictures = [render(small, path, frame=int(frame), fill="background").colour for frame in frames]
    return np.concatenate([_line(number, shot, side * MOMENTS), np.concatenate(pictures, axis=1)])


def _line(number: int, shot: Shot, width: int) -> Picture:
    from PIL import Image, ImageDraw

    band = Image.new("RGB", (width, BAND), PAPER)
    ImageDraw.Draw(band).text((8, 6), f"{number}  {shot.name}  ·  {describe_shot(shot.path)}", fill=INK)
    return np.array(band)


def describe_shot(path: CameraPath) -> str:
    """A short description of a shot's length and lens."""
    first, last = (path.intrinsics[frame, 0, 0] * 36 / path.width for frame in (0, -1))
    lens = f"{first:.0f} mm" if abs(first - last) < 0.5 else f"{first:.0f} to {last:.0f} mm"
    return f"{len(path)} frames, {path.seconds:.1f} s, {lens}"
