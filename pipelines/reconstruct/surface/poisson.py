"""Poisson surface reconstruction from oriented points on one regular grid (Kazhdan 2005); it closes small holes.

The scalar field whose gradient is nearest to the points' normals is an indicator: low behind the surface, high in front of
it. On a regular grid with mirrored borders the cosine transform solves for it directly.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from pipelines.method import Progress
from pipelines.reconstruct.surface.marching_cubes import march_cubes
from pipelines.reconstruct.surface.tsdf import Pictures

MOST_SIDE = 192
"""Maximum number of voxels along the longest side of the grid."""
BEYOND = 0.01
"""Share of the points outside the grid on each side of each axis: distant points would make it coarse."""
BRIDGED = 3
"""Maximum distance of the surface from the nearest point, in voxels."""
JUMP = 1.05
"""Pixels get no normal if the depths of neighbours differ by more than this ratio."""


def surface_of(
    pictures: Pictures, voxel: float | None
) -> Generator[Progress, None, tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Vertices (V,3) and triangles (T,3) through the reliable depth of all pictures; returned by the generator.

    ``voxel``: side of the voxels in scene units; larger if the grid would exceed `MOST_SIDE`.
    """
    from scipy.ndimage import binary_dilation

    yield Progress("Orienting points", 0, 3)
    points, normals = oriented_points(pictures)
    low, high = np.quantile(points, [BEYOND, 1 - BEYOND], axis=0)
    size = max(voxel or 0.0, float((high - low).max()) / (MOST_SIDE - 4 * BRIDGED))
    corner = low - 2 * BRIDGED * size
    shape = tuple(int(side) for side in np.ceil((high - low) / size) + 4 * BRIDGED)
    field, count = _gather_normals(points, normals, corner, size, shape)
    yield Progress("Solving Poisson's equation", 1, 3)
    indicator = solve_poisson(field)
    level = float((indicator * count).sum() / count.sum())
    yield Progress("Drawing the surface", 2, 3)
    near = np.asarray(binary_dilation(count > 0, iterations=BRIDGED), bool)
    return march_cubes((indicator - level).astype(np.float32), near, corner, size)


def oriented_points(pictures: Pictures) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Points (N,3) of a subset of the pixels, and their normals (N,3) towards the camera."""
    views, height, width = pictures.depth.shape
    step = max(1, round(np.sqrt(views * height * width / 2_000_000)))
    row, column = np.mgrid[:height:step, :width:step]
    pixels = np.stack([column, row, np.ones_like(row)], axis=-1)
    points, normals = [], []
    for depth, pose, lens in zip(pictures.depth, pictures.pose, pictures.lens):
        z = depth[::step, ::step]
        local = pixels @ np.linalg.inv(np.vstack([lens, [0, 0, 1]])).T * z[..., None]
        normal = np.cross(local[1:, :-1] - local[:-1, :-1], local[:-1, 1:] - local[:-1, :-1])
        corners = np.stack([z[:-1, :-1], z[1:, :-1], z[:-1, 1:]])
        whole = (corners.min(axis=0) > 0) & (corners.max(axis=0) <= JUMP * corners.min(axis=0))
        chosen = normal[whole] / np.maximum(np.linalg.norm(normal[whole], axis=1, keepdims=True), 1e-20)
        points.append((local[:-1, :-1][whole] - pose[:, 3]) @ pose[:, :3])
        normals.append(chosen @ pose[:, :3])
    return np.concatenate(points).astype(np.float32), np.concatenate(normals).astype(np.float32)


def _gather_normals(
    points: NDArray, normals: NDArray, corner: NDArray, size: float, shape: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean normal (3,X,Y,Z) of the points in every voxel, slightly blurred, and their number (X,Y,Z)."""
    from scipy.ndimage import gaussian_filter

    index = np.round((points - corner) / size).astype(np.int64)
    inside = ((index >= 0) & (index < shape)).all(axis=1)
    flat, total = np.ravel_multi_index(tuple(index[inside].T), shape), int(np.prod(shape))
    count = np.bincount(flat, minlength=total).astype(np.float64)
    sums = [np.bincount(flat, normals[inside, axis], total) / np.maximum(count, 1) for axis in range(3)]
    return np.stack([gaussian_filter(each.reshape(shape), 1.0) for each in sums]), count.reshape(shape)


def solve_poisson(field: NDArray[np.float64]) -> NDArray[np.float64]:
    """The function (X,Y,Z) whose gradient is nearest to ``field`` (3,X,Y,Z) in least squares, borders mirrored."""
    from scipy.fft import dctn, idctn

    divergence = sum(np.gradient(field[axis], axis=axis) for axis in range(3))
    eigen = np.zeros(field.shape[1:])
    for axis, side in enumerate(field.shape[1:]):
        waves = 2 * np.cos(np.pi * np.arange(side) / side) - 2
        eigen += waves.reshape([-1 if other == axis else 1 for other in range(3)])
    eigen[0, 0, 0] = 1
    spectrum = np.asarray(dctn(divergence, type=2)) / eigen
    spectrum[0, 0, 0] = 0
    return np.asarray(idctn(spectrum, type=2))
