"""The second layer: filled only where the path looks, from the right surface, consistent between frames, never over visible pixels."""

import numpy as np
import pytest

from camera.completion.complete import complete_scene
from camera.completion.surface import extend_surfaces
from camera.errors import InputError
from camera.path import CameraPath, pinhole
from camera.render.scene import render_all
from camera.view import Scene, View

WIDTH, HEIGHT = 96, 64


@pytest.fixture(scope="module")
def scene() -> Scene:
    """An orange square in front of a wall with blue stripes, both fronto-parallel."""
    rows, columns = np.indices((HEIGHT, WIDTH))
    near = (abs(rows - 32) < 12) & (abs(columns - 40) < 12)
    stripes = np.where(
        (columns // 4 % 2 == 0)[..., None], np.array([40, 90, 160], np.uint8), np.array([20, 50, 90], np.uint8)
    )
    colour = np.where(near[..., None], np.array([250, 160, 40], np.uint8), stripes).astype(np.uint8)
    return Scene((View.of(colour, np.where(near, 1.0, 3.0), pinhole(WIDTH, HEIGHT, 60)),))


@pytest.fixture(scope="module")
def path(scene) -> CameraPath:
    poses = np.repeat(np.eye(4)[None], 5, axis=0)
    poses[:, 0, 3] = np.linspace(0, 0.25, 5)
    return CameraPath(poses, scene.first.intrinsics, WIDTH, HEIGHT, 8)


@pytest.fixture(scope="module")
def layer(scene, path):
    return complete_scene(scene, path)


def test_holes_show_the_background_and_not_the_foreground(scene, path, layer):
    last = list(render_all(scene, path, behind=layer))[-1]
    assert last.completed is not None
    inside = last.completed
    assert inside.sum() > 0.9 * last.holes.sum() > 100
    assert np.abs(last.depth[inside] - 3.0).max() < 0.1, "the wall's plane runs on"
    assert last.colour[inside, 0].max() < 110, "nothing orange"
    spread = last.colour[inside, 2].astype(int)
    assert np.quantile(spread, 0.9) - np.quantile(spread, 0.1) > 40, "stripes, not their mean"


def test_visible_pixels_are_unchanged(scene, path, layer):
    for without, with_layer in zip(render_all(scene, path, fill="holes"), render_all(scene, path, behind=layer)):
        visible = ~without.holes
        np.testing.assert_array_equal(with_layer.colour[visible], without.colour[visible])
        np.testing.assert_array_equal(with_layer.holes, without.holes)


def test_filling_is_consistent_between_frames(scene, path, layer):
    """A wall point in the hole of frame 3 has the same colour in frame 4, 3.47 pixels to the left."""
    third, fourth = list(render_all(scene, path, behind=layer))[3:]
    assert third.completed is not None and fourth.completed is not None
    step = path.intrinsics[0, 0, 0] * (path.centres[4, 0] - path.centres[3, 0]) / 3.0
    rows, columns = np.nonzero(third.completed & third.holes)
    moved = np.round(columns - step).astype(int)
    both = (moved >= 0) & fourth.completed[rows, np.maximum(moved, 0)]
    difference = third.colour[rows, columns].astype(int)[both] - fourth.colour[rows, np.maximum(moved, 0)][both]
    assert both.sum() > 100 and np.abs(difference).mean() < 25


def test_a_still_camera_needs_no_layer(scene, path):
    assert complete_scene(scene, path.sliced(slice(0, 1))) == ()


def test_a_floor_is_extended_beyond_the_border():
    """The floor's inverse depth grows linearly downwards; above the horizon is sky."""
    rows = np.repeat(np.arange(60, dtype=np.float32)[:, None], 80, axis=1)
    truth = np.maximum(0.01 * (rows - 20), 0).astype(np.float32)
    holes = np.zeros(truth.shape, bool)
    holes[:, 60:] = True
    found = extend_surfaces(truth, holes, ~holes, np.zeros_like(holes))
    below, above = (rows > 32) & holes, (rows < 16) & holes
    assert np.abs(found - truth)[below].max() < 0.02
    assert found[above].max() == 0


def test_a_custom_inpainting_model_paints_only_the_holes(scene, path):
    def red(colour, holes):
        colour[:] = [255, 0, 0]
        return colour

    last = list(render_all(scene, path, behind=complete_scene(scene, path, inpaint=red)))[-1]
    assert (last.colour[last.completed] == [255, 0, 0]).all(axis=-1).mean() > 0.8
    assert (last.colour[~last.holes] == [255, 0, 0]).all(axis=-1).mean() < 0.01
    with pytest.raises(InputError, match="must return an RGB picture of 96 x 64"):
        complete_scene(scene, path, inpaint=lambda colour, holes: colour[:5])


def test_completion_does_not_depend_on_the_unit(scene, path, layer):
    """Depths above ten thousand units are wall here, not sky."""
    unit = 1e4
    view = scene.first
    large = Scene((View.of(view.colour, view.depth * unit, view.intrinsics),))
    last = list(render_all(large, path.scaled(unit), behind=complete_scene(large, path.scaled(unit))))[-1]
    assert last.completed is not None and last.completed.sum() > 0.9 * last.holes.sum() > 100
    assert np.abs(last.depth[last.completed] / unit - 3.0).max() < 0.1
