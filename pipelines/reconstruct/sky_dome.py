"""A distant shell with the colours of sky and background, so that no fly-through shows black.

Where frames show sky it has the sky's colours, elsewhere those of the objects in that direction, and in directions that no
frame shows those of the nearest ones. It is blurred, because a shell has no parallax and few vertices.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from camera.cloud import PointCloud
from camera.path import CameraPath
from camera.view import Scene
from pipelines.reconstruct.gaussians.initialise import BACKDROP, initial_splats
from pipelines.splats.splats import Splats

if TYPE_CHECKING:
    import trimesh

ROWS = 64
"""Rows of vertices from zenith to nadir; twice as many columns around."""
HIDDEN = 1e-3
"""Maximum weight of a pixel that shows something nearer, relative to one that shows sky; at half the distance it is 1/16 of this."""
SPREAD_FROM = 12
"""Number of seen vertices that determine the colour of an unseen one."""
OPACITY = 0.98


def make_dome(
    frames: NDArray[np.uint8], path: CameraPath, cloud: PointCloud, scene: Scene | None = None
) -> trimesh.Trimesh:
    """A sphere around the cameras beyond all points, seen from inside, with vertex colours of ``frames`` (F,H,W,3).

    ``scene``: its views say which pixels are sky; without it all pixels have the same weight.
    """
    import trimesh

    directions, faces = _sphere()
    middle = path.centres.mean(axis=0)
    vertices = middle + _radius(path, cloud, middle) * directions
    colours = _colours(vertices, directions, frames, path, scene)
    return trimesh.Trimesh(vertices, faces, vertex_colors=colours, process=False)


def render_dome(dome: trimesh.Trimesh, path: CameraPath) -> NDArray[np.uint8]:
    """(F,H,W,3): the dome alone from every camera of ``path``."""
    from camera.render.triangles import draw
    from pipelines.reconstruct.surface.texture import surface_of

    surface = surface_of(dome)
    return np.stack([draw([surface], path, frame).colour for frame in range(len(path))])


def splats_of_dome(dome: trimesh.Trimesh) -> Splats:
    """The dome as splats: a nearly opaque Gaussian at every vertex, as wide as the gaps."""

    colours = np.asarray(dome.visual.vertex_colors[:, :3], np.uint8)  # type: ignore[union-attr]
    splats = initial_splats(PointCloud(np.asarray(dome.vertices, np.float32), colours), 0)
    opaque = np.full(len(splats), np.log(OPACITY / (1 - OPACITY)), np.float32)
    return replace(splats, logit_opacities=opaque)


def _sphere() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Unit corners (V,3) and triangles (T,3), counter-clockwise seen from inside; y points down."""
    down = np.pi * (np.arange(ROWS) + 0.5) / ROWS
    around = 2 * np.pi * np.arange(2 * ROWS) / (2 * ROWS)
    level, turn = (each.ravel() for each in np.meshgrid(down, around, indexing="ij"))
    ring = np.stack([np.sin(level) * np.sin(turn), -np.cos(level), np.sin(level) * np.cos(turn)], axis=1)
    corners = np.concatenate([ring, [[0, -1, 0], [0, 1, 0]]])
    row, column = (each.ravel() for each in np.meshgrid(np.arange(ROWS - 1), np.arange(2 * ROWS), indexing="ij"))
    beside = (column + 1) % (2 * ROWS)
    a, b = row * 2 * ROWS + column, row * 2 * ROWS + beside
    c, d = a + 2 * ROWS, b + 2 * ROWS
    i, top, bottom = np.arange(2 * ROWS), len(ring), len(ring) + 1
    j, last = (i + 1) % (2 * ROWS), (ROWS - 1) * 2 * ROWS
    caps = [
        np.stack([np.full_like(i, top), i, j], axis=1),
        np.stack([np.full_like(i, bottom), last + j, last + i], axis=1),
    ]
    faces = np.concatenate([np.stack([a, c, b], axis=1), np.stack([b, c, d], axis=1), *caps])
    inward = np.einsum("tc,tc->t", np.cross(*_edges(corners, faces)), corners[faces[:, 0]]) < 0
    return corners, np.where(inward[:, None], faces, faces[:, ::-1])


def _edges(corners: NDArray, faces: NDArray) -> tuple[NDArray, NDArray]:
    a, b, c = (corners[faces[:, each]] for each in range(3))
    return b - a, c - a


def _radius(path: CameraPath, cloud: PointCloud, middle: NDArray) -> float:
    away = np.linalg.norm(cloud.points - middle, axis=1)
    cameras = float(np.linalg.norm(path.centres - middle, axis=1).max())
    return max(BACKDROP * float(np.quantile(away, 0.9)), 1.1 * float(away.max()), 2 * cameras)


def _colours(
    vertices: NDArray, directions: NDArray, frames: NDArray[np.uint8], path: CameraPath, scene: Scene | None
) -> NDArray[np.uint8]:
    total, weight = np.zeros((len(vertices), 3)), np.zeros(len(vertices))
    for i, pose in enumerate(path.camera_from_world):
        local = vertices @ pose[:3, :3].T + pose[:3, 3]
        pixels = local @ path.intrinsics[i].T
        ahead = local[:, 2] > 1e-6
        column, row = (pixels[:, :2] / np.where(ahead, pixels[:, 2], 1)[:, None]).round().T
        visible = np.flatnonzero(ahead & (column >= 0) & (row >= 0) & (column < path.width) & (row < path.height))
        x, y = column[visible].astype(int), row[visible].astype(int)
        share = np.ones(len(visible))
        if scene is not None:
            view = scene.views[i]
            nearer = HIDDEN * np.minimum(view.depth[y, x] / local[visible, 2], 1) ** 4
            share = np.where(view.known[y, x], nearer, 1.0)
        total[visible] += share[:, None] * frames[i, y, x]
        weight[visible] += share
    covered = weight > 0
    colours = total / np.maximum(weight, 1e-20)[:, None]
    if covered.any() and not covered.all():
        colours[~covered] = _nearby(directions[covered], colours[covered], directions[~covered])
    return np.rint(colours).astype(np.uint8)


def _nearby(known: NDArray, colours: NDArray, wanted: NDArray) -> NDArray[np.float64]:
    """Colours (M,3) in directions (M,3): the weighted mean of the nearest known ones (K,3)."""
    from scipy.spatial import KDTree

    away, which = KDTree(known).query(wanted, min(SPREAD_FROM, len(known)))
    share = 1 / np.maximum(np.asarray(away).reshape(len(wanted), -1), 1e-6) ** 2
    chosen = colours[np.asarray(which).reshape(len(wanted), -1)]
    return (share[..., None] * chosen).sum(axis=1) / share.sum(axis=1, keepdims=True)
