"""Conditioning, schedule and loop against the original's values, on its tiny networks."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLTemporalDecoder, EulerDiscreteScheduler
from safetensors.torch import load_file

from camera.path import CameraPath
from pipelines.methods.genxd.conditioning import Condition, latent_rays
from pipelines.methods.genxd.network.unet import GenXDUNet
from pipelines.methods.genxd.network.vae import decode, encode
from pipelines.methods.genxd.sampling import denoise, first_step
from pipelines.weights.checkpoints import load_strict, on_meta_device

CASES = ("single_forward_3d", "single_orbit_4d", "video_mode", "fewshot_3views", "mid_view_4d", "sdedit")
SIZE = 64


@pytest.fixture(scope="module")
def tiny(golden):
    folder = golden / "genxd/tiny"

    def network(kind, name):
        config = json.loads((folder / f"{name}_config.json").read_text())
        state = {key: value.float() for key, value in load_file(folder / f"{name}_f8.safetensors").items()}
        built = on_meta_device(lambda: kind(**config))
        load_strict(built, state)
        return built

    scheduler = EulerDiscreteScheduler(**json.loads((folder / "scheduler_config.json").read_text()))
    return network(GenXDUNet, "unet"), network(AutoencoderKLTemporalDecoder, "vae"), scheduler


@pytest.fixture(scope="module")
def arrays(golden):
    return np.load(golden / "genxd/tiny/pipeline_io.npz")


@pytest.fixture(scope="module")
def cases(golden):
    return json.loads((golden / "genxd/tiny/pipeline_cases.json").read_text())


def cameras(poses, lenses):
    """From lenses in fractions of the picture size, as in the original code."""
    pixels = np.diag([SIZE, SIZE, 1.0]) @ lenses
    pixels[:, :2, 2] -= 0.5
    return CameraPath(poses, pixels, SIZE, SIZE)


def condition(tiny, arrays, cases, name):
    pictures = torch.from_numpy(arrays[f"{name}/context_image"])
    frames = tuple(int(i) for i in arrays[f"{name}/context_index"])
    path = cameras(arrays[f"{name}/target_c2w"], arrays[f"{name}/target_K"].astype(float))
    case = cases[name]
    return Condition.of(
        encode(tiny[1], pictures),
        frames,
        path,
        scale=1.0,
        indicator=case["indicator"],
        motion=case["motion_strength"],
    )


@pytest.mark.parametrize("name", ["forward_readme", "orbit_default", "forward_elev", "orbit_part_pad"])
def test_rays_equal_the_original(golden, name):
    file = np.load(golden / "genxd/cameras.npz")
    path = cameras(file[f"{name}/c2w"], file[f"{name}/K"].astype(float))
    rays = latent_rays(path, int(file[f"{name}/context_index"][0]), scale=1.0)
    np.testing.assert_allclose(rays, file[f"{name}/plucker"], atol=5e-6)


@pytest.mark.parametrize("name", CASES[:-1])
def test_what_the_network_sees_equals_the_original(tiny, arrays, cases, name):
    noisy = torch.from_numpy(arrays[f"{name}/noise"])
    scheduler = tiny[2]
    scheduler.set_timesteps(cases[name]["num_inference_steps"])
    scaled = scheduler.scale_model_input(noisy * scheduler.init_noise_sigma, scheduler.timesteps[0])
    with torch.inference_mode():
        inputs = condition(tiny, arrays, cases, name).inputs(scaled, guided=True)
    np.testing.assert_allclose(inputs["sample"], arrays[f"{name}/step0/sample"], atol=1e-5)
    for key in ("added_time_ids", "indicator", "motion_ids"):
        np.testing.assert_allclose(inputs[key], arrays[f"{name}/step0/{key}"])


@pytest.mark.parametrize("name", CASES)
def test_every_step_and_the_frames_equal_the_original(tiny, arrays, cases, name):
    unet, vae, scheduler = tiny
    case = cases[name]
    options = {"steps": case["num_inference_steps"], "guidance": case["guidance_scale"]}
    generator = torch.Generator().manual_seed(case["seed"])
    with torch.inference_mode():
        given = condition(tiny, arrays, cases, name)
        if name == "sdedit":
            video = torch.rand(1, 4, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(5))[0]
            options |= {"start": encode(vae, video, generator=generator)[None], "strength": case["strength"]}
        noise = torch.randn(given.clean.shape, generator=generator)
        if name != "sdedit":
            np.testing.assert_array_equal(noise, arrays[f"{name}/noise"])
        steps = [latents for latents, _ in denoise(unet, scheduler, given, noise, **options)]
        frames = decode(vae, given.restored(steps[-1])[0])
    np.testing.assert_allclose(scheduler.sigmas, arrays[f"{name}/sigmas"], rtol=1e-4)
    for i, latents in enumerate(steps):
        np.testing.assert_allclose(latents, arrays[f"{name}/step{i}/latents"], atol=3e-3, err_msg=f"step {i}")
    assert f"{name}/step{len(steps)}/latents" not in arrays
    if f"{name}/frames_f16" in arrays:
        np.testing.assert_allclose(frames, arrays[f"{name}/frames_f16"].astype(np.float32), atol=3e-3)
    else:
        found = np.stack([frames.mean((1, 2, 3)), frames.std((1, 2, 3))], axis=1)
        np.testing.assert_allclose(found, arrays[f"{name}/frames_mean_std"], atol=1e-4)


def test_without_guidance_the_conditional_pass_alone_is_made(tiny, arrays, cases):
    """The original crashes here; guidance 1 must give what its formula says, the conditional prediction."""
    given = condition(tiny, arrays, cases, "single_forward_3d")
    noise = torch.from_numpy(arrays["single_forward_3d/noise"])
    with torch.inference_mode():
        (one, _), *_ = denoise(tiny[0], tiny[2], given, noise, steps=3, guidance=1)
        (near, _), *_ = denoise(tiny[0], tiny[2], given, noise, steps=3, guidance=1 + 1e-7)
    torch.testing.assert_close(one, near, atol=2e-3, rtol=0)


@pytest.mark.parametrize(("steps", "name"), [(25, "sched25"), (10, "sched10")])
def test_schedule_equals_the_original(tiny, arrays, steps, name):
    scheduler = tiny[2]
    scheduler.set_timesteps(steps)
    np.testing.assert_allclose(scheduler.timesteps, arrays[f"{name}/timesteps"], rtol=1e-4)
    np.testing.assert_allclose(scheduler.sigmas, arrays[f"{name}/sigmas"], rtol=1e-4)
    np.testing.assert_allclose(float(scheduler.init_noise_sigma), float(arrays[f"{name}/init_noise_sigma"]), rtol=1e-4)


@pytest.mark.parametrize(("strength", "first"), [(0.6, 2), (1.0, 0), (0.1, 4), (0.0, 4)])
def test_a_start_always_leaves_a_step(strength, first):
    assert first_step(5, strength) == first
