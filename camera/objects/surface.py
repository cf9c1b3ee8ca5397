"""Triangle meshes as values, their light, and their simplification."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camera.errors import InputError


@dataclass(frozen=True, eq=False)
class Surface:
    """One mesh with one material, checked on creation.

    ``vertices`` (V,3) float32 in the world. ``triangles`` (T,3) int32. ``colours`` (V,3) uint8.
    ``texture`` (h,w,3) uint8 with ``uv`` (V,2), origin at the picture's top left: replaces the colours where given.
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.int32]
    colours: NDArray[np.uint8]
    uv: NDArray[np.float32] | None = None
    texture: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        count = len(self.vertices)
        if self.vertices.shape != (count, 3) or self.colours.shape != (count, 3):
            raise InputError(
                f"A mesh has vertices and colours of shape (V,3), got {self.vertices.shape} and {self.colours.shape}."
            )
        if not np.isfinite(self.vertices).all():
            raise InputError(
                "The mesh has vertices that are not finite numbers; repair it in the program that made it."
            )
        if self.triangles.ndim != 2 or self.triangles.shape[1] != 3 or not len(self.triangles):
            raise InputError("The mesh has no triangles; export it with faces, not as points or lines.")
        if self.triangles.min() < 0 or self.triangles.max() >= count:
            raise InputError(f"The mesh has triangles that refer to vertices beyond its {count}; export it again.")
        if self.uv is not None and (self.uv.shape != (count, 2) or not np.isfinite(self.uv).all()):
            raise InputError("The mesh has texture coordinates that are not finite numbers; export it again.")

    def moved(self, world_from_mesh: ArrayLike) -> Surface:
        """The surface after an affine transform (4,4)."""
        transform = np.asarray(world_from_mesh, dtype=np.float64)
        vertices = self.vertices @ transform[:3, :3].T + transform[:3, 3]
        return replace(self, vertices=vertices.astype(np.float32))

    def thinned(self, most: int) -> Surface:
        """At most about ``most`` triangles, see `thin_surface`."""
        if len(self.triangles) <= most:
            return self
        indices, triangles = thin_surface(self.vertices, self.triangles, most)
        uv = None if self.uv is None else self.uv[indices]
        return Surface(self.vertices[indices], triangles, self.colours[indices], uv, self.texture)


@dataclass(frozen=True)
class Light:
    """One distant light. ``ambient`` (0..1): light from all sides; 1 shows the colours unshaded.

    ``direction``: towards the lamp, in the world, of any length; None for a lamp beside the camera.
    """

    ambient: float = 1.0
    direction: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.ambient <= 1:
            raise InputError(f"Ambient light must be between 0 and 1, got {self.ambient}.")
        if self.direction is not None and not 1e-9 < float(np.linalg.norm(self.direction)) < np.inf:
            raise InputError("The light needs a direction of finite length above zero.")


UNLIT = Light()


FAR_AWAY = 100.0
"""Geometry farther from zero than this many times its extent is stored relative to its centre, because 32 bits hold seven digits."""


def far_origin(points: Sequence[NDArray]) -> NDArray[np.float64]:
    """(3,): offset to subtract from positions (V,3) before storing them in 32 bits: zeros, or the centre of geometry that is far from
    zero, as in map coordinates."""
    low = np.min([part.min(axis=0) for part in points], axis=0).astype(np.float64)
    high = np.max([part.max(axis=0) for part in points], axis=0).astype(np.float64)
    middle, extent = (low + high) / 2, float((high - low).max())
    return np.round(middle) if np.abs(middle).max() > FAR_AWAY * extent else np.zeros(3)


_TRIES, _FULL_ENOUGH = 8, 0.8


def thin_surface(
    vertices: NDArray[np.float32], triangles: NDArray[np.int32], most: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The vertices (K,) to keep and at most ``most`` triangles (T,3) between them: one vertex per grid cell.

    Vertices of unconnected parts are not merged, so that textures keep their seams. The cells are as small as ``most``
    allows. Source: Rossignac and Borrel 1993, "Multi-resolution 3D approximations".
    """
    parts = _parts(len(vertices), triangles)
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    extent = max(float((high - low).max()), 1e-12)
    places = (vertices - low) / extent
    cells, best = 256.0, None
    for _ in range(_TRIES):  # the number of triangles on a surface grows with the square of the cells
        indices, fewer = _cluster(places, parts, triangles, max(int(cells), 1))
        if len(fewer) <= most:
            best = indices, fewer
            if len(fewer) > _FULL_ENOUGH * most:
                break
        cells = min(max(cells * (0.95 * most / max(len(fewer), 1)) ** 0.5, 1), 2**18)
    if best is None or not len(best[1]):
        raise InputError("The mesh has too many small pieces to be simplified; simplify it first.")
    return best


def _parts(count: int, triangles: NDArray[np.int32]) -> NDArray[np.int64]:
    """(V,): the connected component of every vertex."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows, columns = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]]]).T
    graph = coo_array((np.ones(len(rows), np.uint8), (rows, columns)), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _cluster(places: NDArray, parts: NDArray, triangles: NDArray[np.int32], cells: int) -> tuple[NDArray, NDArray]:
    """One step of the clustering at ``cells`` per axis; ``places`` (V,3) in 0..1."""
    x, y, z = np.minimum((places * cells).astype(np.int64), cells - 1).T
    key = ((parts * cells + x) * cells + y) * cells + z
    _, indices, cell = np.unique(key, return_index=True, return_inverse=True)
    fewer = cell[triangles]
    a, b, c = fewer.T
    fewer = fewer[(a != b) & (b != c) & (c != a)]
    a, b, c = np.sort(fewer, axis=1).T
    _, first = np.unique((a * len(indices) + b) * len(indices) + c, return_index=True)
    fewer = fewer[first]
    return indices, fewer.astype(np.int32)
