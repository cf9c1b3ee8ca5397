"""Noise levels and Euler steps against the original's."""

import pytest
import torch

from camera.errors import InputError
from pipelines.methods.dualcamctrl import schedule

from .conftest import golden_file


@pytest.fixture(scope="module")
def golden():
    return golden_file("scheduler")


@pytest.mark.parametrize("steps", [2, 5, 20, 50])
def test_naive_schedule(golden, steps):
    sigmas = schedule.sigmas(steps)
    torch.testing.assert_close(1000 * sigmas[:-1], golden[f"naive.{steps}.timesteps"], atol=2e-4, rtol=0)
    torch.testing.assert_close(sigmas[:-1], golden[f"naive.{steps}.sigmas"], atol=1e-6, rtol=0)
    assert sigmas[-1] == 0
    rounded = (1000 * sigmas[:-1]).to(torch.bfloat16).float()
    torch.testing.assert_close(rounded, golden[f"naive.{steps}.timesteps_bf16_as_fed_to_model"], atol=0, rtol=0)


def test_another_shift(golden):
    timesteps = 1000 * schedule.sigmas(10, shift=3.0)[:-1]
    torch.testing.assert_close(timesteps, golden["naive_shift_other.10.timesteps"], atol=2e-4, rtol=0)


@pytest.mark.parametrize("stage", ["early", "mid", "late"])
def test_stages_are_upstreams_without_the_padded_zeros(golden, stage):
    expected = golden[f"{stage}.50.sigmas"]
    torch.testing.assert_close(schedule.sigmas(50, stage=stage)[:-1], expected[expected > 0], atol=1e-6, rtol=0)


@pytest.mark.parametrize("stage", ["early", "mid", "late"])
@pytest.mark.parametrize("steps", [1, 2, 7, 31])
def test_stages_fall_from_one_whatever_the_steps(stage, steps):
    levels = schedule.sigmas(steps, stage=stage)
    assert levels[0] == 1 and (levels.diff() < 0).all() and levels[-1] == 0


def test_unknown_stage():
    with pytest.raises(InputError, match="early"):
        schedule.sigmas(5, stage="last")


@pytest.mark.parametrize(
    ("name", "dtype", "tolerance"), [("fp32", torch.float32, 1e-5), ("bf16", torch.bfloat16, 0.05)]
)
def test_walk(golden, name, dtype, tolerance):
    """Six steps with a synthetic velocity; both branches are in one batch."""
    sigmas = schedule.sigmas(6)
    start = golden[f"walk.{name}.0"]
    latents = torch.cat([start, start])
    for index in range(6):
        x, timestep = latents.float(), (1000 * sigmas[index]).to(dtype).float()
        velocity = (0.3 * x + torch.sin(2 * x + timestep / 500)).to(dtype)
        latents = schedule.euler_step(latents, velocity, sigmas[index], sigmas[index + 1])
        assert latents.dtype == dtype
        expected = golden[f"walk.{name}.{index + 1}"].float()
        torch.testing.assert_close(latents.float(), torch.cat([expected, expected]), atol=tolerance, rtol=0)
