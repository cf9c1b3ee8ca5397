"""The 4D grid: a video of the scene in motion, and the camera move through each of its key frames.

Published: the T-Director turns the picture into a video of the moving scene with a static camera. An S-Director makes a clip
from one key frame of this video, the reference; guided by the reference, it makes a clip of every other key frame. Side by
side, the clips show one scene at several moments from the same cameras. How the reference guides is not published.
Our own choice: key frames are evenly spaced, the user chooses the one with the reference, and the other clips start from its
latents with part of the noise added back, drawn from the same seed. The identity-preserving denoising and the refinement
rounds of the paper are unreleased and not imitated.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.path import CameraPath
from pipelines.method import Clip, Frames

NOTE = (
    "4D grid: the order of directors is published; starting other moments from the reference clip's latents is our own "
    "choice, as the paper's identity-preserving denoising is unreleased. Cameras are nominal."
)


@dataclass(frozen=True, eq=False)
class Grid:
    """``time``: (F,H,W,3), the scene moving in front of a static camera. ``moments``: indices of its key frames.

    ``views``: for every moment the clip (F,H,W,3) of the camera move through it; all along the same path.
    """

    time: Frames
    moments: tuple[int, ...]
    views: tuple[Frames, ...]


def key_moments(frames: int, count: int) -> tuple[int, ...]:
    """``count`` frame numbers spread over a video of ``frames``, always including the first."""
    return tuple(np.linspace(0, frames - 1, count).round().astype(int).tolist()) if count > 1 else (0,)


def as_clip(grid: Grid, path: CameraPath, fps: float, notes: tuple[str, ...]) -> Clip:
    """A clip of all moments side by side along the path; its extras are each moment, and each of three cameras through time."""
    extras = {"time": grid.time}
    for moment, view in zip(grid.moments, grid.views):
        extras[f"moment {moment / fps:.1f} s"] = view
    for name, number in (("first", 0), ("middle", len(path) // 2), ("last", len(path) - 1)):
        extras[f"{name} camera"] = np.stack([view[number] for view in grid.views])
    frames = mosaic(grid.views)
    about = {
        "seconds": [moment / fps for moment in grid.moments],
        "width": path.width,
        "height": path.height,
        "intrinsics": path.intrinsics.tolist(),
        "world_from_camera": path.world_from_camera.tolist(),
        "nominal": True,
    }
    return Clip(frames, fps, path, extras=extras, notes=(*notes, NOTE), files={"grid.json": json.dumps(about).encode()})


def mosaic(views: tuple[Frames, ...]) -> NDArray[np.uint8]:
    """(F,H,W,3): the clips, scaled down to fit the smallest square grid; empty cells are black."""
    columns = int(np.ceil(np.sqrt(len(views))))
    count, height, width = views[0].shape[:3]
    tile_height, tile_width = height // columns, width // columns
    frames = np.zeros_like(views[0])
    for number, view in enumerate(views):
        top, left = number // columns * tile_height, number % columns * tile_width
        for i in range(count):
            small = cv2.resize(view[i], (tile_width, tile_height), interpolation=cv2.INTER_AREA)
            frames[i, top : top + tile_height, left : left + tile_width] = small
    return frames
