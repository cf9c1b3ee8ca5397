"""A GLB with a scene and its animated camera: both are read back, and the camera sees the scene's points where ours does."""

from __future__ import annotations

import io

import numpy as np
import pytest
import trimesh

from camera import formats
from camera.cloud import PointCloud
from camera.errors import InputError
from camera.formats.film.gltf import with_camera
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


def test_the_camera_in_the_file_projects_the_points_in_the_file_as_ours_does():
    colours = np.full((50, 3), 90, np.uint8)
    data = with_camera(PointCloud(POINTS, colours).glb_bytes(), path())
    (cloud,) = trimesh.load(io.BytesIO(data), file_type="glb").dump()
    seen = np.asarray(cloud.vertices) * [1, -1, -1]
    back = formats.read("scene.glb", data, like=path())
    assert len(back) == 6 and back.fps == pytest.approx(12)
    for frame in range(6):
        assert np.abs(pixels(seen, back, frame) - pixels(POINTS, path(), frame)).max() < 0.5


def test_a_mesh_with_nodes_of_its_own_keeps_its_place():
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
