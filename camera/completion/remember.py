"""Static parts of other frames of a clip, to be shown in the holes of the current frame.

Motion is detected from geometry and colour. If another frame sees something farther at a point's projection, the point was not
there at that time. If it sees the same depth in another colour, the surface is a different one.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import spread_indices
from camera.render.painters import HiddenPart
from camera.view import Scene, View

REFERENCES = 8
"""Frames, spread over the clip, with which each frame is compared."""
PART_FRAMES = 12
"""Frames, spread over the clip, whose static parts are kept."""
TOLERANCE = 0.03
"""Relative depth difference within which two surfaces count as the same."""
OTHER_COLOUR = 60
"""Colour difference (levels of 255, largest channel) to all neighbours at the same depth that means a different surface."""
MARGIN_PX = 2
"""Dilation of moving parts in pixels at 480 rows, because their edges mix with the background."""


def moving_parts(scene: Scene) -> NDArray[np.bool_]:
    """(F,H,W): True on moving pixels of a clip with cameras and depth. Raises `InputError` if ``scene`` is not a clip."""
    results = [_classify(scene.views[i], references) for i, references in _references(scene)]
    return np.stack([moving for moving, _ in results])


def standing_parts(scene: Scene, moving: NDArray[np.bool_] | None = None) -> list[HiddenPart]:
    """The static parts of frames spread over a clip, for `camera.render.scene.render_all` to draw in holes.

    A pixel is static if another frame confirms its depth and colour and none contradicts them. ``moving`` (F,H,W): True on
    additional moving pixels, such as hand-made masks. Raises `InputError` if ``scene`` is not a clip, or for masks of another shape.
    """
    shape = (len(scene.views), scene.first.height, scene.first.width)
    if moving is not None and moving.shape != shape:
        raise InputError(f"Masks of moving parts must have the clip's shape {shape}, got {moving.shape}.")
    part_frames = set(spread_indices(len(scene.views), PART_FRAMES))
    parts = []
    for i, references in _references(scene):
        if i in part_frames:
            away, confirmed = _classify(scene.views[i], references)
            away = away if moving is None else away | moving[i]
            parts.append(HiddenPart(scene.views[i], confirmed & ~away))
    return [part for part in parts if part.drawn.any()]


def _references(scene: Scene) -> list[tuple[int, list[View]]]:
    if scene.kind != "clip" or len(scene.views) < 2:
        raise InputError(
            f"Moving parts are found in a clip of at least 2 frames; this is a {scene.kind} of {len(scene.views)}."
        )
    spread = spread_indices(len(scene.views), REFERENCES)
    return [(i, [scene.views[j] for j in spread if j != i]) for i in range(len(scene.views))]


def _classify(view: View, references: list[View]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Moving pixels (H,W), with a margin, and pixels (H,W) that another frame confirms."""
    from camera.unproject import points_of

    points = points_of(view)
    moving, confirmed = np.zeros(view.known.shape, bool), np.zeros(view.known.shape, bool)
    for other in references:
        absent, alike = _compare(view, points, other)
        moving |= absent
        confirmed |= alike
    size = 2 * max(round(MARGIN_PX * view.height / 480), 1) + 1
    lone = cv2.morphologyEx(moving.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    return cv2.dilate(lone, np.ones((size, size), np.uint8)).astype(bool), confirmed & ~moving


def _compare(view: View, points: NDArray, other: View) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Pixels that ``other`` contradicts (it sees through them, or another colour), and pixels that it confirms."""
    pose = np.linalg.inv(other.world_from_camera)
    local = points @ pose[:3, :3].T.astype(np.float32) + pose[:3, 3].astype(np.float32)
    z = local[..., 2]
    pixel = local @ other.intrinsics.T.astype(np.float32) / np.where(z > 0, z, np.float32(np.nan))[..., None]
    x, y = (np.nan_to_num(pixel[..., k], nan=-1.0).round() for k in (0, 1))
    inside = view.known & (z > 0) & (x >= 0) & (y >= 0) & (x < other.width) & (y < other.height)
    column, row = np.where(inside, x, 0).astype(int), np.where(inside, y, 0).astype(int)
    around = np.ones((3, 3), np.uint8)
    nearest, farthest = cv2.erode(other.depth, around)[row, column], cv2.dilate(other.depth, around)[row, column]
    same = inside & (z > (1 - TOLERANCE) * nearest) & (z < (1 + TOLERANCE) * farthest)
    low, high = (change(other.colour, around).astype(np.int16)[row, column] for change in (cv2.erode, cv2.dilate))
    colour = view.colour.astype(np.int16)
    off = np.maximum(low - colour, colour - high).max(axis=2)
    absent = inside & (z < (1 - TOLERANCE) * nearest)
    flat = farthest < (1 + TOLERANCE) * nearest
    return absent | (same & flat & (off > OTHER_COLOUR)), same & flat & (off <= OTHER_COLOUR / 2)
