"""Which blocks of a depth map are one surface: depth edges are cut, planes are not, however steep their depth is."""

from __future__ import annotations

import numpy as np
import pytest

from camera.render.depth_mesh import joined_quads
from camera.render.painters import CUT_RATIO, PLANE_RUN, PLANE_TOLERANCE
from examples import load


def quads(depth: np.ndarray, slack: float = 0.0) -> np.ndarray:
    return joined_quads(
        depth.astype(np.float32),
        cut_ratio=CUT_RATIO,
        slack=slack,
        far=np.inf,
        plane_run=PLANE_RUN,
        plane_tolerance=PLANE_TOLERANCE,
    )


def floor() -> np.ndarray:
    """(60,40): depth of a floor whose first row is two pixels below the horizon."""
    return np.repeat(1000 / (np.arange(60)[:, None] + 2), 40, axis=1)


@pytest.mark.parametrize(
    "turn", [lambda d: d, lambda d: d[::-1].copy(), lambda d: d.T.copy(), lambda d: d.T[:, ::-1].copy()]
)
def test_a_plane_is_one_surface_up_to_its_far_end(turn):
    depth = floor()
    assert np.max(depth[:-1] / depth[1:]) > 1.3
    assert quads(turn(depth)).all()


def test_a_box_on_the_floor_is_cut_out():
    depth = floor()
    depth[20:45, 10:30] = depth[44, 0]
    whole = quads(depth)
    assert not whole[19, 10:29].any(), "its upper edge, before the far end of the floor"
    assert not whole[22:40, 9].any() and not whole[22:40, 29].any(), "its sides"
    assert whole[21:43, 11:28].all() and whole[:, :9].all() and whole[:, 31:].all()


def test_an_edge_that_a_depth_model_blurred_is_cut():
    """A ramp between two surfaces, shorter than the runs that show a plane."""
    across = np.interp(np.arange(60), [30, 30 + 2 * PLANE_RUN], [1 / 2, 1 / 6])
    whole = quads(np.repeat(1 / across[None], 20, axis=0))
    assert not whole[:, 30 : 30 + 2 * PLANE_RUN - 1].any()
    assert whole[:, :29].all() and whole[:, 31 + 2 * PLANE_RUN :].all()


def test_depth_that_is_missing_before_a_step_shows_no_plane():
    depth = floor()
    steep = np.flatnonzero((depth[:-1, 0] / depth[1:, 0]) > CUT_RATIO)
    depth[steep[-1] + 3 :] = 0
    assert not quads(depth)[steep[-1]].any()


def test_an_example_seen_by_its_own_camera_has_hardly_any_holes():
    from dataclasses import replace

    from camera.render.scene import render

    scene = load("mountain_lake")
    view = scene.views[0].at_most(480)
    assert render(replace(scene, views=(view,)), view.camera, renderer="mesh").holes.mean() < 0.005
