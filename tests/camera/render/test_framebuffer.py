"""Packed pixels: they round-trip, the nearest wins in any order, and sizes need not fit the vector width."""

import numpy as np
import pytest

from camera.render import framebuffer, zbuffer

FAR = 100.0


def drawn(pictures: list[tuple[np.ndarray, np.ndarray]], height: int, width: int) -> np.ndarray:
    keys = framebuffer.empty_framebuffer(height, width)
    for colour, depth in pictures:
        word = framebuffer.pack_pixels(colour, depth, FAR)
        unit = np.eye(3, dtype=np.float32)
        zbuffer.draw(keys, word, depth=depth, turn=unit, shift=np.zeros(3, np.float32), magnification=1.0)
    return keys


def random_picture(seed: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    depth = rng.uniform(1, 9, (height, width)).astype(np.float32)
    depth[rng.random(depth.shape) < 0.2] = FAR
    return rng.integers(0, 256, (height, width, 3), np.uint8), depth


@pytest.mark.parametrize(("height", "width"), [(3, 4), (5, 7), (1, 1), (37, 61)])
def test_pixels_round_trip(height, width):
    picture, depth = random_picture(0, height, width)
    colour, z, layer = framebuffer.unpack_pixels(drawn([(picture, depth)], height, width))
    np.testing.assert_array_equal(colour, picture)
    np.testing.assert_allclose(z, depth, rtol=3e-7)
    np.testing.assert_array_equal(layer, np.where(depth >= FAR, 2, 1))


def test_an_empty_framebuffer_is_all_holes():
    colour, z, layer = framebuffer.unpack_pixels(framebuffer.empty_framebuffer(5, 3))
    assert not colour.any() and not z.any() and not layer.any()


def test_the_nearest_wins_in_any_order():
    first, second = random_picture(1, 9, 14), random_picture(2, 9, 14)
    keys = drawn([first, second], 9, 14)
    np.testing.assert_array_equal(keys, drawn([second, first], 9, 14))
    colour, z, _ = framebuffer.unpack_pixels(keys)
    nearer = first[1] < second[1]
    np.testing.assert_allclose(z, np.where(nearer, first[1], second[1]), rtol=3e-7)
    np.testing.assert_array_equal(colour[nearer], first[0][nearer])


def close_cracks(depth: list[list[float]]) -> np.ndarray:
    """Depth of an image after `close_cracks`; 0 in holes."""
    rows = np.array(depth, np.float32)
    with np.errstate(divide="ignore"):
        inverse = np.where(rows > 0, 1 / rows, np.float32(0)).astype(np.float32)
    keys = inverse.view(np.uint32).astype(np.uint64) << np.uint64(32)
    keys |= np.where(rows > 0, np.uint64(1 << 24), np.uint64(0))
    picture = framebuffer.unpack_pixels(keys)
    framebuffer.close_cracks(keys, *picture)
    np.testing.assert_array_equal(picture[2], picture[1] > 0)
    return picture[1]


def test_a_crack_takes_the_farther_depth_of_the_farthest_pair():
    assert close_cracks([[1, 2, 1], [1, 0, 4], [1, 2, 1]])[1, 1] == 4
    assert close_cracks([[1, 0, 8], [0, 0, 0], [2, 0, 1]])[1, 1] == 8, "across the diagonals: 1 and 1, 8 and 2"


def test_holes_of_two_pixels_and_at_the_border_are_not_closed():
    assert not close_cracks([[1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]])[1:3].any()
    assert close_cracks([[0, 1], [1, 1]])[0, 0] == 0
