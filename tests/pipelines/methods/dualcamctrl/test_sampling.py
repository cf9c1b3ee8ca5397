"""Full runs from pictures, texts and rays to frames, against the original's."""

from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open

from pipelines.methods.dualcamctrl import cameras, sampling, schedule
from pipelines.methods.dualcamctrl.network import encoders
from pipelines.methods.dualcamctrl.network import vae as wan

from .conftest import GOLDEN, golden_file


def _facts(name: str) -> SimpleNamespace:
    with safe_open(GOLDEN / f"{name}.safetensors", "pt") as file:
        return SimpleNamespace(**{key: float(value) for key, value in file.metadata().items()})


@pytest.fixture(scope="module")
def golden():
    return golden_file("pipeline")


def _text(encoder, ids, length):
    return encoders.encode_tokens(encoder, ids, (torch.arange(512) < length).long()[None])


@torch.no_grad()
def _conditions(golden, vae, text_encoder, image_encoder, *, pictures: bool = True) -> sampling.Conditions:
    picture, depth = (golden[f"in.{name}"] * 2 - 1 for name in ("input_image", "input_control"))
    lengths = golden["in.len_pos_neg"]
    latents = [encoders.beside_noise(wan.encode_picture(vae, source), 3) for source in (picture, depth)]
    return sampling.Conditions(
        text=_text(text_encoder, golden["in.ids_pos"], lengths[0]),
        negative=_text(text_encoder, golden["in.ids_neg"], lengths[1]),
        tokens=encoders.encode_clip(image_encoder, picture if pictures else torch.full_like(picture, -1)),
        picture=latents[0] if pictures else torch.zeros_like(latents[0]),
        depth=latents[1] if pictures else torch.zeros_like(latents[1]),
        camera=torch.from_numpy(cameras.pack_rays(golden["in.plucker"][0].numpy()))[None],
    )


@pytest.fixture(scope="module")
def conditions(golden, vae, text_encoder, image_encoder):
    return _conditions(golden, vae, text_encoder, image_encoder)


def test_what_reaches_the_network(golden, conditions):
    expected = {
        "text": "context",
        "negative": "context_neg",
        "tokens": "clip_feature",
        "picture": "y",
        "depth": "control_y",
    }
    for ours, theirs in expected.items():
        torch.testing.assert_close(getattr(conditions, ours), golden[f"cond.{theirs}"], atol=1e-4, rtol=0)


def test_noise_is_shared_by_both_branches(golden):
    start = sampling.noise((1, 16, 3, 4, 6), int(_facts("pipeline").seed))
    assert torch.equal(start, golden["cond.latents"]) and torch.equal(start, golden["cond.control_latents"])


@torch.no_grad()
def test_a_run_step_by_step(golden, conditions, transformer, vae):
    facts = _facts("pipeline")
    sigmas = schedule.sigmas(int(facts.steps), shift=facts.shift)
    start = sampling.noise((1, 16, 3, 4, 6), int(facts.seed))
    steps = list(sampling.denoise(transformer, conditions, start, sigmas, facts.cfg_scale))
    torch.testing.assert_close(steps[0].rgb, golden["step1.latents_in"], atol=5e-4, rtol=0)
    torch.testing.assert_close(steps[0].depth, golden["step1.control_latents_in"], atol=5e-4, rtol=0)
    for latents, name, kind in ((steps[-1].rgb, "latents", "rgb"), (steps[-1].depth, "control_latents", "depth")):
        torch.testing.assert_close(latents, golden[f"final.{name}"], atol=5e-4, rtol=0)
        video = wan.decode_video(vae, latents)
        torch.testing.assert_close(video, golden[f"final.{kind}_float"], atol=5e-4, rtol=0)
        difference = wan.to_bytes(video).int() - golden[f"final.{kind}_u8_thwc"].int()
        assert difference.abs().max() <= 1


@torch.no_grad()
def test_guidance_is_upstreams_number(golden, conditions, transformer):
    latents = torch.cat([golden["step0.latents_in"], golden["step0.control_latents_in"]])
    timestep = golden["step0.timestep"]
    positive = sampling.guided_velocity(transformer, conditions, latents, timestep, 0)
    expected = torch.cat([golden["step0.pred_pos_rgb"], golden["step0.pred_pos_depth"]])
    torch.testing.assert_close(positive, expected, atol=5e-4, rtol=0)
    negative = torch.cat([golden["step0.pred_neg_rgb"], golden["step0.pred_neg_depth"]])
    guided = sampling.guided_velocity(transformer, conditions, latents, timestep, 5)
    torch.testing.assert_close(guided, negative + 6 * (expected - negative), atol=2e-3, rtol=0)


@torch.no_grad()
def test_the_clean_picture_of_the_last_step_is_the_result(golden, conditions, transformer):
    *_, last = sampling.denoise(transformer, conditions, golden["cond.latents"], schedule.sigmas(2), 5.0)
    torch.testing.assert_close(last.clean_rgb, last.rgb, atol=1e-5, rtol=0)
    assert (last.index, last.count) == (2, 2)


@torch.no_grad()
def test_text_to_video(golden, transformer, vae, text_encoder, image_encoder):
    expected, facts = golden_file("pipeline_t2v"), _facts("pipeline_t2v")
    conditions = _conditions(golden, vae, text_encoder, image_encoder, pictures=False)
    torch.testing.assert_close(conditions.tokens, expected["cond.clip_feature"], atol=1e-4, rtol=0)
    assert not expected["cond.y"].any()
    start = sampling.noise((1, 16, 3, 4, 6), int(facts.seed))
    *_, last = sampling.denoise(transformer, conditions, start, schedule.sigmas(int(facts.steps)), facts.cfg_scale)
    torch.testing.assert_close(last.rgb, expected["final.latents"], atol=5e-4, rtol=0)
    torch.testing.assert_close(last.depth, expected["final.control_latents"], atol=5e-4, rtol=0)
