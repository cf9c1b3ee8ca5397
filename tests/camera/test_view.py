"""`View` and `Scene`: depth is cleaned, and image, depth and camera stay consistent through every fit."""

import weakref

import numpy as np
import pytest

from camera.errors import InputError
from camera.path import pinhole
from camera.view import FAR, Scene, View

SPOT = np.array([0.22, -0.18, 2.0])
"""A small bright ball in the scene of `view`."""


@pytest.fixture(scope="module")
def view() -> View:
    """A black image with one white disc where the lens projects `SPOT`; the disc is nearer than the rest."""
    lens = pinhole(160, 120, 60)
    x, y, _ = lens @ SPOT / SPOT[2]
    down, across = np.mgrid[:120, :160]
    disc = np.hypot(across - x, down - y) < 7
    colour = np.where(disc[..., None], 255, 0).astype(np.uint8).repeat(3, axis=2)
    return View.of(colour, np.where(disc, 2.0, 5.0), lens)


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize(("width", "height"), [(80, 60), (320, 240), (128, 128), (96, 170), (333, 111), (77, 59)])
def test_fitted_cameras_project_points_onto_their_pixels(view, width, height, fit):
    fitted = view.fitted(width, height, fit)
    assert fitted.colour.shape == (height, width, 3) and fitted.depth.shape == fitted.known.shape == (height, width)
    projected = fitted.intrinsics @ SPOT
    weight = fitted.colour[..., 0].astype(float)
    down, across = np.mgrid[:height, :width]
    middle = np.array([(across * weight).sum(), (down * weight).sum()]) / weight.sum()
    np.testing.assert_allclose(middle, projected[:2] / projected[2], atol=0.35)
    near = fitted.depth < 3
    np.testing.assert_allclose([across[near].mean(), down[near].mean()], projected[:2] / projected[2], atol=0.6)
    np.testing.assert_allclose(fitted.intrinsics, view.camera.fitted(width, height, fit).intrinsics[0])


def test_at_most_shrinks_and_never_enlarges(view):
    small = view.at_most(40)
    assert (small.width, small.height) == (40, 30) and view.at_most(160) is view
    thin = View.of(np.zeros((4, 400, 3), np.uint8), np.ones((4, 400)), pinhole(400, 4, 60))
    assert (thin.at_most(40).width, thin.at_most(40).height) == (40, 2)


def test_resampled_depth_never_lies_between_two_surfaces(view):
    for fit in ("crop", "pad", "stretch"):
        assert set(np.unique(view.fitted(101, 67, fit).depth)) <= {np.float32(2), np.float32(5), np.float32(FAR)}


def test_padding_is_black_and_unknown(view):
    padded = view.fitted(160, 200, "pad")
    rows = ~padded.known.any(axis=1)
    assert rows[:40].all() and rows[-40:].all() and not rows[45:155].any()
    assert (padded.colour[rows] == 0).all() and (padded.depth[rows] == FAR).all()


def test_invalid_depth_becomes_far_and_unknown():
    depth = np.full((4, 6), 2.0)
    depth[0, :5] = [np.nan, np.inf, -1, 0, FAR]
    view = View.of(np.zeros((4, 6, 3), np.uint8), depth, pinhole(6, 4, 60))
    assert not view.known[0, :5].any() and view.known.sum() == 19
    assert (view.depth[0, :5] == FAR).all()


def test_focus_depth_is_that_of_the_known_centre():
    depth = np.full((40, 40), 9.0)
    depth[12:28, 12:28] = 3.0
    depth[10:14] = np.nan
    view = View.of(np.zeros((40, 40, 3), np.uint8), depth, pinhole(40, 40, 60))
    assert view.focus_depth == 3.0


@pytest.mark.parametrize(
    ("colour", "depth", "words"),
    [
        (np.zeros((4, 4, 4), np.uint8), np.ones((4, 4)), "RGB picture"),
        (np.zeros((4, 4, 3)), np.ones((4, 4)), "float64"),
        (np.zeros((4, 4, 3), np.uint8), np.ones((4, 5)), "in one size"),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4)), "no positive finite value"),
    ],
)
def test_invalid_views_are_refused(colour, depth, words):
    with pytest.raises(InputError, match=words):
        View.of(colour, depth, pinhole(4, 4, 60))


def test_views_of_a_scene_have_one_size(view):
    scene = Scene((view, view), "views")
    assert scene.first is view and scene.fitted(80, 60).views[1].width == 80
    with pytest.raises(InputError, match="at least one picture"):
        Scene(())
    with pytest.raises(InputError, match="one size"):
        Scene((view, view.resized(80, 60)), "views")


def test_fitted_scenes_are_shared_while_in_use(view):
    scene = Scene((view,))
    one = scene.fitted(64, 48, "pad")
    assert scene.fitted(64, 48, "pad") is one and Scene((view,)).fitted(64, 48, "pad") is not one
    assert scene.fitted(64, 48, "crop") is not one and scene.fitted(48, 64, "pad") is not one
    gone = weakref.ref(one)
    del one
    assert gone() is None


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e3, 1e5])
def test_sky_is_behind_the_depth_in_any_unit(unit):
    depth = np.linspace(0.5, 40, 64 * 64, dtype=np.float32).reshape(64, 64) * np.float32(unit)
    depth[:4], depth[4:8] = np.inf, 1e10  # renderers write these where no surface was hit
    view = View.of(np.zeros((64, 64, 3), np.uint8), depth, np.diag([64.0, 64.0, 1.0]))
    np.testing.assert_array_equal(view.known, np.arange(64)[:, None].repeat(64, 1) >= 8)
    assert view.far > view.depth[view.known].max() and (view.depth[:8] == np.float32(view.far)).all()
    assert (view.far == FAR) == (unit < 1e3)
