"""NavScore by hand: a move that follows its actions, one that does not, and the consistency of repeated turns."""

import numpy as np
import pytest

from camera.errors import InputError
from camera.evaluation.navigation import Turn, navigation, turns_in, turns_of
from camera.evaluation.numbers import score_path
from camera.path import CameraPath, pinhole
from camera.rotation import about_axis


def path(*segments: tuple[tuple[float, float, float], tuple[float, float, float]], frames: int = 10) -> CameraPath:
    """Consecutive segments of translation and rotation (degrees about x, y, z), each in the camera's axes."""
    poses, pose = [], np.eye(4)
    for way, turn in segments:
        for i in range(frames):
            if i:
                pose = pose.copy()
                if np.any(turn):
                    pose[:3, :3] = pose[:3, :3] @ about_axis(turn, np.linalg.norm(turn) / (frames - 1))
                pose[:3, 3] += pose[:3, :3] @ np.array(way) / (frames - 1)
            poses.append(pose)
    return CameraPath(np.stack(poses), pinhole(64, 36, 60), 64, 36)


STAY, FORWARD, RIGHT, LEFT = (0, 0, 0), (0, 0, 2), (0, 40, 0), (0, -40, 0)


def test_a_move_that_follows_its_actions_scores_one():
    made = path((FORWARD, STAY), (STAY, RIGHT), (FORWARD, STAY))
    found = navigation(made, turns_of(made, [10, 10, 10], ["W", "right", "W"]))
    assert found.accuracy == pytest.approx(1, abs=1e-6)
    assert found.consistency == pytest.approx(1, abs=1e-6) and found.score == pytest.approx(1, abs=1e-6)


def test_distance_does_not_matter_but_direction_does():
    ahead = path(((0, 0, 5), STAY))
    assert navigation(ahead, [Turn(0, 10, "W")]).accuracy == pytest.approx(1, abs=1e-9)
    back = navigation(ahead, [Turn(0, 10, "S")]).accuracy
    # 20 samples from 0 to 1: the mean distance equals the path length, so its fraction is 1; the rotations agree
    assert back == pytest.approx(0.5)
    sideways = navigation(ahead, [Turn(0, 10, "D")]).accuracy
    assert sideways == pytest.approx(1 - np.sqrt(2) / 2 / 2, abs=1e-6)


def test_a_turn_to_the_wrong_side_loses_half_the_accuracy():
    made = path((STAY, LEFT))
    mean = np.mean(2 * 40 * np.linspace(0, 9, 20).astype(int) / 9)
    assert navigation(made, [Turn(0, 10, "right")]).accuracy == pytest.approx(1 - min(mean / 40, 1) / 2, abs=1e-6)


def test_opposite_turns_are_compared_mirrored():
    same = path((STAY, RIGHT), (STAY, LEFT))
    assert navigation(same, turns_of(same, [10, 10], ["right", "left"])).consistency == pytest.approx(1, abs=1e-6)
    other = path((STAY, RIGHT), (STAY, (0, -20, 0)))
    unlike = navigation(other, turns_of(other, [10, 10], ["right", "left"])).consistency
    assert unlike is not None and unlike < 0.9
    one = path((FORWARD, STAY), (STAY, RIGHT))
    assert navigation(one, turns_of(one, [10, 10], ["W", "right"])).score is None


def test_combined_walk_and_turn_follows_a_curve():
    made = path(((0, 0, 2), (0, 40, 0)))
    assert navigation(made, [Turn(0, 10, "W+right")]).accuracy == pytest.approx(1, abs=1e-3)


def test_invalid_actions_are_refused():
    made = path((FORWARD, STAY))
    with pytest.raises(InputError, match="joined by"):
        navigation(made, [Turn(0, 10, "jump")])
    with pytest.raises(InputError, match="2 frames or more"):
        navigation(made, [Turn(5, 30, "W")])
    with pytest.raises(InputError, match="needs a length"):
        turns_of(made, [30], ["W"])


def test_actions_are_found_from_the_path():
    made = path((FORWARD, STAY), (STAY, RIGHT), (((2, 0, 2)), STAY), (FORWARD, LEFT))
    assert [(turn.start, turn.end, turn.action) for turn in turns_in(made)] == [
        (0, 10, "W"), (10, 20, "right"), (20, 30, "W+D"), (30, 40, "W+left"),
    ]  # fmt: skip
    assert navigation(made, turns_in(made)).accuracy == pytest.approx(1, abs=0.02)
    assert turns_in(path((FORWARD, STAY), (STAY, (0, 0, 30)))) == [], "a roll is no action"
    assert turns_in(path(((0, -2, 0), STAY))) == [], "nor is a travel straight up"
    assert turns_in(path((STAY, STAY))) == []


def test_the_table_has_the_navigation_score_of_moves_made_of_actions():
    made, other = path((STAY, RIGHT), (STAY, LEFT)), path((STAY, RIGHT), (STAY, (0, -20, 0)))
    right = score_path(made, made)[0]
    assert right["nav_score"] == pytest.approx(1, abs=1e-6) and right["nav_accuracy"] == pytest.approx(1, abs=1e-6)
    score = score_path(other, made)[0]["nav_score"]
    assert score is not None and score < 0.97
    found, reasons = score_path(path((FORWARD, (0, 0, 30))), path((FORWARD, (0, 0, 30))))
    assert found["nav_score"] is None and not any("turn" in reason for reason in reasons)
