"""`CameraPath`: validated, immutable, and consistent under changes of size, frame count, pose and unit."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from camera.errors import InputError
from camera.path import CameraPath, inverse, pinhole, resizing, spread_indices

POINT = np.array([0.3, -0.2, 3.0, 1.0])


def path_of(seed: int = 0, frames: int = 5, *, width: int = 64, height: int = 48) -> CameraPath:
    random = np.random.default_rng(seed)
    poses = np.repeat(np.eye(4)[None], frames, axis=0)
    poses[:, :3, :3] = Rotation.from_rotvec(random.normal(size=(frames, 3)) * 0.1).as_matrix()
    poses[:, :3, 3] = random.normal(size=(frames, 3)) * 0.2
    lens = np.stack([pinhole(width, height, fov) for fov in np.linspace(50, 70, frames)])
    return CameraPath(poses, lens, width, height, 12)


def pixels(path: CameraPath, point: np.ndarray = POINT) -> np.ndarray:
    """Pixels (F,2) of the projected point."""
    projected = np.einsum("fij,fj->fi", path.intrinsics, (path.camera_from_world @ point)[:, :3])
    return projected[:, :2] / projected[:, 2:]


def test_images_and_cameras_are_resized_alike():
    """Each ramp value is its own pixel coordinate, so an exact resize gives the old coordinates."""
    import cv2

    ramp = np.mgrid[:48, :64][::-1].astype(np.float32)
    path = path_of()
    for width, height in ((128, 96), (192, 48)):
        old = pixels(path)[0]
        new = pixels(path.resized(width, height))[0]
        picture = np.stack([cv2.resize(each, (width, height), interpolation=cv2.INTER_LINEAR) for each in ramp])
        x, y = np.round(new).astype(int)
        back = np.linalg.inv(resizing(64, 48, width, height)) @ [x, y, 1]
        np.testing.assert_allclose(picture[:, y, x], back[:2], atol=1e-4)
        np.testing.assert_allclose(np.linalg.inv(resizing(64, 48, width, height)) @ [*new, 1], [*old, 1])


def test_a_crop_shifts_every_pixel_alike():
    path = path_of()
    np.testing.assert_allclose(pixels(path.cropped(5, -3, 40, 60)), pixels(path) - [5, -3])
    assert (path.cropped(5, -3, 40, 60).width, path.cropped(5, -3, 40, 60).height) == (40, 60)


@given(st.integers(8, 200), st.integers(8, 200), st.sampled_from(["crop", "pad", "stretch"]))
@settings(max_examples=60, deadline=None)
def test_fitting_keeps_the_centre_and_the_aspect_ratio(width, height, fit):
    path = path_of()
    fitted = path.fitted(width, height, fit)
    assert (fitted.width, fitted.height) == (width, height)
    scale = fitted.intrinsics[0, [0, 1], [0, 1]] / path.intrinsics[0, [0, 1], [0, 1]]
    if fit == "stretch":
        np.testing.assert_allclose(scale, [width / 64, height / 48])
    else:
        wanted = (max if fit == "crop" else min)(width / 64, height / 48)
        np.testing.assert_allclose(scale, wanted, rtol=0.07)
    assert np.abs(fitted.intrinsics[0, :2, 2] - [(width - 1) / 2, (height - 1) / 2]).max() <= 0.5 + 1e-9


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_poses_and_units_can_be_changed(seed):
    path = path_of(seed)
    start = path_of(seed + 1).world_from_camera[0]
    moved = path.moved_to(start)
    np.testing.assert_allclose(moved.world_from_camera[0], start, atol=1e-12)
    np.testing.assert_allclose(
        moved.relative_to_first().world_from_camera, path.relative_to_first().world_from_camera, atol=1e-9
    )
    np.testing.assert_allclose(inverse(path.world_from_camera) @ path.world_from_camera, [np.eye(4)] * 5, atol=1e-12)
    larger = POINT * [3, 3, 3, 1]
    np.testing.assert_allclose(pixels(path.scaled(3), larger), pixels(path))
    np.testing.assert_allclose(path.reversed().reversed().world_from_camera, path.world_from_camera)


def test_resampling_keeps_the_ends_and_the_duration():
    path = path_of()
    longer = path.resampled(9)
    np.testing.assert_allclose(longer.world_from_camera[::2], path.world_from_camera, atol=1e-12)
    np.testing.assert_allclose(longer.intrinsics[::2], path.intrinsics)
    np.testing.assert_allclose(longer.centres[1], path.centres[:2].mean(axis=0))
    assert longer.seconds == pytest.approx(path.seconds)
    np.testing.assert_allclose(longer.resampled(5).world_from_camera, path.world_from_camera, atol=1e-12)
    assert len(path.resampled(1)) == 1 and len(path.sliced(slice(0, 1)).resampled(4)) == 4
    with pytest.raises(InputError, match="at least one frame"):
        path.resampled(0)


def test_fields_of_view():
    path = CameraPath(np.eye(4)[None], pinhole(64, 48, 60), 64, 48)
    assert path.fov_degrees[0, 0] == pytest.approx(60)
    np.testing.assert_allclose(path.intrinsics[0, :2, 2], [31.5, 23.5])
    with pytest.raises(InputError, match="between 1 and 170"):
        pinhole(64, 48, 180)


def test_paths_are_immutable():
    given_poses = np.repeat(np.eye(4)[None], 2, axis=0)
    path = CameraPath(given_poses, pinhole(8, 8, 60), 8, 8)
    given_poses[0, 0, 3] = 9
    assert path.centres[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        path.world_from_camera[0, 0, 3] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        path.width = 9  # type: ignore[misc]


LENS = pinhole(8, 8, 60)
MIRRORED = np.diag([1.0, 1, -1, 1])
TRANSPOSED = np.eye(4)
TRANSPOSED[3, 0] = 2


@pytest.mark.parametrize(
    ("poses", "lens", "size", "fps", "words"),
    [
        (np.eye(4), LENS, (8, 8), 24, r"shape \(F,4,4\)"),
        (np.zeros((0, 4, 4)), LENS, (8, 8), 24, "at least one frame"),
        (np.eye(4)[None], np.eye(3)[None].repeat(2, 0), (8, 8), 24, r"shape \(1,3,3\)"),
        (np.full((1, 4, 4), np.nan), LENS, (8, 8), 24, "not a finite number"),
        (np.diag([2.0, 2, 2, 1])[None], LENS, (8, 8), 24, "scaled, sheared or mirrored"),
        (MIRRORED[None], LENS, (8, 8), 24, "mirrored"),
        (TRANSPOSED[None], LENS, (8, 8), 24, "may be transposed"),
        (np.eye(4)[None], -LENS, (8, 8), 24, "focal length"),
        (np.eye(4)[None], LENS.T, (8, 8), 24, "last row of every intrinsics"),
        (np.eye(4)[None], LENS, (0, 8), 24, "must be positive"),
        (np.eye(4)[None], LENS, (8, 8), 0, "Frames per second"),
    ],
)
def test_invalid_paths_are_refused(poses, lens, size, fps, words):
    with pytest.raises(InputError, match=words):
        CameraPath(poses, lens, *size, fps)


@pytest.mark.parametrize(
    "count, most, chosen", [(5, 9, [0, 1, 2, 3, 4]), (9, 3, [0, 4, 8]), (10, 4, [0, 3, 6, 9]), (7, 1, [0]), (0, 4, [])]
)
def test_indices_are_spread_from_the_first_to_the_last(count, most, chosen):
    assert spread_indices(count, most).tolist() == chosen
