"""Fused points of a ray-traced room lie on its surfaces; what contradicts the others is dropped."""

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from reconstruct_room import finished, room, to_surface

from camera.errors import InputError
from camera.path import CameraPath
from camera.view import FAR, Scene, View
from pipelines.reconstruct.export import exports
from pipelines.reconstruct.points import fused


def test_points_lie_on_the_surfaces():
    cloud = finished(fused(room()))
    assert len(cloud) > 10_000
    assert to_surface(cloud.points).max() < 1e-4


def test_a_view_that_contradicts_the_others_adds_nothing():
    views = room().views
    wrong = replace(views[2], depth=views[2].depth * np.float32(0.7))
    scene = replace(room(), views=(*views[:2], wrong, *views[3:]))
    off = np.mean(to_surface(finished(fused(scene)).points) > 0.1)
    assert off < 0.01


def test_the_budget_is_kept_and_used():
    cloud = finished(fused(room(), most_points=1000))
    assert 600 < len(cloud) <= 1000
    assert np.median(to_surface(cloud.points)) < 0.05


def test_sky_is_dropped():
    views = []
    for view in room().views:
        depth = view.depth.copy()
        depth[:20] = FAR
        views.append(View.of(view.colour, depth, view.intrinsics, view.world_from_camera))
    cloud = finished(fused(Scene(tuple(views), "views")))
    assert cloud.points.max() < 10


def test_no_parallax_too_few_frames_and_wrong_cameras_are_said():
    views = room().views
    with pytest.raises(InputError, match="parallax"):
        finished(fused(Scene((views[0],) * 4, "views")))
    with pytest.raises(InputError, match="at least 3 frames, got 2"):
        finished(fused(Scene(views[:2], "views")))
    shuffled = tuple(replace(v, depth=v.depth * np.float32(f)) for v, f in zip(views, (0.3, 0.6, 1.2, 2.4, 4.8)))
    with pytest.raises(InputError, match="contradict"):
        finished(fused(Scene(shuffled, "views")))


def room_exports():
    scene = room()
    cloud = finished(fused(scene, most_points=500))
    poses = np.array([view.world_from_camera for view in scene.views])
    path = CameraPath(poses, scene.first.intrinsics, scene.first.width, scene.first.height)
    return cloud, path, exports(np.stack([view.colour for view in scene.views]), path, cloud=cloud)


def test_colmap_reads_cameras_pictures_and_points(tmp_path):
    pycolmap = pytest.importorskip("pycolmap")
    cloud, path, files = room_exports()
    with zipfile.ZipFile(io.BytesIO(files["colmap.zip"])) as archive:
        archive.extractall(tmp_path)
    model = pycolmap.Reconstruction(tmp_path / "sparse" / "0")
    assert sorted(image.name for image in model.images.values()) == sorted(
        picture.name for picture in (tmp_path / "images").iterdir()
    )
    read = np.array([model.points3D[i].xyz for i in sorted(model.points3D)])
    np.testing.assert_allclose(read, cloud.points, atol=1e-4)
    for image in model.images.values():
        i = int(image.name[-9:-4]) - 1
        pose = image.cam_from_world() if callable(image.cam_from_world) else image.cam_from_world
        np.testing.assert_allclose(pose.matrix(), path.camera_from_world[i, :3], atol=1e-6)


def test_points_seen_through_nerfstudios_cameras_have_the_colour_of_the_frame():
    cloud, path, files = room_exports()
    with zipfile.ZipFile(io.BytesIO(files["nerfstudio.zip"])) as archive:
        values = json.loads(archive.read("transforms.json"))
        ply = trimesh.load(io.BytesIO(archive.read(values["ply_file_path"])), file_type="ply")
        assert all(frame["file_path"] in archive.namelist() for frame in values["frames"])
    assert len(ply.vertices) == len(cloud)
    camera = np.linalg.inv(values["frames"][2]["transform_matrix"])
    local = ply.vertices @ camera[:3, :3].T + camera[:3, 3]
    truth = cloud.points @ path.camera_from_world[2, :3, :3].T + path.camera_from_world[2, :3, 3]
    np.testing.assert_allclose(local * [1, -1, -1], truth, atol=1e-4)


def test_frames_of_another_path_are_refused():
    cloud, path, _ = room_exports()
    with pytest.raises(InputError, match="path is for frames"):
        exports(np.zeros((3, 60, 80, 3), np.uint8), path, cloud=cloud)
