"""The object alone: found where the cameras look, or given by masks; in points, mesh and splats."""

import cv2
import numpy as np
import pytest

from bench.room import SPHERES
from camera.errors import InputError
from camera.view import FAR, Scene, View
from pipelines.reconstruct.gaussians.settings import SplatSettings
from pipelines.reconstruct.object_mask import cut_out, isolate_object, masks_of_files, object_masks
from pipelines.reconstruct.pipeline import Reconstruction, make, shots_of_views
from tests.scenes.reconstruct_room import room, to_surface


def on_spheres(points: np.ndarray, slack: float) -> np.ndarray:
    away = [np.abs(np.linalg.norm(points - np.array(centre), axis=-1) - radius) for centre, radius in SPHERES]
    return np.min(away, axis=0) < slack


def true_masks(scene: Scene) -> np.ndarray:
    from camera.unproject import points_of

    return np.stack([on_spheres(points_of(view), 1e-3) for view in scene.views])


@pytest.fixture(scope="module")
def small() -> Scene:
    return room(48, 64)


def made_of(shots, kind, **choices) -> Reconstruction:
    return [step for step in make(shots, kind, **choices) if isinstance(step, Reconstruction)][-1]


def test_what_stands_in_the_middle_is_found_without_floor_and_walls(small):
    found, truth = object_masks(small), true_masks(small)
    assert 0.05 < truth.mean() < 0.4
    assert (found & truth).sum() > 0.9 * (found | truth).sum()


def test_the_ground_that_carries_the_object_is_cut_away(small):
    """Spheres that stand directly on a floor, so that only the plane separates them."""
    views = []
    for view in small.views:
        y, x = np.mgrid[: view.height, : view.width]
        rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ np.linalg.inv(view.intrinsics).T
        down = rays @ view.world_from_camera[1, :3]
        with np.errstate(divide="ignore"):
            floor = (0.72 - view.world_from_camera[1, 3]) / down
        depth = np.where((floor > 0) & (floor < view.depth), floor, view.depth)
        views.append(View.of(view.colour, depth, view.intrinsics, view.world_from_camera))
    scene = Scene(tuple(views), "views")
    found = object_masks(scene)
    truth = true_masks(scene)
    assert (found & truth).sum() > 0.8 * (found | truth).sum()


@pytest.mark.parametrize("keep", ["object", "masks"])
def test_points_and_mesh_are_of_the_object_alone(small, keep):
    from dataclasses import replace

    shots = shots_of_views(small)
    shots = replace(shots, marked=true_masks(small)) if keep == "masks" else shots
    cloud = made_of(shots, "points", keep=keep).cloud
    assert len(cloud) > 500 and on_spheres(cloud.points, 0.02).mean() > 0.97
    mesh = made_of(shots, "mesh", keep=keep).mesh
    assert (
        mesh is not None
        and on_spheres(mesh.vertices, 0.1).mean() > 0.95
        and np.median(to_surface(mesh.vertices)) < 0.02
    )


def test_splats_of_the_object_are_clear_around_it(small):
    settings = SplatSettings(iterations=60, most_splats=600, appearance=False, background="white")
    made = made_of(shots_of_views(small), "splats", keep="object", settings=settings)
    from pipelines.splats.drawing import render_path

    (colour, holes), truth = next(render_path(made.fitted.splats, made.path)), true_masks(small)[0]
    inner = cv2.erode(truth.astype(np.uint8), np.ones((5, 5))).astype(bool)
    outer = ~cv2.dilate(truth.astype(np.uint8), np.ones((9, 9))).astype(bool)
    assert holes[outer].mean() > 0.95 and not holes[inner].mean() > 0.1
    assert np.abs(colour[inner].astype(float) - small.first.colour[inner]).mean() < 40


def test_the_edge_of_an_object_weighs_nothing_and_around_it_is_one_grey(small):
    scene = cut_out(small, true_masks(small))
    frames, weights = isolate_object(scene, 255)
    assert set(np.unique(weights)) == {0, 1} and 0.02 < (weights == 0).mean() < 0.5
    assert (frames[~true_masks(small) & (weights > 0)] == 255).mean() > 0.99
    assert all((view.depth[~view.known] == np.float32(FAR)).all() for view in scene.views)


def test_masks_are_read_by_transparency_or_brightness(tmp_path):
    marked = np.zeros((8, 12), np.uint8)
    marked[2:6, 3:9] = 255
    cv2.imwrite(str(tmp_path / "0.png"), marked)
    cv2.imwrite(str(tmp_path / "1.png"), np.dstack([np.full((8, 12, 3), 90, np.uint8), marked]))
    found = masks_of_files([tmp_path / "1.png", tmp_path / "0.png"], 2, 24, 16)
    assert found.shape == (2, 16, 24)
    np.testing.assert_array_equal(found[:, ::2, ::2], np.stack([marked > 0] * 2))
    with pytest.raises(InputError, match="Each of the 3 frames needs a mask, got 2"):
        masks_of_files([tmp_path / "1.png", tmp_path / "0.png"], 3, 24, 16)
    (tmp_path / "1.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"1\.png is not a readable picture"):
        masks_of_files([tmp_path / "1.png", tmp_path / "0.png"], 2, 24, 16)


def test_what_cannot_be_cut_out_is_said(small):
    shots = shots_of_views(small)
    for choices, words in (
        ({"keep": "masks"}, "needs a mask for each of the 5 frames"),
        ({"keep": "half"}, "The part to keep must be everything, object, masks"),
        ({"background": "stars"}, "The background is nothing, dome"),
        ({"keep": "object", "background": "dome"}, "has no background"),
    ):
        with pytest.raises(InputError, match=words):
            next(make(shots, "points", **choices))
    with pytest.raises(InputError, match="contain no pixel of known depth"):
        cut_out(small, np.zeros((5, 48, 64), bool))
    with pytest.raises(InputError, match="between 0 and 1"):
        object_masks(small, reach=2)
    wall = Scene(
        tuple(View.of(v.colour, np.full_like(v.depth, 3), v.intrinsics, v.world_from_camera) for v in small.views)
    )
    assert object_masks(wall).any()
