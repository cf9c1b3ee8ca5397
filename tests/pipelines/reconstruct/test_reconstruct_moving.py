"""Moving scenes in 3D: points on the surfaces at every time, their time stamps, and one file per time."""

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from bench.room import orbit, shot
from camera.errors import InputError
from camera.path import CameraPath
from pipelines.methods.dimensionx.grid_4d import Grid, as_clip
from pipelines.methods.dimensionx.method import METHOD
from pipelines.reconstruct.dynamic_points import MovingPoints, find_moving_points
from pipelines.reconstruct.export import posed_frames
from pipelines.reconstruct.pipeline import Shots, shots_of_views
from pipelines.reconstruct.time_slices import Moments, moments_of_files
from pipelines.results.record import record, save
from pipelines.shot import Shot
from tests.scenes.reconstruct_room import room, to_surface


def made(*args, **choices) -> MovingPoints:
    return list(find_moving_points(*args, **choices))[-1]


def test_each_frame_is_a_moment_on_its_own_surfaces():
    shots = shots_of_views(room())
    found = made(replace(shots, path=shots.path.with_fps(2)))
    assert found.seconds == (0, 0.5, 1, 1.5, 2) and "5 moments of 2.0 seconds" in found.sentence()
    for moment in found.moments:
        assert len(moment.cloud) > 4000 and np.quantile(to_surface(moment.cloud.points), 0.99) < 1e-3
    assert found.at(0) is found.moments[0] and found.at(0.5) is found.moments[2] and found.at(1) is found.moments[4]
    np.testing.assert_allclose(found.path.world_from_camera, shots.path.world_from_camera)


def test_depth_that_cannot_be_fitted_is_taken_as_it_came_and_said_to():
    shots = shots_of_views(room())
    still = replace(shots, path=replace(shots.path, world_from_camera=np.repeat(np.eye(4)[None], 5, axis=0)))
    found = made(replace(still, aligned=False, source="a model"))
    assert "as it came (a model)" in found.sentence() and len(found.moments) == 5
    with pytest.raises(InputError):
        made(replace(still, aligned=False, depth=None))


def test_blurred_depth_leaves_no_points_between_surfaces():
    shots = shots_of_views(room())
    depth = shots.depth.copy()
    depth[:, 20:40, 30] = depth[:, 20:40, 30] * 0.7
    found = made(replace(shots, depth=depth))
    assert np.quantile(to_surface(found.moments[0].cloud.points), 0.999) < 1e-3


def test_what_moves_is_not_followed_but_is_there_and_the_object_alone_can_be_kept():
    shots = shots_of_views(room())
    marks = np.zeros(shots.frames.shape[:3], bool)
    marks[:, 20:40, 30:50] = True
    noisy = shots.frames.copy()
    noisy[marks] = np.random.default_rng(0).integers(0, 255, (int(marks.sum()), 3))
    told = replace(shots, frames=noisy, aligned=False, moving=marks)
    everything = made(told)
    assert "are static" in everything.sentence() and len(everything.moments[0].cloud) > 3500
    alone = made(replace(shots, marked=marks), keep="masks")
    assert all(len(moment.cloud) <= 20 * 20 for moment in alone.moments)
    middle = made(shots, keep="object")
    assert 0 < len(middle.moments[2].cloud) < 0.5 * len(everything.moments[2].cloud)
    with pytest.raises(InputError, match="a mask for each"):
        made(shots, keep="masks")


def test_a_far_dome_is_behind_every_moment_and_a_closed_path_must_close():
    shots = shots_of_views(room())
    found = made(shots, background="dome")
    assert found.moments[0].dome is found.moments[-1].dome is not None and "background.ply" in found.files()
    with pytest.raises(InputError, match="at least 10 frames"):
        made(shots, closed=True)


def saved_4d(folder, frames=8):
    views = [shot(orbit(64, 96, float(angle))) for angle in np.linspace(-10, 10, frames)]
    path = CameraPath(np.array([view.world_from_camera for view in views]), views[0].intrinsics, 96, 64, 8)
    pictures = np.stack([view.colour for view in views])
    clip = as_clip(Grid(pictures, (0, 4), (pictures, np.ascontiguousarray(pictures[..., ::-1]))), path, 8, ())
    return save(folder, "four", clip, record(Shot(METHOD, room(), path, METHOD.settings()))), pictures, path


def test_the_files_of_a_4d_result_become_points_and_folders_per_moment(tmp_path):
    saved, pictures, path = saved_4d(tmp_path)
    moments = moments_of_files([saved.video, *saved.companions.values(), *saved.files.values()])
    assert moments.seconds == (0, 0.5) and len(moments.path) == 8
    found = made(Shots(pictures, path, "four"), moments)
    assert "8 cameras" in found.sentence() and all(len(moment.cloud) > 40 for moment in found.moments)
    with zipfile.ZipFile(io.BytesIO(found.files()["moments.zip"])) as archive:
        names = archive.namelist()
        times = [frame["time"] for frame in json.loads(archive.read("transforms.json"))["frames"]]
    assert {"moment_001/points.ply", "moment_001/sparse/0/images.txt", "moment_001/images/frame_00008.png"} <= set(
        names
    )
    assert times == [0] * 8 + [1] * 8
    with pytest.raises(InputError, match="every moment has its own"):
        made(Shots(pictures, path, "four", moving=np.zeros(pictures.shape[:3], bool)), moments)


def test_files_of_a_4d_result_that_are_missing_are_asked_for(tmp_path):
    saved, *_ = saved_4d(tmp_path)
    with pytest.raises(InputError, match="add all its files"):
        moments_of_files([saved.video, *saved.companions.values()])


def test_noise_is_said_to_be_noise():
    frames, path = posed_frames(room())
    noise = Shots(np.random.default_rng(0).integers(0, 255, frames.shape, np.uint8), path, "noise", weights="tiny")
    with pytest.raises(InputError, match="tiny random weights"):
        made(noise)
    with pytest.raises(InputError, match="tiny random weights"):
        made(noise, Moments((noise.frames, noise.frames), path, (0.0, 1.0)))
