"""Keys of pixels: what goes in comes out, the nearest wins whatever the order, sizes need not fit in words."""

import numpy as np
import pytest

from camera.render import framebuffer, zbuffer

FAR = 100.0


def drawn(pictures: list[tuple[np.ndarray, np.ndarray]], height: int, width: int) -> np.ndarray:
    held = framebuffer.empty_framebuffer(height, width)
    for colour, depth in pictures:
        word = framebuffer.pack_pixels(colour, depth, FAR)
        unit = np.eye(3, dtype=np.float32)
        zbuffer.draw(held, word, depth=depth, turn=unit, shift=np.zeros(3, np.float32), magnification=1.0)
    return held


def random_picture(seed: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    depth = rng.uniform(1, 9, (height, width)).astype(np.float32)
    depth[rng.random(depth.shape) < 0.2] = FAR
    return rng.integers(0, 256, (height, width, 3), np.uint8), depth


@pytest.mark.parametrize(("height", "width"), [(3, 4), (5, 7), (1, 1), (37, 61)])
def test_a_picture_seen_by_its_own_camera_comes_back(height, width):
    picture, depth = random_picture(0, height, width)
    colour, z, layer = framebuffer.unpack_pixels(drawn([(picture, depth)], height, width))
    np.testing.assert_array_equal(colour, picture)
    np.testing.assert_allclose(z, depth, rtol=3e-7)
    np.testing.assert_array_equal(layer, np.where(depth >= FAR, 2, 1))


def test_nothing_is_a_hole():
    colour, z, layer = framebuffer.unpack_pixels(framebuffer.empty_framebuffer(5, 3))
    assert not colour.any() and not z.any() and not layer.any()


def test_the_nearest_wins_in_any_order():
    first, second = random_picture(1, 9, 14), random_picture(2, 9, 14)
    held = drawn([first, second], 9, 14)
    np.testing.assert_array_equal(held, drawn([second, first], 9, 14))
    colour, z, _ = framebuffer.unpack_pixels(held)
    nearer = first[1] < second[1]
    np.testing.assert_allclose(z, np.where(nearer, first[1], second[1]), rtol=3e-7)
    np.testing.assert_array_equal(colour[nearer], first[0][nearer])
