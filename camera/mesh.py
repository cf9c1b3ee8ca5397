"""Triangle meshes before a camera: colour, depth, normals and which surface is seen, without any GPU.

Unlit and seen from both sides, as scans and reconstructed scenes need. A kernel finds for every pixel the nearest triangle
and the place in it; colours, textures and normals are looked up afterwards. Triangles that reach behind the camera are not
drawn. Imports the compiler: import this module on first use only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camera.compiled import kernel
from camera.errors import InputError
from camera.path import CameraPath

NEAR = np.float32(1e-4)
MOST_TRIANGLES = 1_000_000
LARGEST_BYTES = 1 << 29
KINDS = (".glb", ".obj", ".ply")


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
            raise InputError(
                f"The mesh has triangles with corners that its {count} vertices do not hold; export it again."
            )

    def moved(self, world_from_mesh: ArrayLike) -> Surface:
        """By an affine transform (4,4): placed, turned and scaled."""
        transform = np.asarray(world_from_mesh, dtype=np.float64)
        vertices = self.vertices @ transform[:3, :3].T + transform[:3, 3]
        return Surface(vertices.astype(np.float32), self.triangles, self.colours, self.uv, self.texture)


@dataclass(frozen=True, eq=False)
class MeshFrame:
    """``colour`` (H,W,3) uint8, black where empty; ``depth`` (H,W) float32 along z, 0 where empty; ``surface`` (H,W) int32,
    the number of the surface seen, -1 where empty; ``normal`` (H,W,3) float32 in the camera's axes, towards the camera."""

    colour: NDArray[np.uint8]
    depth: NDArray[np.float32]
    surface: NDArray[np.int32]
    normal: NDArray[np.float32]


def draw(surfaces: Sequence[Surface], path: CameraPath, frame: int) -> MeshFrame:
    """What camera ``frame`` of ``path`` sees of the surfaces."""
    size = (path.height, path.width)
    inverse_depth = np.zeros(size, np.float32)
    triangle = np.full(size, -1, np.int32)
    surface = np.full(size, -1, np.int32)
    shares = np.zeros((*size, 2), np.float32)
    pose, lens = path.camera_from_world[frame], path.intrinsics[frame]
    placed = []
    for number, part in enumerate(surfaces):
        camera = (part.vertices @ pose[:3, :3].T + pose[:3, 3]).astype(np.float32)
        placed.append(camera)
        pixels = camera @ lens.T.astype(np.float32)
        with np.errstate(divide="ignore", invalid="ignore"):
            inverse = np.where(camera[:, 2] > NEAR, 1 / camera[:, 2], 0).astype(np.float32)
        us, vs = (np.ascontiguousarray(pixels[:, axis] * inverse, dtype=np.float32) for axis in (0, 1))
        _draw(
            us, vs, inverse, part.triangles.astype(np.int32), np.int32(number), inverse_depth, triangle, surface, shares
        )
    depth = np.divide(1, inverse_depth, out=np.zeros_like(inverse_depth), where=inverse_depth > 0)
    colour, normal = np.zeros((*size, 3), np.uint8), np.zeros((*size, 3), np.float32)
    for number, (part, camera) in enumerate(zip(surfaces, placed)):
        seen = surface == number
        corners, weights = part.triangles[triangle[seen]], _three(shares[seen])
        colour[seen] = _colours(part, corners, weights)
        normal[seen] = _normals(camera, corners)
    return MeshFrame(colour, depth, surface, normal)


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


def _three(shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,3) shares of the corners from the first two."""
    return np.column_stack([shares, 1 - shares.sum(axis=1)])


def _colours(part: Surface, corners: NDArray, weights: NDArray) -> NDArray[np.uint8]:
    """(N,3), from the nearest texel or between the corners' colours."""
    if part.texture is None or part.uv is None:
        mixed = (part.colours[corners].astype(np.float32) * weights[..., None]).sum(axis=1)
        return np.rint(np.clip(mixed, 0, 255)).astype(np.uint8)
    height, width = part.texture.shape[:2]
    place = (part.uv[corners] * weights[..., None]).sum(axis=1) % 1.0
    columns, rows = (
        np.minimum((place[:, axis] * side).astype(int), side - 1) for axis, side in ((0, width), (1, height))
    )
    return part.texture[rows, columns]


def _normals(camera: NDArray[np.float32], corners: NDArray) -> NDArray[np.float32]:
    a, b, c = (camera[corners[:, i]] for i in range(3))
    normal = np.cross(b - a, c - a)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)
    towards = np.where((normal * a).sum(axis=1, keepdims=True) > 0, -1, 1)
    return (normal * towards).astype(np.float32)


# --- files ---------------------------------------------------------------------------------------------------------


def read(file: str | Path) -> tuple[Surface, ...]:
    """Surfaces of a GLB, OBJ or PLY file, in its own axes and units, nodes placed. Raises `InputError`."""
    import trimesh

    file = Path(file)
    if file.suffix.lower() not in KINDS:
        raise InputError(f"{file.name} is no mesh that is read here; give {', '.join(KINDS)}.")
    if file.stat().st_size > LARGEST_BYTES:
        raise InputError(f"{file.name} is larger than 512 MB; reduce the mesh or its textures.")
    try:
        with file.open("rb") as stream:
            loaded = trimesh.load_scene(stream, file_type=file.suffix[1:].lower(), process=False)
        parts = loaded.dump()
    except Exception as error:  # trimesh raises whatever its parsers meet
        raise InputError(
            f"{file.name} cannot be read ({type(error).__name__}); export it with everything inside one file."
        ) from error
    meshes = [part for part in parts if isinstance(part, trimesh.Trimesh) and len(part.faces)]
    if not meshes:
        raise InputError(f"{file.name} has no triangles; export it with faces, not as points or lines.")
    if (count := sum(len(mesh.faces) for mesh in meshes)) > MOST_TRIANGLES:
        raise InputError(f"{file.name} has {count} triangles; reduce it to {MOST_TRIANGLES} or fewer.")
    return tuple(_surface(mesh) for mesh in meshes)


def _surface(mesh: Any) -> Surface:
    vertices, triangles = np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.int32)
    uv, texture = getattr(mesh.visual, "uv", None), _texture(mesh.visual)
    if uv is not None and texture is not None:
        flipped = np.asarray(uv, np.float32) * [1, -1] + [0, 1]  # trimesh counts from the bottom
        return Surface(
            vertices, triangles, np.full((len(vertices), 3), 128, np.uint8), flipped.astype(np.float32), texture
        )
    visual = mesh.visual.to_color() if hasattr(mesh.visual, "to_color") else mesh.visual
    return Surface(vertices, triangles, np.ascontiguousarray(visual.vertex_colors[:, :3], dtype=np.uint8))


def _texture(visual: Any) -> NDArray[np.uint8] | None:
    material = getattr(visual, "material", None)
    picture = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    return None if picture is None else np.asarray(picture.convert("RGB"), np.uint8)
