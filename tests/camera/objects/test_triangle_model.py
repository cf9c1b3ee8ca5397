"""User mesh files: GLB, OBJ and PLY, scaled and placed on the ground; files with invalid contents."""

import io
import time
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from camera.errors import InputError
from camera.objects.model import read_model
from camera.path import CameraPath, pinhole
from camera.render.triangles import draw

FOX = Path(__file__).parents[3] / "examples" / "fox" / "fox.glb"


def exported(mesh, kind: str) -> bytes:
    data = mesh.export(file_type=kind)
    return data.encode() if isinstance(data, str) else data


@pytest.mark.parametrize("kind", ["glb", "obj", "ply"])
def test_coloured_files_stand_on_the_ground_at_size_one(kind):
    box = trimesh.creation.box(extents=[1, 4, 2]).apply_translation([7, 8, 9])
    box.visual = trimesh.visual.ColorVisuals(box, vertex_colors=np.tile([[10, 200, 30, 255]], (8, 1)))
    model = read_model(exported(box, kind), f"some\\folder/box.{kind}")
    (surface,) = model.surfaces()
    assert model.name == f"box.{kind}" and model.animations == {} and model.notes == ()
    assert len(surface.triangles) == 12 and surface.colours[0].tolist() == [10, 200, 30]
    assert surface.vertices.min(axis=0) == pytest.approx([-0.125, 0, -0.25], abs=1e-6)
    assert surface.vertices.max(axis=0) == pytest.approx([0.125, 1, 0.25], abs=1e-6)


def test_a_texture_is_not_flipped():
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[:2] = 255  # white top half
    vertices = [[-1, 1, 0], [1, 1, 0], [1, -1, 0], [-1, -1, 0]]  # y up
    material = trimesh.visual.material.PBRMaterial(baseColorTexture=Image.fromarray(picture))
    visual = trimesh.visual.TextureVisuals(uv=np.array([[0, 1], [1, 1], [1, 0], [0, 0]], float), material=material)
    board = trimesh.Trimesh(vertices, [[0, 1, 2], [0, 2, 3]], visual=visual, process=False)
    model = read_model(exported(board, "glb"), "board.glb")
    vertices_in_camera = np.diag([1.0, -1, -1, 1])
    vertices_in_camera[:3, 3] = [0, 0.5, 1.5]
    path = CameraPath(np.eye(4)[None], pinhole(96, 64, 60), 96, 64)
    made = draw([part.moved(vertices_in_camera) for part in model.surfaces()], path, 0)
    assert made.colour[20, 48, 0] == 255 and made.colour[45, 48, 0] == 0


def test_an_animation_loops():
    fox = read_model(FOX.read_bytes(), FOX.name)
    assert fox.animations == {"walk": 1.0, "wave": 2.0}
    moments = {seconds: fox.surfaces("walk", seconds)[0].vertices for seconds in (0.0, 0.25, 1.25)}
    assert np.abs(moments[0.25] - moments[0.0]).max() > 0.05
    assert np.array_equal(moments[0.25], moments[1.25])
    with pytest.raises(InputError, match="no animation 'fly'; it has walk, wave"):
        fox.surfaces("fly")


def test_a_thinned_character_still_walks_and_the_thinning_is_reported():
    whole, fewer = (read_model(FOX.read_bytes(), FOX.name, most=most) for most in (200_000, 3000))
    assert fewer.triangles <= 3000 and "15,052 triangles were thinned" in fewer.notes[0]
    for part in ("walk", "wave"):
        low, high = (model.surfaces(part, 0.4)[0].vertices for model in (fewer, whole))
        for axis in range(3):
            assert np.ptp(low[:, axis]) == pytest.approx(np.ptp(high[:, axis]), abs=0.03)


def test_a_large_mesh_is_thinned_quickly():
    ball = trimesh.creation.icosphere(subdivisions=7)
    began = time.process_time()
    model = read_model(exported(ball, "ply"), "ball.ply")
    assert model.triangles <= 200_000 and model.notes and time.process_time() - began < 8


def ply_of(count: int) -> bytes:
    head = f"ply\nformat binary_little_endian 1.0\nelement vertex {count}\nproperty float x\n"
    return (head + "property float y\nproperty float z\nend_header\n").encode()


def points() -> bytes:
    stream = io.BytesIO()
    trimesh.PointCloud(np.zeros((3, 3))).export(stream, file_type="ply")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("points.ply", points(), "no triangles"),
        ("bomb.ply", ply_of(10**12), "announces more"),
        ("broken.glb", b"glTF nonsense", "not a binary glTF"),
        ("broken.obj", b"v 1 2\nf 1 2 3\n", "cannot be read|no triangles"),
        ("hole.obj", b"v 0 0 0\nv 1 0 0\nv nan 1 0\nf 1 2 3\n", "finite"),
        ("speck.obj", b"v 0 0 0\nv 0 0 0\nv 0 0 0\nf 1 2 3\n", "no extent"),
        ("scene.fbx", b"", "give .glb"),
    ],
)
def test_unusable_files_are_refused_with_a_reason(name, data, words):
    with pytest.raises(InputError, match=words):
        read_model(data, name)
