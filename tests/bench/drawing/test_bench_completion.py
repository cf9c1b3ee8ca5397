"""Metrics for inpainted holes: the ground truth scores perfectly, and only errors and flicker inside the holes count."""

import numpy as np

from bench.drawing import truths
from bench.drawing.completion import blur_within, edge_energy, gradient_similarity, judge_filling
from bench.room import front

SIZE = (96, 160)


def test_truth_is_perfect_and_only_errors_in_holes_count():
    truth = front(*SIZE)
    holes = np.zeros(SIZE, bool)
    holes[20:60, 30:90] = True
    still = np.stack(np.meshgrid(np.arange(SIZE[1]), np.arange(SIZE[0])), -1).astype(float)
    same = judge_filling(truth.colour, truth.colour, truth, holes, holes, still)
    assert same.decibels > 90 and same.similarity > 0.999 and same.flicker == 0 and abs(same.edges - 1) < 1e-9
    outside = np.where(holes[..., None], truth.colour, 0).astype(np.uint8)
    assert judge_filling(outside, outside, truth, holes, holes, still).decibels > 90
    flat = np.where(holes[..., None], 128, truth.colour).astype(np.uint8)
    wrong = judge_filling(flat, truth.colour, truth, holes, holes, still)
    assert wrong.decibels < 20 and wrong.similarity < 0.6 and wrong.edges < 0.01 and wrong.flicker > 10


def test_edge_energy_ignores_the_hole_boundary():
    picture = np.zeros((*SIZE, 3), np.uint8)
    holes = np.zeros(SIZE, bool)
    holes[20:60, 30:90] = True
    picture[holes] = 200
    assert edge_energy(picture, holes) == 0


def test_gradients_and_blur_are_limited_to_holes():
    picture = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), dtype=np.uint8)
    holes = np.zeros(SIZE, bool)
    holes[20:60, 30:90] = True
    blurred = blur_within(picture, holes, 6.0)
    assert (blurred[~holes] == picture[~holes]).all() and blurred[holes].std() < 0.4 * picture[holes].std()
    assert gradient_similarity(picture, picture, holes) == 1
    assert gradient_similarity(blurred, picture, holes) < 0.6


def test_a_truth_is_rendered_once_per_hole_mask(monkeypatch, tmp_path):
    view, marched = front(*SIZE), []

    def march(name, path, frame, holes, seconds):
        marched.append(name)
        return {"colour": view.colour, "depth": view.depth, "known": view.known} if name == "room" else {}

    monkeypatch.setattr(truths, "FOLDER", tmp_path / "truths")
    monkeypatch.setattr(truths, "_march", march)
    holes = np.zeros(SIZE, bool)
    first, again = (truths.true_holes("room", "dolly in 1", view.camera, 0, holes, None) for _ in range(2))
    assert first is not None and again is not None and (again.colour == view.colour).all() and marched == ["room"]
    assert truths.true_holes("wall", "dolly in 1", view.camera, 0, holes, None) is None
    truths.true_holes("room", "dolly in 1", view.camera, 0, ~holes, None)
    assert marched == ["room", "wall", "room"], "other holes are other truths"
