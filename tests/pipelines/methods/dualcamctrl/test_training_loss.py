"""Noise levels, weights and loss in training against the original's."""

import pytest
import torch

from pipelines.methods.dualcamctrl import cameras
from pipelines.methods.dualcamctrl.training import loss

from .conftest import golden_file


@pytest.fixture(scope="module")
def schedule():
    return golden_file("scheduler")


def test_levels_and_weights(schedule):
    timesteps = 1000 * loss.training_sigmas()
    torch.testing.assert_close(timesteps, schedule["training.timesteps"], atol=2e-4, rtol=0)
    torch.testing.assert_close(loss.level_weights(), schedule["training.weights"], atol=1e-4, rtol=1e-4)


def test_a_rounded_timestep_finds_its_level(schedule):
    level = loss.nearest_level(schedule["training.timestep_bf16"])
    assert level != schedule["training.tid"]
    torch.testing.assert_close(loss.level_weights()[level], schedule["training.weight_used"], rtol=1e-4, atol=0)
    noisy = loss.noisy(schedule["training.x0"], schedule["training.noise"], level)
    torch.testing.assert_close(noisy, schedule["training.noisy"], atol=1e-5, rtol=0)
    target = schedule["training.noise"] - schedule["training.x0"]
    torch.testing.assert_close(target, schedule["training.target"], atol=1e-6, rtol=0)


@pytest.mark.parametrize("drop", [0, 30, 200])
@torch.no_grad()
def test_loss(transformer, drop):
    golden, run = golden_file("training_loss"), golden_file("pipeline")
    level, noise = int(golden["timestep_id"]), golden["noise"]
    clean = (golden["x0"], golden["control_x0"])
    rgb, depth = (loss.noisy(latents, noise, level) for latents in clean)
    velocities = transformer(
        torch.cat([rgb, run["cond.y"]], 1),
        torch.cat([depth, run["cond.control_y"]], 1),
        1000 * loss.training_sigmas()[level : level + 1],
        run["cond.context"],
        run["cond.clip_feature"],
        torch.from_numpy(cameras.pack_rays(run["in.plucker"][0].numpy()))[None],
    )
    ours = loss.loss(velocities, clean, noise, level, drop)
    for name, value in (("total", ours.total), ("main", ours.rgb), ("control", ours.depth)):
        torch.testing.assert_close(value, golden[f"drop{drop}.{name}_loss"][0], rtol=2e-4, atol=0)
