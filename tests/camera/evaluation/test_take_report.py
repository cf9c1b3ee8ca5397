"""The report finds injected gain, lag, roll, lens errors and lost frames, and says when it cannot judge."""

import json
from dataclasses import replace

import numpy as np
import pytest

from camera.errors import InputError
from camera.evaluation.report import MeasuredCamera, TakeReport, make_report
from camera.path import CameraPath, pinhole
from camera.rotation import from_pan_tilt_roll


def move(frames: int = 25, *, pan: float = 30.0, way: float = 1.0, jitter: float = 0.0) -> CameraPath:
    share = np.linspace(0, 1, frames)
    poses = np.repeat(np.eye(4)[None], frames, axis=0)
    shake = jitter * (-1.0) ** np.arange(frames)
    poses[:, :3, :3] = from_pan_tilt_roll(pan * share + shake, 0 * share, 0 * share)
    poses[:, 0, 3] = way * share
    return CameraPath(poses, pinhole(640, 360, 60), 640, 360)


def measured(path: CameraPath, **changes) -> MeasuredCamera:
    facts = {"kind": "travel", "path": path, "frames": range(len(path)), "count": len(path), "lens": "held"}
    return MeasuredCamera(**(facts | {"parallax_degrees": 8.0, "error_px": 0.2, "words": ("Found.",)} | changes))


def test_a_shot_that_follows_gets_that_verdict():
    made = make_report(measured(move().scaled(3.0)), move(), unit="metres")
    assert made.verdict == "follows"
    assert made.words[0] == "Turns as far as asked, ends where it should, the lens holds."
    assert max(made.distance) < 1e-6 and made.drift == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(made.achieved_path.centres, move().centres, atol=1e-6)


def test_a_gain_of_four_fifths_is_in_the_numbers_and_words():
    made = make_report(measured(move(pan=24)), move())
    assert made.verdict == "differs"
    assert made.turn_gain == pytest.approx(0.8, abs=1e-6)
    assert "20 % too little" in made.words[0]
    assert made.turn_degrees[-1] == pytest.approx(6, abs=1e-6)


def test_unplaced_frames_are_counted():
    path = move()
    placed = list(range(20))
    made = make_report(measured(path.sliced(placed), frames=placed, count=25), path)  # type: ignore[arg-type]
    assert made.unplaced == (20, 21, 22, 23, 24) and made.verdict == "differs"
    assert "5 of 25 frames could not be placed" in made.words[0]


def test_jitter_is_the_deviation_from_neighbouring_frames():
    made = make_report(measured(move(jitter=0.25)), move())
    assert made.jitter_degrees == pytest.approx(0.5, abs=1e-3)
    assert make_report(measured(move()), move()).jitter_degrees < 1e-6


def test_scale_drift_is_reported():
    path = move()
    poses = path.world_from_camera.copy()
    steps = np.diff(poses[:, 0, 3])
    steps[12:] *= 1.3
    poses[1:, 0, 3] = np.cumsum(steps)
    made = make_report(measured(path.with_poses(poses)), path)
    assert made.drift == pytest.approx(0.3, abs=1e-6)
    assert any("scale drifts" in words for words in made.words)


def test_too_little_parallax_has_its_own_verdict():
    made = make_report(measured(move(way=0.0), kind="pan", parallax_degrees=0.0), move(way=1.0))
    assert made.verdict == "cannot be told"
    assert any("too little parallax" in words for words in made.words)
    assert not any("ends" in words for words in made.words)


def test_without_a_request_only_the_camera_is_reported():
    made = make_report(measured(move()))
    assert (made.verdict, made.requested, made.turn_degrees) == ("nothing was asked", None, ())
    assert len(made.achieved_path) == 25


def test_a_wrong_lens_is_a_difference():
    path = move()
    lenses = path.intrinsics.copy()
    lenses[:, [0, 1], [0, 1]] *= 1.1
    made = make_report(measured(replace(path, intrinsics=lenses), lens="found"), path)
    assert made.verdict == "differs" and "10 % too long" in made.words[0]


def test_report_round_trips_through_json_and_damage_is_refused():
    made = make_report(measured(move()), move())
    assert TakeReport.of(json.loads(json.dumps(made.values(), allow_nan=False))) == made
    with pytest.raises(InputError, match="damaged"):
        TakeReport.of({"kind": "travel"})
    with pytest.raises(InputError, match="only 10"):
        make_report(measured(move()), move(10))


def test_a_camera_with_few_inliers_is_not_judged():
    assert make_report(measured(move(pan=10), reliable=False), move()).verdict == "cannot be told"
