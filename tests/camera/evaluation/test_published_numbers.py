"""AUC, ATE, RPE and camera error against values worked out by hand."""

import numpy as np
import pytest
from numpy.typing import ArrayLike

from camera.errors import InputError
from camera.evaluation import published
from camera.path import CameraPath, pinhole
from camera.rotation import about_axis


def path_of(centres, turns_degrees: ArrayLike = 0.0) -> CameraPath:
    centres = np.asarray(centres, dtype=float)
    poses = np.repeat(np.eye(4)[None], len(centres), axis=0)
    poses[:, :3, :3] = about_axis([0, 0, 1], np.broadcast_to(turns_degrees, len(centres)))
    poses[:, :3, 3] = centres
    return CameraPath(poses, pinhole(32, 24, 60), 32, 24)


SQUARE = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]


def test_auc_of_equal_paths_is_one_at_any_scale():
    reference, larger = path_of(SQUARE), path_of(3 * np.array(SQUARE))
    assert published.pose_auc(larger, reference, degrees=3) == pytest.approx(1)


def test_auc_counts_pairs_in_bins_of_one_degree():
    reference, turned = (
        path_of([[0, 0, 0], [0, 0, 1], [0, 0, 2]]),
        path_of([[0, 0, 0], [0, 0, 1], [0, 0, 2]], [0, 0, 1.5]),
    )
    # of three pairs one is right and two are off by 1.5 degrees: 1/3, 1, 1
    assert published.pose_auc(turned, reference, degrees=3) == pytest.approx((1 / 3 + 1 + 1) / 3)
    assert published.pose_auc(turned, reference, degrees=1) == pytest.approx(1 / 3)


def test_directions_are_compared_as_lines_and_a_still_pair_has_none():
    forth, back, still = path_of([[0, 0, 0], [1, 0, 0]]), path_of([[0, 0, 0], [-1, 0, 0]]), path_of(np.zeros((2, 3)))
    up = path_of([[0, 0, 0], [0, 1, 0]])
    assert published.pair_errors_degrees(forth, back) == pytest.approx(np.zeros((1, 2)))
    assert published.pair_errors_degrees(forth, up)[0, 1] == pytest.approx(90)
    assert published.pair_errors_degrees(still, still)[0, 1] == 0
    assert published.pair_errors_degrees(still, forth)[0, 1] == 90


def test_ate_and_rpe_are_scale_invariant():
    reference, larger = path_of(SQUARE), path_of(3 * np.array(SQUARE))
    assert published.absolute_trajectory_error(larger, reference) == pytest.approx(0, abs=1e-9)
    assert published.relative_pose_error(larger, reference).translation == pytest.approx(0, abs=1e-9)


def test_ate_of_alternately_raised_corners():
    # Scale and rotation cannot reduce heights of +-h. Distance of s(1, h) and (1, 0) on circles of radius r = sqrt(1/2): s = r^2 / (r^2 + h^2)
    h = 0.1
    lifted = path_of(np.array(SQUARE, dtype=float) + np.outer([1, -1, 1, -1], [0, 0, h]))
    s = 0.5 / (0.5 + h**2)
    expected = np.sqrt((1 - s) ** 2 * 0.5 + (s * h) ** 2)
    assert published.absolute_trajectory_error(lifted, path_of(SQUARE)) == pytest.approx(expected)


def test_rpe_of_rotations():
    found = published.relative_pose_error(path_of(SQUARE, [0, 0, 6, 6]), path_of(SQUARE))
    assert found.rotation_degrees == pytest.approx(2)


def test_camera_error_is_a_geometric_mean():
    reference = path_of([[0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0]])
    turned = path_of([[0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0.4, 0]], [0, 0, 0, 8])
    assert published.camera_error(reference, reference) == 0
    assert published.camera_error(turned, reference) == pytest.approx(np.sqrt(2 * 0.1))


def test_camera_score_is_one_minus_the_relative_errors():
    reference = path_of([[0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0]])
    turned = path_of(
        [[0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0.4, 0]], [0, 0, 0, 12]
    )  # mean 3 of 15 degrees and 0.1 of 0.5
    assert published.camera_score(turned, reference) == pytest.approx(0.8)
    assert published.camera_score(path_of([[0, 0, 0]] * 4, [0, 40, 40, 40]), reference) == 0


def test_distance_scale_minimises_distances_not_components():
    points = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
    assert published.distance_scale(points, 3 * points) == pytest.approx(3)
    # |2s - (2, 2)| is least at s = 1
    assert published.distance_scale(np.array([[2.0, 0, 0]]), np.array([[2.0, 2, 0]])) == pytest.approx(1)
    assert published.distance_scale(np.zeros((2, 3)), np.ones((2, 3))) == 1
    skew, goal = np.array([[1.0, 1, 0], [1, 0, 0]]), np.array([[2.0, 1, 0], [0, 0, 1]])
    found = published.distance_scale(skew, goal)
    sums = [np.linalg.norm(s * skew - goal, axis=1).sum() for s in (found - 0.01, found, found + 0.01)]
    assert sums[1] < min(sums[0], sums[2])


def test_l1_scale_is_a_weighted_median():
    assert published.l1_scale(np.array([1.0, 1.0, 1.0]), np.array([2.0, 2.0, 50.0])) == 2
    assert published.l1_scale(np.array([1.0, 5.0]), np.array([1.0, 20.0])) == 4
    assert published.l1_scale(np.zeros(3), np.ones(3)) == 1
    assert published.l1_scale(np.ones(3), -np.ones(3)) == 0


def test_paths_that_cannot_be_compared_are_refused():
    with pytest.raises(InputError, match="4 and 3"):
        published.pose_auc(path_of(SQUARE), path_of(SQUARE[:3]))
    with pytest.raises(InputError, match="1 degree"):
        published.pose_auc(path_of(SQUARE), path_of(SQUARE), degrees=0)
    with pytest.raises(InputError, match="one line"):
        published.absolute_trajectory_error(path_of(np.outer(range(4), [1, 0, 0])), path_of(SQUARE))
