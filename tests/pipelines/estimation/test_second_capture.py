"""A second capture with its own scale, rotation and position is registered, and fills what the first never saw."""

from __future__ import annotations

import numpy as np
import pytest

from camera.errors import InputError
from camera.evaluation.paths import Similarity
from camera.path import CameraPath
from camera.render.scene import render
from camera.rotation import from_pan_tilt_roll
from camera.view import Scene, View
from pipelines.estimation.second_capture import add_capture, place
from tests.scenes.rendered_clip import _frame
from tests.scenes.rendered_clip import render as rendered

BOARD = np.array([9.0, 0.5, 4.0])
"""Out of view: everything is static."""
THERE = Similarity(0.37, from_pan_tilt_roll(40, 12, -20), np.array([3.0, -1.0, 2.0]))
"""From the first capture's world to the second's."""


def views(places: list[tuple[float, float]]) -> tuple[View, ...]:
    """Pictures of the textured room, one for each (x, pan)."""
    path = rendered(1).path
    made = []
    for x, pan in places:
        pose = np.eye(4)
        pose[:3, :3], pose[0, 3] = from_pan_tilt_roll(pan, 0, 0), x
        camera = CameraPath(pose[None], path.intrinsics[:1], path.width, path.height)
        colour, _, depth = _frame(camera, 0, BOARD)
        made.append(View.of(colour, depth.astype(np.float32), camera.intrinsics[0], pose))
    return tuple(made)


@pytest.fixture(scope="module")
def captures() -> tuple[Scene, Scene]:
    second = tuple(place(view, THERE) for view in views([(1.4, 4), (2.2, 8)]))
    return Scene(views([(0, 0), (0.4, 2)]), "clip", "metres"), Scene(second, "views")


def test_scale_turn_and_place_are_found(captures):
    found = add_capture(*captures)
    back = found.similarity
    assert back.scale * THERE.scale == pytest.approx(1, abs=0.005)
    turned = np.degrees(np.arccos(np.clip((np.trace(back.rotation @ THERE.rotation) - 1) / 2, -1, 1)))
    assert turned < 0.2 and found.agreeing > 100 and found.residual < 0.005
    points = np.random.default_rng(0).uniform([-2, -1, 3], [3, 1, 6], (50, 3))
    assert np.abs(back(THERE(points)) - points).max() < 0.03
    assert "registered by" in found.sentence()


def test_it_fills_what_the_first_never_saw(captures):
    scene = add_capture(*captures).scene
    (there,) = views([(1.6, 5)])
    alone, together = (render(each, there.camera) for each in (captures[0], scene))
    filled = alone.holes & ~together.holes
    assert alone.holes.mean() > 0.1 and together.holes.sum() < 0.3 * alone.holes.sum()
    assert np.median(np.abs(together.depth / there.depth - 1)[filled]) < 0.01
    assert np.abs(together.colour.astype(int) - there.colour)[filled].mean() < 12


def test_captures_of_other_places_are_refused(captures):
    chance = np.random.default_rng(0)
    noise = chance.integers(0, 256, captures[0].first.colour.shape, np.uint8)
    other = Scene((View.of(noise, captures[0].first.depth, captures[0].first.intrinsics),))
    with pytest.raises(InputError, match=r"match|agree"):
        add_capture(captures[0], other)
