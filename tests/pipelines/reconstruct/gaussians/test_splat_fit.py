"""Splats fit a small scene, multiply within their budget, tolerate errors of cameras and colours, and can be stopped."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from bench.room import orbit, shot
from camera.cloud import PointCloud, cloud_of
from camera.errors import InputError
from camera.path import CameraPath
from camera.rotation import from_pan_tilt_roll
from camera.view import FAR, Scene, View
from pipelines.method import Progress
from pipelines.reconstruct.gaussians import fit as fit_module
from pipelines.reconstruct.gaussians.densify import Densifier
from pipelines.reconstruct.gaussians.fit import SplatFit, fit
from pipelines.reconstruct.gaussians.initialise import BACKDROP, add_backdrop, extent, initial_splats, log_confidence
from pipelines.reconstruct.gaussians.settings import SplatSettings
from pipelines.splats.drawing import drawing_on, render_path
from tests.scenes.splat_room import HEIGHT, VIEWS, WIDTH, room


def finished(steps):
    found = list(steps)
    return [each for each in found if isinstance(each, SplatFit)], [
        each for each in found if isinstance(each, Progress)
    ]


def test_a_small_scene_is_learnt_and_each_answer_is_better(monkeypatch):
    frames, path, cloud = room()
    monkeypatch.setattr(fit_module, "PREVIEW_SECONDS", math.inf)
    made, progress = finished(
        fit(frames, path, cloud, settings=SplatSettings(iterations=120, most_splats=800), device="cpu")
    )
    assert [each.psnr for each in made] == sorted(each.psnr for each in made)
    assert made[-1].psnr > 27 > made[0].psnr + 5
    assert 400 < len(made[-1].splats) <= 800
    previews = [step.preview for step in progress if step.preview is not None]
    assert len(previews) == 11 and previews[0].shape == (HEIGHT, WIDTH, 3)
    assert [step.step for step in progress] == list(range(1, 121))
    flight = list(render_path(made[-1].splats, path, drawing=drawing_on("cpu")))
    error = np.mean((np.stack([colour for colour, _ in flight]).astype(float) - frames) ** 2)
    assert 10 * np.log10(255**2 / error) > 24 and not np.mean([holes for _, holes in flight]) > 0.05


def test_held_back_frames_measure_it_and_stopping_keeps_the_last(monkeypatch):
    monkeypatch.setattr(fit_module, "PREVIEW_SECONDS", math.inf)
    frames, path, cloud = room()
    settings = SplatSettings(iterations=100, most_splats=300, hold_back=5, appearance=False)
    steps = fit(frames, path, cloud, settings=settings, device="cpu")
    first, kept = [each for each in itertools.islice(steps, 12) if isinstance(each, SplatFit)]
    steps.close()
    assert (
        kept.held_back and (first.iteration, kept.iteration) == (1, 10) and "held back from the fit" in kept.sentence()
    )


@pytest.mark.parametrize("stopped_after", [1, 2, 9])
def test_at_whatever_moment_it_is_stopped_the_best_so_far_is_there(monkeypatch, stopped_after):
    """Checks are a hundred steps apart; with a clock that jumps 1.5 seconds per reading, previews come sooner."""
    monkeypatch.setattr(fit_module, "monotonic", itertools.count(0, 1.5).__next__)
    frames, path, cloud = room()
    settings = SplatSettings(iterations=1000, most_splats=200, appearance=False)
    kept, seen = None, []
    steps = fit(frames, path, cloud, settings=settings, device="cpu")
    for step in steps:
        if isinstance(step, SplatFit):
            assert kept is None or step.psnr > kept.psnr
            kept = step
        else:
            seen += [step.step] if step.preview is not None else []
            if step.step == stopped_after:
                break
    steps.close()
    assert kept is not None and len(kept.splats) and kept.iteration == seen[-1]
    assert seen == [each for each in (1, 4, 7) if each <= stopped_after]


def test_cameras_that_are_off_come_nearer():
    frames, path, cloud = room()
    poses = path.world_from_camera.copy()
    poses[3, :3, :3] = poses[3, :3, :3] @ from_pan_tilt_roll(2, 1, 0)
    wrong = path.with_poses(poses)
    settings = SplatSettings(iterations=120, most_splats=400, refine_poses=True, appearance=False)
    made, _ = finished(fit(frames, wrong, cloud, settings=settings, device="cpu"))
    refined = made[-1].path

    def off_px(given: CameraPath) -> float:
        seen = [
            (cloud.points @ c[:3, :3].T + c[:3, 3]) @ given.intrinsics[3].T for c in (given.camera_from_world[3], truth)
        ]
        return float(np.linalg.norm(seen[0][:, :2] / seen[0][:, 2:] - seen[1][:, :2] / seen[1][:, 2:], axis=1).mean())

    truth = path.camera_from_world[3]
    assert off_px(wrong) > 1 and off_px(refined) < 0.7 * off_px(wrong)
    np.testing.assert_allclose(refined.world_from_camera[0], path.world_from_camera[0], atol=1e-6)


def test_a_frame_of_another_brightness_is_forgiven():
    frames, path, cloud = room()
    darker = frames.copy()
    darker[2] = (frames[2] * 0.4).astype(np.uint8)

    def decibels(own: bool, seed: int) -> float:
        settings = SplatSettings(iterations=100, most_splats=300, appearance=own, seed=seed)
        return finished(fit(darker, path, cloud, settings=settings, device="cpu"))[0][-1].psnr

    plain, forgiven = (np.mean([decibels(own, seed) for seed in range(3)]) for own in (False, True))
    assert forgiven > plain


def test_weights_decide_what_is_learnt():
    frames, path, cloud = room()
    wrong = frames.copy()
    wrong[:, :, WIDTH // 2 :] = 255
    weights = np.ones(frames.shape[:3], np.float32)
    weights[:, :, WIDTH // 2 :] = 0
    settings = SplatSettings(iterations=40, most_splats=300, appearance=False)
    made, _ = finished(fit(wrong, path, cloud, settings=settings, weights=weights, device="cpu"))
    colour, _ = next(render_path(made[-1].splats, path))
    assert colour[:, WIDTH // 2 + 4 :].mean() < 200


def test_what_multiplies_looks_the_same_at_first_and_keeps_the_budget():
    cloud = room()[2]
    splats = initial_splats(cloud, 1)
    growing = Densifier(splats, extent=1.0, middle=torch.zeros(3), generator=torch.Generator().manual_seed(0))
    loss = torch.stack([tensor.square().sum() for tensor in growing.parameters.values()]).sum()
    loss.backward()
    growing.step(0.1)
    growing.observe(torch.rand(len(splats), 2), torch.ones(len(splats), dtype=torch.bool), 200, 200)
    growing.densify(50)
    assert len(growing) == len(splats) + 50
    for name, tensor in growing.parameters.items():
        assert growing.adam.state[tensor]["exp_avg"].shape == tensor.shape, name
        assert tensor.requires_grad
    with torch.no_grad():
        growing.parameters["logit_opacities"][:100] = -9
    growing.prune(large_too=False)
    assert len(growing) == len(splats) - 50
    growing.reset_opacities()
    assert float(growing.parameters["logit_opacities"].detach().sigmoid().max()) <= 0.0101


def test_the_beginning_has_a_backdrop_where_the_sky_is():
    frames, path, _ = room()
    depth = np.full((HEIGHT, WIDTH), 2.0, np.float32)
    depth[:8] = FAR
    views = tuple(View.of(f, depth, path.intrinsics[0], pose) for f, pose in zip(frames, path.world_from_camera))
    scene = Scene(views, "views")
    cloud = cloud_of(scene)
    both = add_backdrop(cloud, scene)
    far = np.linalg.norm(both.points[len(cloud) :] - path.centres.mean(axis=0), axis=1)
    assert len(far) > 20 and np.all(np.abs(far - BACKDROP * 2) < 1.5)
    assert extent(cloud, path) == pytest.approx(
        np.median(np.linalg.norm(cloud.points - path.centres.mean(axis=0), axis=1))
    )


def test_a_pixel_that_no_view_confirms_has_no_weight():
    _, path, _ = room()
    views = [shot(orbit(HEIGHT, WIDTH, float(angle))) for angle in np.linspace(-8, 8, VIEWS)]
    depth = views[2].depth.copy()
    depth[4:12, 10:20] *= 0.5
    views[2] = View.of(views[2].colour, depth, path.intrinsics[2], path.world_from_camera[2])
    confidence = log_confidence(Scene(tuple(views), "views"))
    assert confidence.shape == (VIEWS, HEIGHT, WIDTH)
    assert confidence[2, 4:12, 10:20].mean() < 0.1 < np.log(3) < confidence[2, 14:, 10:20].mean()


def test_wrong_input_is_said():
    frames, path, cloud = room()
    for values, words in (
        ((frames[:2], path, cloud), "shot on"),
        ((frames[:2], path.sliced(slice(2)), cloud), "at least 3 frames"),
        ((frames, path, PointCloud(cloud.points[:4], cloud.colours[:4])), "at least 10 initial points"),
    ):
        with pytest.raises(InputError, match=words):
            next(fit(*values, device="cpu"))
    with pytest.raises(InputError, match="leaves 0 for the fit"):
        next(fit(frames, path, cloud, settings=SplatSettings(hold_back=1), device="cpu"))
    with pytest.raises(InputError, match="package lpips"):
        next(fit(frames, path, cloud, settings=SplatSettings(lpips=0.3), device="cpu"))
    with pytest.raises(InputError, match="one weight for each pixel"):
        next(fit(frames, path, cloud, weights=np.ones((1, 2, 3), np.float32), device="cpu"))
