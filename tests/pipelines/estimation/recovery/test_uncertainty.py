"""The uncertainty of a lens is realistic, both for independent errors and for errors shared by parts of the picture."""

import numpy as np
import pytest

from camera.path import CameraPath, pinhole
from camera.rotation import from_pan_tilt_roll
from pipelines.estimation.recovery.adjust import Cameras, adjust, free_parameters, reprojection_errors, triangulate
from pipelines.estimation.recovery.follow import Observations
from pipelines.estimation.recovery.uncertainty import lens_uncertainty

FRAMES, POINTS, WIDTH, HEIGHT, SEEDS = 8, 240, 320, 240, 6


def arc() -> Cameras:
    """An arc of 40 degrees around the scene."""
    share = np.linspace(0, 1, FRAMES)
    poses = np.repeat(np.eye(4)[None], FRAMES, axis=0)
    poses[:, :3, :3] = from_pan_tilt_roll(-40 * share, 0 * share, 0 * share)
    poses[:, :3, 3] = np.array([0, 0, 5]) - poses[:, :3, 2] * 5
    return Cameras.of(CameraPath(poses, pinhole(WIDTH, HEIGHT, 60), WIDTH, HEIGHT))


def error_and_uncertainty(seed: int, alone_px: float, together_px: float) -> tuple[float, float]:
    """The error of a free lens, and its estimated uncertainty. Observations err independently; those of one part of the picture
    also drift together, by so many pixels until the last frame."""
    random, truth = np.random.default_rng(seed), arc()
    points = random.uniform([-1.6, -1.2, 3.5], [1.6, 1.2, 6.5], (POINTS, 3))
    seen = Observations(
        np.repeat(np.arange(POINTS), FRAMES), np.tile(np.arange(FRAMES), POINTS), np.zeros((POINTS * FRAMES, 2))
    )
    pixel = reprojection_errors(truth, points, seen)
    part = (pixel[::FRAMES] // (WIDTH / 5)).astype(int) @ np.array([7, 1])
    drift = random.normal(0, together_px, (part.max() + 1, 2))[part]
    pixel += drift[seen.point] * seen.frame[:, None] / FRAMES + random.normal(0, alone_px, pixel.shape)
    seen = Observations(seen.point, seen.frame, pixel)
    done = adjust(
        truth, triangulate(truth, seen)[0], seen, free_parameters(FRAMES, lens=np.ones((FRAMES, 1))), rounds=30
    )
    return float(np.log(done.cameras.focal[0] / truth.focal[0])), float(lens_uncertainty(done, 1)[0])


def rms(values) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def test_the_doubt_is_as_large_as_the_error_whoever_errs():
    alone = np.array([error_and_uncertainty(seed, 0.05, 0.0) for seed in range(SEEDS)])
    together = np.array([error_and_uncertainty(seed, 0.05, 0.6) for seed in range(SEEDS)])
    for found in (alone, together):
        assert 0.4 < rms(found[:, 0]) / rms(found[:, 1]) < 2.5
    assert rms(together[:, 1]) > 4 * rms(alone[:, 1])


def test_what_is_exact_is_not_doubted():
    off, uncertainty = error_and_uncertainty(0, 1e-4, 0.0)
    assert abs(off) < 1e-4 and uncertainty < 1e-4


def test_one_corner_of_the_picture_tells_nothing():
    truth = arc()
    points = np.random.default_rng(0).uniform([0.2, 0.2, 4.9], [0.3, 0.3, 5.1], (30, 3))
    seen = Observations(np.repeat(np.arange(30), FRAMES), np.tile(np.arange(FRAMES), 30), np.zeros((30 * FRAMES, 2)))
    seen = Observations(seen.point, seen.frame, reprojection_errors(truth, points, seen))
    done = adjust(truth, points, seen, free_parameters(FRAMES, lens=np.ones((FRAMES, 1))), rounds=2)
    assert lens_uncertainty(done, 1) == pytest.approx(np.inf)
