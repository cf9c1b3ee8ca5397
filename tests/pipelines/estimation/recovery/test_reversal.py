"""In a narrow field of view near and far can be exchanged: an adjustment that ended in the exchanged solution is corrected."""

import numpy as np
import pytest

from camera.rotation import angle_degrees, scipy_rotation
from pipelines.estimation.recovery.adjust import BundleResult, Cameras, adjust, free_parameters, reprojection_errors
from pipelines.estimation.recovery.follow import Observations
from pipelines.estimation.recovery.reversal import reverse_depth, take_better
from pipelines.estimation.recovery.travelling_camera import _adjust_all

FRAMES, POINTS, DISTANCE, FOCAL = 10, 80, 4.0, 1800.0
FREE = free_parameters(FRAMES, lens=np.ones((FRAMES, 1)))


@pytest.fixture(scope="module")
def arc() -> tuple[Cameras, np.ndarray, Observations]:
    """An arc of 12 degrees around a box of points, 20 degrees across, with observations accurate to a tenth of a pixel."""
    random = np.random.default_rng(0)
    points = random.uniform([-0.7, -0.4, -0.5], [0.7, 0.4, 0.5], (POINTS, 3))
    pans = np.radians(np.linspace(0, 12, FRAMES))
    turn = scipy_rotation().from_rotvec(np.stack([0 * pans, pans, 0.3 * pans], axis=1)).as_matrix()
    cameras = Cameras(turn, np.tile([0.1, 0, DISTANCE], (FRAMES, 1)), np.full(FRAMES, FOCAL), np.array([319.5, 175.5]))
    point, frame = np.repeat(np.arange(POINTS), FRAMES), np.tile(np.arange(FRAMES), POINTS)
    pixel = reprojection_errors(cameras, points, Observations(point, frame, np.zeros((len(point), 2))))
    return cameras, points, Observations(point, frame, pixel + random.normal(0, 0.1, pixel.shape))


def _turn_error(done: BundleResult, cameras: Cameras) -> float:
    ours, theirs = (each.rotation @ each.rotation[0].T for each in (done.cameras, cameras))
    return float(angle_degrees(ours, theirs).max())


def test_the_reversed_twin_shows_about_the_same(arc):
    cameras, points, seen = arc
    twin, mirrored = reverse_depth(cameras, points)
    np.testing.assert_allclose(twin.rotation[0], cameras.rotation[0], atol=1e-12)
    assert np.linalg.norm(reprojection_errors(twin, mirrored, seen)[seen.frame == 0], axis=1).max() < 0.5
    assert np.median(np.linalg.norm(reprojection_errors(twin, mirrored, seen), axis=1)) < 8
    assert angle_degrees(twin.rotation[-1:], cameras.rotation[-1:])[0] > 20


def test_a_reversed_answer_is_turned_back(arc):
    cameras, points, seen = arc
    wrong = adjust(*reverse_depth(cameras, points), seen, FREE)
    assert _turn_error(wrong, cameras) > 10, "adjustment alone stays in the reversed answer"
    right = take_better(wrong, seen, FREE)
    assert right.cost < wrong.cost / 5
    assert _turn_error(right, cameras) < 1.5
    assert abs(right.cameras.focal[0] / FOCAL - 1) < 0.1


def test_a_right_answer_stays(arc):
    cameras, points, seen = arc
    right = adjust(cameras, points, seen, FREE)
    assert take_better(right, seen, FREE) is right


def test_a_free_lens_is_tried_both_ways(arc):
    cameras, points, seen = arc
    whole = np.arange(FRAMES)
    found = _adjust_all(reverse_depth(cameras, points)[0], whole, whole, seen, seen, None, whole)
    pans = found.cameras.rotation @ found.cameras.rotation[0].T
    assert angle_degrees(pans[-1:], cameras.rotation[-1:])[0] < 1.5
