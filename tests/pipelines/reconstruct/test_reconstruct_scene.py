"""Frames become one world: flickering depth is fitted to the cameras; if something cannot be 3D, the message says what can."""

import numpy as np
import pytest

from camera.errors import InputError
from camera.view import Scene, View
from pipelines.estimation.depth_fit import SparseDepth, fit_to
from pipelines.method import Clip
from pipelines.reconstruct.points import fuse_points
from pipelines.reconstruct.scene import scene_from_frames, scene_of_result, sparse_cloud
from tests.scenes.rendered_clip import render


@pytest.fixture(scope="module")
def truth():
    return render(6, speed=0, travel=1.0)


@pytest.fixture(scope="module")
def flickering(truth):
    """The true depth with a different scale and offset of inverse depth in every frame, and one corner without depth."""
    random = np.random.default_rng(0)
    scale, offset = random.uniform(0.5, 3, (6, 1, 1)), random.uniform(0, 0.1, (6, 1, 1))
    depth = (1 / (scale / truth.depth + offset)).astype(np.float32)
    depth[:, :20, :30] = np.inf
    return depth


def finished(steps):
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def missed(scene, truth):
    return [np.median(np.abs(v.depth / d - 1)[v.known]) for v, d in zip(scene.views, truth.depth)]


def test_flickering_depth_is_brought_to_the_cameras_scale(truth, flickering):
    scene = finished(scene_from_frames(truth.frames, truth.path, depth=flickering))
    assert scene.kind == "views" and len(scene.views) == 6 and "are static" in scene.source
    assert max(missed(scene, truth)) < 0.02
    assert not scene.first.known[:20, :30].any()
    cloud = finished(fuse_points(scene, tolerance=0.05))
    away = np.minimum(
        np.abs(cloud.points[:, 2] - 6), np.abs(cloud.points[:, 1] - 1.3)
    )  # wall and floor; the board is static
    assert np.median(away) < 0.05


def test_a_depth_model_is_asked_for_every_frame(truth, flickering):
    answers = iter(flickering)
    scene = finished(
        scene_from_frames(truth.frames, truth.path, estimate=lambda frame: next(answers), source="a model")
    )
    assert max(missed(scene, truth)) < 0.02 and scene.source.startswith("a model")


def test_depth_that_contradicts_the_points_is_said_to(truth):
    scene = finished(scene_from_frames(truth.frames, truth.path, depth=(30 / truth.depth**2).astype(np.float32)))
    assert "doubtful" in scene.source


def test_aligned_depth_stays_as_it_is(truth):
    depth = truth.depth.astype(np.float32)
    scene = finished(scene_from_frames(truth.frames, truth.path, depth=depth, aligned=True))
    np.testing.assert_array_equal(scene.views[2].depth, depth[2])


def test_refined_cameras_lay_the_scene_into_the_given_world(truth, flickering):
    off = truth.path.world_from_camera.copy()
    off[2, :3, 3] += [0.05, -0.04, 0.05]
    off[4, :3, 3] += [-0.05, 0.03, 0.02]
    scene = finished(scene_from_frames(truth.frames, truth.path.with_poses(off), depth=flickering, cameras="refined"))
    places = np.array([view.world_from_camera[:3, 3] for view in scene.views])
    assert np.abs(places - truth.path.centres).max() < 0.03 and max(missed(scene, truth)) < 0.05
    assert "6 of 6 frames placed" in scene.source


def test_a_result_uses_the_depth_it_was_generated_with(truth, flickering):
    views = tuple(
        View.of(frame, depth, lens, camera)
        for frame, depth, lens, camera in zip(
            truth.frames, flickering, truth.path.intrinsics, truth.path.world_from_camera
        )
    )
    made = Scene(views, "clip", source="generated depth")
    scene = finished(scene_of_result(Clip(truth.frames, 12, truth.path, scene=made)))
    assert scene.source.startswith("generated depth") and max(missed(scene, truth)) < 0.02


def test_only_the_object_is_kept_and_masks_must_fit(truth, flickering):
    scene = finished(scene_from_frames(truth.frames, truth.path, depth=flickering, keep=truth.moving))
    for view, board in zip(scene.views, truth.moving):
        np.testing.assert_array_equal(view.known, board & view.known)
        assert view.known.sum() > 0.9 * board.sum()
    with pytest.raises(InputError, match="Masks must have the shape"):
        finished(scene_from_frames(truth.frames, truth.path, depth=flickering, keep=truth.moving[:3]))


def test_points_alone_need_no_depth(truth):
    cloud = sparse_cloud(truth.frames, truth.path)
    assert len(cloud) > 300 and np.median(np.abs(cloud.points[:, 2] - 6)) < 0.1


def test_what_cannot_be_3d_is_said_with_what_can(truth):
    depth = truth.depth.astype(np.float32)
    still = truth.path.with_poses(np.repeat(np.eye(4)[None], 6, axis=0))
    with pytest.raises(InputError, match=r"at least 3 frames, got 2\. A flat video"):
        finished(scene_from_frames(truth.frames[:2], truth.path.sliced(slice(2)), depth=depth[:2]))
    with pytest.raises(InputError, match=r"too little parallax.* A flat video"):
        finished(scene_from_frames(np.repeat(truth.frames[:1], 6, axis=0), still, depth=depth))
    backwards = truth.path.world_from_camera.copy()
    backwards[:, 0, 3] *= -1
    with pytest.raises(InputError, match=r"contradict the frames.* A flat video"):
        finished(scene_from_frames(truth.frames, truth.path.with_poses(backwards), depth=depth))
    with pytest.raises(InputError, match="one map per frame"):
        finished(scene_from_frames(truth.frames, truth.path, depth=depth[:5]))
    with pytest.raises(InputError, match="guessed layout is no 3D"):
        finished(scene_from_frames(truth.frames, truth.path, model="guess"))


def test_without_a_depth_model_the_sparse_points_are_offered(truth):
    def missing(frame):
        raise InputError("The depth model is not on this machine; fetch it.")

    with pytest.raises(InputError, match=r"fetch it\. Without depth the cameras and a sparse cloud"):
        finished(scene_from_frames(truth.frames, truth.path, estimate=missing))


def test_frames_that_show_no_placed_point_are_left_out_and_said_to_be(truth, flickering):
    frames = truth.frames.copy()
    frames[0] = 0
    depth = flickering.copy()
    depth[0] = 0.01
    scene = finished(scene_from_frames(frames, truth.path, depth=depth))
    assert len(scene.views) == len(frames) - 1 and "1 frames left out" in scene.source
    assert min(float(np.median(view.depth[view.known])) for view in scene.views) > 0.5


def test_half_of_the_points_on_one_plane_and_wrong_ones_do_not_bend_the_fit():
    """Like tracked corners: many are at one depth, and some on outlines have the depth of a different surface."""
    random = np.random.default_rng(0)
    near = np.concatenate([random.uniform(0.05, 0.3, 200), random.normal(0.1, 0.004, 260)])
    told = near + random.normal(0, 0.004, len(near))
    told[::6] += random.uniform(0, 0.15, len(told[::6]))
    depth = (0.5 / (near - 0.02)).astype(np.float32)[None]
    known = SparseDepth(np.stack([np.arange(len(near)), np.zeros(len(near))], axis=1), 1 / told)
    scale, offset = fit_to(depth, known)  # type: ignore[misc]
    assert scale == pytest.approx(0.5, rel=0.03) and offset == pytest.approx(0.02, abs=0.003)
