"""Planes of H.264 pictures: the matrix of BT.709, and colours that survive a file unchanged."""

import av
import numpy as np
import pytest

from camera.errors import InputError
from pipelines.media.video import mp4_writer, read_video, write_mp4
from pipelines.media.yuv import fill_planes

COLOURS = np.array(
    [[255, 0, 0], [0, 255, 0], [0, 0, 255], [200, 100, 50], [255, 255, 255], [0, 0, 0], [30, 180, 160], [90, 90, 90]],
    np.uint8,
)


def patches() -> np.ndarray:
    return COLOURS.reshape(2, 4, 3).repeat(32, axis=0).repeat(32, axis=1)


def test_planes_are_those_of_the_standard():
    """ITU-R BT.709, item 3.4, quantised as in item 4; planes may be wider than the picture."""
    rgb = np.random.default_rng(0).integers(0, 256, (6, 10, 3), np.uint8)
    luma, blueness, redness = np.zeros((6, 16), np.uint8), np.zeros((3, 8), np.uint8), np.zeros((3, 8), np.uint8)
    fill_planes(rgb, luma, blueness, redness)

    weights = np.array([0.2126, 0.7152, 0.0722])
    y = rgb / 255 @ weights
    small = rgb.reshape(3, 2, 5, 2, 3).mean(axis=(1, 3)) / 255
    blue, red = (small[..., 2] - small @ weights) / 1.8556, (small[..., 0] - small @ weights) / 1.5748
    np.testing.assert_allclose(luma[:, :10], 16 + 219 * y, atol=0.51)
    np.testing.assert_allclose(blueness[:, :5], 128 + 224 * blue, atol=0.51)
    np.testing.assert_allclose(redness[:, :5], 128 + 224 * red, atol=0.51)
    assert not luma[:, 10:].any() and not redness[:, 5:].any()


@pytest.mark.parametrize("speed", ["preview", "result"])
def test_colours_come_back_and_the_file_says_which_they_are(tmp_path, speed):
    file = write_mp4(tmp_path / "colours.mp4", [patches()] * 3, 24, speed=speed)
    frames, _ = read_video(file)
    found = frames[-1, 16::32, 16::32].reshape(-1, 3).astype(int)
    assert np.abs(found - COLOURS).max() <= 6
    with av.open(str(file)) as container:
        picture = next(container.decode(video=0))
        assert (picture.colorspace, picture.color_primaries, picture.color_trc, picture.color_range) == (1, 1, 1, 1)


@pytest.mark.parametrize("second", [np.zeros((60, 128, 3), np.uint8), np.zeros((64, 128, 3), np.float32)])
def test_a_frame_that_does_not_fit_is_refused_in_words(tmp_path, second):
    with pytest.raises(InputError, match="all of one size"), mp4_writer(tmp_path / "clip.mp4", 24) as write:
        write(patches())
        write(second)
    assert list(tmp_path.iterdir()) == []
