"""The table's numbers against values worked out by hand; failures are counted, spreads are sample standard deviations."""

import numpy as np
import pytest

from camera.evaluation.motion_class import motion_class
from camera.evaluation.numbers import BY_KEY, NUMBERS, score_path, spread
from camera.path import CameraPath, pinhole
from camera.rotation import from_pan_tilt_roll


def path(centres, pan=0.0, tilt=0.0, roll=0.0, zoom=1.0) -> CameraPath:
    centres = np.asarray(centres, float)
    share = np.linspace(0, 1, len(centres))
    poses = np.repeat(np.eye(4)[None], len(centres), axis=0)
    poses[:, :3, :3] = from_pan_tilt_roll(pan * share, tilt * share, roll * share)
    poses[:, :3, 3] = centres
    lenses = np.repeat(pinhole(64, 36, 60)[None], len(centres), axis=0)
    lenses[:, [0, 1], [0, 1]] *= zoom ** share[:, None]
    return CameraPath(poses, lenses, 64, 36)


CORNER = [[0, 0, 0], [1, 0, 0], [1, 0, 2]]


def test_scores_match_values_by_hand():
    asked, got = path(CORNER), path(np.multiply(CORNER, 2.0), pan=20)
    found, reasons = score_path(got, asked)
    assert found["rot_err"] == pytest.approx(np.radians(30))  # 0 + 10 + 20 degrees
    assert found["rot_mean"] == pytest.approx(10)
    assert found["trans_rel"] == pytest.approx(0, abs=1e-9)
    assert found["trans_abs"] == pytest.approx((1 + np.sqrt(5)) / np.sqrt(5))
    turns = [np.sqrt(8) * np.sin(np.radians(a) / 2) for a in (0, 10, 20)]  # Frobenius norm of R - 1
    assert found["cammc_rel"] == pytest.approx(sum(turns))
    assert found["camera_error"] == pytest.approx(0, abs=1e-6)  # the least-distance scale fits exactly
    assert found["ate"] == pytest.approx(0, abs=1e-9)
    assert found["auc_3"] == 0 and found["auc_30"] is not None and found["auc_30"] > 0
    assert reasons == ()


def test_unplaced_frames_are_failed_pairs():
    asked = path(CORNER)
    assert score_path(asked, asked)[0]["auc_30"] == 1
    assert score_path(asked, asked, count=6)[0]["auc_30"] == pytest.approx(3 / 15)


def test_undefined_scores_are_none_with_a_reason():
    line = path([[0, 0, 0], [1, 0, 0], [2, 0, 0]])
    found, reasons = score_path(line, line)
    assert found["ate"] is None and "one line" in reasons[0]
    assert found["rot_err"] == 0


def test_every_row_has_a_convention_and_a_direction():
    assert all(number.convention and number.better in ("low", "high") for number in NUMBERS)
    assert len(BY_KEY) == len(NUMBERS)


def test_motion_classes():
    still = [[0, 0, 0]] * 3
    assert motion_class(path(still)) == "static"
    assert motion_class(path(still, pan=20)) == "pan right"
    assert motion_class(path(still, tilt=-20)) == "tilt down"
    assert motion_class(path(still, roll=20)) == "roll"
    assert motion_class(path(still, zoom=0.8)) == "zoom out"
    assert motion_class(path([[0, 0, 0], [0, 0, 1], [0, 0, 2]])) == "dolly in"
    assert motion_class(path([[0, 0, 0], [0, -1, 0], [0, -2, 0]])) == "pedestal up"
    assert motion_class(path([[0, 0, 0], [-1, 0, 0], [-2, 0, 0]], pan=1)) == "truck left"


def test_spread_over_seeds():
    found = spread([1.0, None, 3.0])
    assert found is not None and (found.mean, found.count) == (2, 2)
    assert found.deviation == pytest.approx(np.sqrt(2)) and str(found) == "2 ± 1.4"
    assert spread([None]) is None
