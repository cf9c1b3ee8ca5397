"""Paths from files are scaled to the scene: kept, by a factor, or to the subject's distance."""

import numpy as np
import pytest

from camera.errors import InputError
from camera.path import CameraPath, pinhole
from camera.rotation import about_axis
from camera.trajectories.scaling import scale_path


def orbit() -> CameraPath:
    """An orbit around the origin, 200 units away."""
    poses = np.repeat(np.eye(4)[None], 5, axis=0)
    for pose, angle in zip(poses, np.linspace(0, 40, 5)):
        pose[:3, :3] = about_axis([0, 1, 0], angle)
        pose[:3, 3] = pose[:3, :3] @ [0, 0, -200]
    return CameraPath(poses, pinhole(96, 64, 50), 96, 64)


def test_a_path_is_scaled_by_factor_or_subject_distance():
    unscaled, said = scale_path(orbit(), "keep", 2)
    assert said == "" and np.linalg.norm(unscaled.centres[0]) == pytest.approx(200)
    for scale in ("0.01", "subject"):
        path, said = scale_path(orbit(), scale, 2.0)
        np.testing.assert_allclose(np.linalg.norm(path.centres, axis=1), 2)
        assert "scaled by 0.01" in said


@pytest.mark.parametrize("scale", ["0", "-1", "big", "nan", "inf", ""])
def test_invalid_scales_are_refused(scale):
    with pytest.raises(InputError, match="keep, subject or a factor"):
        scale_path(orbit(), scale, 2)


def test_paths_without_a_common_target_are_refused():
    path = orbit()
    straight = path.with_poses(np.repeat(np.eye(4)[None], 5, axis=0))
    away = path.world_from_camera @ np.diag([-1, 1, -1, 1])
    for one in (straight, path.with_poses(away)):
        with pytest.raises(InputError, match="no common point"):
            scale_path(one, "subject", 2)
