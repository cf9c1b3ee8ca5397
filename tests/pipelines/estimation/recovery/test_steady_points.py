"""With strict tracking, points lie on corners and move with the picture; points fixed to nothing are left out."""

import numpy as np

from camera.path import CameraPath, pinhole
from pipelines.estimation.recovery.adjust import Cameras, reprojection_errors
from pipelines.estimation.recovery.follow import Observations
from pipelines.estimation.recovery.travelling_camera import _keep_steady
from pipelines.estimation.tracking import follow_points

SIZE, SCALE = 160, 8


def drawn(shift: float) -> np.ndarray:
    """(H,W,3): boxes on a slanted edge, moved to the right by so many pixels, without antialiasing, as in a draft render."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(float)
    x = x - shift
    grey = np.where(y > 100 + 0.13 * x, 90, 160)
    for column in (30, 70, 110):
        a, b = x - column, y - 45
        inside = np.maximum(abs(0.9 * a + 0.44 * b), abs(0.9 * b - 0.44 * a)) < 12
        grey = np.where(inside, 40 + column, grey)
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def clip(frames: int) -> np.ndarray:
    return np.stack([drawn(0.3 * i) for i in range(frames)])


def test_strictly_no_point_lies_along_an_edge():
    frames = clip(3)
    _, frame, pixel = follow_points(frames, None, strict=True)
    _, loose_frame, loose = follow_points(frames, None)
    at = [(p[:, 1] - 100 - 0.13 * p[:, 0])[f == 0] for p, f in ((pixel, frame), (loose, loose_frame))]
    assert (abs(at[1]) < 5).sum() > 3, "loosely, stairs of the edge are taken for corners"
    assert (abs(at[0]) < 5).sum() == 0
    assert (frame == 0).sum() >= 8


def test_strictly_points_are_not_held_to_hard_pixels():
    def drift(strict: bool) -> float:
        track, frame, pixel = follow_points(clip(25), None, strict=strict)
        begun = np.unique(track[frame == 0])
        both = [(pixel[(track == t) & (frame == f)]) for t in begun for f in (0, 24)]
        gone = [b[0] - a[0] for a, b in zip(both[::2], both[1::2]) if len(a) and len(b)]
        return float(np.median(np.linalg.norm(np.array(gone) - [0.3 * 24, 0], axis=1)))

    assert drift(True) < 0.3 < drift(False)


def test_points_that_move_are_left_out_and_others_stay():
    frames = 12
    poses = np.repeat(np.eye(4)[None], frames, axis=0)
    poses[:, 0, 3] = np.linspace(0, 1, frames)
    cameras = Cameras.of(CameraPath(poses, pinhole(320, 240, 60), 320, 240))
    points = np.random.default_rng(0).uniform([-1, -1, 4], [2, 1, 7], (40, 3))
    seen = Observations(np.repeat(np.arange(40), frames), np.tile(np.arange(frames), 40), np.zeros((40 * frames, 2)))
    pixel = reprojection_errors(cameras, points, seen)
    moves = seen.point >= 30
    pixel[moves, 1] += 1.5 * seen.frame[moves]
    kept = _keep_steady(cameras, Observations(seen.point, seen.frame, pixel))
    np.testing.assert_array_equal(kept.pixel, pixel[~moves])


def test_where_nothing_is_steady_all_is_kept():
    cameras = Cameras.of(CameraPath(np.repeat(np.eye(4)[None], 4, axis=0), pinhole(64, 64, 60), 64, 64))
    seen = Observations(np.zeros(4, int), np.arange(4), np.array([[0.0, 0], [60, 0], [0, 60], [60, 60]]))
    assert _keep_steady(cameras, seen).count == 1
