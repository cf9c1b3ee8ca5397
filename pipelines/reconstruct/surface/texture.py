"""A low-polygon mesh with a texture, so that colours are finer than its vertices.

Every triangle has its own texels: two triangles share one square, and all squares have the same size. This needs no UV
unwrapping, wastes little space, and stretches no part of the surface. Neighbours in the texture are neighbours only in the
mesh's triangle order, so the texture is not suitable for painting.
"""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.view import Scene
from pipelines.method import Progress

if TYPE_CHECKING:
    import trimesh

    from camera.render.triangles import Surface
    from pipelines.reconstruct.surface.tsdf import Pictures

SIDE = 2048
"""Width and height of the texture in pixels."""
MOST_TRIANGLES = 60_000
LEAST_SQUARE = 5
"""Minimum side of a square in pixels: two triangles with three texels a side, and the gap between them."""
AT_ONCE = 1 << 16


def texture_mesh(
    scene: Scene, mesh: trimesh.Trimesh, *, side: int = SIDE, most_triangles: int = MOST_TRIANGLES
) -> Generator[Progress, None, trimesh.Trimesh]:
    """``mesh`` (vertex colours) reduced to at most about ``most_triangles``, with separate vertices per triangle and a texture of
    ``side`` pixels; returned by the generator.

    Texels have the mean colour of the views that see them, with more weight for near and frontal ones; unseen texels have
    the mesh's vertex colours. Raises `InputError` for a texture too small for the number of triangles.
    """
    from pipelines.reconstruct.surface.mesh import depth_edges, simplify
    from pipelines.reconstruct.surface.tsdf import Pictures

    yield Progress("Texture", 0, 2)
    vertices, faces, colours = _reduce(mesh, most_triangles, simplify)
    square = _square(len(faces), side)
    pictures = Pictures.of(scene, [view.known & ~depth_edges(view.depth) for view in scene.views], np.inf)
    yield Progress("Texture", 1, 2)
    texture = _paint(vertices, faces, colours, square, side, pictures)
    return _textured_mesh(vertices, faces, _places(len(faces), square, side), texture)


def surface_of(mesh: trimesh.Trimesh) -> Surface:
    """A `camera.render.triangles` surface from a mesh with vertex colours or from `texture_mesh`."""
    from camera.render.triangles import Surface

    vertices, faces = np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.int32)
    visual: Any = mesh.visual
    if visual.kind != "texture":
        return Surface(vertices, faces, np.ascontiguousarray(visual.vertex_colors[:, :3], np.uint8))
    picture = np.ascontiguousarray(visual.material.baseColorTexture.convert("RGB"), np.uint8)
    uv = np.asarray(visual.uv, np.float32) * [1, -1] + [0, 1]
    return Surface(vertices, faces, np.zeros((len(vertices), 3), np.uint8), uv.astype(np.float32), picture)


def _reduce(mesh: trimesh.Trimesh, most: int, reduced) -> tuple[NDArray, NDArray, NDArray[np.uint8]]:
    """Reduced vertices and triangles, with colours of the nearest original vertices."""
    from scipy.spatial import KDTree

    before = np.asarray(mesh.vertices, np.float32)
    vertices, faces = reduced(before, np.asarray(mesh.faces, np.int64), most)
    nearest = KDTree(before).query(vertices)[1]
    return vertices, faces, np.asarray(mesh.visual.vertex_colors[:, :3], np.uint8)[nearest]  # type: ignore[union-attr]


def _square(triangles: int, side: int) -> int:
    """Side in pixels of the squares that contain two triangles each."""
    square = side // int(np.ceil(np.sqrt(-(-triangles // 2))))
    if square < LEAST_SQUARE:
        most = 2 * (side // LEAST_SQUARE) ** 2
        raise InputError(
            f"A texture of {side} pixels has room for {most} triangles, got {triangles}; use fewer, or a larger texture."
        )
    return square


def _corners(numbers: NDArray[np.int64], square: int, side: int) -> tuple[NDArray, NDArray, NDArray]:
    """Left and top (K,) of the squares of triangles ``numbers`` (K,), and 1 for first halves, -1 for second ones."""
    across = side // square
    cell = numbers // 2
    return cell % across * square, cell // across * square, 1 - 2 * (numbers % 2)


def _places(triangles: int, square: int, side: int) -> NDArray[np.float64]:
    """(T,3,2): the texel at each corner of each triangle, x and y from the top left."""
    left, top, way = _corners(np.arange(triangles), square, side)
    leg = square - 3
    offset = np.array([[0, 0], [leg, 0], [0, leg]])
    start = np.where(way > 0, 0, square - 1)
    origin = np.stack([left + start, top + start], axis=1)
    return (origin[:, None] + way[:, None, None] * offset).astype(np.float64)


def _paint(
    vertices: NDArray, faces: NDArray, colours: NDArray[np.uint8], square: int, side: int, pictures: Pictures
) -> NDArray[np.uint8]:
    """The texture (S,S,3)."""
    texture = np.full((side, side, 3), 128, np.uint8)
    leg = square - 3
    row, column = (each.ravel() for each in np.mgrid[: leg + 2, : leg + 2])
    inside = row + column <= leg + 1  # one texel beyond the edge, for smooth sampling at it
    row, column = row[inside], column[inside]
    second, third = column / leg, row / leg
    shares = np.clip(np.stack([1 - second - third, second, third], axis=1), 0, None)
    shares /= shares.sum(axis=1, keepdims=True)

    def paint(numbers: NDArray[np.int64]) -> None:
        left, top, way = _corners(numbers, square, side)
        start = np.where(way > 0, 0, square - 1)
        x = (left + start)[:, None] + way[:, None] * column
        y = (top + start)[:, None] + way[:, None] * row
        texture[y, x] = _sample_colours(vertices, faces[numbers], colours, shares, pictures).reshape(*x.shape, 3)

    count = max(AT_ONCE // len(shares), 1)
    parts = [np.arange(i, min(i + count, len(faces))) for i in range(0, len(faces), count)]
    with ThreadPoolExecutor(cpu_count()) as pool:
        list(pool.map(paint, parts))
    return texture


def _sample_colours(
    vertices: NDArray, faces: NDArray, colours: NDArray[np.uint8], shares: NDArray, pictures: Pictures
) -> NDArray[np.uint8]:
    """(K*P,3): colours at the places with barycentric ``shares`` (P,3) of K triangles."""
    from pipelines.reconstruct.surface.mesh import depth_tolerance_at
    from pipelines.reconstruct.surface.tsdf import colours as looked_up

    corner = vertices[faces]
    points = np.einsum("ps,ksc->kpc", shares, corner).reshape(-1, 3).astype(np.float32)
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)
    normals = np.repeat(normal, len(shares), axis=0).astype(np.float32)
    found, shown = looked_up(pictures, points, np.ascontiguousarray(normals), depth_tolerance_at(pictures, points))
    plain = np.einsum("ps,ksc->kpc", shares, colours[faces].astype(np.float64)).reshape(-1, 3)
    return np.where(shown[:, None], found, np.rint(plain).astype(np.uint8))


def _textured_mesh(vertices: NDArray, faces: NDArray, places: NDArray, texture: NDArray[np.uint8]) -> trimesh.Trimesh:
    import trimesh
    from PIL import Image
    from trimesh.visual import TextureVisuals
    from trimesh.visual.material import PBRMaterial

    side = len(texture)
    uv = (places.reshape(-1, 2) + 0.5) / side
    uv[:, 1] = 1 - uv[:, 1]  # trimesh's v axis points up
    material = PBRMaterial(
        baseColorTexture=Image.fromarray(texture), roughnessFactor=1.0, metallicFactor=0.0, doubleSided=True
    )
    visual = TextureVisuals(uv=uv, material=material)
    own = np.arange(3 * len(faces)).reshape(-1, 3)
    return trimesh.Trimesh(vertices[faces].reshape(-1, 3), own, visual=visual, process=False)
