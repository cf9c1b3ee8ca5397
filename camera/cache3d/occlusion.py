"""Foreground masking: a mesh over the depth edges of a picture hides the points splatted behind it.

When a foreground comes nearer, its points move apart and the background shows through the gaps. GEN3C lays a coarse mesh
(a quarter of the resolution) over the edges and clears every pixel behind it, testing each pixel's ray against each triangle.
Here each triangle is tested only against the rays of the pixels it can cover, with the same test, so the result is the same at a
thousandth of the work.

Imports numba, so import this module only on first use.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from camera.kernel import kernel

TOLERANCE = np.float32(0.02)
"""Depth (scene units) behind the mesh from which a point is hidden."""
NEAREST = np.float32(1e-6)


@dataclass(frozen=True, eq=False)
class ForegroundMesh:
    """``vertices`` (V,3) float32 in the world; ``triangles`` (T,3) int64."""

    vertices: NDArray[np.float32]
    triangles: NDArray[np.int64]


def foreground_mesh(points: NDArray[np.float32], boundary: NDArray[np.bool_]) -> ForegroundMesh:
    """The mesh over ``boundary`` (H,W), the depth edges of a picture with world ``points`` (H,W,3)."""
    height, width = boundary.shape
    rows, columns = max(height // 4, 1), max(width // 4, 1)
    coarse = cv2.resize(points, (columns, rows), interpolation=cv2.INTER_LINEAR)
    edge = boundary[np.arange(rows) * height // rows][:, np.arange(columns) * width // columns]
    touched = edge[:-1, :-1] | edge[:-1, 1:] | edge[1:, :-1] | edge[1:, 1:]
    index = np.arange(rows * columns).reshape(rows, columns)
    corners = (index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:])
    top_left, top_right, bottom_left, bottom_right = (corner[touched] for corner in corners)
    first = np.stack([top_left, top_right, bottom_left], axis=-1)
    second = np.stack([top_right, bottom_right, bottom_left], axis=-1)
    used, triangles = np.unique(np.concatenate([first, second]), return_inverse=True)
    return ForegroundMesh(coarse.reshape(-1, 3)[used].astype(np.float32, copy=False), triangles.reshape(-1, 3))


def mesh_depth(
    mesh: ForegroundMesh, camera_from_world: ArrayLike, intrinsics: ArrayLike, size: tuple[int, int]
) -> NDArray[np.float32]:
    """Depth (H,W) along z of the mesh from a camera, 0 without a triangle; triangles are two-sided."""
    pose = np.asarray(camera_from_world, dtype=np.float32)
    lens = np.asarray(intrinsics, dtype=np.float64)
    depth = np.zeros(size, np.float32)
    if len(mesh.triangles):
        camera = mesh.vertices @ pose[:3, :3].T + pose[:3, 3]
        _draw(camera, mesh.triangles, lens.astype(np.float32), np.linalg.inv(lens).astype(np.float32), depth)
    return depth


def hidden_mask(
    depth: NDArray[np.float32], mesh: ForegroundMesh, camera_from_world: ArrayLike, intrinsics: ArrayLike
) -> NDArray[np.bool_]:
    """(H,W): pixels of the rendered ``depth`` (H,W) that are behind the mesh."""
    front = mesh_depth(mesh, camera_from_world, intrinsics, depth.shape)
    return (front > 0) & (front + TOLERANCE < depth)


@kernel
def _window(a, b, c, lens, height, width):
    """Bounding box in pixels (first column, last column, first row, last row) of a triangle's part in front of the camera."""
    left, right, top, bottom = np.float32(np.inf), np.float32(-np.inf), np.float32(np.inf), np.float32(-np.inf)
    for p, q in ((a, b), (b, c), (c, a)):
        for end in range(2):  # each edge: its first corner, then its intersection with the camera plane
            if end == 0:
                x, y, z = p[0], p[1], p[2]
            else:
                if (p[2] < NEAREST) == (q[2] < NEAREST):
                    continue
                part = (NEAREST - p[2]) / (q[2] - p[2])
                x, y, z = p[0] + part * (q[0] - p[0]), p[1] + part * (q[1] - p[1]), NEAREST
            if z < NEAREST:
                continue
            u = (lens[0, 0] * x + lens[0, 1] * y) / z + lens[0, 2]
            v = lens[1, 1] * y / z + lens[1, 2]
            left, right, top, bottom = min(left, u), max(right, u), min(top, v), max(bottom, v)
    if left > right:
        return 0, -1, 0, -1
    return (
        int(min(max(np.floor(left), np.float32(0)), np.float32(width))),
        int(max(min(np.ceil(right), np.float32(width - 1)), np.float32(-1))),
        int(min(max(np.floor(top), np.float32(0)), np.float32(height))),
        int(max(min(np.ceil(bottom), np.float32(height - 1)), np.float32(-1))),
    )


@kernel
def _cross(a, b):
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@kernel
def _dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@kernel
def _draw(vertices, triangles, lens, inverse_lens, depth):
    """Ray intersection by Moeller and Trumbore (1997). Rays have unit z, so the distance is the depth."""
    height, width = depth.shape
    for t in range(len(triangles)):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        a = (vertices[i, 0], vertices[i, 1], vertices[i, 2])
        b = (vertices[j, 0], vertices[j, 1], vertices[j, 2])
        c = (vertices[k, 0], vertices[k, 1], vertices[k, 2])
        first, last, top, bottom = _window(a, b, c, lens, height, width)
        edge1, edge2 = (b[0] - a[0], b[1] - a[1], b[2] - a[2]), (c[0] - a[0], c[1] - a[1], c[2] - a[2])
        to_origin = (-a[0], -a[1], -a[2])
        across = _cross(to_origin, edge1)
        above = _dot(edge2, across)
        for row in range(top, bottom + 1):
            y = np.float32(row)
            for column in range(first, last + 1):
                x = np.float32(column)
                ray = (
                    inverse_lens[0, 0] * x + inverse_lens[0, 1] * y + inverse_lens[0, 2],
                    inverse_lens[1, 1] * y + inverse_lens[1, 2],
                    np.float32(1),
                )
                normal = _cross(ray, edge2)
                determinant = _dot(edge1, normal)
                if determinant * determinant < np.float32(1e-16) * _dot(ray, ray):
                    continue
                inverse = np.float32(1) / determinant
                u, v, z = _dot(to_origin, normal) * inverse, _dot(ray, across) * inverse, above * inverse
                hit = u >= 0 and u <= 1 and v >= 0 and u + v <= 1 and z > np.float32(1e-8)
                if hit and (depth[row, column] == 0 or z < depth[row, column]):
                    depth[row, column] = z
