"""Which pixels stand before a depth edge, and which mix with what is before them, as marks that can be drawn from anywhere."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.path import CameraPath
from camera.path import inverse as inverse_of
from camera.render.painters import CUT_RATIO, painter
from camera.view import Scene, View

EDGE = 0.02
"""A depth edge moves its sides apart by this share of the focal length at least when the camera goes by the focus depth."""
NEAR_SIDE, FAR_SIDE = 7, 3
"""Width of the windows in which a depth edge is looked for, pixels."""
SPAN = 2
"""An edge may take so many pixels to fall."""
UNEVEN = 0.75
"""A step is an edge where it differs from those beside it by more than this part of the greater: where two planes meet, as
wall and floor do, it differs by half of it at most."""
MARKED = 100


def edges_from(
    scene: Scene, path: CameraPath, frame: int, holes: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """What ``frame`` shows of the near side of depth edges, and of their far side where it mixes with it: two (H,W)."""
    shown = min(frame, len(scene.views) - 1)
    alone = scene.kind == "clip"
    views = tuple(_mark(view) if not alone or k == shown else view for k, view in enumerate(scene.views))
    marked = replace(scene, views=views)
    marks = painter(marked, "mesh")(path, frame).colour
    return ~holes & (marks[..., 0] > MARKED), ~holes & (marks[..., 1] > MARKED)


def beyond_borders(scene: Scene, path: CameraPath, frame: int, inverse: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(H,W): pixels of ``frame`` that no picture of the scene can show, whether they are far or near.

    ``inverse`` (H,W): inverse depth of what is seen, 0 on sky and in holes. Nothing hides what is there.
    """
    seen = inverse[inverse > 0]
    views = (scene.views[min(frame, len(scene.views) - 1)],) if scene.kind == "clip" else scene.views
    result = np.ones(inverse.shape, bool)
    for nearness in (0.0, float(np.quantile(seen, 0.9)) if seen.size else 0.0):
        for view in views:
            result &= ~_is_inside(view, path, frame, nearness)
    return result


def _is_inside(view: View, path: CameraPath, frame: int, nearness: float) -> NDArray[np.bool_]:
    """(H,W): pixels of ``frame`` whose points at the inverse depth ``nearness`` lie in the picture of ``view``."""
    to_view = inverse_of(view.world_from_camera) @ path.world_from_camera[frame]
    turn = view.intrinsics @ to_view[:3, :3] @ np.linalg.inv(path.intrinsics[frame])
    y, x = np.mgrid[: path.height, : path.width].astype(np.float32)
    shift = nearness * (view.intrinsics @ to_view[:3, 3])
    u, v, w = (turn[k, 0] * x + turn[k, 1] * y + turn[k, 2] + shift[k] for k in range(3))
    return (w > 0) & (u >= 0) & (v >= 0) & (u <= (view.width - 1) * w) & (v <= (view.height - 1) * w)


def _mark(view: View) -> View:
    """With marks for colours: red on the near side of depth edges, green on the far side close to it."""
    steps = _find_steps(view)

    def edge(nearest: NDArray[np.float32], farthest: NDArray[np.float32]) -> NDArray[np.bool_]:
        apart = 1 / nearest - 1 / farthest > EDGE / view.focus_depth
        return (farthest > CUT_RATIO * nearest) & apart & steps

    farthest = np.asarray(cv2.dilate(view.depth, np.ones((NEAR_SIDE, NEAR_SIDE), np.uint8)), np.float32)
    nearest = np.asarray(cv2.erode(view.depth, np.ones((FAR_SIDE, FAR_SIDE), np.uint8)), np.float32)
    hiding, mixed = edge(view.depth, farthest), edge(nearest, view.depth)
    colour = np.full((view.height, view.width, 3), 1, np.uint8)
    colour[hiding, 0] = colour[mixed, 1] = 255
    colour[~view.colour.any(axis=2)] = 0  # padding stays what it is
    return replace(view, colour=colour)


def _find_steps(view: View) -> NDArray[np.bool_]:
    """(H,W): pixels near a step of inverse depth that no slope explains; a floor seen at a grazing angle has none."""
    inverse = np.where(view.known, 1 / np.maximum(view.depth, 1e-12), 0).astype(np.float32)
    found = np.zeros(inverse.shape, bool)
    for axis in (0, 1):
        if inverse.shape[axis] > SPAN:
            _mark_steps(np.moveaxis(inverse, axis, 0), EDGE / view.focus_depth, np.moveaxis(found, axis, 0))
    return np.asarray(cv2.dilate(found.view(np.uint8), np.ones((NEAR_SIDE, NEAR_SIDE), np.uint8))).astype(bool)


def _mark_steps(inverse: NDArray[np.float32], least: float, found: NDArray[np.bool_]) -> None:
    """Marks, in ``found``, both ends of a step along the first axis and what is between."""
    count = len(inverse)
    wide = np.pad(inverse, ((SPAN, SPAN), (0, 0)), mode="edge")
    before, here, there, after = (wide[k * SPAN : k * SPAN + count - SPAN] for k in range(4))
    step, one, other = there - here, here - before, after - there
    off = np.minimum(abs(step - one), abs(step - other))
    edge = (off > least) & (off > UNEVEN * np.maximum(abs(one), abs(other)))
    edge &= np.maximum(here, there) > CUT_RATIO * np.minimum(here, there)
    for k in range(SPAN + 1):
        found[k : k + count - SPAN] |= edge
