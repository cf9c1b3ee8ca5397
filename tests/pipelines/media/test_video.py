"""Video input and output: reading gives back what was written, and bad files are refused with an explanation."""

import subprocess
import tracemalloc

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from camera.errors import InputError
from pipelines.media import video
from pipelines.media.video import probe, read_video, write_mp4


def moving_square(frames: int = 9, height: int = 48, width: int = 64):
    for index in range(frames):
        picture = np.full((height, width, 3), 40, np.uint8)
        picture[10:30, 4 * index : 4 * index + 16] = (220, 120, 30)
        yield picture


def test_frames_rate_and_metadata_come_back(tmp_path):
    file = write_mp4(
        tmp_path / "clip.mp4", moving_square(), 12.5, metadata={"reshoot": '{"seed": "12345678901234567"}'}
    )
    frames, fps = read_video(file)
    assert frames.shape == (9, 48, 64, 3)
    assert fps == 12.5
    error = np.abs(frames.astype(int) - np.stack(list(moving_square())))
    assert error.mean() < 4
    facts = probe(file)
    assert (facts.width, facts.height, facts.frames) == (64, 48, 9)
    assert facts.metadata["reshoot"] == '{"seed": "12345678901234567"}'


def test_odd_sizes_lose_one_line(tmp_path):
    frames, _ = read_video(write_mp4(tmp_path / "odd.mp4", moving_square(3, 47, 65), 8, speed="preview"))
    assert frames.shape == (3, 46, 64, 3)


def test_a_failing_source_leaves_no_file(tmp_path):
    def breaks_off():
        yield from moving_square(3)
        raise RuntimeError("camera fell over")

    with pytest.raises(RuntimeError):
        write_mp4(tmp_path / "clip.mp4", breaks_off(), 8)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_source_keeps_the_old_file(tmp_path):
    file = write_mp4(tmp_path / "clip.mp4", moving_square(3), 8)
    before = file.read_bytes()
    with pytest.raises(InputError, match="no frames"):
        write_mp4(file, [], 8)
    assert file.read_bytes() == before


@pytest.mark.parametrize("degrees", [90, -90, 180, 0])
def test_a_phones_video_stands_upright(tmp_path, degrees):
    """Phones store the sensor's image and how to rotate it; the expected result comes from FFmpeg's own player."""
    lying = write_mp4(tmp_path / "lying.mp4", moving_square(2), 8)
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error"]
    turned, upright = tmp_path / "turned.mp4", tmp_path / "%d.png"
    subprocess.run([*ffmpeg, "-display_rotation", str(degrees), "-i", lying, "-c", "copy", turned], check=True)
    subprocess.run([*ffmpeg, "-i", turned, upright], check=True)
    frames, _ = read_video(turned)
    assert frames.shape[1:3] == ((64, 48) if degrees % 180 else (48, 64))
    assert np.abs(frames[0].astype(int) - np.array(Image.open(tmp_path / "1.png").convert("RGB"))).mean() < 2


@pytest.mark.parametrize("content", [b"", b"not a video at all", b"\x00" * 4096])
def test_what_is_not_a_video_is_refused_in_words(tmp_path, content):
    file = tmp_path / "holiday.mp4"
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"holiday\.mp4"):
        read_video(file)


def test_a_truncated_video_is_refused_or_read_in_part(tmp_path):
    whole = write_mp4(tmp_path / "whole.mp4", moving_square(30), 8).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) // 3])
    try:
        frames, _ = read_video(cut)
    except InputError:
        return
    assert 0 < len(frames) < 30


def test_only_the_first_frames_are_decoded(tmp_path):
    frames, _ = read_video(write_mp4(tmp_path / "clip.mp4", moving_square(9), 8), max_frames=4)
    assert len(frames) == 4


def test_a_clip_is_in_memory_once(tmp_path):
    frames = np.zeros((120, 180, 320, 3), np.uint8)
    frames[:, 40:80, 40:80] = np.arange(120, dtype=np.uint8)[:, None, None, None]
    file = write_mp4(tmp_path / "long.mp4", frames, 24)
    del frames
    read_video(file, max_frames=1)  # imports do not count
    tracemalloc.start()
    read, _ = read_video(file)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(read) == 120 and peak < 1.2 * read.nbytes


def test_a_clip_beyond_the_budget_is_refused_before_it_is_decoded_with_what_would_fit(tmp_path, monkeypatch):
    file = write_mp4(tmp_path / "large.mp4", np.zeros((30, 64, 96, 3), np.uint8), 24)
    monkeypatch.setattr(video, "MAX_PIXELS", 20 * 64 * 96)
    monkeypatch.setattr(video, "_gather", lambda *_: pytest.fail("decoded"))
    with pytest.raises(InputError, match=r"30 frames of 96 x 64 .* cut it to 20 frames or scale it down to 78 x 52\.$"):
        read_video(file)
    monkeypatch.undo()
    assert len(read_video(file, max_frames=20)[0]) == 20


def test_a_file_that_counts_too_few_frames_is_read_whole():
    images = [np.full((2, 3, 3), number, np.uint8) for number in range(11)]
    for expected in (1, 5, 11, 50):
        made = video._gather(images, expected)
        assert made is not None and np.array_equal(made, np.stack(images))
    assert video._gather([], 5) is None
