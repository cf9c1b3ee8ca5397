"""Tracks are refined against one picture of each point: drift is removed, and observations of something else are dropped."""

import cv2
import numpy as np

from pipelines.estimation.recovery.follow import Observations
from pipelines.estimation.recovery.refine import refine_tracks

FRAMES, POINTS, WIDTH, HEIGHT = 7, 60, 200, 150


def _frames_and_tracks() -> tuple[np.ndarray, Observations]:
    """A texture (F,H,W,3) that shifts, grows and shears with changing brightness, and the true positions of its points."""
    random = np.random.default_rng(0)
    texture = cv2.GaussianBlur(random.uniform(0, 255, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 2)
    texture = 128 + 5 * (texture - texture.mean())
    start = random.uniform([45, 45], [WIDTH - 60, HEIGHT - 60], (POINTS, 2))
    frames, pixels = [], []
    for i in range(FRAMES):
        matrix = np.array([[1 + 0.02 * i, 0.01 * i, 1.37 * i - 3], [-0.01 * i, 1 - 0.01 * i, 0.81 * i]])
        moved = cv2.warpAffine(texture, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        frames.append(np.repeat(np.clip(moved + 4 * i, 0, 255)[..., None], 3, axis=2).astype(np.uint8))
        pixels.append(start @ matrix[:, :2].T + matrix[:, 2])
    point, frame = np.tile(np.arange(POINTS), FRAMES), np.repeat(np.arange(FRAMES), POINTS)
    return np.stack(frames), Observations(point, frame, np.concatenate(pixels))


def test_drift_is_taken_out_and_the_middle_observation_stays():
    frames, truth = _frames_and_tracks()
    drift = np.random.default_rng(1).normal(0, 0.08, (POINTS, 2))
    seen = Observations(
        truth.point, truth.frame, truth.pixel + drift[truth.point] * (truth.frame - FRAMES // 2)[:, None]
    )
    found = refine_tracks(frames, seen)
    assert len(found.point) > 0.9 * len(seen.point)
    miss = np.linalg.norm(found.pixel - truth.pixel.reshape(FRAMES, POINTS, 2)[found.frame, found.point], axis=1)
    before = np.linalg.norm(seen.pixel - truth.pixel, axis=1)[np.isin(seen.frame, (0, FRAMES - 1))]
    assert np.median(before) > 0.2
    assert np.median(miss[np.isin(found.frame, (0, FRAMES - 1))]) < 0.04
    middle = found.frame == FRAMES // 2
    np.testing.assert_array_equal(found.pixel[middle], seen.pixel[seen.frame == FRAMES // 2])


def test_what_shows_something_else_is_left_out():
    frames, truth = _frames_and_tracks()
    frames[-1] = np.random.default_rng(2).integers(0, 255, frames[-1].shape)
    found = refine_tracks(frames, truth)
    assert (found.frame == FRAMES - 2).sum() > 0.9 * POINTS
    assert (found.frame == FRAMES - 1).sum() < 0.3 * POINTS


def test_a_frame_of_less_contrast_is_aligned_as_well():
    frames, truth = _frames_and_tracks()
    frames[-1] = (128 + 0.5 * (frames[-1].astype(float) - 128)).round().astype(np.uint8)
    found = refine_tracks(frames, truth)
    last = found.frame == FRAMES - 1
    assert last.sum() > 0.9 * POINTS
    miss = np.linalg.norm(found.pixel - truth.pixel.reshape(FRAMES, POINTS, 2)[found.frame, found.point], axis=1)
    assert np.median(miss[last]) < 0.04
