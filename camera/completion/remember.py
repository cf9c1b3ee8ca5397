"""What a clip saw at other times: parts that stand still are shown where the frame of the moment has holes.

What moves is found from geometry alone. A point of one frame that another frame looks through, because it sees something farther
there, was not there at that time; a point at the depth that the other frame sees, but of another colour, is something else.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import spread_indices
from camera.render.painters import Hidden
from camera.view import Scene, View

WITNESSES = 8
"""Frames, spread over the clip, that each frame is compared with."""
KEPT = 12
"""Frames, spread over the clip, whose standing parts are kept."""
TOLERANCE = 0.03
"""Relative difference of depth that counts as the same surface."""
OTHER_COLOUR = 60
"""Levels (of 255, in the channel that differs most) beyond all neighbours' at the same depth: another thing."""
MARGIN_PX = 2
"""Around what moves, at 480 rows: its edge mixes with what is behind."""


def moving_parts(scene: Scene) -> NDArray[np.bool_]:
    """(F,H,W) of a clip with cameras and depth: True on what is seen to move. Raises `InputError` for no clip."""
    found = [_judged(scene.views[i], witnesses) for i, witnesses in _witnesses(scene)]
    return np.stack([moving for moving, _ in found])


def standing_parts(scene: Scene, moving: NDArray[np.bool_] | None = None) -> list[Hidden]:
    """What stands still in frames spread over a clip, for `camera.render.scene.render_all` to draw in holes.

    A pixel stands still where another frame confirms its depth and colour and none contradicts them. ``moving`` (F,H,W): True on
    what moves besides, such as masks made by hand. Raises `InputError` for no clip, and masks of another shape.
    """
    shape = (len(scene.views), scene.first.height, scene.first.width)
    if moving is not None and moving.shape != shape:
        raise InputError(f"Masks of what moves must have the clip's shape {shape}, got {moving.shape}.")
    kept = set(spread_indices(len(scene.views), KEPT))
    parts = []
    for i, witnesses in _witnesses(scene):
        if i in kept:
            away, confirmed = _judged(scene.views[i], witnesses)
            away = away if moving is None else away | moving[i]
            parts.append(Hidden(scene.views[i], confirmed & ~away))
    return [part for part in parts if part.drawn.any()]


def _witnesses(scene: Scene) -> list[tuple[int, list[View]]]:
    if scene.kind != "clip" or len(scene.views) < 2:
        raise InputError(
            f"What moves is found in a clip of at least 2 frames, and this is a {scene.kind} of {len(scene.views)}."
        )
    spread = spread_indices(len(scene.views), WITNESSES)
    return [(i, [scene.views[j] for j in spread if j != i]) for i in range(len(scene.views))]


def _judged(view: View, witnesses: list[View]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which pixels (H,W) are seen to move, with a margin, and which another frame confirms."""
    from camera.unproject import points_of

    points = points_of(view)
    moving, confirmed = np.zeros(view.known.shape, bool), np.zeros(view.known.shape, bool)
    for other in witnesses:
        absent, alike = _compared(view, points, other)
        moving |= absent
        confirmed |= alike
    size = 2 * max(round(MARGIN_PX * view.height / 480), 1) + 1
    lone = cv2.morphologyEx(moving.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    return cv2.dilate(lone, np.ones((size, size), np.uint8)).astype(bool), confirmed & ~moving


def _compared(view: View, points: NDArray, other: View) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where ``other`` does not see the view's points though it looks there, and where it sees them."""
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
