"""Selects the Gaussians of a part of a rendered picture, and moves them.

A Gaussian's weight in a pixel is its opacity times the transmittance in front of it. Weights summed over the pixels of a mask, compared
with those outside, say which Gaussians the mask shows. They are the gradient of the rendered picture with respect to the Gaussians'
colours, so any differentiable rasteriser provides them. Gaussians with hardly any weight (the back and the inside of an object)
belong to the part if they touch it or lie within its convex hull.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.scene_parts.edit import DONE
from camera.scene_parts.planes import Plane, find_planes
from camera.view import View
from pipelines.splats.formats.axes import turn_splats
from pipelines.splats.splats import SH_C0, Splats

if TYPE_CHECKING:
    import torch

    from camera.path import CameraPath

MIXED, OWN = 0.03, 2.0
"""A pixel blends several surfaces if the standard deviation of log depth in it exceeds this value, and its variance exceeds this
multiple of the variance that the Gaussians' own extents explain."""
SHOWN = 0.02
"""Minimum weight of a visible Gaussian, as a share of its own footprint; Gaussians that overlap it have the rest."""
NEAR_DEPTH = 0.05
"""Maximum relative difference between a Gaussian's depth and its pixel's depth, for it to lie on the visible surface."""
RIM = 0.02
"""Width of the rim around a mask, as a share of the picture's height: on a large flat surface, it may belong to the part's base."""
TOUCHING, NEIGHBOURS = 2.5, 12
"""Gaussians touch if their centres are within this many of their largest standard deviations; number of neighbours considered."""
TIGHT = 4.5
"""A Gaussian lies on a flat surface if its distance is within this many median absolute deviations (three standard deviations),"""
LEAST_OFF = 1e-3
"""or within this share of its depth."""
LEAST_WEIGHT = 1e-3
"""Minimum weight in pixels that is evidence for or against a Gaussian."""
INNER = 0.95
"""Factor by which a part's convex hull is shrunk about its centre, so that it does not include the surface below."""


@dataclass(frozen=True, eq=False)
class Footprints:
    """Each Gaussian in a view. ``weights`` (N,3): what it adds to each of three masks, in pixels; ``share`` (N,): what it adds to
    all of them, of its footprint; ``column``, ``row`` (N,): the nearest pixel to its centre; ``beyond`` (N,): how far that centre is
    outside the picture, in pixels, infinite behind the camera; ``depth`` (N,) along z."""

    weights: NDArray[np.float32]
    share: NDArray[np.float32]
    column: NDArray[np.int64]
    row: NDArray[np.int64]
    beyond: NDArray[np.float32]
    depth: NDArray[np.float32]

    def on(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(N,): whether the centre lies on ``mask`` (H,W), or beside a border of the picture that the mask reaches."""
        return mask[self.row, self.column] & (self.beyond < max(mask.any(axis=0).sum(), mask.any(axis=1).sum()))


def sharpen(ready: Any, view: View) -> tuple[View, NDArray[np.bool_]]:
    """The view with one surface's depth in every pixel, and (H,W): where the drawn depth is the mean of several surfaces.

    ``ready``: of `pipelines.splats.scene.prepare`. Such pixels get the depth of the nearest pixel that shows one surface.
    """
    import torch

    gaussians = ready[1]
    pose, _ = _camera(ready, view.camera)
    z = (gaussians.means @ pose[:3, :3].T + pose[:3, 3])[:, 2]
    ahead = z > 0
    low, high = torch.log(z[ahead].min()), torch.log(z[ahead].max())
    length = (high - low).clamp(min=1e-6)
    place = torch.where(ahead, (torch.log(z.clamp(min=1e-12)) - low) / length, 0)
    own = torch.where(ahead, (gaussians.log_scales.amax(dim=1).exp() / z).clamp(0, 1).square(), 0)
    with torch.no_grad():
        colour, alpha = _blend(ready, view.camera, torch.stack([place, place.square(), own], dim=1))
    mean, square, thick = (colour / alpha.clamp(min=1e-6)[..., None]).cpu().numpy().transpose(2, 0, 1)
    spread = np.maximum(square - mean**2, 0) * float(length) ** 2
    mixed = view.known & (spread > MIXED**2 + OWN * thick)
    clear = view.known & ~mixed
    if not mixed.any() or not clear.any():
        return view, mixed
    _, labels = cv2.distanceTransformWithLabels(
        (~clear).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    depths = np.zeros(labels.max() + 1, np.float32)
    depths[labels[clear]] = view.depth[clear]
    depth = np.where(mixed, depths[labels], view.depth)
    return View(view.colour, depth, view.intrinsics, view.world_from_camera, view.known), mixed


def choose_gaussians(ready: Any, view: View, mixed: NDArray[np.bool_], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(N,): the Gaussians that show mostly in ``mask`` (H,W), and the hidden ones that belong to them.

    ``view`` and ``mixed`` as `sharpen` returns them. Large flat surfaces under and behind the part are kept, unless the mask is
    mostly on them or has most of them. Raises `InputError` where the mask shows no Gaussians.
    """
    kept = [plane for plane in find_planes(view) if (plane.on & mask).sum() < 0.5 * min(mask.sum(), plane.on.sum())]
    flat = np.any([plane.on for plane in kept], axis=0) if kept else np.zeros_like(mask)
    size = 2 * max(round(RIM * view.height), 1) + 1
    wide = np.asarray(cv2.dilate(mask.view(np.uint8), np.ones((size, size), np.uint8))).astype(bool)
    foot = wide & ~mask & flat
    seen = footprints(ready, view.camera, (mask & ~mixed, foot & ~mixed, ~mask & ~foot & ~mixed))
    inside, at_foot, outside = seen.weights.T
    splats: Splats = ready[1].splats()
    reach = splats.scales.max(axis=1)
    off = np.abs(seen.depth - view.depth[seen.row, seen.column])
    shown = (seen.share >= SHOWN) & (off < np.maximum(NEAR_DEPTH * seen.depth, 3 * reach))
    lying = np.zeros(len(splats), bool)
    for plane in kept:
        lying |= _lies_on(plane, splats, seen, shown & (inside < 0.5 * (at_foot + outside)))
    decided = shown & (inside + outside > LEAST_WEIGHT) & ~(lying & (inside + at_foot > outside))
    chosen = decided & (inside > outside)
    if not chosen.any():
        raise InputError("No Gaussian is mostly visible inside the mask; choose a larger part.")
    open_to = ~decided & seen.on(mask | (wide & (mixed | flat))) & _within_depth(view, mask, seen.depth, reach)
    whole = _with_touching(splats, chosen, open_to & ~lying, reach)
    left = np.flatnonzero(open_to & ~whole)
    whole[left] = _within_hull(splats.means[whole], splats.means[left])
    under = np.flatnonzero(open_to & lying & ~whole)
    whole[under] = _has_colour_of(splats, under, whole, lying & decided & ~chosen)
    return whole


def footprints(ready: Any, camera: CameraPath, masks: Sequence[NDArray[np.bool_]]) -> Footprints:
    """Each Gaussian in the first frame of ``camera``, with its weights in three ``masks`` (H,W) that do not overlap."""
    import torch

    from pipelines.splats.rasterizer import project

    drawing, gaussians = ready
    pose, lens = _camera(ready, camera)
    sh = torch.zeros((len(gaussians.means), 1, 3), device=drawing.device, requires_grad=True)
    drawn = drawing.draw(gaussians._replace(sh=sh), pose, lens, camera.width, camera.height)
    layers = torch.tensor(np.stack(masks, axis=-1), device=drawing.device)
    (drawn.colour * layers).sum().backward()
    assert sh.grad is not None
    weights = (sh.grad[:, 0] / SH_C0).cpu().numpy()
    with torch.no_grad():
        flat = project(gaussians, pose, lens, camera.width, camera.height)
        xx, xy, yy = flat.conics.unbind(1)
        area = 2 * torch.pi / (xx * yy - xy * xy).clamp(min=1e-12).sqrt() * gaussians.logit_opacities.sigmoid()
    area, pixels, depth = (each.cpu().numpy() for each in (area, flat.pixels, flat.depths))
    held = np.clip(pixels, 0, [camera.width - 1, camera.height - 1])
    beyond = np.where(depth > 0, np.abs(pixels - held).max(axis=1), np.inf)
    column, row = np.rint(held).astype(np.int64).T
    share = weights.sum(axis=1) / np.maximum(area, 1e-6)
    return Footprints(weights, share, column, row, beyond, depth)


def is_shown(ready: Any, camera: CameraPath, part: NDArray[np.bool_]) -> bool:
    """Whether ``part`` (N,) of the Gaussians covers at least a pixel of the picture."""
    whole, nothing = (np.full((camera.height, camera.width), value) for value in (True, False))
    return bool(footprints(ready, camera, (whole, nothing, nothing)).weights[part].sum() >= 1)


def describe(chosen: NDArray[np.bool_], change: str, empty: float) -> str:
    """A description of an edit of the ``chosen`` Gaussians (N,); ``empty``: share of the mask that is a hole after it."""
    made = f"A part of {int(chosen.sum()):,} Gaussians was {DONE[change]}; the picture was rendered again."
    if change == "duplicate":
        return made
    behind = "The background is what the splats contain there"
    return f"{made} {behind}; {empty:.0%} of the area is empty now." if empty >= 0.005 else f"{made} {behind}."


def moved(splats: Splats, turn: NDArray[np.float64], shift: NDArray[np.float64]) -> Splats:
    """The splats rotated by ``turn`` (3,3) about their centroid, weighted by opacity, and translated by ``shift`` (3,)."""
    means = splats.means.astype(np.float64)
    middle = np.average(means, axis=0, weights=np.maximum(splats.opacities, 1e-6))
    means = (means - middle) @ turn.T + middle + shift
    turned = turn_splats(splats, turn)
    return Splats(means.astype(np.float32), turned.quaternions, turned.log_scales, turned.logit_opacities, turned.sh)


def put_in_place(splats: Splats, chosen: NDArray[np.bool_], part: Splats) -> Splats:
    """The splats with ``part`` in place of the ``chosen`` ones (N,), in the same order."""
    arrays = []
    for name in ("means", "quaternions", "log_scales", "logit_opacities", "sh"):
        array = getattr(splats, name).copy()
        array[chosen] = getattr(part, name)
        arrays.append(array)
    return Splats(*arrays)


def _camera(ready: Any, camera: CameraPath) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    pose, lens = camera.camera_from_world[0], camera.intrinsics[0]
    return tuple(torch.tensor(each, dtype=torch.float32, device=ready[0].device) for each in (pose, lens))  # type: ignore[return-value]


def _blend(ready: Any, camera: CameraPath, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Renders ``values`` (N,3), at least 0, instead of colours: (H,W,3) and alpha (H,W)."""
    drawing, gaussians = ready
    pose, lens = _camera(ready, camera)
    sh = ((values - 0.5) / SH_C0)[:, None]
    drawn = drawing.draw(gaussians._replace(sh=sh), pose, lens, camera.width, camera.height)
    return drawn.colour, drawn.alpha


def _within_depth(
    view: View, mask: NDArray[np.bool_], depth: NDArray[np.float32], reach: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """(N,): not nearer than the part's surface, and no farther behind it than the part is wide or tall."""
    rows, columns = np.nonzero(mask)
    near, far = np.quantile(view.depth[mask & view.known], (0.01, 0.99))
    side = max(np.ptp(columns) / view.intrinsics[0, 0], np.ptp(rows) / view.intrinsics[1, 1]) * far
    return (depth > near * (1 - NEAR_DEPTH) - reach) & (depth < far + side)


def _lies_on(plane: Plane, splats: Splats, seen: Footprints, outside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(N,): which Gaussians lie on a flat surface, as closely as those do that are seen on it."""
    held = np.flatnonzero(outside & seen.on(plane.on))
    if len(held) < NEIGHBOURS:
        return np.zeros(len(splats), bool)
    means = splats.means.astype(np.float64)
    off = np.inf
    for _ in range(3):
        middle = np.median(means[held], axis=0)
        normal = np.linalg.svd(means[held] - middle, full_matrices=False)[2][2]
        distance = (means - middle) @ normal
        distance -= np.median(distance[held])
        off = TIGHT * float(np.median(np.abs(distance[held])))
        near = held[np.abs(distance[held]) <= max(off, 1e-9)]
        held = near if len(near) >= NEIGHBOURS else held
    return np.abs(distance) < np.maximum(off, LEAST_OFF * seen.depth)


def _with_touching(
    splats: Splats, chosen: NDArray[np.bool_], open_to: NDArray[np.bool_], reach: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """(N,): the ``chosen`` Gaussians and those of ``open_to`` that touch them, directly or through others."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import KDTree

    nodes = np.flatnonzero(chosen | open_to)
    points = splats.means[nodes].astype(np.float64)
    near = min(NEIGHBOURS + 1, len(nodes))
    distance, other = (np.ravel(each) for each in KDTree(points).query(points, k=near))
    one = np.repeat(np.arange(len(nodes)), near)
    joined = distance <= TOUCHING * np.maximum(reach[nodes[one]], reach[nodes[other]])
    graph = coo_array((np.ones(joined.sum(), np.int8), (one[joined], other[joined])), shape=(len(nodes),) * 2)
    labels = connected_components(graph, directed=False)[1]
    whole = np.zeros(len(splats), bool)
    whole[nodes] = np.isin(labels, labels[chosen[nodes]])
    return whole


def _has_colour_of(
    splats: Splats, asked: NDArray[np.int64], part: NDArray[np.bool_], surface: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """(M,): which of the Gaussians number ``asked`` (M,) are clearly nearer in colour to those of ``part`` around them than to those
    of the ``surface``; both (N,)."""
    from scipy.spatial import KDTree

    if not len(asked) or surface.sum() < NEIGHBOURS or part.sum() < NEIGHBOURS:
        return np.zeros(len(asked), bool)
    off = []
    for group in map(np.flatnonzero, (part, surface)):
        near = group[KDTree(splats.means[group]).query(splats.means[asked], k=NEIGHBOURS)[1]]
        off.append(np.abs(np.median(splats.colours[near], axis=1) - splats.colours[asked]).max(axis=1))
    return off[0] < 0.5 * off[1]


def _within_hull(part: NDArray[np.float32], points: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(N,): which ``points`` (N,3) lie in the convex hull of ``part`` (M,3), shrunk to `INNER`; none if the part is flat."""
    from scipy.spatial import ConvexHull, Delaunay, QhullError

    if len(part) < 5 or not len(points):
        return np.zeros(len(points), bool)
    middle = part.mean(axis=0)
    try:
        corners = middle + INNER * (part[ConvexHull(part).vertices] - middle)
        return Delaunay(corners).find_simplex(points) >= 0
    except QhullError:  # raised for flat parts, which have no inside
        return np.zeros(len(points), bool)
