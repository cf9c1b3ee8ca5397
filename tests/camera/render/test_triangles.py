"""Triangle meshes in front of a camera: depth against ray casting, textures, visibility, invalid input."""

import numpy as np
import pytest
import trimesh

from camera.errors import InputError
from camera.objects.surface import Light, Surface
from camera.path import CameraPath, pinhole
from camera.render.triangles import draw


@pytest.fixture
def path() -> CameraPath:
    poses = np.repeat(np.eye(4)[None], 2, axis=0)
    poses[1, :3, 3] = [0.3, -0.1, 0.2]
    return CameraPath(poses, pinhole(96, 64, 60), 96, 64)


def square(depth: float, colour: int, half: float = 1.0) -> Surface:
    corners = np.array([[-half, -half], [half, -half], [half, half], [-half, half]])
    vertices = np.column_stack([corners, np.full(4, depth)]).astype(np.float32)
    return Surface(vertices, np.array([[0, 1, 2], [0, 2, 3]], np.int32), np.full((4, 3), colour, np.uint8))


def test_depth_and_normals_of_a_sphere_match_ray_casting(path):
    ball = trimesh.creation.icosphere(subdivisions=5, radius=1.0)
    vertices = (ball.vertices + np.array([0, 0, 4])).astype(np.float32)
    surface = Surface(vertices, np.asarray(ball.faces, np.int32), np.full((len(vertices), 3), 200, np.uint8))
    for frame in (0, 1):
        made = draw([surface], path, frame)
        rows, columns = np.nonzero(made.surface == 0)
        rays = np.column_stack([columns, rows, np.ones(len(rows))]) @ np.linalg.inv(path.intrinsics[frame]).T
        centre = np.array([0, 0, 4.0]) - path.centres[frame]
        a, b, c = (rays**2).sum(axis=1), rays @ centre, centre @ centre - 1
        inside = b**2 - a * c > 0.02  # excludes the silhouette, where the facets deviate from the sphere
        expected = (b - np.sqrt(np.maximum(b**2 - a * c, 0))) / a
        assert np.abs(made.depth[rows, columns] - expected)[inside].max() < 5e-3
        outwards = expected[:, None] * rays - centre
        assert (made.normal[rows, columns] * outwards).sum(axis=1)[inside].min() > 0.98
        assert len(rows) == pytest.approx(np.pi * path.intrinsics[0, 0, 0] ** 2 / (centre @ centre - 1), rel=0.05)


def test_the_nearest_surface_wins_in_any_order_and_both_faces_are_drawn(path):
    near, far = square(2, 50, half=0.3), square(3, 90)
    mirrored = Surface(near.vertices, near.triangles[:, ::-1].copy(), near.colours)
    for order, number in (([near, far], 0), ([far, near], 1), ([mirrored, far], 0)):
        made = draw(order, path, 0)
        assert made.surface[32, 48] == number and made.colour[32, 48].tolist() == [50] * 3
        assert made.depth[32, 48] == pytest.approx(2, rel=1e-5) and made.depth[32, 20] == pytest.approx(3, rel=1e-5)
        assert made.surface[0, 0] == -1 and made.depth[0, 0] == 0 and not made.colour[0, 0].any()
    assert (draw([square(-1, 50)], path, 0).surface == -1).all()


def test_textures_are_perspective_correct(path):
    texture = np.zeros((8, 8, 3), np.uint8)
    texture[:, ::2] = 255
    vertices = np.array([[-1, -1, 2], [1, -1, 6], [1, 1, 6], [-1, 1, 2]], np.float32)
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    surface = Surface(vertices, np.array([[0, 1, 2], [0, 2, 3]], np.int32), np.zeros((4, 3), np.uint8), uv, texture)
    made = draw([surface], path, 0)
    row = np.nonzero(made.surface[32] == 0)[0]
    across = (row - path.intrinsics[0, 0, 2]) / path.intrinsics[0, 0, 0] * made.depth[32, row]
    stripe = ((across + 1) / 2 * 8).astype(int)
    edge = np.abs((across + 1) / 2 * 8 % 1 - 0.5) > 0.45
    assert np.array_equal(made.colour[32, row, 0][~edge], np.where(stripe % 2 == 0, 255, 0)[~edge])


def test_a_transform_moves_the_vertices(path):
    transform = np.diag([0.5, 0.5, 0.5, 1.0])
    transform[:3, 3] = [0, 0, 1]
    moved = square(2, 50).moved(transform)
    assert moved.vertices[:, 2] == pytest.approx([2] * 4) and np.abs(moved.vertices[:, :2]).max() == 0.5


def test_shading_follows_the_light_direction(path):
    ball = trimesh.creation.icosphere(subdivisions=4, radius=1.0)
    vertices = (ball.vertices + np.array([0, 0, 4])).astype(np.float32)
    surface = Surface(vertices, np.asarray(ball.faces, np.int32), np.full((len(vertices), 3), 200, np.uint8))
    plain = draw([surface], path, 0)
    assert (plain.colour[plain.surface == 0] == 200).all()
    lit = draw([surface], path, 0, light=Light(0.2, (1.0, 0.0, 0.0)))
    visible = lit.surface == 0
    expected = 200 * (0.2 + 0.8 * np.maximum(0, lit.normal[..., 0]))
    assert np.abs(lit.colour[..., 0] - expected)[visible].max() <= 1
    assert lit.colour[32, 60, 0] > 2 * lit.colour[32, 36, 0]
    headlight = draw([surface], path, 0, light=Light(0.0)).colour[..., 0]
    assert headlight[32, 48] > 195 and headlight[visible].min() < 120
    with pytest.raises(InputError, match="direction"):
        Light(0.5, (0.0, 0.0, 0.0))


def test_a_box_with_shared_vertices_is_shaded_flat(path):
    box = trimesh.creation.box()  # eight shared corners
    vertices = (box.vertices + np.array([0.8, 0, 4])).astype(np.float32)
    made = draw([Surface(vertices, np.asarray(box.faces, np.int32), np.zeros((8, 3), np.uint8))], path, 0)
    assert made.normal[32, 64] == pytest.approx([0, 0, -1], abs=1e-5)


def test_thinning_keeps_shape_seams_and_the_triangle_budget():
    ball = trimesh.creation.icosphere(subdivisions=5, radius=2.0)
    far = trimesh.creation.icosphere(subdivisions=2, radius=2.0).apply_translation([0.001, 0, 0])
    both = trimesh.util.concatenate([ball, far])
    count = len(both.vertices)
    uv = np.where(np.arange(count) < len(ball.vertices), 0.25, 0.75)[:, None].repeat(2, axis=1).astype(np.float32)
    triangles, grey = np.asarray(both.faces, np.int32), np.zeros((count, 3), np.uint8)
    whole = Surface(both.vertices.astype(np.float32), triangles, grey, uv, np.zeros((4, 4, 3), np.uint8))
    fewer = whole.thinned(4000)
    assert 2000 < len(fewer.triangles) <= 4000
    assert np.linalg.norm(fewer.vertices, axis=1) == pytest.approx(2.0, abs=2e-3)
    assert fewer.uv is not None
    assert (fewer.uv[fewer.triangles].std(axis=1) == 0).all()  # no triangle connects the two parts
    assert whole.thinned(10**6) is whole


def test_invalid_meshes_are_refused():
    good = square(2, 50)
    with pytest.raises(InputError, match="finite"):
        Surface(np.full((4, 3), np.nan, np.float32), good.triangles, good.colours)
    with pytest.raises(InputError, match="refer to vertices"):
        Surface(good.vertices, good.triangles + 3, good.colours)
    with pytest.raises(InputError, match="texture"):
        Surface(good.vertices, good.triangles, good.colours, np.full((4, 2), np.inf, np.float32))
