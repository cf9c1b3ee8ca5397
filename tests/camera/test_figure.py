"""The figure is valid Plotly, small, quick, and its camera stands where the path says."""

import json
import time

import numpy as np
import plotly.graph_objects as go
import pytest

from camera.figure import cloud, figure, frustum_lines, plain, spec, to_display
from camera.path import CameraPath, pinhole
from camera.view import Scene, View


@pytest.fixture(scope="module")
def scene() -> Scene:
    rows, columns = np.indices((90, 160))
    colour = np.stack([rows * 2, columns, rows + columns], axis=-1).astype(np.uint8)
    depth = np.where(rows < 20, np.nan, 3 + columns / 160)
    return Scene((View.of(colour, depth, pinhole(160, 90, 60)),), unit="metres")


@pytest.fixture(scope="module")
def path() -> CameraPath:
    poses = np.repeat(np.eye(4)[None], 25, axis=0)
    poses[:, 0, 3] = np.linspace(0, 1, 25)
    return CameraPath(poses, pinhole(160, 90, 60), 160, 90)


def test_plotly_accepts_every_part(path, scene):
    made = figure(path, scene, nominal=True)
    assert isinstance(made, go.Figure) and len(made.frames) == 25
    assert "nominal" in made.layout.title.text.lower()
    assert {trace.name for trace in made.data} == {"scene", "picture", "frusta", "path", "camera"}


def test_the_travelling_camera_starts_its_lines_at_the_centre(path, scene):
    made = spec(path, scene)
    line = made["frames"][24]["data"][0]
    np.testing.assert_allclose([line["x"][0], line["y"][0], line["z"][0]], [1, 0, 0], atol=1e-6)


def test_forward_is_away_and_up_is_up_on_the_display():
    np.testing.assert_allclose(to_display(np.array([[0, 0, 1], [0, -1, 0]])), [[0, 1, 0], [0, 0, 1]])


def test_a_longer_lens_draws_a_narrower_frustum(path):
    tele = CameraPath(path.world_from_camera, pinhole(160, 90, 20), 160, 90)
    wide_line, tele_line = (frustum_lines(p, [0], 1.0)[0] for p in (path, tele))
    assert np.ptp(tele_line[1:3, 0]) < 0.5 * np.ptp(wide_line[1:3, 0])


def test_the_cloud_keeps_to_its_budget_and_leaves_out_the_sky(scene):
    points, colours = cloud(scene, 2000)
    assert 1000 < len(points) <= 2000 and len(points) == len(colours)
    assert points[:, 2].min() >= 3 and points[:, 2].max() < 4.1


def test_a_hundred_thousand_points_are_quick_and_small(path):
    rng = np.random.default_rng(0)
    colour = rng.integers(0, 255, (400, 640, 3), np.uint8)
    big = Scene((View.of(colour, np.full((400, 640), 2.0), pinhole(640, 400, 60)),))
    spec(path, big)
    start = time.perf_counter()
    text = json.dumps(plain(spec(path, big)))
    assert time.perf_counter() - start < 0.5
    assert len(text) < 1_000_000
