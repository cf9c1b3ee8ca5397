"""Initial cameras come from tracks alone, even if something large moves, the scene is flat, or the lens is unknown."""

import numpy as np
import pytest

from camera.rotation import angle_degrees, scipy_rotation
from pipelines.estimation.recovery import travelling_camera
from pipelines.estimation.recovery.adjust import Cameras, reprojection_errors
from pipelines.estimation.recovery.follow import Observations
from pipelines.estimation.recovery.initial import choose_pairs, find_initial, rate, two_view_motions
from pipelines.estimation.recovery.rotating_camera import recover_rotating

FRAMES, WIDTH, HEIGHT, FOCAL, NOISE_PX = 10, 640, 384, 600.0, 0.15
POINTS, MOVING = 160, 120


def arc() -> Cameras:
    """An arc of 25 degrees around a point 3 units away, with a little tilt and roll."""
    pans = np.radians(np.linspace(0, 25, FRAMES))
    turn = scipy_rotation().from_rotvec(np.stack([0.1 * pans, pans, 0.05 * pans], axis=1)).as_matrix()
    middle = (np.array([WIDTH, HEIGHT]) - 1) / 2
    return Cameras(turn, np.tile([0, 0, 3.0], (FRAMES, 1)), np.full(FRAMES, FOCAL), middle)


def tracks(scene: str) -> Observations:
    """Tracks seen along `arc`: a box of points or a flat ``scene``; "moving" adds a falling object with nearly as many points."""
    random = np.random.default_rng(0)
    depth = [0, 0.02] if scene == "flat" else [-1, 1.5]
    standing = random.uniform([-1.6, -0.9, depth[0]], [1.6, 0.9, depth[1]], (POINTS, 3))
    moving = random.uniform([-0.6, -0.3, -0.7], [0.4, 0.4, -0.3], (MOVING if scene == "moving" else 0, 3))
    seen = []
    for i in range(FRAMES):
        points = np.concatenate([standing, moving + np.array([0.1, -0.35, 0]) * i / (FRAMES - 1)])
        each = Observations(np.arange(len(points)), np.full(len(points), i), np.zeros((len(points), 2)))
        pixel = reprojection_errors(arc(), points, each)
        inside = ((pixel > 0) & (pixel < [WIDTH, HEIGHT])).all(axis=1)
        pixel += random.normal(0, NOISE_PX, pixel.shape)
        seen.append((each.point[inside], each.frame[inside], pixel[inside]))
    return Observations(*(np.concatenate(part) for part in zip(*seen)))


def rotating(seen: Observations, focal: float | None) -> Cameras:
    return recover_rotating(seen.seen_at_least(2), FRAMES, (WIDTH, HEIGHT), focal).cameras


@pytest.mark.parametrize("focal", [FOCAL, None])
@pytest.mark.parametrize("scene", ["box", "flat", "moving"])
def test_all_keyframes_are_placed_where_they_were(scene, focal):
    seen, truth = tracks(scene), arc()
    found = find_initial(seen, FRAMES, rotating(seen, focal), (WIDTH, HEIGHT), focal)
    assert found is not None
    np.testing.assert_array_equal(found.placed, np.arange(FRAMES))
    ours, theirs = (each.rotation @ each.rotation[0].T for each in (found.cameras, truth))
    assert angle_degrees(ours, theirs).max() < 0.5
    np.testing.assert_allclose(found.cameras.focal, FOCAL, rtol=1e-9 if focal else 0.02)
    assert found.cost < 1.02 * rate(truth, np.arange(FRAMES), seen.seen_at_least(3), FRAMES, (WIDTH, HEIGHT)).cost


def test_what_moves_along_is_the_second_motion_of_a_pair():
    seen = tracks("moving")
    a, b = seen.shared(0, FRAMES - 1)
    turns = [turn for turn, _ in two_view_motions(a, b, FOCAL, arc().middle)]
    off = [float(angle_degrees(turn[None], arc().rotation[-1:])[0]) for turn in turns]
    assert len(off) == 2 and min(off) < 0.5 < max(off)


def test_pairs_have_parallax_and_differ():
    seen = tracks("box")
    pairs = choose_pairs(seen, FRAMES, rotating(seen, FOCAL))
    assert len(pairs) > 1 and pairs[0][1] - pairs[0][0] > FRAMES / 2
    assert all(max(abs(i - k), abs(j - m)) > 2 for n, (i, j) in enumerate(pairs) for k, m in pairs[:n])


def test_a_keyframe_without_a_camera_costs():
    seen, truth = tracks("box").seen_at_least(3), arc()
    whole = rate(truth, np.arange(FRAMES), seen, FRAMES, (WIDTH, HEIGHT)).cost
    part = Cameras(truth.rotation[1:], truth.translation[1:], truth.focal[1:], truth.middle)
    assert rate(part, np.arange(1, FRAMES), seen, FRAMES, (WIDTH, HEIGHT)).cost > whole + 0.3


def test_too_few_common_points_give_nothing():
    few = tracks("box")
    few = few.where(few.point < 12)
    assert find_initial(few, FRAMES, rotating(few, FOCAL), (WIDTH, HEIGHT), FOCAL) is None


def test_a_travel_is_recovered_without_colmap_where_tracks_place_all_keyframes(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("COLMAP is not needed here")

    monkeypatch.setattr(travelling_camera, "reconstruct", refuse)
    seen = tracks("moving")
    frames = np.zeros((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    keys = np.arange(FRAMES)
    found = travelling_camera.recover_travelling(frames, seen, keys, rotating(seen, None), None)
    ours, theirs = (each.rotation @ each.rotation[0].T for each in (found.cameras, arc()))
    assert angle_degrees(ours, theirs).max() < 0.2
    assert abs(found.cameras.focal[0] / FOCAL - 1) < 0.02
