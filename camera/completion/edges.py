"""Foreground pixels at depth edges, and the mixed pixels next to them, as marks that can be rendered from any camera."""

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
"""Minimum disparity of a depth edge, as a fraction of the focal length, for a camera translation by the focus depth."""
NEAR_SIDE, FAR_SIDE = 7, 3
"""Window sizes in pixels in which a depth edge is searched."""
SPAN = 2
"""Maximum width of an edge in pixels."""
UNEVEN = 0.75
"""A step is an edge if it differs from its neighbours by more than this fraction of the greater one; where two planes meet, as
wall and floor do, it differs by half at most."""
MARKED = 100


def edges_from(
    scene: Scene, path: CameraPath, frame: int, holes: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Two (H,W): pixels of ``frame`` on the near side of depth edges, and pixels on the far side that are mixed with it."""
    shown = min(frame, len(scene.views) - 1)
    alone = scene.kind == "clip"
    views = tuple(_mark(view) if not alone or k == shown else view for k, view in enumerate(scene.views))
    marked = replace(scene, views=views)
    marks = painter(marked, "mesh")(path, frame).colour
    return ~holes & (marks[..., 0] > MARKED), ~holes & (marks[..., 1] > MARKED)


def beyond_borders(scene: Scene, path: CameraPath, frame: int, inverse: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(H,W): pixels of ``frame`` that are outside every picture of the scene, at both near and far depth.

    ``inverse`` (H,W): inverse depth of the visible surfaces, 0 on sky and in holes. These pixels are not occluded by anything.
    """
    visible = inverse[inverse > 0]
    views = (scene.views[min(frame, len(scene.views) - 1)],) if scene.kind == "clip" else scene.views
    result = np.ones(inverse.shape, bool)
    for nearness in (0.0, float(np.quantile(visible, 0.9)) if visible.size else 0.0):
        for view in views:
            result &= ~_is_inside(view, path, frame, nearness)
    return result


def _is_inside(view: View, path: CameraPath, frame: int, nearness: float) -> NDArray[np.bool_]:
    """(H,W): pixels of ``frame`` whose points at the inverse depth ``nearness`` project into the picture of ``view``."""
    to_view = inverse_of(view.world_from_camera) @ path.world_from_camera[frame]
    turn = view.intrinsics @ to_view[:3, :3] @ np.linalg.inv(path.intrinsics[frame])
    y, x = np.mgrid[: path.height, : path.width].astype(np.float32)
    shift = nearness * (view.intrinsics @ to_view[:3, 3])
    u, v, w = (turn[k, 0] * x + turn[k, 1] * y + turn[k, 2] + shift[k] for k in range(3))
    return (w > 0) & (u >= 0) & (v >= 0) & (u <= (view.width - 1) * w) & (v <= (view.height - 1) * w)


def _mark(view: View) -> View:
    """``view`` with marks as colours: red on the near side of depth edges, green on the far side close to it."""
    steps = _find_steps(view)

    def edge(nearest: NDArray[np.float32], farthest: NDArray[np.float32]) -> NDArray[np.bool_]:
        apart = 1 / nearest - 1 / farthest > EDGE / view.focus_depth
        return (farthest > CUT_RATIO * nearest) & apart & steps

    farthest = np.asarray(cv2.dilate(view.depth, np.ones((NEAR_SIDE, NEAR_SIDE), np.uint8)), np.float32)
    nearest = np.asarray(cv2.erode(view.depth, np.ones((FAR_SIDE, FAR_SIDE), np.uint8)), np.float32)
    hiding, mixed = edge(view.depth, farthest), edge(nearest, view.depth)
    colour = np.full((view.height, view.width, 3), 1, np.uint8)
    colour[hiding, 0] = colour[mixed, 1] = 255
    colour[~view.colour.any(axis=2)] = 0  # padding stays padding
    return replace(view, colour=colour)


def _find_steps(view: View) -> NDArray[np.bool_]:
    """(H,W): pixels near a step of inverse depth. Slopes are not steps: a floor at a grazing angle has none."""
    inverse = np.where(view.known, 1 / np.maximum(view.depth, 1e-12), 0).astype(np.float32)
    marks = np.zeros(inverse.shape, bool)
    for axis in (0, 1):
        if inverse.shape[axis] > SPAN:
            _mark_steps(np.moveaxis(inverse, axis, 0), EDGE / view.focus_depth, np.moveaxis(marks, axis, 0))
    return np.asarray(cv2.dilate(marks.view(np.uint8), np.ones((NEAR_SIDE, NEAR_SIDE), np.uint8))).astype(bool)


def _mark_steps(inverse: NDArray[np.float32], least: float, marks: NDArray[np.bool_]) -> None:
    """Mark, in ``marks``, both ends of a step along the first axis and the pixels between them."""
    count = len(inverse)
    wide = np.pad(inverse, ((SPAN, SPAN), (0, 0)), mode="edge")
    before, here, there, after = (wide[k * SPAN : k * SPAN + count - SPAN] for k in range(4))
    step, one, other = there - here, here - before, after - there
    off = np.minimum(abs(step - one), abs(step - other))
    edge = (off > least) & (off > UNEVEN * np.maximum(abs(one), abs(other)))
    edge &= np.maximum(here, there) > CUT_RATIO * np.minimum(here, there)
    for k in range(SPAN + 1):
        marks[k : k + count - SPAN] |= edge
