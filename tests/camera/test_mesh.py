"""Meshes before a camera: depth against rays, textures, nearest surface, files that hold what they should not."""

import numpy as np
import pytest
import trimesh
from PIL import Image

from camera.errors import InputError
from camera.mesh import Surface, draw, read
from camera.path import CameraPath, pinhole


@pytest.fixture
def path() -> CameraPath:
    poses = np.repeat(np.eye(4)[None], 2, axis=0)
    poses[1, :3, 3] = [0.3, -0.1, 0.2]
    return CameraPath(poses, pinhole(96, 64, 60), 96, 64)


def square(depth: float, colour: int, half: float = 1.0) -> Surface:
    corners = np.array([[-half, -half], [half, -half], [half, half], [-half, half]])
    vertices = np.column_stack([corners, np.full(4, depth)]).astype(np.float32)
    return Surface(vertices, np.array([[0, 1, 2], [0, 2, 3]], np.int32), np.full((4, 3), colour, np.uint8))


def test_depth_and_normals_of_a_sphere_are_those_of_rays(path):
    ball = trimesh.creation.icosphere(subdivisions=5, radius=1.0)
    vertices = (ball.vertices + np.array([0, 0, 4])).astype(np.float32)
    surface = Surface(vertices, np.asarray(ball.faces, np.int32), np.full((len(vertices), 3), 200, np.uint8))
    for frame in (0, 1):
        made = draw([surface], path, frame)
        rows, columns = np.nonzero(made.surface == 0)
        rays = np.column_stack([columns, rows, np.ones(len(rows))]) @ np.linalg.inv(path.intrinsics[frame]).T
        centre = np.array([0, 0, 4.0]) - path.centres[frame]
        a, b, c = (rays**2).sum(axis=1), rays @ centre, centre @ centre - 1
        inside = b**2 - a * c > 0.02  # away from the rim, where the facets stand out of the sphere
        expected = (b - np.sqrt(np.maximum(b**2 - a * c, 0))) / a
        assert np.abs(made.depth[rows, columns] - expected)[inside].max() < 5e-3
        outwards = expected[:, None] * rays - centre
        assert (made.normal[rows, columns] * outwards).sum(axis=1)[inside].min() > 0.98
        assert len(rows) == pytest.approx(np.pi * path.intrinsics[0, 0, 0] ** 2 / (centre @ centre - 1), rel=0.05)


def test_the_nearest_surface_wins_whatever_the_order_and_both_sides_show(path):
    near, far = square(2, 50, half=0.3), square(3, 90)
    mirrored = Surface(near.vertices, near.triangles[:, ::-1].copy(), near.colours)
    for order, number in (([near, far], 0), ([far, near], 1), ([mirrored, far], 0)):
        made = draw(order, path, 0)
        assert made.surface[32, 48] == number and made.colour[32, 48].tolist() == [50] * 3
        assert made.depth[32, 48] == pytest.approx(2, rel=1e-5) and made.depth[32, 20] == pytest.approx(3, rel=1e-5)
        assert made.surface[0, 0] == -1 and made.depth[0, 0] == 0 and not made.colour[0, 0].any()
    assert (draw([square(-1, 50)], path, 0).surface == -1).all()


def test_a_texture_lies_in_perspective_on_a_leaning_square(path):
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


def test_a_moved_surface_is_where_its_transform_puts_it(path):
    transform = np.diag([0.5, 0.5, 0.5, 1.0])
    transform[:3, 3] = [0, 0, 1]
    moved = square(2, 50).moved(transform)
    assert moved.vertices[:, 2] == pytest.approx([2] * 4) and np.abs(moved.vertices[:, :2]).max() == 0.5


@pytest.mark.parametrize("kind", ["glb", "obj", "ply"])
def test_files_with_colours_are_read(tmp_path, kind):
    box = trimesh.creation.box()
    box.visual = trimesh.visual.ColorVisuals(box, vertex_colors=np.tile([[10, 200, 30, 255]], (8, 1)))
    file = tmp_path / f"box.{kind}"
    box.export(file)
    (surface,) = read(file)
    assert len(surface.triangles) == 12 and surface.colours[0].tolist() == [10, 200, 30]


def test_a_textured_file_keeps_its_picture_upright(tmp_path, path):
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[:2] = 255  # white above
    vertices = [[-1, -1, 3], [1, -1, 3], [1, 1, 3], [-1, 1, 3]]  # y down: the first two are above
    uv = [[0, 1], [1, 1], [1, 0], [0, 0]]
    material = trimesh.visual.material.PBRMaterial(baseColorTexture=Image.fromarray(picture))
    visual = trimesh.visual.TextureVisuals(uv=np.array(uv, float), material=material)
    mesh = trimesh.Trimesh(vertices, [[0, 1, 2], [0, 2, 3]], visual=visual, process=False)
    mesh.export(tmp_path / "board.glb")
    made = draw(read(tmp_path / "board.glb"), path, 0)
    assert made.colour[20, 48, 0] == 255 and made.colour[45, 48, 0] == 0


def test_meshes_that_cannot_be_drawn_are_refused(tmp_path):
    good = square(2, 50)
    with pytest.raises(InputError, match="finite"):
        Surface(np.full((4, 3), np.nan, np.float32), good.triangles, good.colours)
    with pytest.raises(InputError, match="do not hold"):
        Surface(good.vertices, good.triangles + 3, good.colours)
    trimesh.PointCloud(np.zeros((3, 3))).export(tmp_path / "points.ply")
    (tmp_path / "broken.glb").write_bytes(b"glTF nonsense")
    (tmp_path / "scene.fbx").write_bytes(b"")
    for name, words in (("points.ply", "no triangles"), ("broken.glb", "cannot be read"), ("scene.fbx", "give .glb")):
        with pytest.raises(InputError, match=words):
            read(tmp_path / name)
