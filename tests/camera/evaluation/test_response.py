"""Known gain, lag and cross-talk are recovered, and the corrected request undoes the gain."""

import json

import numpy as np
import pytest

from camera.errors import InputError
from camera.evaluation.borrow import rotvec_degrees
from camera.evaluation.response import Response, response
from camera.path import CameraPath, pinhole
from camera.rotation import about_axis

FRAMES = 49


def turning(pan: float, *, lag: float = 0.0, roll: float = 0.0, axis: int = 1) -> CameraPath:
    """Eases to ``pan`` degrees about an axis, ``lag`` frames late, with ``roll`` degrees of roll added."""
    share = np.clip((np.arange(FRAMES) - lag) / 40, 0, 1)
    ease = share * share * (3 - 2 * share)
    direction = np.eye(3)[axis] * pan + np.array([0, 0, roll])
    poses = np.repeat(np.eye(4)[None], FRAMES, axis=0)
    poses[:, :3, :3] = about_axis(direction, np.linalg.norm(direction) * ease)
    return CameraPath(poses, pinhole(64, 36, 60), 64, 36)


def test_gain_and_lag_are_recovered_within_a_tenth():
    found = response("toy", "tiny", [(turning(30), turning(24, lag=6)), (turning(-15), turning(-12, lag=6))])
    (pan,) = found.answers
    assert (pan.axis, pan.shots) == ("pan", 2)
    assert pan.gain == pytest.approx(0.8, rel=0.05) and pan.lag == pytest.approx(6, abs=0.6)


def test_motion_about_another_axis_is_cross_talk():
    found = response("toy", "tiny", [(turning(30), turning(30, roll=3))])
    assert found.answers[0].cross["roll"] == pytest.approx(0.1, abs=0.01)
    assert found.answers[0].cross["tilt"] == pytest.approx(0, abs=0.01)


def test_translation_has_a_gain_too():
    asked = turning(1).with_poses(np.repeat(np.eye(4)[None], FRAMES, axis=0))
    poses = asked.world_from_camera.copy()
    poses[:, 0, 3] = np.linspace(0, 1, FRAMES)
    got = poses.copy()
    got[:, 0, 3] *= 0.5
    (right,) = response("toy", "tiny", [(asked.with_poses(poses), asked.with_poses(got))]).answers
    assert right.axis == "right" and right.gain == pytest.approx(0.5)


def test_request_is_corrected_for_the_gain_and_small_errors_are_ignored():
    found = response("toy", "tiny", [(turning(30), turning(30 * 30 / 34))])
    corrected, note = found.asked_for(turning(30))
    assert rotvec_degrees(corrected)[-1, 1] == pytest.approx(34, abs=0.01)
    assert "pan times 1.13" in note
    exact = response("toy", "tiny", [(turning(30), turning(30.3))])
    assert exact.asked_for(turning(30))[1] == ""


def test_response_round_trips_through_json_and_shots_must_match():
    found = response("toy", "tiny", [(turning(30), turning(24))])
    assert Response.of(json.loads(json.dumps(found.values()))) == found
    with pytest.raises(InputError, match="at least one"):
        response("toy", "tiny", [])
    with pytest.raises(InputError, match="same 3 frames"):
        response("toy", "tiny", [(turning(30), turning(30).resampled(9))])
