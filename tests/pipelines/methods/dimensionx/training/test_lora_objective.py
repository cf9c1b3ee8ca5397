"""Frames, noise, loss, gradients and learning rate of the original training."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from peft import LoraConfig
from safetensors.torch import load_file

from pipelines.methods.dimensionx.loras.layouts import TARGETS, rename_key
from pipelines.methods.dimensionx.network.convert import convert_checkpoint, orbit_transformer
from pipelines.methods.dimensionx.network.rope import rotary_tables
from pipelines.methods.dimensionx.sat_sampler import signal_levels
from pipelines.methods.dimensionx.training.data import spread, training_indices
from pipelines.methods.dimensionx.training.loss import (
    Batch,
    draw_timesteps,
    learning_rate,
    velocity_loss,
    with_dropout,
    with_picture_noise,
)


@pytest.fixture(scope="module")
def folder(golden):
    return golden / "dimensionx"


@pytest.fixture(scope="module")
def recorded(folder):
    with np.load(folder / "train_loss.npz") as stored:
        return {key: torch.from_numpy(np.asarray(stored[key])) for key in stored.files}


@pytest.fixture(scope="module")
def selection(folder):
    return json.loads((folder / "frame_selection.json").read_text())


def test_frames_of_training_clips_are_the_originals(selection):
    for case in selection["SFTDataset_frames"]:
        got = training_indices(case["video_len"], case["video_fps"], case["max_num_frames"])
        assert got == case["frames"], case


def test_spreading_is_the_originals(selection):
    for case in selection["get_uniform_indices"]:
        got = [case["start"] + i for i in spread(case["end"] - case["start"], case["num_frames"])]
        assert got == case["indices"], case


@pytest.fixture(scope="module")
def trained(folder):
    """The golden's network with its LoRA as a trainable peft adapter."""
    config = json.loads((folder / "sat_49like_config.json").read_text())["diffusers_config"]
    parts = convert_checkpoint(load_file(folder / "sat_49like_state.safetensors"))
    transformer = orbit_transformer(parts.state, config, dtype=torch.float32)
    transformer.add_adapter(LoraConfig(r=4, lora_alpha=1, target_modules=list(TARGETS)), adapter_name="director")
    for module, layer in transformer.named_modules():
        if hasattr(layer, "lora_A"):
            for side in "AB":
                matrix = getattr(layer, f"lora_{side}")["director"].weight
                matrix.data = parts.lora.tensors[f"{module}.lora_{side}.weight"].clone()
    return transformer


def test_loss_and_gradients_are_the_originals(trained, recorded):
    timesteps = recorded["idx"]
    np.testing.assert_allclose(signal_levels()[0].flip(0)[timesteps], recorded["alpha_sqrt"], atol=1e-6)
    batch = Batch(
        recorded["latents"], recorded["image_latents"], recorded["noise"], recorded["context"], timesteps,
        recorded["alpha_sqrt"],
    )  # fmt: skip
    loss = velocity_loss(trained, batch, rotary_tables(trained, 4, 64, 96, device="cpu"))
    np.testing.assert_allclose(loss.detach(), recorded["loss"], atol=1e-5)
    loss.mean().backward()
    gradients = {name: value.grad for name, value in trained.named_parameters() if value.grad is not None}
    assert len(gradients) == 16
    for key, expected in recorded.items():
        if key.startswith("grad__"):
            name = rename_key(key.removeprefix("grad__").replace("|", ".")).replace(".weight", ".director.weight")
            np.testing.assert_allclose(gradients.pop(name), expected, atol=1e-7)
    assert not gradients


def test_noise_on_the_first_frame_is_the_originals(recorded):
    got = with_picture_noise(recorded["aug_image"], recorded["aug_log_sigma"], recorded["aug_noise"])
    np.testing.assert_allclose(got, recorded["aug_out"], atol=1e-6)


def test_the_learning_rate_is_the_originals(recorded):
    got = [learning_rate(int(step), 3000, 1e-3) for step in recorded["lr_step"]]
    np.testing.assert_allclose(got, recorded["lr_value"], atol=1e-9)


def test_processes_draw_from_stripes_of_their_own():
    for rank in range(4):
        timesteps, signal = draw_timesteps(200, torch.Generator().manual_seed(rank), rank=rank, ranks=4)
        assert 250 * rank <= timesteps.min() and timesteps.max() < 250 * (rank + 1)
        assert torch.equal(signal, signal_levels()[0].flip(0)[timesteps].float())


def test_conditions_are_left_out_as_often_as_in_the_original():
    ones = Batch(*(torch.ones(4, 1, 1, 1, 1) for _ in range(3)), torch.ones(4, 2, 2), torch.zeros(4), torch.zeros(4))
    generator = torch.Generator().manual_seed(0)
    drawn = [with_dropout(ones, generator) for _ in range(2000)]
    text = torch.stack([batch.text[:, 0, 0] for batch in drawn])
    picture = torch.stack([batch.image[:, 0, 0, 0, 0] for batch in drawn])
    assert 1 - text.mean() == pytest.approx(0.1, abs=0.015)
    assert 1 - picture.mean() == pytest.approx(0.05, abs=0.015)
    assert ((picture == 0).all(dim=1) | (picture == 1).all(dim=1)).all()  # a whole batch at once
