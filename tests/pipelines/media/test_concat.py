"""Continuing a video: the existing part is copied bit for bit, or encoded again if it cannot be copied."""

import numpy as np
import pytest

from pipelines.media.concat import VideoPrefix, write_continuation
from pipelines.media.video import probe, read_video, write_mp4
from pipelines.results import mp4_box

SIZE = (48, 64, 3)


def _frames(count: int, size=SIZE) -> np.ndarray:
    """A gradient that gets brighter."""
    slope = np.mgrid[: size[0], : size[1]].sum(axis=0)[..., None] + np.array([0, 20, 40])
    return np.stack([slope + 2 * number for number in range(count)]).astype(np.uint8)


@pytest.fixture(scope="module")
def frames():
    return _frames(25)


@pytest.mark.parametrize("fps", [24, 7.5, 23.976])
def test_what_is_there_is_copied_and_the_rest_encoded(frames, fps, tmp_path):
    begun = write_mp4(tmp_path / "begun.mp4", frames[:17], fps)
    longer = write_continuation(
        tmp_path / "longer.mp4", frames, fps, metadata={"reshoot": "x"}, begun=VideoPrefix(begun, 17)
    )
    made, rate = read_video(longer)
    assert len(made) == 25 and rate == pytest.approx(fps, 1e-4) and probe(longer).metadata["reshoot"] == "x"
    np.testing.assert_array_equal(made[:17], read_video(begun)[0])
    assert np.abs(made[17:].astype(int) - frames[17:]).mean() < 4
    back = write_continuation(tmp_path / "back.mp4", frames[:9], fps, metadata={}, begun=VideoPrefix(longer, 9))
    np.testing.assert_array_equal(read_video(back)[0], made[:9])
    assert {file.name for file in tmp_path.iterdir()} == {"begun.mp4", "longer.mp4", "back.mp4"}


@pytest.mark.parametrize("spoil", ["gone", "short", "size", "rate", "damaged"])
def test_what_cannot_be_copied_is_encoded(frames, spoil, tmp_path):
    begun = tmp_path / "begun.mp4"
    if spoil != "gone":
        pictures = _frames(17, (32, 64, 3)) if spoil == "size" else frames[: 9 if spoil == "short" else 17]
        write_mp4(begun, pictures, 12 if spoil == "rate" else 24)
    if spoil == "damaged":
        begun.write_bytes(begun.read_bytes()[:200])
    longer = write_continuation(tmp_path / "longer.mp4", frames, 24, metadata={}, begun=VideoPrefix(begun, 17))
    made, fps = read_video(longer)
    assert fps == 24 and np.abs(made.astype(int) - frames).mean() < 4


def test_bytes_travel_in_a_box_that_players_pass_over(frames, tmp_path):
    file = write_mp4(tmp_path / "a.mp4", frames[:3], 8, metadata={"reshoot": "x"})
    assert mp4_box.read_box(file) is None
    before = read_video(file)[0]
    mp4_box.append_box(file, b"what it was made from")
    assert mp4_box.read_box(file) == b"what it was made from" and probe(file).metadata["reshoot"] == "x"
    np.testing.assert_array_equal(read_video(file)[0], before)


@pytest.mark.parametrize("content", [b"", b"x" * 40, b"\0\0\0\0mdat", b"\0\0\0\1mdat" + b"\0" * 8, b"\0\0\0\4free" * 9])
def test_a_file_without_boxes_has_none(content, tmp_path):
    (tmp_path / "a.mp4").write_bytes(content)
    assert mp4_box.read_box(tmp_path / "a.mp4") is None
