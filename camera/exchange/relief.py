"""The visible surface of a picture with depth as triangles, cut at the same depth edges as in the renderers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import spread_indices
from camera.render.painters import CUT_RATIO, PLANE_RUN, PLANE_TOLERANCE, STRETCH
from camera.view import Scene, View

MOST_SIDE = 640
"""Longer side, in pixels, to which each view is reduced: about 0.4 million triangles."""
MOST_VIEWS = 8
"""Maximum number of views, evenly spaced."""


@dataclass(frozen=True, eq=False)
class Relief:
    """``vertices`` (N,3) float32 in the world, OpenCV axes; ``colours`` (N,3) uint8 sRGB; ``triangles`` (T,3) int32."""

    vertices: NDArray[np.float32]
    colours: NDArray[np.uint8]
    triangles: NDArray[np.int32]


def relief_of(scene: Scene, *, most_side: int = MOST_SIDE) -> Relief:
    """The surface of a scene's known depth: of the first frame of a clip, or of up to `MOST_VIEWS` views.

    Objects in the scene are left out. Raises `InputError` if the scene shows only sky.
    """
    views = scene.views[:1] if scene.kind == "clip" else scene.views
    chosen = spread_indices(len(views), MOST_VIEWS)
    parts = [relief_of_view(views[i].at_most(most_side)) for i in chosen]
    starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
    whole = Relief(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate([part.colours for part in parts]),
        np.concatenate([part.triangles + start for part, start in zip(parts, starts)]).astype(np.int32),
    )
    if not len(whole.triangles):
        raise InputError(f"{scene.name} shows no surface with known depth, so there is nothing to export.")
    return whole


def relief_of_view(view: View) -> Relief:
    """One vertex per pixel with known depth, and two triangles per 2x2 block that no depth edge crosses."""
    from camera.render.depth_mesh import joined_quads
    from camera.unproject import points_of

    number = np.full(view.known.shape, -1, np.int32)
    number[view.known] = np.arange(view.known.sum(), dtype=np.int32)
    corners = np.stack([number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]])
    slack = STRETCH / (view.intrinsics[0, 0] * view.focus_depth)
    whole = (corners >= 0).all(axis=0) & joined_quads(
        view.depth, cut_ratio=CUT_RATIO, slack=slack, far=np.inf, plane_run=PLANE_RUN, plane_tolerance=PLANE_TOLERANCE
    )
    a, b, c, d = corners[:, whole]
    triangles = np.concatenate([np.stack([a, b, c], axis=1), np.stack([b, d, c], axis=1)])
    used, triangles = np.unique(triangles, return_inverse=True)
    points, colours = points_of(view)[view.known][used], view.colour[view.known][used]
    return Relief(points, colours, triangles.reshape(-1, 3).astype(np.int32))
