"""Conversion of depth to the network's input and back."""

import io
import zipfile

import cv2
import numpy as np
import pytest

from camera.path import CameraPath, pinhole
from camera.view import FAR, View
from pipelines.methods.dualcamctrl import disparity
from pipelines.results import depth_frames


def _view(depth) -> View:
    depth = np.asarray(depth, dtype=np.float32)
    height, width = depth.shape
    return View.of(np.zeros((height, width, 3), np.uint8), depth, pinhole(width, height, 60))


@pytest.fixture
def slope() -> View:
    """Disparity falls linearly from 1 (left) to 0.01 (right); the upper half is sky."""
    depth = 1 / np.linspace(1, 0.01, 40)[None].repeat(20, axis=0)
    depth[:10] = np.inf
    return _view(depth)


def test_near_is_bright_and_sky_is_black(slope):
    grey = disparity.disparity_picture(slope)
    assert grey[15, 0] == 255 and not grey[:10].any()
    assert (np.diff(grey[15].astype(int)) < 0).all()
    assert grey[15, 20] == pytest.approx(255 * 0.5, abs=3)  # linear in disparity, not in depth


def test_brightness_leads_back_to_depth(slope):
    span = depth_frames.disparity_range(slope)
    depth = span.depth(disparity.disparity_picture(slope) / 255)
    np.testing.assert_allclose(depth[15, :30], slope.depth[15, :30], rtol=0.05)
    assert (depth[:10] == FAR).all()


def test_the_scale_of_the_scene_does_not_matter(slope):
    larger = _view(np.where(slope.known, slope.depth * 50, np.inf))
    np.testing.assert_allclose(disparity.disparity_picture(larger), disparity.disparity_picture(slope), atol=1)


def test_one_stray_point_does_not_grey_out_the_rest():
    depth = 1 / np.linspace(0.2, 1, 5000).reshape(50, 100)
    depth[3, 4] = 1e-3
    assert disparity.disparity_picture(_view(depth)).mean() > 100


def test_a_flat_picture_is_possible():
    flat = _view(np.full((8, 8), 2.0))
    span = depth_frames.disparity_range(flat)
    np.testing.assert_allclose(span.depth(disparity.disparity_picture(flat) / 255), 2.0, rtol=1e-3)


def test_colours():
    grey = np.array([[[0, 128, 255]]], np.uint8)
    assert disparity.colour_disparity(grey, "grey").tolist() == [[[[0] * 3, [128] * 3, [255] * 3]]]
    far, _, near = disparity.colour_disparity(grey, "turbo")[0, 0].astype(int)
    assert near[0] > near[2] and far[2] > far[0]  # red and blue


def test_16_bits_survive():
    brightness = np.linspace(0, 1, 2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    with zipfile.ZipFile(io.BytesIO(depth_frames.sixteen_bit_zip(brightness))) as archive:
        stored = [cv2.imdecode(np.frombuffer(archive.read(n), np.uint8), -1) for n in sorted(archive.namelist())]
    np.testing.assert_allclose(np.stack(stored) / 65535, brightness, atol=1e-5)


def test_views_stand_along_the_path(slope):
    path = CameraPath(np.eye(4)[None].repeat(2, 0), slope.intrinsics, 40, 20)
    frames, span = np.zeros((2, 20, 40, 3), np.uint8), depth_frames.disparity_range(slope)
    assert len(disparity.views(frames, np.full((2, 20, 40), 0.5, np.float32), span, path)) == 2
    one_is_sky = np.stack([np.full((20, 40), 0.5), np.zeros((20, 40))]).astype(np.float32)
    assert disparity.views(frames, one_is_sky, span, path) == ()
