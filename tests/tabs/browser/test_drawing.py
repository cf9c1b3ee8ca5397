"""Scenes drawn by the page beside the same scenes drawn by `camera.render`, in a real browser."""

from __future__ import annotations

import numpy as np
import pytest

from camera.path import CameraPath
from camera.render.scene import render
from camera.trajectories import film_script
from camera.view import Scene
from examples import load
from tests.tabs.browser.drawn import Drawn

HOLE = (255, 0, 255)
SIZE = (320, 180)


@pytest.fixture(scope="module")
def drawn(chromium):
    """``drawn(scene)``: the scene in a page of its own."""
    context = chromium.new_context()
    yield lambda scene: Drawn(context.new_page(), scene)
    context.close()


def compared(drawn: Drawn, scene: Scene, path: CameraPath, frame: int, **options) -> tuple[float, float]:
    """PSNR in dB over pixels that both draw, and the share of pixels that only one of them draws."""
    truth = render(scene, path, frame=frame, hole_colour=HOLE)
    ours = drawn.frame(path, frame, hole=[1, 0, 1], **options)
    holes = (ours == HOLE).all(axis=-1)
    both = ~holes & ~truth.holes
    error = np.square(ours[both].astype(np.float64) - truth.colour[both]).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9))), float((holes != truth.holes).mean())


@pytest.mark.parametrize("name", ["street_at_dusk", "toy_train", "courtyard"])
def test_the_page_draws_what_the_renderer_draws(drawn, name):
    """A picture with sky and wires, a clip, several views."""
    scene = load(name).fitted(*SIZE, "stretch")
    shown = drawn(scene)
    for move, frame in (("arc 20", 0), ("arc 20", 8), ("truck 0.2 + roll 5", 16)):
        path = film_script.path_of(move, scene.first, frames=17)
        quality, apart = compared(shown, scene, path, frame)
        assert quality > 36 and apart < 0.006, (move, frame, quality, apart)
    coarse, _ = compared(shown, scene, path, 16, detail=4)
    assert 24 < coarse < quality - 1  # fewer triangles, still the same scene


def test_holes_are_filled_from_behind(drawn):
    scene = load("reading_room").fitted(*SIZE, "stretch")
    path = film_script.path_of("truck 0.3", scene.first, frames=2)
    truth = render(scene, path, frame=1, fill="background")
    ours = drawn(scene).frame(path, 1, filled=True, hole=[1, 0, 1])
    assert truth.holes.mean() > 0.02 and not (ours == HOLE).all(axis=-1).any()
    off = np.abs(ours[truth.holes].astype(float) - truth.colour[truth.holes]).mean()
    black = truth.colour[truth.holes].mean()
    assert off < 0.35 * black
