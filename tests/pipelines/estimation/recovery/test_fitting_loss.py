"""Sightings that slide a little, all one way, pull less at the camera once it is known how well the others are seen."""

import numpy as np
import pytest

from camera.rotation import angle_degrees, scipy_rotation
from pipelines.estimation.recovery import adjust as adjusting
from pipelines.estimation.recovery.adjust import Cameras, reprojection_errors
from pipelines.estimation.recovery.follow import Sightings
from pipelines.estimation.recovery.travelling import _adjust_all

FRAMES, POINTS, SLIDING, MOST_SLIDE_PX = 12, 300, 0.35, 2.0


def film_sliding() -> tuple[Cameras, Sightings]:
    """An arc of 12 degrees; of the points, which are seen to 0.1 pixels, some of the right half slide downwards."""
    random = np.random.default_rng(3)
    pans = np.radians(np.linspace(0, 12, FRAMES))
    turn = scipy_rotation().from_rotvec(np.stack([0 * pans, pans, 0 * pans], axis=1)).as_matrix()
    cameras = Cameras(turn, np.tile([0, 0, 2.5], (FRAMES, 1)), np.full(FRAMES, 830.0), np.array([319.5, 175.5]))
    points = random.uniform([-0.8, -0.45, -0.6], [0.8, 0.45, 0.8], (POINTS, 3))
    seen = Sightings(
        np.repeat(np.arange(POINTS), FRAMES), np.tile(np.arange(FRAMES), POINTS), np.zeros((POINTS * FRAMES, 2))
    )
    pixel = reprojection_errors(cameras, points, seen) + random.normal(0, 0.08, (POINTS * FRAMES, 2))
    slide = (random.random(POINTS) < SLIDING) * (points[:, 0] > 0) * random.uniform(0, MOST_SLIDE_PX, POINTS)
    pixel[:, 1] += slide[seen.point] * seen.frame / (FRAMES - 1)
    return cameras, Sightings(seen.point, seen.frame, pixel)


def _find_turn_error(cameras: Cameras, seen: Sightings) -> float:
    none, whole = Sightings(*(part[:0] for part in (seen.point, seen.frame, seen.pixel))), np.arange(FRAMES)
    found = _adjust_all(cameras, whole, seen, none, 830.0, whole)
    assert not found.zooms
    return float(np.median(angle_degrees(found.cameras.turn @ found.cameras.turn[0].T, cameras.turn)))


def test_the_loss_fits_what_most_sightings_miss(monkeypatch: pytest.MonkeyPatch):
    cameras, seen = film_sliding()
    fitted = _find_turn_error(cameras, seen)
    monkeypatch.setattr(adjusting, "LOSS_PER_MEDIAN", 1e9)
    fixed = _find_turn_error(cameras, seen)
    assert fitted < 0.02
    assert fixed > 1.5 * fitted
