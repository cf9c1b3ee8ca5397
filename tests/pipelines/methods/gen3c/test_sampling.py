"""Conditioning and sampling, step by step against the original code."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pipelines.methods.gen3c.network.latents import Condition, pose_latents, to_bytes, to_pictures
from pipelines.methods.gen3c.network.transformer import Gen3cTransformer
from pipelines.methods.gen3c.sampling import augmentation_noise, initial_noise, sample, schedule
from pipelines.methods.gen3c.weights.convert import load_transformer
from pipelines.weights.checkpoints import on_meta_device

from .conftest import GOLDEN_TRANSFORMER


def _arrays(path):
    with np.load(path) as arrays:
        return {key: torch.from_numpy(np.asarray(arrays[key], np.float32)) for key in arrays}


@pytest.fixture(scope="module")
def golden_run(golden):
    return _arrays(golden / "gen3c/sampling.npz")


def _toy_encode(table, dtype=torch.float32):
    """The toy tokenizer of the golden runs: 8x8 means, of the first frame alone, then of eight frames at a time."""

    def encode(video):
        small = F.avg_pool3d(video.to(dtype), (1, 8, 8))
        if small.shape[2] > 1:
            small = torch.cat([small[:, :, :1], F.avg_pool3d(small[:, :, 1:], (8, 1, 1))], dim=2)
        colours = torch.einsum("oc,bcthw->bothw", table[:, :3].to(dtype), small)
        return (colours + table[:, 3].to(dtype)[None, :, None, None, None]) * 0.5

    return encode


def _shown(condition, network):
    """The pipeline's choice: cache and prompt, or neither."""

    def denoise(x, timestep, mask, shown):
        text, pose = (condition.text, condition.pose) if shown else (condition.other_text, condition.pose * 0)
        return network(x, timestep, text, mask, pose)

    return denoise


def _fake(x, timestep, text, mask, pose):
    p0, p1, p2, p3 = pose.chunk(4, dim=1)
    out = torch.tanh(0.7 * x - 0.3 * p0 + 0.2 * p1 + 0.1 * p2 - 0.05 * p3)
    return out + 0.05 * torch.cos(timestep) + 0.2 * mask + text.mean()


def _condition(golden_run, buffers):
    pack = f"pack{buffers}/"
    return Condition(
        golden_run[pack + "latent_condition"], golden_run[pack + "condition_latent"][:, :, :1],
        golden_run["ctx"], golden_run["neg_ctx"],
    )  # fmt: skip


@pytest.mark.parametrize("steps", [35, 10, 4])
def test_noise_levels_and_their_ending(golden_run, steps):
    scheduler = schedule(steps)
    torch.testing.assert_close(scheduler.sigmas, golden_run[f"schedule/{steps}/sigmas"], rtol=1e-5, atol=0)
    torch.testing.assert_close(scheduler.timesteps, golden_run[f"schedule/{steps}/timesteps"], rtol=1e-5, atol=1e-6)
    assert scheduler.sigmas[-1] == 0 and scheduler.sigmas[-2] == pytest.approx(0.0002, rel=1e-4)
    assert scheduler.init_noise_sigma == pytest.approx(float(golden_run["schedule/init_noise_sigma"]))


@pytest.mark.parametrize("buffers", [1, 2])
def test_renders_and_masks_are_packed_in_order(golden_run, buffers):
    pack = f"pack{buffers}/"
    encode = _toy_encode(golden_run["toy_A"])
    state, mask = golden_run[pack + "condition_state"][0], golden_run[pack + "condition_mask"][0]
    made = pose_latents(encode, state, mask)
    torch.testing.assert_close(made, golden_run[pack + "latent_condition"], atol=1e-5, rtol=0)
    first = encode(golden_run[pack + "input_frame"])
    torch.testing.assert_close(first, golden_run[pack + "condition_latent"][:, :, :1], atol=1e-5, rtol=0)


def test_augmentation_noise_is_upstreams(golden_run):
    expected = golden_run["augment_noise_seed1"]
    torch.testing.assert_close(augmentation_noise(tuple(expected.shape), 1), expected, atol=1e-6, rtol=0)
    assert not torch.equal(augmentation_noise((4,), 2**33 + 1), augmentation_noise((4,), 1))


@pytest.mark.parametrize("buffers", [1, 2])
@pytest.mark.parametrize(("run", "steps"), [("fake35", 35), ("fake10_g0", 10), ("dit4", 4)])
def test_every_recorded_step_equals_the_original(golden, golden_run, run, steps, buffers):
    name = f"{run}_nb{buffers}/"
    denoise, tolerance = _fake, 1e-5
    if run == "dit4":
        network = on_meta_device(lambda: Gen3cTransformer(**GOLDEN_TRANSFORMER))
        load_transformer(network, golden / "gen3c/transformer_tiny.safetensors", dtype=torch.float32)
        denoise, tolerance = lambda *given: network(*given, fps=24), 1e-4
    seen = []

    def watched(x, timestep, text, mask, pose):
        seen.append((x, mask))
        return denoise(x, timestep, text, mask, pose)

    condition = _condition(golden_run, buffers)
    guidance = float(golden_run[name + "guidance"])
    latents = []
    with torch.inference_mode():
        for x, _ in sample(
            _shown(condition, watched), golden_run[name + "xt_init_noise_unscaled"], condition.first, steps=steps,
            guidance=guidance, augmentation=golden_run["augment_noise_seed1"],
        ):  # fmt: skip
            latents.append(x)
    assert len(seen) == steps * (2 if guidance else 1)
    first_of_step = seen[:: 2 if guidance else 1]
    for step in range(steps):
        recorded = f"{name}step{step}/"
        if recorded + "prev_sample" not in golden_run:
            continue
        scale = (golden_run[f"schedule/{steps}/sigmas"][step] ** 2 + 0.25) ** 0.5
        entering = first_of_step[step][0] * scale
        expected = golden_run[recorded + "new_xt"]
        torch.testing.assert_close(entering, expected, atol=tolerance * float(scale), rtol=0)
        expected = golden_run[recorded + "prev_sample"]
        torch.testing.assert_close(latents[step], expected, atol=tolerance * max(1, float(scale)), rtol=0)
    torch.testing.assert_close(latents[-1], golden_run[name + "out"], atol=tolerance, rtol=0)


def test_given_frame_stays_marked_and_is_let_go_in_the_last_two_of_35_steps(golden_run):
    condition, seen = _condition(golden_run, 1), []

    def watched(x, timestep, text, mask, pose):
        assert mask[:, :, 0].all() and not mask[:, :, 1:].any()
        return _fake(x, timestep, text, mask, pose)

    run = sample(
        _shown(condition, watched), golden_run["fake35_nb1/xt_init_noise_unscaled"], condition.first, steps=35, guidance=0,
        augmentation=golden_run["augment_noise_seed1"],
    )  # fmt: skip
    for _, clean in run:
        seen.append((clean[:, :, :1] - condition.first).abs().max() < 1e-5)
    assert seen == [True] * 33 + [False] * 2


def test_bfloat16_run_equals_the_original_within_one_step(golden):
    run = {key: value.bfloat16() for key, value in _arrays(golden / "gen3c/sampling_bf16.npz").items()}
    condition = Condition(run["latent_condition"], run["condition_latent"][:, :, :1], run["ctx"], run["neg_ctx"])
    noise = run["xt_init_noise_unscaled"]
    augmentation = augmentation_noise(tuple(noise.shape), 1)
    guided = {"steps": 35, "guidance": 1.0, "augmentation": augmentation}
    steps = list(sample(_shown(condition, _fake), noise, condition.first, **guided))
    made, expected = steps[-1][0], run["out"]
    assert made.dtype == torch.bfloat16
    difference = (made.float() - expected.float()).abs()
    assert difference.max() <= 2e-2
    precise = Condition(*(t.float() for t in (condition.pose, condition.first, condition.text, condition.other_text)))
    in_float = list(sample(_shown(precise, _fake), noise.float(), precise.first, **guided))[-1][0]
    assert 2e-2 < (in_float - expected.float()).abs().max() < 6e-2


def test_noise_of_chunks_continues_one_stream():
    shape, cpu = (1, 16, 2, 4, 4), torch.device("cpu")
    generator = torch.Generator().manual_seed(7)
    stream = [torch.randn(shape, generator=generator, dtype=torch.bfloat16) for _ in range(3)]
    for chunk in range(3):
        torch.testing.assert_close(initial_noise(shape, 7, chunk=chunk, device=cpu), stream[chunk], atol=0, rtol=0)


def test_bytes_and_pictures():
    frames = torch.tensor([0, 128, 255], dtype=torch.uint8).reshape(1, 1, 3, 1).expand(1, 1, 3, 3)
    torch.testing.assert_close(to_bytes(to_pictures(frames)), frames)
    assert to_pictures(frames).max() == 1
    assert to_pictures(frames, darkened=True).max() == pytest.approx(0.992, abs=1e-3)
