"""Third-party models: a matcher, and a model that returns cameras and depth at once."""

import numpy as np
import pytest

from camera.evaluation.paths import fit_similarity, rotation_error_degrees
from camera.unproject import points_of
from camera.view import Scene
from pipelines.reconstruct.pipeline import Reconstruction, Shots, make, shots_of_views
from tests.scenes.reconstruct_room import path_of, room, to_surface


@pytest.fixture(scope="module")
def truth() -> Scene:
    return room(48, 64)


def dense_matcher(scene: Scene):
    """Output like MASt3R's: pixels of each picture that show the same points, here from the middle view's true depth."""
    y, x = (each.ravel() for each in np.mgrid[2:46:2, 2:62:2])
    places = points_of(scene.views[2])[y, x]
    asked: list = []

    def matcher(pictures, wanted):
        asked.extend(wanted)
        keypoints, seen = [], []
        for view in scene.views:
            pose = np.linalg.inv(view.world_from_camera)
            local = places @ pose[:3, :3].T + pose[:3, 3]
            pixel = (local @ view.intrinsics.T)[:, :2] / local[:, 2:]
            column, row = pixel.round().astype(int).clip(0, [63, 47]).T
            keypoints.append(pixel.astype(np.float32))
            seen.append(np.abs(view.depth[row, column] / local[:, 2] - 1) < 0.02)
        pairs = {(i, j): np.repeat(np.flatnonzero(seen[i] & seen[j])[:, None], 2, axis=1) for i, j in wanted}
        return keypoints, pairs

    return matcher, asked


def test_a_matcher_finds_the_cameras(truth):
    matcher, asked = dense_matcher(truth)
    path = path_of(truth)
    depth = np.stack([view.depth for view in truth.views])
    shots = Shots(np.stack([view.colour for view in truth.views]), path, "room", depth)
    made = list(make(shots, "points", cameras="refined", matcher=matcher))[-1]
    assert isinstance(made, Reconstruction) and len(asked) == 10
    assert rotation_error_degrees(made.path, path).max() < 0.2
    assert "5 of 5 frames placed" in made.notes[0]


def test_cameras_and_depth_of_a_model_are_one_world_of_its_own(truth):
    """Output like VGGT's: a different scale and origin, but depth that fits its cameras."""
    first = np.linalg.inv(truth.first.world_from_camera)
    path = path_of(truth)
    own = path.with_poses(first @ path.world_from_camera).scaled(0.3)
    depth = np.stack([0.3 * view.depth for view in truth.views])
    shots = Shots(np.stack([view.colour for view in truth.views]), own, "room", depth, aligned=True, source="a model")
    made = list(make(shots, "points"))[-1]
    back = fit_similarity(own.centres, path.centres)
    assert np.median(to_surface(back(made.cloud.points))) < 1e-3 and made.notes[0] == "Depth: a model."


def test_what_moves_is_left_out(truth):
    from dataclasses import replace

    moving = np.zeros((5, 48, 64), bool)
    moving[:, 10:30, 20:40] = True
    made = list(make(replace(shots_of_views(truth), moving=moving), "points"))[-1]
    assert made.scene is not None and not made.scene.views[2].known[10:30, 20:40].any()
