"""Extracts the zero level set of a signed distance on a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    pass


def march_cubes(
    distance: NDArray[np.float32], seen: NDArray[np.bool_], corner: NDArray, voxel: float
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The surface where ``distance`` (n,n,n) is zero: vertices (V,3) in the world and triangles (T,3), counter-clockwise seen
    from its positive side. Cubes with a corner that is not ``seen`` contain no surface."""
    from skimage.measure import marching_cubes

    vertices, faces, _, _ = marching_cubes(distance, 0.0, gradient_direction="descent")
    whole = seen[:-1, :-1, :-1].copy()
    for x, y, z in ((x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)):
        whole &= seen[x : x + whole.shape[0], y : y + whole.shape[1], z : z + whole.shape[2]]
    cube = np.clip(vertices[faces].mean(axis=1).astype(int), 0, np.array(whole.shape) - 1)
    whole_faces = faces[whole[tuple(cube.T)]]
    used, whole_faces = np.unique(whole_faces, return_inverse=True)
    return (corner + voxel * vertices[used]).astype(np.float32), whole_faces.reshape(-1, 3).astype(np.int64)
