"""GenXD's tab: what can be dropped on it, what it shows of that, and what a run leaves in the page."""

from __future__ import annotations

import numpy as np
import pytest

from camera.path import CameraPath, pinhole
from camera.view import Scene, View
from pipelines import method
from tabs.take import PATH_FILE, Take

GENXD = method("genxd")
SIZE = 64


def posed(*x: float) -> Scene:
    """Views side by side at ``x``, of a wall 3 away."""
    views = []
    for place in x:
        pose = np.eye(4)
        pose[0, 3] = place
        colour = np.random.default_rng(len(views)).integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8)
        views.append(View.of(colour, np.full((SIZE, SIZE), 3.0), pinhole(SIZE, SIZE, 50), pose))
    return Scene(tuple(views), "views")


@pytest.mark.parametrize("with_the_scene", [True, False])
def test_known_cameras_are_taken_where_they_stand(with_the_scene):
    """Cameras of the scene's own world are neither begun at the picture nor resampled; a plain path file is both."""
    scene, moves = posed(1.0, 2.0), GENXD.moves(width=SIZE, height=SIZE)
    known = CameraPath(
        np.stack([view.world_from_camera for view in posed(5, 6, 8).views]), pinhole(SIZE, SIZE, 50), SIZE, SIZE
    )
    take = Take().opened(scene).with_own(known, as_given=with_the_scene)
    drawn = take.drawn(GENXD, moves, PATH_FILE)
    assert (len(drawn.path), drawn.path.centres[0, 0]) == ((3, 5.0) if with_the_scene else (12, 1.0))
    again = take.drawn(GENXD, moves, PATH_FILE, as_given=True)
    np.testing.assert_array_equal(again.path.centres, known.centres)
    assert (drawn.opened(scene).own is None) == with_the_scene, "another scene has other cameras"
