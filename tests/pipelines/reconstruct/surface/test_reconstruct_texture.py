"""A texture stores details that vertex colours cannot, and other programs can read it."""

import io
import json
import struct

import numpy as np
import pytest
import trimesh

from bench.room import orbit, shot
from camera.errors import InputError
from camera.render.triangles import draw
from pipelines.media.image_metrics import psnr
from pipelines.reconstruct import display
from pipelines.reconstruct.pipeline import Reconstruction, make, shots_of_views
from pipelines.reconstruct.surface.mesh import extract_mesh
from pipelines.reconstruct.surface.texture import surface_of, texture_mesh
from tests.scenes.reconstruct_room import finished, path_of, room


@pytest.fixture(scope="module")
def coarse():
    """A mesh with few triangles, and its scene."""
    scene = room(96, 128)
    return scene, finished(extract_mesh(scene, voxel=0.1, most_triangles=4000))


def quality(mesh, scene, degrees: float) -> float:
    path = orbit(96, 128, degrees)
    truth = shot(path)
    seen = draw([surface_of(mesh)], path, 0)
    near = (seen.depth > 0) & (np.abs(seen.depth / truth.depth - 1) < 0.02)
    assert near.mean() > 0.6
    return psnr(seen.colour, truth.colour, near)


def test_a_texture_shows_more_than_corners_do(coarse):
    scene, mesh = coarse
    fine = finished(texture_mesh(scene, mesh, side=1024, most_triangles=4000))
    assert quality(fine, scene, 2) > quality(mesh, scene, 2) + 2


def test_it_is_read_with_its_texture(coarse):
    scene, mesh = coarse
    fine = finished(texture_mesh(scene, mesh, side=256, most_triangles=1500))
    assert len(fine.faces) <= 1700 and len(fine.vertices) == 3 * len(fine.faces)
    made = Reconstruction(
        "mesh",
        np.stack([view.colour for view in scene.views]),
        path_of(scene),
        finished_cloud(scene),
        scene,
        mesh,
        textured=fine,
    )
    files = display.files(made)
    read = trimesh.load(io.BytesIO(files["textured.glb"]), file_type="glb", force="mesh", process=False)
    assert read.visual.material.baseColorTexture.size == (256, 256)
    tree = gltf(files["textured.glb"])
    sampler = tree["samplers"][tree["textures"][0]["sampler"]]
    assert sampler["minFilter"] == 9729, "linear: smaller copies would mix triangles that are not neighbours"
    assert len(gltf(display.glb_for_viewer(made))["textures"]) == 1, "the viewer shows it"
    np.testing.assert_allclose(read.vertices, fine.vertices * [1, -1, -1], atol=1e-5)
    np.testing.assert_allclose(read.visual.uv, fine.visual.uv, atol=1e-5)
    turned = read.copy()
    turned.vertices = read.vertices * [1, -1, -1]
    assert abs(quality(turned, scene, 2) - quality(fine, scene, 2)) < 0.1
    flown = next(display.render_flight(made, orbit(96, 128, 2)))
    np.testing.assert_array_equal(flown, draw([surface_of(fine)], orbit(96, 128, 2), 0).colour)


def gltf(data: bytes) -> dict:
    (length,) = struct.unpack("<I", data[12:16])
    return json.loads(data[20 : 20 + length])


def finished_cloud(scene):
    from camera.cloud import cloud_of

    return cloud_of(scene, most=100)


def test_every_triangle_has_its_own_texels():
    from pipelines.reconstruct.surface.texture import _places, _square

    square = _square(33, 48)
    places = _places(33, square, 48)
    assert places.min() >= 0 and places.max() <= 47
    taken = np.zeros((48, 48), int)
    for corner in places:
        low = corner.min(axis=0)
        y, x = np.mgrid[: square - 2, : square - 2]
        inside = (x + y <= square - 3) if (corner[0] == low).all() else (x + y >= square - 3)
        taken[(low[1] + y[inside]).astype(int), (low[0] + x[inside]).astype(int)] += 1
    assert taken.max() == 1
    with pytest.raises(InputError, match="has room for 162 triangles, got 200"):
        _square(200, 48)


def test_it_is_made_where_it_is_wanted():
    made = list(make(shots_of_views(room(24, 32)), "mesh", texture=True))[-1]
    assert isinstance(made, Reconstruction) and made.textured is not None and "with a texture" in made.sentence()
    assert list(make(shots_of_views(room(24, 32)), "mesh"))[-1].textured is None
