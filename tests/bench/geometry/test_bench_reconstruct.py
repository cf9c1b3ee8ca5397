"""Reconstruction benchmarks: small runs give their rows, and the synthetic drift has the stated size."""

import numpy as np

from bench import QUICK
from bench.geometry.reconstruct import full_size, off_surface
from bench.geometry.reconstruct_orbit import add_drift, errors, orbit, turn_off
from camera.unproject import points_of
from examples import load


def test_quick_run_times_a_full_reconstruction():
    row = full_size(QUICK)
    assert "7 of 96 x 64" in row.what and "triangles" in row.agreement and row.target == "60 s in all"
    assert row.met is (row.ours_ms * 7 < 60_000)


def test_true_points_lie_on_the_surface_and_others_do_not():
    view = load("reading_room").first.resized(32, 18)
    points = points_of(view)[view.known]
    eye = view.world_from_camera[:3, 3]
    assert np.quantile(off_surface("reading_room", points, eye), 0.9) < 0.01
    half = off_surface("reading_room", eye + 0.5 * (points - eye), eye)
    assert np.median(half) > 0.1


def test_an_orbit_closes_and_its_drifted_copy_differs():
    truth = orbit("fox", 25, 48, 32)
    np.testing.assert_allclose(truth.world_from_camera[-1], truth.world_from_camera[0], atol=1e-9)
    assert np.ptp(np.linalg.norm(truth.centres[:-1] - truth.centres[:-1].mean(axis=0), axis=1)) < 1e-9
    off = add_drift(truth)
    np.testing.assert_array_equal(off.world_from_camera[0], truth.world_from_camera[0])
    assert (
        0.5 < turn_off(off, truth) < 5 and errors(truth, truth) == "0.00 deg, 0.0 % of the radius off, 0.0 % in shape"
    )
