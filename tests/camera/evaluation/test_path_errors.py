"""Camera errors: zero for equal paths, known values for known differences, invariant under a similarity after alignment."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from camera.errors import InputError
from camera.evaluation import paths as metrics
from camera.path import CameraPath, pinhole
from camera.rotation import about_axis


def random_path(seed: int, frames: int = 6) -> CameraPath:
    poses = np.repeat(np.eye(4)[None], frames, axis=0)
    poses[:, :3, :3] = Rotation.random(frames, random_state=seed).as_matrix()
    poses[:, :3, 3] = np.random.default_rng(seed).normal(size=(frames, 3))
    return CameraPath(poses, pinhole(32, 24, 60), 32, 24)


def straight(step: float, turn: float = 0.0, frames: int = 5) -> CameraPath:
    poses = np.repeat(np.eye(4)[None], frames, axis=0)
    poses[:, :3, :3] = about_axis([0, 1, 0], turn * np.arange(frames))
    poses[:, 2, 3] = step * np.arange(frames)
    return CameraPath(poses, pinhole(32, 24, 60), 32, 24)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_errors_do_not_depend_on_the_world_frame(seed):
    path, other = random_path(seed), random_path(seed + 1)
    elsewhere = path.with_poses(random_path(seed + 2).world_from_camera[0] @ path.world_from_camera)
    for scale in ("rel", "abs", "none"):
        assert metrics.translation_error_sum(path, elsewhere, scale=scale) == pytest.approx(0, abs=1e-6)
        assert metrics.cammc_sum(elsewhere, other, scale=scale) == pytest.approx(
            metrics.cammc_sum(path, other, scale=scale)
        )
    assert metrics.rotation_error_radians_sum(path, elsewhere) == pytest.approx(0, abs=1e-5)
    assert metrics.rotation_error_radians_sum(path, other) == pytest.approx(
        metrics.rotation_error_radians_sum(other, path)
    )


def test_errors_of_known_differences():
    reference, turned = straight(0.5), straight(0.5, turn=10)
    assert np.allclose(metrics.rotation_error_degrees(turned, reference), [0, 10, 20, 30, 40])
    assert metrics.rotation_error_radians_sum(turned, reference) == pytest.approx(np.radians(100))
    longer = straight(1.0)
    assert metrics.translation_error_sum(longer, reference, scale="none") == pytest.approx(0.5 * 10)
    assert metrics.translation_error_sum(longer, reference, scale="rel") == pytest.approx(0)
    assert metrics.translation_error_sum(longer, reference, scale="abs") == pytest.approx(0.5 * 10 / 2)
    assert metrics.cammc_sum(longer, reference, scale="none") == pytest.approx(0.5 * 10)
    assert metrics.cammc_sum(turned, reference, scale="none") == pytest.approx(
        sum(np.sqrt(8) * np.sin(np.radians(angle) / 2) for angle in (0, 10, 20, 30, 40))
    )
    assert np.allclose(metrics.translation_direction_degrees(straight(-1), reference), 180)
    assert np.isnan(metrics.translation_direction_degrees(straight(0), reference)).all()


@given(st.integers(0, 10_000), st.floats(0.1, 10))
@settings(max_examples=20, deadline=None)
def test_alignment_undoes_a_similarity(seed, scale):
    path = random_path(seed)
    similarity = metrics.Similarity(scale, Rotation.random(random_state=seed).as_matrix(), np.array([1.0, -2, 3]))
    moved = similarity.of_path(path)
    back = metrics.align_path(moved, path)
    assert np.allclose(back.world_from_camera, path.world_from_camera, atol=1e-7)
    assert metrics.fit_similarity(path.centres, moved.centres).scale == pytest.approx(scale)
    rigid = metrics.fit_similarity(path.centres, moved.centres, with_scale=False)
    assert rigid.scale == 1 and np.allclose(rigid.rotation, similarity.rotation)


def test_alignment_never_mirrors():
    points = np.random.default_rng(0).normal(size=(9, 3))
    assert np.linalg.det(metrics.fit_similarity(points, points * [1, 1, -1]).rotation) == pytest.approx(1)


def test_paths_that_cannot_be_compared_are_refused():
    with pytest.raises(InputError, match="5 and 6 frames"):
        metrics.cammc_sum(straight(1), random_path(0), scale="rel")
    with pytest.raises(InputError, match="one line"):
        metrics.align_path(straight(1), straight(2))
    with pytest.raises(InputError, match="'best'"):
        metrics.cammc_sum(straight(1), straight(2), scale="best")  # type: ignore[arg-type]
