"""A free path is matched to the directors it was built from; for other paths the losses are reported."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from camera.path import CameraPath, pinhole
from camera.trajectories.dimensionx import DIRECTORS, nominal_path, sequence
from pipelines.methods.dimensionx.loras.matching import match, matched_path, path_twists, single_directors

DISTANCE = 2.5


@pytest.fixture
def start() -> CameraPath:
    return CameraPath(np.eye(4)[None], pinhole(720, 480, 60), 720, 480)


def found(path: CameraPath):
    return match(path, distance=DISTANCE)


@pytest.mark.parametrize("director", DIRECTORS)
def test_every_director_finds_itself_without_loss(start, director):
    result = found(nominal_path(start, [(director, 1.0)], distance=DISTANCE))
    assert result.parts[0].directors == ((director, 1.0),) and len(result.parts) == 1
    assert result.parts[0].extent == pytest.approx(1, abs=1e-6)
    assert result.similarity == pytest.approx(1, abs=1e-9) and result.losses == ()


@pytest.mark.parametrize(
    "blend",
    [
        ("orbit_left", "z_zoom_in"),
        ("x_left", "pan_up"),
        ("pan_right", "x_right"),
        ("orbit_left", "x_left"),
        ("y_up", "orbit_up"),
    ],
)
def test_blends_drawn_on_purpose_are_found_with_their_weights(start, blend):
    result = found(nominal_path(start, [(blend[0], 1.0), (blend[1], 0.6)], distance=DISTANCE))
    (part,) = result.parts
    assert dict(part.directors) == pytest.approx({blend[0]: 1.0, blend[1]: 0.6})


def test_sequences_are_cut_where_the_move_changes(start):
    drawn = sequence(
        [nominal_path(start, [(id, 1.0)], distance=DISTANCE) for id in ("orbit_left", "z_zoom_in", "pan_up")]
    )
    result = found(drawn)
    assert [part.directors[0][0] for part in result.parts] == ["orbit_left", "z_zoom_in", "pan_up"]
    assert result.similarity == pytest.approx(1, abs=1e-9)
    assert sum(part.share for part in result.parts) == pytest.approx(1)
    again = matched_path(result, start, distance=DISTANCE)
    np.testing.assert_allclose(again.world_from_camera, drawn.world_from_camera, atol=1e-9)


def test_speed_does_not_matter_but_direction_does(start):
    path = nominal_path(start, [("x_right", 1.0)], distance=DISTANCE)
    eased = path.with_poses(path.world_from_camera[np.round(48 * np.linspace(0, 1, 49) ** 2).astype(int)])
    assert found(eased).similarity == pytest.approx(1)
    assert found(path.reversed()).parts[0].directors == (("x_left", 1.0),)


def test_amounts_other_than_nominal_are_said(start):
    result = found(nominal_path(start, [("pan_up", 1.0)], distance=DISTANCE, amount=2.0))
    assert result.parts[0].extent == pytest.approx(2.0)
    assert "2.00 times the nominal amount of Tilt up" in result.losses[0]


def test_half_a_turn_or_more_is_the_long_orbit(start):
    result = found(nominal_path(start, [("orbit_right", 1.0)], distance=DISTANCE, amount=5.0, frames=200))
    assert result.parts[0].directors == (("orbit_360", 1.0),)
    assert result.parts[0].extent == pytest.approx(-225 / 360)
    assert "this path turns right" in result.losses[0] and "in the opposite direction" in result.summary


def test_losses_grow_with_what_is_added(start):
    path = nominal_path(start, [("pan_right", 1.0)], distance=DISTANCE)
    lost = []
    for shake_degrees in (0.05, 0.3, 1.0):
        shake = Rotation.from_rotvec(np.radians(shake_degrees) * np.random.default_rng(0).normal(size=(49, 3)))
        poses = path.world_from_camera.copy()
        poses[:, :3, :3] = poses[:, :3, :3] @ shake.as_matrix()
        result = found(path.with_poses(poses))
        assert result.parts[0].directors[0][0] == "pan_right"
        lost.append((1 - result.similarity, result.turn_lost_degrees))
    assert lost == sorted(lost) and lost[0][0] < 0.2


def test_zoom_is_lost_and_said(start):
    path = nominal_path(start, [("z_zoom_in", 1.0)], distance=DISTANCE)
    lenses = path.intrinsics.copy()
    lenses[:, :2, :2] *= np.linspace(1, 1.5, 49)[:, None, None]
    result = found(CameraPath(path.world_from_camera, lenses, 720, 480, 8))
    assert result.zoom_lost == pytest.approx(1.5)
    assert "zooms by a factor of 1.50" in result.losses[-1]


def test_one_frame_is_a_still_camera(start):
    assert path_twists(start, 1.0).shape == (0, 6)
    assert match(start).parts[0].directors == (("t_director", 1.0),)


def test_the_summary_says_what_directs_and_what_is_lost_in_numbers(start):
    path = nominal_path(start, [("orbit_left", 1.0), ("z_zoom_in", 0.5)], distance=DISTANCE)
    assert found(path).summary == (
        "**Nearest: Orbit left + 0.50 x Dolly in.** Similarity 1.00; mean deviation 0.0 degrees, 0.00 of the distance to the "
        "subject and no zoom; 1.00 times its nominal amount."
    )
    two = sequence([path, nominal_path(start, [("pan_up", 1.0)], distance=DISTANCE)])
    assert "Tilt up (32% of the path, 1.00 times its nominal amount)" in found(two).summary
    assert "Similarity 0.99" in found(two).summary and "2 clips" in found(two).summary


def test_single_directors_are_ranked_by_their_similarity(start):
    ranked = single_directors(nominal_path(start, [("orbit_left", 1.0)], distance=DISTANCE), distance=DISTANCE)
    assert ranked[0] == ("orbit_left", pytest.approx(1.0)) and len(ranked) == 16
    assert dict(ranked)["x_left"] == pytest.approx(0.5**0.5) and dict(ranked)["orbit_right"] == 0
    assert single_directors(start) == []
