"""Metrics for previews: the ground truth scores perfectly, and each kind of error is counted as such."""

import re

import numpy as np
import pytest

from bench.drawing.ground_truth import judge_preview, pixels_seen_by
from bench.room import front, orbit, side
from camera.render.painters import RenderedFrame
from camera.render.scene import render
from camera.view import FAR, Scene

SIZE = (96, 160)


def figures(words: str) -> tuple[float, ...]:
    return tuple(float(number) for number in re.findall(r"[\d.]+", words))


def frame(view, **changes) -> RenderedFrame:
    values = {"colour": view.colour, "holes": ~view.known, "depth": view.depth, "far": ~view.known}
    return RenderedFrame(**{**values, **changes})


def test_the_truth_scores_perfectly():
    quality, holes, leaks = figures(judge_preview(frame(side(*SIZE)), side(*SIZE), front(*SIZE)))
    assert quality > 90 and holes == 0 and leaks == 0


def test_too_large_depth_counts_as_a_leak():
    truth = side(*SIZE)
    depth = truth.depth.copy()
    depth[:, :16] *= 2
    _, holes, leaks = figures(judge_preview(frame(truth, depth=depth), truth, front(*SIZE)))
    assert leaks == pytest.approx(10) and holes == 0


def test_sky_over_a_surface_is_a_leak_and_a_hole_is_not():
    truth = side(*SIZE)
    far = np.zeros(SIZE, bool)
    far[:48] = True
    holes = np.zeros(SIZE, bool)
    holes[:24] = True
    depth = np.where(far, np.float32(FAR), truth.depth)
    _, hole_share, leaks = figures(judge_preview(frame(truth, depth=depth, far=far, holes=holes), truth, front(*SIZE)))
    assert hole_share == pytest.approx(25) and leaks == pytest.approx(25)


def test_pixels_occluded_by_the_spheres_are_left_out():
    shown = pixels_seen_by(front(*SIZE), side(*SIZE))
    assert 0.7 < shown.mean() < 0.995
    rendered = render(Scene((front(*SIZE),)), orbit(*SIZE))
    assert rendered.holes[shown].mean() < 0.05
    assert rendered.holes[~shown].mean() > 0.5
