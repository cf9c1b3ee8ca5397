"""The judge of fillings: the truth is faultless, and what differs or flickers is counted in the holes alone."""

import numpy as np

from bench.drawing.completion import edge_energy, judge_filling
from bench.room import front

SIZE = (96, 160)


def test_the_truth_is_faultless_and_faults_count_in_the_holes_alone():
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


def test_edge_energy_leaves_out_the_outline():
    picture = np.zeros((*SIZE, 3), np.uint8)
    holes = np.zeros(SIZE, bool)
    holes[20:60, 30:90] = True
    picture[holes] = 200
    assert edge_energy(picture, holes) == 0
