"""The mesh of a ray-traced room lies on its surfaces, has its colours and faces the right way."""

import numpy as np
import pytest

from bench.room import orbit, shot
from camera.errors import InputError
from camera.render.triangles import Surface, draw
from camera.view import FAR, Scene, View
from pipelines.media.image_metrics import psnr
from pipelines.method import Progress
from pipelines.reconstruct.surface import tsdf
from pipelines.reconstruct.surface.mesh import extract_mesh
from pipelines.reconstruct.surface.tsdf import SIDE, Pictures, cells
from tests.scenes.reconstruct_room import finished, room, to_surface


@pytest.fixture(scope="module")
def mesh():
    return finished(extract_mesh(room(), voxel=0.05))


def drawn(mesh, degrees):
    path = orbit(60, 80, degrees)
    colours = np.ascontiguousarray(mesh.visual.vertex_colors[:, :3])
    surface = Surface(np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.int32), colours)
    return draw([surface], path, 0), shot(path)


def test_the_mesh_lies_on_the_surfaces(mesh):
    away = to_surface(mesh.vertices)
    assert len(mesh.faces) > 5000
    assert np.median(away) < 0.003 and np.quantile(away, 0.99) < 0.05


def test_an_unseen_view_of_it_is_the_true_picture(mesh):
    seen, truth = drawn(mesh, 2)
    covered = seen.depth > 0
    assert covered.mean() > 0.88
    assert psnr(seen.colour, truth.colour, covered) > 20
    assert np.median(np.abs(seen.depth / truth.depth - 1)[covered]) < 0.005


def test_triangles_face_the_cameras(mesh):
    towards = orbit(60, 80, 0).centres[0] - mesh.triangles_center
    assert ((mesh.face_normals * towards).sum(axis=1) > 0).mean() > 0.9


def test_the_budget_is_kept(mesh):
    small = finished(extract_mesh(room(), voxel=0.05, most_triangles=3000))
    assert 2000 < len(small.faces) <= 3300
    assert np.median(to_surface(small.vertices)) < 0.02


def test_poisson_closes_what_distances_leave_open():
    mesh = finished(extract_mesh(room(), method="poisson"))
    away = to_surface(mesh.vertices)
    assert np.median(away) < 0.02 and np.quantile(away, 0.95) < 0.1
    towards = orbit(60, 80, 0).centres[0] - mesh.triangles_center
    assert ((mesh.face_normals * towards).sum(axis=1) > 0).mean() > 0.95


def test_sky_makes_no_surface():
    views = []
    for view in room().views:
        depth = view.depth.copy()
        depth[:25] = FAR
        views.append(View.of(view.colour, depth, view.intrinsics, view.world_from_camera))
    mesh = finished(extract_mesh(Scene(tuple(views), "views"), voxel=0.1))
    path = orbit(60, 80, 0)
    assert np.abs(mesh.vertices).max() < 10
    seen, _ = drawn(mesh, 0)
    assert (seen.depth[:20] == 0).all() and (seen.depth[30:] > 0).mean() > 0.8 and len(path) == 1


def test_voxels_double_with_distance_and_every_point_has_one_cell():
    points = np.random.default_rng(0).uniform([-1, -1, 1], [1, 1, 40], (4000, 3)).astype(np.float32)
    found = cells(points, np.zeros((1, 3)), voxel=0.01, per_distance=0.01)
    side = (SIDE * found.voxel)[:, None]
    inside = ((points[:, None] >= found.corner) & (points[:, None] < found.corner + side)).all(axis=2)
    assert (inside.sum(axis=1) == 1).all()
    voxel = (inside * found.voxel).sum(axis=1)
    distance = np.linalg.norm(points, axis=1)
    assert (voxel <= np.maximum(0.01 * distance, 0.0101)).all()
    assert voxel[distance > 30].min() >= 0.08 and voxel[distance < 2].max() <= 0.02


def test_progress_is_told_and_bad_wishes_are_refused():
    phases = {step.phase for step in extract_mesh(room(), voxel=0.2) if isinstance(step, Progress)}
    assert phases == {"Comparing views", "Fusing depth", "Finishing the mesh"}
    with pytest.raises(InputError, match="tsdf or poisson"):
        finished(extract_mesh(room(), method="alpha"))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="voxels above 0"):
        finished(extract_mesh(room(), voxel=-1))
    with pytest.raises(InputError, match="parallax"):
        finished(extract_mesh(Scene((room().first,) * 4, "views")))
    shuffled = tuple(
        View.of(v.colour, v.depth * np.float32(f), v.intrinsics, v.world_from_camera)
        for v, f in zip(room().views, (0.3, 0.6, 1.2, 2.4, 4.8))
    )
    with pytest.raises(InputError, match="contradict"):
        finished(extract_mesh(Scene(shuffled, "views")))


def test_of_many_views_some_speak_spread_over_all_that_see_the_cell_and_others_where_these_see_nothing():
    scene = room(16, 20)
    views = scene.views * 8
    pictures = Pictures.of(Scene(views, "views"), [view.known for view in views], 1e9)
    arrays = pictures.depth, pictures.pose, pictures.lens
    ahead, behind = np.array([-0.5, -0.5, 3], np.float32), np.array([-0.5, -0.5, -9], np.float32)
    some, others = tsdf._views_of_cell(ahead, np.float32(1), *arrays, 24)
    assert len(some) == 24 and some[0] == 0 and some[-1] == 39 and sorted([*some, *others]) == list(range(40))
    assert [len(each) for each in tsdf._views_of_cell(ahead, np.float32(1), *arrays, 50)] == [40, 0]
    assert not any(len(each) for each in tsdf._views_of_cell(behind, np.float32(1), *arrays, 24))
    alone = Pictures.of(
        Scene(views, "views"), [view.known if i == 7 else view.known & False for i, view in enumerate(views)], 1e9
    )
    assert (
        tsdf.fuse_cell(alone, ahead, 1 / SIDE)[1]
        == tsdf.fuse_cell(Pictures.of(Scene(views[7:8], "views"), [views[7].known], 1e9), ahead, 1 / SIDE)[1]
    ).all()
    assert tsdf.fuse_cell(pictures, ahead, 1 / SIDE)[1].max() == 24
