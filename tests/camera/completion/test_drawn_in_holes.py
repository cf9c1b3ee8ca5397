"""A second layer drawn only in the holes equals the same pixels of the layer drawn in full."""

from __future__ import annotations

import numpy as np
import pytest

from camera.path import CameraPath, pinhole
from camera.render import framebuffer
from camera.render.painters import HiddenPart, painter, with_hidden
from camera.view import Scene, View

WIDTH, HEIGHT = 160, 96
LENS = pinhole(WIDTH, HEIGHT, 60)


def picture(near: float, seed: int) -> View:
    """A square at depth ``near`` in front of a rough wall at depth 3, in random colours."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((HEIGHT, WIDTH))
    square = (abs(rows - 48) < 20) & (abs(columns - 70) < 24)
    depth = np.where(square, near, 3.0) + rng.uniform(0, 0.01, (HEIGHT, WIDTH))
    return View.of(rng.integers(1, 256, (HEIGHT, WIDTH, 3), np.uint8), depth.astype(np.float32), LENS)


@pytest.fixture(scope="module")
def path() -> CameraPath:
    pose = np.eye(4)
    pose[:3, 3] = [0.3, 0.05, 0.2]
    return CameraPath(pose[None], LENS, WIDTH, HEIGHT)


def test_layer_in_holes_equals_layer_drawn_in_full(path):
    front, back = picture(1.0, 0), picture(2.0, 1)
    drawn = np.random.default_rng(2).random((HEIGHT, WIDTH)) < 0.97
    alone = painter(Scene((front,)), "mesh")(path, 0)
    nothing = painter(Scene((front,)), "mesh")(path.sliced(slice(0, 1)), 0)
    nothing.holes[:] = True
    whole = with_hidden(lambda path, frame: nothing, [HiddenPart(back, drawn)])(path, 0)
    both = with_hidden(painter(Scene((front,)), "mesh"), [HiddenPart(back, drawn)])(path, 0)
    assert alone.holes.sum() > 500 and both.completed is not None and whole.completed is not None
    np.testing.assert_array_equal(both.completed, alone.holes & whole.completed)
    for name in ("colour", "depth", "far"):
        np.testing.assert_array_equal(getattr(both, name)[both.completed], getattr(whole, name)[both.completed])
        np.testing.assert_array_equal(getattr(both, name)[~alone.holes], getattr(alone, name)[~alone.holes])


def test_cracks_are_closed_in_holes_as_in_full_images():
    rng = np.random.default_rng(3)
    colour, depth = rng.integers(0, 256, (40, 60, 3), np.uint8), rng.uniform(1, 9, (40, 60)).astype(np.float32)
    words = framebuffer.pack_pixels(colour, depth, 8.0)
    keys = (1 / depth).view(np.uint32).astype(np.uint64) << np.uint64(32) | words
    keys[rng.random(keys.shape) < 0.3] = 0
    whole = framebuffer.unpack_pixels(keys)
    framebuffer.close_cracks(keys, *whole)
    blank = np.zeros_like(colour), np.zeros_like(depth), np.zeros(depth.shape, bool)
    put = framebuffer.show_in_holes(keys, *blank, np.ones(depth.shape, bool))
    np.testing.assert_array_equal(put, whole[2] > 0)
    np.testing.assert_array_equal(blank[1], whole[1])
    np.testing.assert_array_equal(blank[0][put], whole[0][put])
    np.testing.assert_array_equal(blank[2], whole[2] == 2)
