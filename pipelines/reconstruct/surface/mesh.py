"""A coloured triangle mesh from all views of a scene: fused signed distances or Poisson reconstruction, then marching cubes.

Sky and unknown depth give no surface. Depth that other views contradict, or that is next to a depth edge, is dropped.
"""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.view import Scene
from pipelines.method import Progress
from pipelines.reconstruct.points import check_views, other_views
from pipelines.reconstruct.surface.marching_cubes import march_cubes

if TYPE_CHECKING:
    import trimesh

    from pipelines.reconstruct.surface.tsdf import Cells, Pictures

Method = Literal["tsdf", "poisson"]
MOST_CELLS = 1500
"""Maximum number of cells of `tsdf.SIDE` voxels a side; voxels grow until there are no more."""
FINEST = 1.25
"""Voxel size in pixels at the distance of their cell."""
FEWEST_TRIANGLES = 60
LEAST_PART = 0.002
"""Pieces with fewer triangles, or a smaller share of the largest piece's, are floaters and dropped."""
WITNESSES = 8
AT_ONCE = 32


def extract_mesh(
    scene: Scene,
    *,
    voxel: float | None = None,
    most_triangles: int = 400_000,
    method: Method = "tsdf",
    tolerance: float = 0.02,
    least_views: int = 1,
    far: float = np.inf,
) -> Generator[Progress, None, trimesh.Trimesh]:
    """A mesh in the scene's world, OpenCV axes, vertex colours; returned by the generator.

    ``voxel``: side of the smallest voxels in scene units, by default a pixel's width at the nearest surface; they grow with
    distance, and until the computation takes at most a minute. ``least_views``: number of other views that must confirm a point
    within ``tolerance`` (relative depth). ``far``: depth from which on points are dropped. ``method`` "poisson" closes holes, on
    one coarser grid. Raises `InputError` for too few views, no parallax, or views that contradict each other.
    """
    if method not in get_args(Method):
        raise InputError(f"A mesh is made by {' or '.join(get_args(Method))}; got {method!r}.")
    if (voxel is not None and not voxel > 0) or most_triangles < 100:
        raise InputError(f"A mesh needs voxels above 0 and 100 triangles or more, got {voxel} and {most_triangles}.")
    check_views(scene, tolerance, least_views)
    from pipelines.reconstruct.surface.tsdf import Pictures

    believed = yield from _check_depth(scene, tolerance, least_views, far)
    pictures = Pictures.of(scene, believed, far)
    if method == "poisson":
        from pipelines.reconstruct.surface.poisson import surface_of

        vertices, faces = yield from surface_of(pictures, voxel)
    else:
        vertices, faces = yield from _fuse_surface(pictures, voxel)
    yield Progress("Finishing the mesh", 0, 1)
    vertices, faces = _join_vertices(vertices, faces)
    faces = _drop_small_parts(faces, len(vertices))
    vertices, faces = simplify(vertices, faces, most_triangles)
    return _colour_mesh(vertices, faces, pictures)


def _check_depth(
    scene: Scene, tolerance: float, least_views: int, far: float
) -> Generator[Progress, None, list[NDArray[np.bool_]]]:
    """(H,W) for every view: True where other views agree and there is no depth edge."""
    from camera.unproject import points_of
    from pipelines.reconstruct.consistency import confirmations, side_by_side

    def compared(i: int) -> tuple[NDArray[np.bool_], int, int]:
        view = scene.views[i]
        shown = view.known & (view.depth < far)
        others = [scene.views[j] for j in other_views(i, len(scene.views), max(WITNESSES, least_views))]
        confirmed = np.zeros(shown.shape, bool)
        confirmed[shown] = confirmations(points_of(view)[shown], others, tolerance) >= least_views
        return confirmed & ~depth_edges(view.depth), int(shown.sum()), int(confirmed.sum())

    masks, asked, agreed = [], 0, 0
    yield Progress("Comparing views", 0, len(scene.views))
    for i, (mask, shown, confirmed) in enumerate(side_by_side(compared, len(scene.views)), 1):
        masks.append(mask)
        asked, agreed = asked + shown, agreed + confirmed
        yield Progress("Comparing views", i, len(scene.views))
    if agreed < max(0.02 * asked, 1):
        raise InputError(
            f"Only {agreed} of {asked} points are confirmed at the same place by another view: the cameras contradict the frames "
            "or the scene moves; check the path, or raise the tolerance."
        )
    return masks


def depth_edges(depth: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(H,W): where inverse depth (linear on a plane) bends sharply: pixels that mix two surfaces or are in front of one."""
    inverse = 1 / depth
    bent = np.zeros(depth.shape, bool)
    for axis in (0, 1):
        line = np.moveaxis(inverse, axis, 0)
        bend = np.abs(line[2:] - 2 * line[1:-1] + line[:-2])
        np.moveaxis(bent, axis, 0)[1:-1] |= bend > 0.1 * line[1:-1]
    return bent


# --- fused distances -------------------------------------------------------------------------------------------------


def _fuse_surface(
    pictures: Pictures, voxel: float | None
) -> Generator[Progress, None, tuple[NDArray[np.float32], NDArray[np.int64]]]:
    found = _cells(pictures, voxel)
    parts, done = [], 0
    with ThreadPoolExecutor(cpu_count()) as pool:
        for start in range(0, len(found), AT_ONCE):
            yield Progress("Fusing depth", start, len(found))
            chosen = range(start, min(start + AT_ONCE, len(found)))
            parts += pool.map(lambda i: _cell_surface(pictures, found.corner[i], float(found.voxel[i])), chosen)
    vertices, faces = [np.zeros((0, 3), np.float32)], [np.zeros((0, 3), np.int64)]
    for part_vertices, part_faces in parts:
        vertices.append(part_vertices)
        faces.append(part_faces + done)
        done += len(part_vertices)
    return np.concatenate(vertices), np.concatenate(faces)


def _cells(pictures: Pictures, voxel: float | None) -> Cells:
    from pipelines.reconstruct.surface.tsdf import cells

    points, depth = _points(pictures)
    focal = float(pictures.lens[:, 0, 0].mean())
    per_distance = FINEST / focal
    smallest = voxel or per_distance * float(np.percentile(depth, 5))
    if voxel:
        per_distance = max(per_distance, voxel / float(np.percentile(depth, 5)))
    while len(found := cells(points, pictures.centre, voxel=smallest, per_distance=per_distance)) > MOST_CELLS:
        larger = 1.02 * np.sqrt(len(found) / MOST_CELLS)  # a surface of twice as wide voxels has a quarter of the cells
        smallest, per_distance = larger * smallest, larger * per_distance
    return found


def _points(pictures: Pictures) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """World points (N,3) of a subset of the reliable pixels, and their depths (N,)."""
    views, height, width = pictures.depth.shape
    step = max(1, round(np.sqrt(views * height * width / 2_000_000)))
    points, depths = [], []
    for depth, pose, lens in zip(pictures.depth, pictures.pose, pictures.lens):
        row, column = np.nonzero(depth[::step, ::step])
        z = depth[row * step, column * step]
        matrix = np.vstack([lens, [0, 0, 1]])
        rays = np.stack([column * step, row * step, np.ones_like(row)], axis=1) @ np.linalg.inv(matrix).T
        points.append((rays * z[:, None] - pose[:, 3]) @ pose[:, :3])
        depths.append(z)
    return np.concatenate(points).astype(np.float32), np.concatenate(depths)


def _cell_surface(pictures: Pictures, corner: NDArray, voxel: float) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    from pipelines.reconstruct.surface.tsdf import fuse_cell

    distance, weight = fuse_cell(pictures, corner, voxel)
    observed = weight > 0
    if not (distance[observed].min(initial=1) < 0 < distance[observed].max(initial=-1)):
        return np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int64)
    return march_cubes(distance, observed, corner, voxel)


# --- finishing -------------------------------------------------------------------------------------------------------


def _join_vertices(
    vertices: NDArray[np.float32], faces: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Merge vertices that cells share; remove degenerate triangles."""
    if not len(faces):
        raise InputError("The views contain no surface for a mesh; the points can still be made.")
    grain = max(float(np.ptp(vertices, axis=0).max()) * 1e-6, 1e-12)
    _, first, member = np.unique(
        np.round(vertices / grain).astype(np.int64), axis=0, return_index=True, return_inverse=True
    )
    faces = member.ravel()[faces]
    a, b, c = faces.T
    return vertices[first], faces[(a != b) & (b != c) & (c != a)]


def _drop_small_parts(faces: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(edges), np.int8), edges.T), shape=(count, count))
    piece = connected_components(graph, directed=False)[1][faces[:, 0]]
    size = np.bincount(piece)
    return faces[size[piece] >= min(max(FEWEST_TRIANGLES, LEAST_PART * size.max()), size.max())]


def simplify(
    vertices: NDArray[np.float32], faces: NDArray[np.int64], most: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Simplify to at most about ``most`` triangles by collapsing the least important edges (quadric errors)."""
    if len(faces) > most:
        from fast_simplification import simplify

        reduced = simplify(vertices.astype(np.float64), faces.astype(np.int32), target_count=most)
        vertices, faces = reduced[0].astype(np.float32), reduced[1]
    used, faces = np.unique(faces, return_inverse=True)
    return vertices[used], faces.reshape(-1, 3)


def _colour_mesh(vertices: NDArray[np.float32], faces: NDArray[np.int64], pictures: Pictures) -> trimesh.Trimesh:
    import trimesh

    from pipelines.reconstruct.surface.tsdf import colours

    mesh = trimesh.Trimesh(vertices, faces, process=False)
    normals = np.ascontiguousarray(mesh.vertex_normals, np.float32)
    vertices = np.ascontiguousarray(vertices, np.float32)
    colour, shown = colours(pictures, vertices, normals, depth_tolerance_at(pictures, vertices))
    colour = _spread(colour, shown, mesh.edges_unique)
    return trimesh.Trimesh(vertices, faces, vertex_colors=colour, process=False)


def depth_tolerance_at(pictures: Pictures, points: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,): tolerance between a picture's depth and its surface at ``points`` (N,3)."""
    from pipelines.reconstruct.surface.tsdf import CUT

    away = np.min([np.linalg.norm(points - centre, axis=1) for centre in pictures.centre], axis=0)
    return (max(CUT * FINEST / float(pictures.lens[:, 0, 0].mean()), 0.02) * away).astype(np.float32)


def _spread(colour: NDArray[np.uint8], shown: NDArray[np.bool_], edges: NDArray) -> NDArray[np.uint8]:
    """Colours of unseen vertices: the mean of their neighbours, over up to 30 edges; grey beyond."""
    value, known = colour.astype(np.float32), shown.copy()
    both = np.concatenate([edges, edges[:, ::-1]])
    for _ in range(30):
        if known.all():
            break
        to = both[known[both[:, 0]] & ~known[both[:, 1]]]
        count = np.bincount(to[:, 1], minlength=len(value))
        total = np.stack([np.bincount(to[:, 1], value[to[:, 0], c], len(value)) for c in range(3)], axis=1)
        new = count > 0
        value[new], known = total[new] / count[new, None], known | new
    value[~known] = 128
    return np.rint(value).astype(np.uint8)
