"""Cameras are recovered from rendered clips with known truth: the kind of camera, its distance, and what cannot be determined."""

import cv2
import numpy as np
import pytest

from bench.geometry import known_clips
from camera.errors import InputError
from camera.evaluation import paths as metrics
from camera.path import CameraPath, pinhole
from camera.rotation import angle_degrees, from_pan_tilt_roll
from pipelines.estimation.recovery.follow import clip_of
from pipelines.estimation.recovery.recover import recover
from tests.scenes.rendered_clip import HEIGHT, WIDTH, along, render
from tests.scenes.turning import turning

FOCAL = float(pinhole(WIDTH, HEIGHT, 60)[0, 0])


def standing(frames: int, *, pan: float = 0.0, tilt: float = 0.0, zoom: float = 1.0) -> CameraPath:
    """A stationary camera that turns by so many degrees and zooms in by a factor."""
    return turning(frames, pan, tilt, zoom=zoom, size=(WIDTH, HEIGHT))


@pytest.fixture(scope="module")
def travel():
    return render(frames=14)


def test_a_travelling_camera_comes_back_with_a_free_lens(travel):
    found = recover(clip_of(travel.frames, 12))
    assert (found.kind, found.frames, found.lens) == ("travel", tuple(range(14)), "found")
    assert np.median(metrics.rotation_error_degrees(found.path, travel.path)) < 0.15
    assert np.nanmedian(metrics.translation_direction_degrees(found.path, travel.path)) < 1.5
    assert abs(found.path.intrinsics[0, 0, 0] / FOCAL - 1) < 0.02
    assert (found.path.width, found.path.height, found.path.fps) == (WIDTH, HEIGHT, 12)


def test_a_travelling_camera_comes_back_with_the_lens_held(travel):
    found = recover(clip_of(travel.frames, 12), focal_px=FOCAL)
    assert (found.kind, found.frames, found.lens) == ("travel", tuple(range(14)), "held")
    assert np.median(metrics.rotation_error_degrees(found.path, travel.path)) < 0.1
    assert np.nanmedian(metrics.translation_direction_degrees(found.path, travel.path)) < 1.5
    np.testing.assert_allclose(found.path.intrinsics[:, 0, 0], FOCAL, rtol=1e-9)


def test_a_pan_is_a_pan_and_its_lens_is_found():
    path = standing(12, pan=22, tilt=5)
    found = recover(clip_of(along(path)))
    assert (found.kind, found.lens) == ("pan", "found")
    assert metrics.rotation_error_degrees(found.path, path).max() < 0.4
    assert abs(found.path.intrinsics[0, 0, 0] / FOCAL - 1) < 0.02
    assert not found.path.centres.any()


def test_a_tripod_is_one_although_something_moves_before_it():
    found = recover(clip_of(along(standing(10))), focal_px=FOCAL)
    assert (found.kind, found.lens) == ("tripod", "held")
    assert angle_degrees(found.path.world_from_camera[:1, :3, :3], found.path.world_from_camera[:, :3, :3]).max() < 0.1


def test_a_zoom_is_one_and_how_far_it_goes_is_found():
    path = standing(12, zoom=1.4)
    found = recover(clip_of(along(path, speed=0)))
    assert (found.kind, found.lens) == ("zoom", "assumed")
    ratio = found.path.intrinsics[:, 0, 0] / found.path.intrinsics[0, 0, 0]
    np.testing.assert_allclose(ratio, path.intrinsics[:, 0, 0] / FOCAL, rtol=0.01)
    assert "cannot be told" in found.words


def test_a_cut_divides_the_clip_and_is_said(travel):
    frames = np.concatenate([travel.frames[:4], along(standing(9, pan=12))[:, ::-1]])
    found = recover(clip_of(frames), focal_px=FOCAL)
    assert found.cuts == (4,)
    assert found.frames == tuple(range(4, 13))
    assert "cut at frame 4" in found.words and "9 of 13 frames placed" in found.words


def test_empty_frames_are_counted_as_not_placed():
    frames = along(standing(9, pan=12))
    frames[:3] = 0
    found = recover(clip_of(frames), focal_px=FOCAL)
    assert found.empty == (0, 1, 2) and found.frames == tuple(range(3, 9))
    assert "3 frames show nothing" in found.words


def test_what_shows_no_camera_is_said(travel):
    with pytest.raises(InputError, match="One frame"):
        recover(clip_of(travel.frames[:1]))
    with pytest.raises(InputError, match="show nothing"):
        recover(clip_of(np.zeros((5, 64, 64, 3), np.uint8)))
    with pytest.raises(InputError, match="too little texture"):
        blank = np.full((5, 64, 96, 3), 90, np.uint8)
        blank[:, :, 48:] = 140 + 3 * np.arange(5, dtype=np.uint8)[:, None, None, None]
        recover(clip_of(blank))
    still = recover(clip_of(np.repeat(travel.frames[:1], 6, axis=0)))
    assert still.kind == "still picture" and "no camera can be told" in still.words


def test_a_still_picture_and_a_tripod_are_told_apart_after_compression():
    """Both show the same picture throughout; the tripod's noise survives H.264 at CRF 35, whereas the frames of a still picture are equal."""
    frames = np.repeat(along(standing(1)), 12, axis=0)
    assert recover(clip_of(known_clips.compress(frames, 35)), focal_px=FOCAL).kind == "tripod"
    assert recover(clip_of(known_clips.compress(frames, 35, noise=0)), focal_px=FOCAL).kind == "still picture"


def test_a_text_on_the_picture_is_left_out():
    path = standing(12, pan=22)
    frames = along(path)
    for frame in frames:
        cv2.putText(frame, "SAMPLE 42", (20, 200), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (255, 255, 255), 3)
    found = recover(clip_of(frames), focal_px=FOCAL)
    assert found.kind == "pan" and "stand still on the screen" in found.words
    assert metrics.rotation_error_degrees(found.path, path).max() < 0.4


def test_large_frames_are_looked_at_small_and_the_answer_is_in_their_pixels():
    frames = along(standing(6, pan=8))
    wide = np.stack([cv2.resize(frame, (WIDTH * 4, HEIGHT * 4), interpolation=cv2.INTER_CUBIC) for frame in frames])
    clip = clip_of(wide)
    assert clip.frames.shape[2] == 640
    found = recover(clip, focal_px=4 * FOCAL)
    assert (found.path.width, found.path.height) == (4 * WIDTH, 4 * HEIGHT)
    assert found.path.intrinsics[0, 0, 0] == pytest.approx(4 * FOCAL, rel=1e-6)


def test_a_thousand_frames_are_all_placed():
    """A pan over a single picture: each frame is that picture under a homography."""
    count, size = 1000, (128, 96)
    picture, wide = along(standing(1))[0], pinhole(WIDTH, HEIGHT, 60)
    lens = pinhole(*size, 26)
    turns = from_pan_tilt_roll(np.linspace(-9, 9, count), 2 * np.sin(np.linspace(0, 9, count)), np.zeros(count))
    maps = [lens @ turn.T @ np.linalg.inv(wide) for turn in turns]
    frames = np.stack([cv2.warpPerspective(picture, each, size, flags=cv2.INTER_LINEAR) for each in maps])
    found = recover(clip_of(frames), focal_px=float(lens[0, 0]))
    assert (found.kind, found.frames) == ("pan", tuple(range(count)))
    poses = np.repeat(np.eye(4)[None], count, axis=0)
    poses[:, :3, :3] = turns
    assert np.median(metrics.rotation_error_degrees(found.path, CameraPath(poses, lens, *size))) < 0.3
