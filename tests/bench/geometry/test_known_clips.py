"""Moving objects in the clips of the camera benchmark are composited with correct occlusion by the rendered depth."""

import numpy as np
import pytest

from bench.geometry import known_clips
from camera.path import CameraPath, pinhole
from camera.render.scene import RenderedFrame
from camera.view import View

WIDTH, HEIGHT = 65, 37
GREY = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)


@pytest.mark.parametrize(("depth", "shown"), [(3.0, True), (1.0, False)])
def test_a_ball_is_depth_tested(depth, shown):
    path = CameraPath(np.repeat(np.eye(4)[None], 3, axis=0), pinhole(WIDTH, HEIGHT, 60), WIDTH, HEIGHT)
    view = View.of(GREY, np.full((HEIGHT, WIDTH), 2.0, np.float32), path.intrinsics[0])
    ball = known_clips.Ball(start=(-0.2, 0, 1), way=(0.4, 0, 0), radius=0.1)  # in units of the focus depth, 2
    none = np.zeros((HEIGHT, WIDTH), bool)
    image = RenderedFrame(GREY, none, np.full((HEIGHT, WIDTH), depth, np.float32), none)
    changed = (known_clips._with_ball(image, path, 1, ball, view) != GREY).any(axis=2)
    if not shown:
        assert not changed.any()
        return
    y, x = np.nonzero(changed)
    assert (x.mean(), y.mean()) == pytest.approx((32, 18), abs=0.1)  # half way: in the image centre
    assert np.ptp(x) + 1 == pytest.approx(2 * 0.2 / 2 * path.intrinsics[0, 0, 0], abs=1.5)


def test_h264_keeps_the_size_and_noise_is_added():
    frames = np.repeat(GREY[None, :36, :64], 3, axis=0)
    clean, noisy = (known_clips.compress(frames, 10, noise) for noise in (0, 6))
    assert clean.shape == frames.shape and np.abs(clean.astype(int) - 90).max() <= 2
    assert noisy.std() > clean.std() + 1


def test_clip_cameras_have_a_longer_lens():
    path = known_clips.path_in("courtyard", "arc 16", 5, 640, 352)
    assert (len(path), path.width, path.height) == (5, 640, 352)
    picture = known_clips.load("courtyard").first
    assert path.intrinsics[0, 0, 0] / 640 == pytest.approx(
        known_clips.LONGER * picture.intrinsics[0, 0] / picture.width
    )
    assert known_clips.lengthen(path, 1.1).intrinsics[:, 0, 0] == pytest.approx(1.1 * path.intrinsics[:, 0, 0])
