"""Rays and Plücker coordinates: equal to GenXD's and DualCamCtrl's original code, and mathematically consistent."""

import numpy as np
import pytest
from safetensors.numpy import load_file
from scipy.spatial.transform import Rotation

from camera.conventions import lens_from_fractions
from camera.errors import InputError
from camera.path import CameraPath, pinhole
from camera.rays import directions, pluecker


@pytest.fixture(scope="module")
def path() -> CameraPath:
    poses = np.repeat(np.eye(4)[None], 3, axis=0)
    poses[:, :3, :3] = Rotation.random(3, random_state=1).as_matrix()
    poses[:, :3, 3] = np.random.default_rng(1).normal(size=(3, 3))
    return CameraPath(poses, pinhole(16, 12, 60), 16, 12)


@pytest.mark.parametrize(
    "case", ["forward_readme", "orbit_default", "forward_elev", "orbit_part_pad", "orbit_consistent4d"]
)
def test_genxd_equals_the_original(golden, case):
    with np.load(golden / "genxd/cameras.npz", allow_pickle=False) as arrays:
        relative, lens, expected = (arrays[f"{case}/{name}"] for name in ("relative_c2w", "K", "plucker"))
    fractions = np.stack([lens[:, 0, 0], lens[:, 1, 1], lens[:, 0, 2], lens[:, 1, 2]], axis=-1)
    path = CameraPath(relative[0], lens_from_fractions(fractions, width=8, height=8), 8, 8)
    assert np.abs(pluecker(path, order="direction_moment") - expected).max() < 5e-6


@pytest.mark.parametrize("case", ["small", "tall_src"])
def test_dualcamctrl_equals_the_original(golden, case):
    arrays = load_file(golden / "dualcamctrl/cameras.safetensors")
    frames = arrays[f"demo.{case}.frames"]
    fx, fy, cx, cy = arrays[f"demo.{case}.intrinsics_px"][0, frames].T
    lens = np.zeros((len(frames), 3, 3))
    lens[:, 0, 0], lens[:, 1, 1], lens[:, 0, 2], lens[:, 1, 2], lens[:, 2, 2] = fx, fy, cx, cy, 1
    expected = arrays[f"demo.{case}.plucker"][0]  # (6,F,H,W)
    path = CameraPath(arrays[f"demo.{case}.rel_c2w"][0, frames], lens, expected.shape[3], expected.shape[2])
    found = pluecker(path, order="moment_direction", centre="half")
    assert np.abs(found - np.moveaxis(expected, 1, 0)).max() < 1e-5


def test_rays_pass_through_the_unprojected_points(path):
    depth = np.random.default_rng(0).uniform(1, 4, size=(3, 12, 16, 1))
    points = path.centres[:, None, None] + depth * directions(path, length="depth")
    for frame in range(3):
        local = np.einsum("ij,hwj->hwi", path.camera_from_world[frame], np.insert(points[frame], 3, 1, axis=-1))[
            ..., :3
        ]
        assert np.allclose(local[..., 2:], depth[frame], rtol=1e-5)
        projected = local @ path.intrinsics[frame].T
        assert np.allclose(projected[5, 7, :2] / projected[5, 7, 2], [7, 5], atol=1e-4)


def test_moments_do_not_depend_on_the_point_on_the_ray(path):
    direction = directions(path)
    coordinates = pluecker(path, order="moment_direction")
    further = path.centres[:, None, None] + 3 * direction
    assert np.allclose(np.moveaxis(np.cross(further, direction), -1, 1), coordinates[:, :3], atol=1e-5)
    assert np.allclose((coordinates[:, :3] * coordinates[:, 3:]).sum(axis=1), 0, atol=1e-5)
    assert np.allclose(np.linalg.norm(coordinates[:, 3:], axis=1), 1, atol=1e-6)
    swapped = pluecker(path, order="direction_moment")
    assert np.array_equal(swapped[:, 3:], coordinates[:, :3]) and np.array_equal(swapped[:, :3], coordinates[:, 3:])


def test_pixel_centre_convention_changes_the_rays(path):
    assert not np.allclose(directions(path, centre="half"), directions(path), atol=1e-3)


def test_unknown_options_are_refused(path):
    with pytest.raises(InputError, match="order"):
        pluecker(path, order="direction")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="centre"):
        directions(path, centre="corner")  # type: ignore[arg-type]
