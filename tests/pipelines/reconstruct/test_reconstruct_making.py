"""Making 3D waits for its turn on the GPU, stops on request, and reports both what cannot be made and what can."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from toy_method import TOY, behaviour, toy_shot

from camera.errors import InputError
from pipelines.method import Progress
from pipelines.options import RunOptions
from pipelines.reconstruct.display import files, render_flight, splats_for_viewer
from pipelines.reconstruct.gaussians.settings import SplatSettings
from pipelines.reconstruct.pipeline import Reconstruction, Shots, make, run, shots_of_views
from pipelines.runtime import runner
from pipelines.runtime.device import Device
from pipelines.runtime.runner import Runtime
from pipelines.shot import Shot
from pipelines.splats.files import read_ply
from tests.scenes.reconstruct_room import room
from tests.scenes.rendered_clip import render


class FullGpu(Device):
    """A GPU of 24 GB simulated in main memory, of which one loaded pipeline leaves 1 GB."""

    is_gpu = True
    label = "full GPU"

    def __init__(self) -> None:
        super().__init__("cpu")

    def free_bytes(self) -> int:
        return (1 if behaviour.alive else 24) * 10**9

    def bytes_of(self, networks) -> int:
        return 0

    def finish(self) -> None:
        pass

    def start_peak(self) -> None:
        pass

    def peak_bytes(self) -> int:
        return 0


@pytest.fixture
def gpu(monkeypatch) -> Runtime:
    runtime = Runtime(FullGpu())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(runner, "default", lambda: runtime)
    return runtime


@pytest.fixture(scope="module")
def shots() -> Shots:
    return shots_of_views(room(24, 32))


def test_it_waits_for_its_turn_and_has_the_gpu_cleared(gpu, shots):
    list(gpu.run(Shot(TOY, *toy_shot(), RunOptions(weights="tiny"))))
    assert gpu.loaded and behaviour.alive
    before = gpu.exclusive(lambda: iter(range(2)))
    next(before)
    steps = run(shots, "points")
    waiting = next(steps)
    assert isinstance(waiting, Progress) and (waiting.phase, waiting.note) == (
        "Waiting for the device",
        "1 job before this one",
    )
    assert gpu.loaded, "nothing is cleared before its turn"
    before.close()
    made = list(steps)
    assert isinstance(made[-1], Reconstruction) and len(made[-1].cloud) > 100
    assert not gpu.loaded and gpu.waiting == 0


def test_who_cancels_lets_the_next_begin(gpu, shots):
    steps = run(shots, "points")
    assert next(steps).phase == "Placing cameras"
    other = run(shots, "points")
    assert next(other).phase == "Waiting for the device"
    steps.close()
    assert isinstance(list(other)[-1], Reconstruction) and gpu.waiting == 0
    waiting = run(shots, "points")
    held = gpu.exclusive(lambda: iter(range(2)))
    next(held)
    next(waiting)
    waiting.close()
    assert gpu.waiting == 1
    held.close()
    assert gpu.waiting == 0


def test_what_is_not_known_is_refused_in_its_turn_and_frees_it(gpu, shots):
    with pytest.raises(InputError, match="points, mesh, splats"):
        next(run(shots, "clay"))
    assert gpu.waiting == 0


def test_with_refined_cameras_everything_stands_where_those_are(shots):
    small = SplatSettings(iterations=10, most_splats=200)
    refined = [
        each
        for each in make(shots, "splats", settings=replace(small, refine_poses=True))
        if isinstance(each, Reconstruction)
    ]
    assert refined and refined[-1].fitted is not None
    np.testing.assert_array_equal(refined[-1].path.world_from_camera, refined[-1].fitted.path.world_from_camera)
    moved = np.abs(refined[-1].path.world_from_camera - shots.path.world_from_camera).max(axis=(1, 2))
    assert moved[0] < 1e-6 and (moved[1:] > 1e-5).all(), "the first camera is the world's anchor"
    assert (refined[-1].path.width, refined[-1].path.height) == (shots.path.width, shots.path.height)
    as_given = next(each for each in make(shots, "splats", settings=small) if isinstance(each, Reconstruction))
    np.testing.assert_array_equal(as_given.path.world_from_camera, shots.path.world_from_camera)


def test_the_fit_weighs_pixels_by_confidence_and_sky_in_full(shots, monkeypatch):
    from pipelines.reconstruct.gaussians import fit

    assert shots.depth is not None
    depth = shots.depth.copy()
    depth[:, :4] = np.nan
    depth[2, 10:16, 12:20] *= 0.5
    used: list[np.ndarray] = []
    plain = fit.photometric

    def seen(render, frame, weight):
        used.append(weight.numpy())
        return plain(render, frame, weight)

    monkeypatch.setattr(fit, "photometric", seen)
    settings = SplatSettings(iterations=10, most_splats=200, confidence="linear")
    list(make(replace(shots, depth=depth), "splats", settings=settings))
    assert len(used) == 10 and all(weight[:3].min() == 1 for weight in used)
    contradicted = min(float(weight[11:15, 13:19].mean()) for weight in used)
    assert contradicted < 0.2 < 0.6 < np.median([weight[18:, 4:28].mean() for weight in used])


def test_a_fit_that_is_stopped_leaves_whole_files(shots):
    steps = make(shots, "splats", settings=SplatSettings(iterations=20, most_splats=200), background="dome")
    made = next(each for each in steps if isinstance(each, Reconstruction))
    steps.close()
    assert made.fitted is not None and made.fitted.iteration < 20
    written = files(made)
    whole = read_ply(written["splats.ply"])
    assert len(whole) == len(written["scene.splat"]) // 32 > len(made.fitted.splats)
    assert {"points.ply", "colmap.zip", "nerfstudio.zip", "background.ply"} <= set(written)
    assert len(read_ply(splats_for_viewer(made))) > 10
    assert next(render_flight(made, made.path)).shape == shots.frames.shape[1:]


# --- what cannot be made ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clip():
    """The clip at half the size."""
    truth = render(6, speed=0, travel=1.0)
    frames = np.stack([cv2.resize(frame, (160, 128), interpolation=cv2.INTER_AREA) for frame in truth.frames])
    return Shots(frames, truth.path.resized(160, 128), "clip", truth.depth[:, ::2, ::2].astype(np.float32))


def said(shots: Shots, kind: str = "points", **choices) -> str:
    with pytest.raises(InputError) as error:
        list(make(shots, kind, **choices))
    return str(error.value)


def test_too_few_frames(clip):
    two = replace(clip, frames=clip.frames[:2], path=clip.path.sliced(slice(2)), depth=clip.depth[:2])
    assert "at least 3 frames, got 2. A flat video can still be made" in said(two)


def test_no_parallax(clip):
    turning = clip.path.with_poses(np.repeat(np.eye(4)[None], 6, axis=0))
    still = replace(clip, frames=np.repeat(clip.frames[:1], 6, axis=0), path=turning)
    words = said(still)
    assert "too little parallax" in words and "use a move that changes position more" in words
    assert "too little parallax" in said(replace(still, aligned=True))


def test_cameras_that_contradict_the_frames(clip):
    poses = clip.path.world_from_camera.copy()
    poses[:, 0, 3] *= -1
    words = said(replace(clip, path=clip.path.with_poses(poses)))
    assert "contradict the frames" in words and "have the cameras refined or estimated" in words
    views = room(24, 32).views
    wrong = replace(
        room(24, 32),
        views=tuple(replace(v, world_from_camera=views[-1 - i].world_from_camera) for i, v in enumerate(views)),
    )
    made = list(make(shots_of_views(wrong), "points"))[-1]
    assert (
        isinstance(made, Reconstruction)
        and "Doubtful" in made.sentence()
        and "contradict the frames" in made.sentence()
    )
    assert "Doubtful" not in list(make(shots_of_views(room(24, 32)), "points"))[-1].sentence()


def test_a_scene_that_moves(clip):
    """Every frame is different noise: nothing is static."""
    noise = np.random.default_rng(0).integers(0, 255, (6, 32, 40, 3), np.uint8).repeat(4, 1).repeat(4, 2)
    words = said(replace(clip, frames=noise))
    assert "the scene moves" in words and "mask moving parts" in words


def test_without_depth_splats_and_points_begin_from_few_points_and_a_mesh_says_what_it_lacks(clip):
    bare = replace(clip, depth=None)
    made = list(make(bare, "points", depth_model="small"))[-1]
    assert isinstance(made, Reconstruction) and made.scene is None and "triangulated points" in made.notes[0]
    assert "Without depth the cameras and a sparse cloud can still be made" in said(bare, "mesh")
    assert "can still be made" in said(bare, "points", keep="object")
