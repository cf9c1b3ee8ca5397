"""Results can be read by other tools, in their axes: COLMAP, nerfstudio, glTF; times of moving scenes are included."""

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import trimesh

from camera.errors import InputError
from camera.objects import gltf
from camera.view import Scene
from pipelines.method import Clip
from pipelines.methods.dimensionx.grid_4d import Grid, as_clip
from pipelines.reconstruct.export import exports, posed_frames
from pipelines.reconstruct.points import fuse_points
from pipelines.reconstruct.time_slices import Moments, moments_of, moments_zip, render_moving_scene
from tests.scenes.reconstruct_room import finished, path_of, room


def room_exports():
    scene = room()
    cloud = finished(fuse_points(scene, most_points=500))
    frames, path = posed_frames(scene)
    return cloud, path, exports(frames, path, cloud=cloud)


def test_colmap_reads_cameras_pictures_and_points(tmp_path):
    import pycolmap

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


def test_a_mesh_is_written_upright_and_with_its_colours():
    triangle = trimesh.Trimesh(
        [[0, 0, 2], [1, 0, 2], [0, 1, 2]],
        [[0, 1, 2]],
        vertex_colors=[[255, 0, 0], [128, 64, 191], [0, 7, 255]],
        process=False,
    )
    cloud, path, _ = room_exports()
    frames, _ = posed_frames(room())
    files = exports(frames, path, cloud=cloud, mesh=triangle)
    ply = trimesh.load(io.BytesIO(files["mesh.ply"]), file_type="ply", process=False)
    np.testing.assert_allclose(ply.vertices, triangle.vertices)
    np.testing.assert_array_equal(ply.visual.vertex_colors[:, :3], triangle.visual.vertex_colors[:, :3])
    glb = trimesh.load(io.BytesIO(files["mesh.glb"]), file_type="glb", force="mesh", process=False)
    np.testing.assert_allclose(glb.vertices, triangle.vertices * [1, -1, -1])
    (shown,) = gltf.read(files["mesh.glb"], "mesh.glb").surfaces()
    np.testing.assert_array_equal(shown.colours, triangle.visual.vertex_colors[:, :3])


@pytest.fixture(scope="module")
def moments():
    frames, path = posed_frames(room(12, 16))
    return Moments((frames, 255 - frames, frames // 2), path, (0.0, 0.5, 2.0))


def test_every_moment_is_a_colmap_folder_and_all_have_their_time(moments, tmp_path):
    import pycolmap

    with zipfile.ZipFile(io.BytesIO(moments_zip(moments))) as archive:
        archive.extractall(tmp_path)
    for number in range(3):
        model = pycolmap.Reconstruction(tmp_path / f"moment_{number:03d}" / "sparse" / "0")
        assert model.num_reg_images() == 5
    values = json.loads((tmp_path / "transforms.json").read_text())
    assert [frame["time"] for frame in values["frames"][::5]] == [0, 0.25, 1]
    assert all((tmp_path / frame["file_path"]).is_file() for frame in values["frames"])
    assert json.loads((tmp_path / "moments.json").read_text()) == {"seconds": [0.0, 0.5, 2.0]}
    np.testing.assert_array_equal(moments.cameras_at(2)[1], moments.views[1][2])


def test_moments_of_a_4d_result_are_found_and_others_are_refused(moments):
    path = moments.path.with_fps(8)
    clip = as_clip(Grid(moments.views[0], (0, 4, 16), moments.views), path, 8, ())
    found = moments_of(clip)
    assert found.seconds == moments.seconds
    np.testing.assert_array_equal(found.views[2], moments.views[2])
    np.testing.assert_allclose(found.path.world_from_camera, path.world_from_camera)
    with pytest.raises(InputError, match="no moment from several cameras"):
        moments_of(Clip(moments.views[0], 8, path))
    with pytest.raises(InputError, match="frames of one path"):
        replace(moments, seconds=(0.0,))


def test_a_moving_scene_is_orbited_while_time_passes_or_stands():
    still = room(24, 32).views[2]
    bright = replace(still, colour=np.full_like(still.colour, 250))
    dark = replace(still, colour=np.full_like(still.colour, 10))
    clip = Scene((bright, dark), "clip")
    path = path_of(room(24, 32))
    levels = [np.median(frame) for frame in render_moving_scene(clip, path)]
    assert levels == [250, 250, 250, 10, 10]
    assert [np.median(frame) for frame in render_moving_scene(clip, path, moment=1)] == [10] * 5
    assert [np.median(frame) for frame in render_moving_scene([Scene((dark,)), Scene((bright,))], path)] == [
        10,
        10,
        10,
        250,
        250,
    ]
    with pytest.raises(InputError, match="moments 0 to 1"):
        next(render_moving_scene(clip, path, moment=2))
