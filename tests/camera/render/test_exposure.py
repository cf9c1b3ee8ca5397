"""Depth of field and motion blur against optics: blur discs of the stated size, sharp at the focus distance, energy preserved."""

from __future__ import annotations

import numpy as np
import pytest

from camera.errors import InputError
from camera.path import CameraPath, pinhole
from camera.render.exposure import Exposure, cameras_of
from camera.render.scene import render, render_all
from camera.rotation import from_pan_tilt_roll
from camera.view import Scene, View

SIZE = (161, 121)


def dots(depth: float) -> Scene:
    """A black wall at ``depth`` with one white square of 3x3 pixels in the centre."""
    colour = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    colour[59:62, 79:82] = 255
    return Scene((View.of(colour, np.full(colour.shape[:2], depth, np.float32), pinhole(*SIZE, 60)),))


def moving(scene: Scene, *steps: tuple[float, float, float]) -> CameraPath:
    camera = scene.first.camera
    poses = np.repeat(camera.world_from_camera, len(steps), axis=0)
    poses[:, :3, 3] += steps
    return CameraPath(poses, camera.intrinsics[0], *SIZE)


def width_of(colour: np.ndarray) -> int:
    """Number of columns with light."""
    return int((colour[..., 0] > 20).any(axis=0).sum())


@pytest.mark.parametrize(("depth", "focus"), [(4.0, 1.0), (1.0, 4.0)])
def test_a_defocused_point_is_a_disc_of_the_stated_size(depth, focus):
    scene = dots(depth)
    path = moving(scene, (0, 0, 0))
    exposure = Exposure(focus, f_stop=0.2)
    stated = float(exposure.blur_px(path, depth)[0])
    focal = pinhole(*SIZE, 60)[0, 0]
    assert stated == pytest.approx(focal * (focal / 161 * 0.036 / 0.2) * abs(1 / depth - 1 / focus)) and stated > 9
    rendered = render(scene, path, exposure=exposure).colour
    assert abs(width_of(rendered) - (stated + 3)) <= 2.5
    light = (rendered / 255.0) ** 2.2
    assert light.sum() == pytest.approx(9 * 3, rel=0.25)  # spread, not lost; interpolated edges darken


def test_points_in_focus_are_as_sharp_as_with_a_pinhole():
    scene = dots(2.0)
    path = moving(scene, (0, 0, 0))
    inside = np.s_[20:-20, 20:-20]
    rendered = render(scene, path, exposure=Exposure(2.0, f_stop=0.5)).colour[inside].astype(int)
    assert np.abs(rendered - render(scene, path).colour[inside]).max() <= 12
    tracked = render(scene, path, exposure=Exposure(9.0, f_stop=0.5, point=(3.0, 1.0, 2.0))).colour[inside].astype(int)
    np.testing.assert_array_equal(tracked, rendered)


def test_motion_blur_is_as_long_as_the_camera_travel():
    scene = dots(2.0)
    focal = pinhole(*SIZE, 60)[0, 0]
    step = 20 / focal * 2.0  # 20 pixels per frame
    path = moving(scene, (-step, 0, 0), (0, 0, 0), (step, 0, 0))
    for degrees in (180.0, 360.0):
        exposure = Exposure(2.0, shutter_degrees=degrees)
        assert exposure.travel_px(path)[1] == pytest.approx(degrees / 18, abs=0.01)
        assert abs(width_of(render(scene, path, frame=1, exposure=exposure).colour) - (degrees / 18 + 3)) <= 2
    first, last = exposure.travel_px(path)[[0, 2]]
    assert first == last == pytest.approx(10, abs=0.01)  # the camera rests before the first and after the last frame


def test_rotation_between_frames_is_interpolated_evenly():
    scene = dots(2.0)
    path = moving(scene, (0, 0, 0), (1, 0, 0))
    poses = path.world_from_camera.copy()
    poses[1, :3, :3] = from_pan_tilt_roll(40, 0, 0)
    half = path.with_poses(poses).between([-3.0, 0.25, 9.0])
    np.testing.assert_allclose(half.world_from_camera[1, :3, :3], from_pan_tilt_roll(10, 0, 0), atol=1e-12)
    np.testing.assert_allclose(half.centres[:, 0], [0, 0.25, 1])


def test_samples_cover_the_lens_disc_and_the_exposure_time():
    path = moving(dots(2.0), (-1, 0, 0), (0, 0, 0), (1, 0, 0))
    cameras = cameras_of(path, 1, Exposure(2.0, f_stop=1.0), 64)
    away = cameras.centres[:, :2] / (0.5 * Exposure(2.0, f_stop=1.0).aperture_of(path)[0])
    assert np.linalg.norm(away, axis=1).max() <= 1 and np.abs(away.mean(axis=0)).max() < 0.03
    np.testing.assert_allclose((away**2).mean(axis=0), 0.25, atol=0.01)  # as for a uniform disc
    moments = cameras_of(path, 1, Exposure(2.0, shutter_degrees=360), 16).centres[:, 0]
    np.testing.assert_allclose(np.sort(moments), (np.arange(16) + 0.5) / 16 - 0.5, atol=1e-12)
    assert np.abs(np.diff(moments)).min() > 0.2  # neighbouring lens samples are far apart in time


def test_exposure_off_changes_nothing_and_batches_equal_single_frames():
    scene = dots(2.0)
    path = moving(scene, (0, 0, 0), (0.1, 0, 0))
    off = Exposure(2.0)
    assert off.is_off and off.words(path) == ""
    np.testing.assert_array_equal(render(scene, path, exposure=off).colour, render(scene, path).colour)
    exposure = Exposure(1.0, f_stop=1.0, shutter_degrees=180)
    frames = list(render_all(scene, path, exposure=exposure, fill="holes"))
    for number, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.colour, render(scene, path, frame=number, exposure=exposure).colour)
        np.testing.assert_array_equal(frame.holes, render(scene, path, frame=number).holes)
    assert "f/1" in exposure.words(path) and "180 degrees" in exposure.words(path)


@pytest.mark.parametrize(
    "wrong", [{"distance": 0.0}, {"f_stop": -1.0}, {"shutter_degrees": 361.0}, {"point": (0, 0, np.nan)}]
)
def test_invalid_exposures_are_refused(wrong):
    with pytest.raises(InputError):
        Exposure(**{"distance": 1.0, **wrong})
