"""Renders triangle meshes on the CPU: colour, depth, normals and the visible surface.

Triangles are two-sided, as scans and reconstructed scenes need. One kernel finds the nearest triangle at every pixel and the
barycentric coordinates in it, another looks up colours, textures and normals and shades them. Triangles that reach behind the
camera are not drawn. Imports numba, so import this module only on first use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camera.kernel import kernel
from camera.objects.surface import UNLIT, Light, Surface
from camera.path import CameraPath

NEAR = np.float32(1e-4)
CREASE = np.float32(0.7)
"""Cosine of the crease angle: a corner whose mean normal deviates more from the face normal is on an edge and is shaded flat."""


@dataclass(frozen=True, eq=False)
class MeshFrame:
    """``colour`` (H,W,3) uint8, black where empty; ``depth`` (H,W) float32 along z, 0 where empty; ``surface`` (H,W) int32,
    index of the visible surface, -1 where empty; ``normal`` (H,W,3) float32 in camera axes, facing the camera."""

    colour: NDArray[np.uint8]
    depth: NDArray[np.float32]
    surface: NDArray[np.int32]
    normal: NDArray[np.float32]


def draw(surfaces: Sequence[Surface], path: CameraPath, frame: int, *, light: Light = UNLIT) -> MeshFrame:
    """Render the surfaces from camera ``frame`` of ``path``."""
    size = (path.height, path.width)
    inverse_depth = np.zeros(size, np.float32)
    triangle = np.full(size, -1, np.int32)
    surface = np.full(size, -1, np.int32)
    shares = np.zeros((*size, 2), np.float32)
    pose, lens = path.camera_from_world[frame], path.intrinsics[frame].astype(np.float32)
    placed = [vertices_in_camera(part, pose) for part in surfaces]
    for number, (part, camera) in enumerate(zip(surfaces, placed)):
        pixels = camera @ lens.T
        with np.errstate(divide="ignore", invalid="ignore"):
            inverse = np.where(camera[:, 2] > NEAR, 1 / camera[:, 2], 0).astype(np.float32)
        us, vs = (np.ascontiguousarray(pixels[:, axis] * inverse, dtype=np.float32) for axis in (0, 1))
        _draw(
            us, vs, inverse, part.triangles.astype(np.int32), np.int32(number), inverse_depth, triangle, surface, shares
        )
    depth = np.divide(1, inverse_depth, out=np.zeros_like(inverse_depth), where=inverse_depth > 0)
    colour, normal = np.zeros((*size, 3), np.uint8), np.zeros((*size, 3), np.float32)
    lamp = light_in_camera(light, pose)
    for number, (part, camera) in enumerate(zip(surfaces, placed)):
        triangles = part.triangles.astype(np.int32)
        textured = part.texture is not None and part.uv is not None
        _shade(
            np.int32(number), surface, triangle, shares, camera, triangles, _mean_normals(camera, triangles),
            part.colours, part.uv if textured else _NO_UV, part.texture if textured else _NO_TEXTURE, textured,
            lamp, np.float32(light.ambient), colour, normal,
        )  # fmt: skip
    return MeshFrame(colour, depth, surface, normal)


_NO_UV, _NO_TEXTURE = np.zeros((0, 2), np.float32), np.zeros((1, 1, 3), np.uint8)


def vertices_in_camera(part: Surface, camera_from_world: NDArray) -> NDArray[np.float32]:
    """(V,3): the surface's vertices in camera axes."""
    return (part.vertices @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]).astype(np.float32)


def light_in_camera(light: Light, camera_from_world: NDArray) -> NDArray[np.float32]:
    """(3,): unit direction towards the light in camera axes; zeros for a light at the camera."""
    if light.direction is None:
        return np.zeros(3, np.float32)
    direction = camera_from_world[:3, :3] @ np.asarray(light.direction, dtype=np.float64)
    return (direction / np.linalg.norm(direction)).astype(np.float32)


def corners(vertices: NDArray[np.float32], triangles: NDArray[np.int32]) -> NDArray[np.float32]:
    """(T,3,6): position and unit normal, facing the camera, of every triangle's corners; ``vertices`` (V,3) in camera axes.

    Zeros for triangles that reach behind the camera. For renderers that interpolate on the GPU.
    """
    result = np.zeros((len(triangles), 3, 6), np.float32)
    _corners(vertices, triangles, _mean_normals(vertices, triangles), result)
    return result


@kernel
def _draw(us, vs, inverse, triangles, number, inverse_depth, triangle, surface, shares):
    height, width = inverse_depth.shape
    for index in range(len(triangles)):
        a, b, c = triangles[index, 0], triangles[index, 1], triangles[index, 2]
        wa, wb, wc = inverse[a], inverse[b], inverse[c]
        if min(wa, min(wb, wc)) <= 0:
            continue
        xa, ya, xb, yb, xc, yc = us[a], vs[a], us[b], vs[b], us[c], vs[c]
        area = (xb - xa) * (yc - ya) - (xc - xa) * (yb - ya)
        if area == 0:
            continue
        left = np.int64(min(max(np.ceil(min(xa, min(xb, xc))), np.float32(0)), np.float32(width)))
        right = np.int64(min(max(np.floor(max(xa, max(xb, xc))), np.float32(-1)), np.float32(width - 1)))
        top = np.int64(min(max(np.ceil(min(ya, min(yb, yc))), np.float32(0)), np.float32(height)))
        bottom = np.int64(min(max(np.floor(max(ya, max(yb, yc))), np.float32(-1)), np.float32(height - 1)))
        unit = np.float32(1) / area
        for y in range(top, bottom + 1):
            py = np.float32(y)
            for x in range(left, right + 1):
                px = np.float32(x)
                pa = ((xb - px) * (yc - py) - (xc - px) * (yb - py)) * unit
                pb = ((xc - px) * (ya - py) - (xa - px) * (yc - py)) * unit
                pc = ((xa - px) * (yb - py) - (xb - px) * (ya - py)) * unit
                if min(pa, min(pb, pc)) < np.float32(-1e-5):
                    continue
                w = pa * wa + pb * wb + pc * wc
                if w > inverse_depth[y, x]:
                    inverse_depth[y, x] = w
                    triangle[y, x] = index
                    surface[y, x] = number
                    shares[y, x, 0] = pa * wa / w
                    shares[y, x, 1] = pb * wb / w


@kernel
def _mean_normals(vertices, triangles):
    """(V,3): area-weighted sums of the face normals around each vertex, not normalised."""
    normals = np.zeros((len(vertices), 3), np.float32)
    for index in range(len(triangles)):
        a, b, c = triangles[index, 0], triangles[index, 1], triangles[index, 2]
        ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
        vx, vy, vz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in (a, b, c):
            normals[corner, 0] += nx
            normals[corner, 1] += ny
            normals[corner, 2] += nz
    return normals


@kernel
def _unit(x, y, z):
    length = np.sqrt(x * x + y * y + z * z)
    scale = np.float32(1) / max(length, np.float32(1e-20))
    return x * scale, y * scale, z * scale


@kernel
def _corner_normal(normals, corner, fx, fy, fz):
    """A corner's mean normal, or the face normal if the corner is on a sharp edge."""
    nx, ny, nz = _unit(normals[corner, 0], normals[corner, 1], normals[corner, 2])
    if nx * fx + ny * fy + nz * fz < CREASE:
        return fx, fy, fz
    return nx, ny, nz


@kernel
def _corners(vertices, triangles, normals, result):
    for index in range(len(triangles)):
        a, b, c = triangles[index, 0], triangles[index, 1], triangles[index, 2]
        ax, ay, az = vertices[a, 0], vertices[a, 1], vertices[a, 2]
        if min(az, min(vertices[b, 2], vertices[c, 2])) <= NEAR:
            continue
        ux, uy, uz = vertices[b, 0] - ax, vertices[b, 1] - ay, vertices[b, 2] - az
        vx, vy, vz = vertices[c, 0] - ax, vertices[c, 1] - ay, vertices[c, 2] - az
        fx, fy, fz = _unit(uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx)
        side = np.float32(-1) if fx * ax + fy * ay + fz * az > 0 else np.float32(1)
        for place in range(3):
            corner = triangles[index, place]
            nx, ny, nz = _corner_normal(normals, corner, fx, fy, fz)
            result[index, place, 0], result[index, place, 1] = vertices[corner, 0], vertices[corner, 1]
            result[index, place, 2] = vertices[corner, 2]
            result[index, place, 3], result[index, place, 4], result[index, place, 5] = side * nx, side * ny, side * nz


@kernel
def _shade(
    number,
    surface,
    triangle,
    shares,
    vertices,
    triangles,
    normals,
    colours,
    uv,
    texture,
    textured,
    lamp,
    ambient,
    colour,
    normal,
):
    height, width = surface.shape
    rows, columns = texture.shape[0], texture.shape[1]
    beside_camera = lamp[0] == 0 and lamp[1] == 0 and lamp[2] == 0
    for y in range(height):
        for x in range(width):
            if surface[y, x] != number:
                continue
            index = triangle[y, x]
            a, b, c = triangles[index, 0], triangles[index, 1], triangles[index, 2]
            sa, sb = shares[y, x, 0], shares[y, x, 1]
            sc = np.float32(1) - sa - sb
            px = sa * vertices[a, 0] + sb * vertices[b, 0] + sc * vertices[c, 0]
            py = sa * vertices[a, 1] + sb * vertices[b, 1] + sc * vertices[c, 1]
            pz = sa * vertices[a, 2] + sb * vertices[b, 2] + sc * vertices[c, 2]
            ux, uy, uz = (
                vertices[b, 0] - vertices[a, 0],
                vertices[b, 1] - vertices[a, 1],
                vertices[b, 2] - vertices[a, 2],
            )
            vx, vy, vz = (
                vertices[c, 0] - vertices[a, 0],
                vertices[c, 1] - vertices[a, 1],
                vertices[c, 2] - vertices[a, 2],
            )
            fx, fy, fz = _unit(uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx)
            ax, ay, az = _corner_normal(normals, a, fx, fy, fz)
            bx, by, bz = _corner_normal(normals, b, fx, fy, fz)
            cx, cy, cz = _corner_normal(normals, c, fx, fy, fz)
            nx, ny, nz = _unit(sa * ax + sb * bx + sc * cx, sa * ay + sb * by + sc * cy, sa * az + sb * bz + sc * cz)
            if fx * px + fy * py + fz * pz > 0:
                nx, ny, nz = -nx, -ny, -nz
            normal[y, x, 0], normal[y, x, 1], normal[y, x, 2] = nx, ny, nz
            lx, ly, lz = (_unit(-px, -py, -pz)) if beside_camera else (lamp[0], lamp[1], lamp[2])
            bright = ambient + (np.float32(1) - ambient) * max(np.float32(0), nx * lx + ny * ly + nz * lz)
            row, column = 0, 0
            if textured:
                u = sa * uv[a, 0] + sb * uv[b, 0] + sc * uv[c, 0]
                v = sa * uv[a, 1] + sb * uv[b, 1] + sc * uv[c, 1]
                column = min(max(np.int64((u - np.floor(u)) * columns), 0), columns - 1)
                row = min(max(np.int64((v - np.floor(v)) * rows), 0), rows - 1)
            for channel in range(3):
                if textured:
                    value = np.float32(texture[row, column, channel])
                else:
                    value = (
                        sa * np.float32(colours[a, channel])
                        + sb * np.float32(colours[b, channel])
                        + sc * np.float32(colours[c, channel])
                    )
                colour[y, x, channel] = np.uint8(
                    min(max(value * bright + np.float32(0.5), np.float32(0)), np.float32(255))
                )


def warm_up() -> None:
    """Compile the kernels, or load them from disk; takes a few seconds at most, so call it in a thread."""
    corners = np.array([[-1, -1, 2], [1, -1, 2], [0, 1, 2]], np.float32)
    path = CameraPath(np.eye(4)[None], np.diag([8.0, 8.0, 1.0]), 8, 8)
    plain = Surface(corners, np.array([[0, 1, 2]], np.int32), np.zeros((3, 3), np.uint8))
    textured = Surface(corners, plain.triangles, plain.colours, corners[:, :2].copy(), np.zeros((2, 2, 3), np.uint8))
    draw([plain, textured], path, 0)
