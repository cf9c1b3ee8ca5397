"""Point clouds and their files, read back by trimesh."""

import io
import json

import numpy as np
import pytest
import trimesh

from camera.cache3d.cache import cache_of
from camera.cloud import PointCloud, cloud_of
from camera.errors import InputError
from camera.path import pinhole
from camera.view import Scene, View


def view(sky: bool = False) -> View:
    depth = np.full((8, 10), 3, np.float32)
    if sky:
        depth[:4] = np.inf
    colour = np.random.default_rng(0).integers(0, 256, (8, 10, 3), dtype=np.uint8)
    return View.of(colour, depth, pinhole(10, 8, 60))


@pytest.mark.parametrize("kind", ["ply", "glb"])
def test_files_contain_the_points(kind):
    cloud = cloud_of(Scene((view(),)))
    data = cloud.ply_bytes() if kind == "ply" else cloud.glb_bytes()
    loaded = trimesh.load(io.BytesIO(data), file_type=kind, force="scene")
    (read,) = loaded.geometry.values()
    points = np.asarray(read.vertices) * ((1, -1, -1) if kind == "glb" else 1)
    np.testing.assert_allclose(points, cloud.points, atol=1e-6)
    if kind == "ply":
        np.testing.assert_array_equal(np.asarray(read.colors)[:, :3], cloud.colours)
    else:
        np.testing.assert_array_equal(displayed_colours(data), cloud.colours)


def displayed_colours(glb: bytes) -> np.ndarray:
    """Vertex colours (V,3) uint8 as glTF's specification displays COLOR_0, on an unlit, two-sided material."""
    length = int.from_bytes(glb[12:16], "little")
    about = json.loads(glb[20 : 20 + length])
    part = about["meshes"][0]["primitives"][0]
    accessor = about["accessors"][part["attributes"]["COLOR_0"]]
    view, (kind, most) = about["bufferViews"][accessor["bufferView"]], {5123: ("<u2", 65535)}[accessor["componentType"]]
    material = about["materials"][part["material"]]
    assert accessor["normalized"] and "KHR_materials_unlit" in material["extensions"] and material["doubleSided"]
    rows = (
        np.ndarray((accessor["count"], 3), kind, glb, 28 + length + view["byteOffset"], (view["byteStride"], 2)) / most
    )
    return np.rint(255 * np.where(rows <= 0.0031308, 12.92 * rows, 1.055 * rows ** (1 / 2.4) - 0.055)).astype(np.uint8)


def test_sky_is_left_out_and_thinning_is_deterministic():
    cloud = cloud_of(Scene((view(sky=True),)))
    assert len(cloud) == 40
    few = cloud_of(Scene((view(),)), most=7)
    assert len(few) == 7
    np.testing.assert_array_equal(few.points, cloud_of(Scene((view(),)), most=7).points)


def test_views_are_joined_and_clips_use_their_first_frame():
    assert len(cloud_of(Scene((view(), view()), kind="views"))) == 160
    assert len(cloud_of(Scene((view(), view()), kind="clip"))) == 80


def test_caches_are_exported():
    assert cache_of(Scene((view(),))).cloud().ply_bytes().startswith(b"ply\n")


def test_wrong_shapes_are_refused():
    with pytest.raises(InputError, match=r"\(N,3\)"):
        PointCloud(np.zeros((3, 3), np.float32), np.zeros((2, 3), np.uint8))
