"""A GLB with a scene and its animated camera: both are read back, and the camera projects the scene's points as ours does."""

from __future__ import annotations

import io

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from camera import formats
from camera.cloud import PointCloud
from camera.errors import InputError
from camera.formats.film.gltf import with_camera
from camera.objects.glb import chunks
from camera.path import CameraPath, pinhole
from camera.rotation import from_pan_tilt_roll

POINTS = np.random.default_rng(0).uniform([-1, -1, 3], [1, 1, 5], (50, 3)).astype(np.float32)


def path() -> CameraPath:
    poses = np.repeat(np.eye(4)[None], 6, axis=0)
    poses[:, 0, 3] = np.linspace(0, 0.5, 6)
    poses[:, :3, :3] = [from_pan_tilt_roll(pan, 4, 3) for pan in np.linspace(0, 20, 6)]
    return CameraPath(poses, pinhole(640, 360, 50), 640, 360, 12)


def pixels(points: np.ndarray, along: CameraPath, frame: int) -> np.ndarray:
    camera = along.camera_from_world[frame]
    local = points @ camera[:3, :3].T + camera[:3, 3]
    return (local @ along.intrinsics[frame].T)[:, :2] / local[:, 2:]


def project_by_gltf(points: np.ndarray, about: dict, binary: bytes, frame: int) -> np.ndarray:
    """Pixels of the file's points by glTF's own rules: camera along -z of its node, y up. Uses none of our code."""
    values = []
    for channel in about["animations"][0]["channels"]:
        accessor = about["accessors"][about["animations"][0]["samplers"][channel["sampler"]]["output"]]
        start = about["bufferViews"][accessor["bufferView"]]["byteOffset"]
        width = {"VEC3": 3, "VEC4": 4}[accessor["type"]]
        values.append(np.frombuffer(binary, "<f4", width * accessor["count"], start).reshape(-1, width)[frame])
    local = (points - values[0]) @ Rotation.from_quat(values[1]).as_matrix()
    focal = 180 / np.tan(about["cameras"][0]["perspective"]["yfov"] / 2)
    x, y = (local[:, :2] / -local[:, 2:] * focal).T
    return np.stack([x + 319.5, 179.5 - y], axis=1)


def test_the_file_camera_projects_the_file_points_as_ours_does():
    colours = np.full((50, 3), 90, np.uint8)
    data = with_camera(PointCloud(POINTS, colours).glb_bytes(), path())
    (cloud,) = trimesh.load(io.BytesIO(data), file_type="glb").dump()
    about, binary = chunks(data, "scene.glb")
    back = formats.read("scene.glb", data, like=path())
    assert len(back) == 6 and back.fps == pytest.approx(12)
    np.testing.assert_allclose(back.world_from_camera, path().world_from_camera, atol=1e-5)
    for frame in range(6):
        apart = project_by_gltf(np.asarray(cloud.vertices), about, binary, frame) - pixels(POINTS, path(), frame)
        assert np.abs(apart).max() < 0.05


def test_a_mesh_with_its_own_nodes_keeps_its_position():
    box = trimesh.creation.box()
    whole = trimesh.Scene()
    whole.add_geometry(box, transform=trimesh.transformations.translation_matrix([1, 2, 3]))
    data = with_camera(whole.export(file_type="glb"), path())
    back = trimesh.load(io.BytesIO(data), file_type="glb")
    np.testing.assert_allclose(back.bounds, whole.bounds, atol=1e-6)
    np.testing.assert_allclose(
        formats.read("a.glb", data, like=path()).world_from_camera, path().world_from_camera, atol=1e-5
    )


def test_a_zoom_is_refused():
    zoom = np.stack([pinhole(640, 360, fov) for fov in np.linspace(40, 60, 6)])
    along = CameraPath(path().world_from_camera, zoom, 640, 360, 12)
    with pytest.raises(InputError):
        with_camera(PointCloud(POINTS, np.zeros((50, 3), np.uint8)).glb_bytes(), along)
