"""Selects the pixels of one object: by a click on it, by a box around it, and in the other pictures that show it.

Neighbouring pixels belong together if their depth does not jump. Large flat surfaces are excluded first, because an object that
stands on a floor has the floor's depth where they meet.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.render.painters import CUT_RATIO, SelfRenderedScene
from camera.scene_parts.planes import find_planes
from camera.view import Scene, View

INSIDE = 0.8
"""An object counts as inside the box if this fraction of its pixels is."""
MOST_SIDE = 1280
"""Larger pictures are searched at this longer side, in pixels."""
LEAST_PX = 12
"""Minimum number of pixels of a part."""
FLAT_LEVELS, MOST_FLAT = 24, 0.25
"""A click on a flat surface selects its colour within this many levels, and at most this share of the picture."""
SAME_PLACE = 0.04
"""Relative depth tolerance within which another picture shows the part."""


def view_to_choose_in(scene: Scene, index: int = 0) -> View:
    """View ``index`` of a scene for selecting parts: with sharp depth edges if the view was rendered, for example from splats."""
    return scene.sharp_view(index) if isinstance(scene, SelfRenderedScene) else scene.views[index]


def part_at(view: View, column: float, row: float) -> NDArray[np.bool_]:
    """(H,W): the object at a pixel; raises `InputError` outside the picture and at pixels without depth."""
    if (small := view.at_most(MOST_SIDE)) is not view:
        scale = small.width / view.width
        return _enlarged(part_at(small, (column + 0.5) * scale - 0.5, (row + 0.5) * scale - 0.5), view)
    x, y = round(column), round(row)
    if not (0 <= x < view.width and 0 <= y < view.height):
        raise InputError(f"Click inside the picture of {view.width} x {view.height}; got ({x}, {y}).")
    if not view.known[y, x]:
        raise InputError("There is no depth at that place of the picture; click on something nearer than the sky.")
    labels = things_of(view)
    if labels[y, x] == 0:
        return _same_colour(view, x, y)
    return _require_pixels(labels == labels[y, x])


def part_in_box(view: View, box: tuple[float, float, float, float]) -> NDArray[np.bool_]:
    """(H,W): the objects in a box (left, top, right, bottom in pixels), without the surfaces that they stand on.

    If no object is entirely inside, the pixels inside that are not on these surfaces; if there are none, the whole box.
    Raises `InputError` for a box outside the picture.
    """
    if (small := view.at_most(MOST_SIDE)) is not view:
        scale = small.width / view.width
        return _enlarged(part_in_box(small, tuple(side * scale for side in box)), view)  # type: ignore[arg-type]
    left, right = sorted((round(box[0]), round(box[2])))
    top, bottom = sorted((round(box[1]), round(box[3])))
    inside = np.zeros(view.known.shape, bool)
    inside[max(top, 0) : max(bottom + 1, 0), max(left, 0) : max(right + 1, 0)] = True
    if inside.sum() < LEAST_PX:
        raise InputError(
            f"The box should lie in the picture of {view.width} x {view.height}; got {tuple(map(round, box))}."
        )
    labels = things_of(view)
    counts, within = np.bincount(labels.ravel()), np.bincount(labels[inside], minlength=labels.max() + 1)
    whole = (within >= INSIDE * counts) & (within >= LEAST_PX)
    whole[0] = False
    chosen = whole[labels] if whole.any() else inside & (labels > 0)
    return chosen if chosen.sum() >= LEAST_PX else inside & view.known


def things_of(view: View) -> NDArray[np.int32]:
    """(H,W): object labels from 1 on; 0 on large flat surfaces and at pixels without depth."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    flat = ~view.known
    for plane in find_planes(view):
        flat |= plane.on
    number = np.arange(flat.size).reshape(flat.shape)
    pairs = []
    for one, other in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        near, far = np.minimum(view.depth[one], view.depth[other]), np.maximum(view.depth[one], view.depth[other])
        joined = ~flat[one] & ~flat[other] & (far < CUT_RATIO * near)
        pairs.append(np.stack([number[one][joined], number[other][joined]]))
    first, second = np.concatenate(pairs, axis=1)
    graph = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(flat.size, flat.size))
    labels = connected_components(graph, directed=False)[1].reshape(flat.shape).astype(np.int32) + 1
    labels[flat] = 0
    return labels


def spread(scene: Scene, index: int, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(F,H,W): the part ``mask`` (H,W) of view ``index``, in every view that shows it at the same 3D position.

    Includes the whole of every object that another view shows at this position. Raises `InputError` for a mask of another shape.
    """
    view = scene.views[index]
    if mask.shape != view.known.shape:
        raise InputError(f"The mask must have the picture's shape {view.known.shape}, got {mask.shape}.")
    masks = np.zeros((len(scene.views), *mask.shape), bool)
    for i, other in enumerate(scene.views):
        masks[i] = mask if i == index else _mask_in(view, mask, other)
    return masks


def _mask_in(view: View, mask: NDArray[np.bool_], other: View) -> NDArray[np.bool_]:
    from camera.unproject import points_of

    camera = np.linalg.inv(view.world_from_camera)
    local = points_of(other) @ camera[:3, :3].T.astype(np.float32) + camera[:3, 3].astype(np.float32)
    z = np.where(local[..., 2] > 0, local[..., 2], np.float32(np.nan))
    pixel = local @ view.intrinsics.T.astype(np.float32) / z[..., None]
    x, y = (np.nan_to_num(pixel[..., k], nan=-1).round() for k in (0, 1))
    inside = other.known & (x >= 0) & (y >= 0) & (x < view.width) & (y < view.height)
    column, row = np.where(inside, x, 0).astype(int), np.where(inside, y, 0).astype(int)
    hit = inside & mask[row, column] & (np.abs(z / view.depth[row, column] - 1) < SAME_PLACE)
    if not hit.any():
        return hit
    labels = things_of(other)
    counts, hits = np.bincount(labels.ravel()), np.bincount(labels[hit], minlength=labels.max() + 1)
    whole = hits >= 0.5 * counts
    whole[0] = False
    return hit | whole[labels]


def _enlarged(mask: NDArray[np.bool_], view: View) -> NDArray[np.bool_]:
    size = (view.width, view.height)
    return cv2.resize(mask.view(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT).astype(bool) & view.known


def _same_colour(view: View, x: int, y: int) -> NDArray[np.bool_]:
    """The pixels connected to a pixel of a flat surface that have a similar colour."""
    reached = np.zeros((view.height + 2, view.width + 2), np.uint8)
    flags = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | (255 << 8)
    cv2.floodFill(view.colour.copy(), reached, (x, y), 0, (FLAT_LEVELS,) * 3, (FLAT_LEVELS,) * 3, flags)
    mask = (reached[1:-1, 1:-1] > 0) & view.known
    if mask.mean() > MOST_FLAT:
        raise InputError("That is a large surface, not an object; click on an object, or choose by a box or a mask.")
    return _require_pixels(mask)


def _require_pixels(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if mask.sum() < LEAST_PX:
        raise InputError(f"Only {int(mask.sum())} connected pixels were found there; choose by a box or a mask.")
    return mask
