"""The 360-degree orbit: conversion, position tables and sampler of the original code."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
import torch
from diffusers import CogVideoXDPMScheduler, CogVideoXTransformer3DModel
from safetensors.torch import load_file, save_file

from camera.errors import InputError
from pipelines.methods.dimensionx.loras.directors import Directors
from pipelines.methods.dimensionx.loras.layouts import read_lora
from pipelines.methods.dimensionx.network.configs import ORBIT_TRANSFORMER
from pipelines.methods.dimensionx.network.convert import convert_checkpoint, main, merge_lora, orbit_transformer
from pipelines.methods.dimensionx.network.rope import rotary_tables
from pipelines.methods.dimensionx.sampling import Conditions, denoise, dynamic_guidance, scheduler_named
from pipelines.methods.dimensionx.sat_sampler import sat_denoise, sat_table, signal_levels


def stored(folder, name):
    with np.load(folder / name) as file:
        return {key: torch.from_numpy(np.asarray(file[key])) for key in file.files}


def listed(folder, name):
    return json.loads(gzip.decompress((folder / name).read_bytes()))


@pytest.fixture(params=["sat_49like", "sat_145like"])
def sat(request, dimensionx_golden):
    config = json.loads((dimensionx_golden / f"{request.param}_config.json").read_text())["diffusers_config"]
    state = load_file(dimensionx_golden / f"{request.param}_state.safetensors")
    return config, state, stored(dimensionx_golden, f"{request.param}_io.npz")


def run(transformer, io) -> torch.Tensor:
    with torch.no_grad():
        rope = rotary_tables(transformer, io["x"].shape[1], *(8 * n for n in io["x"].shape[-2:]), device="cpu")
        return transformer(
            hidden_states=io["x"],
            encoder_hidden_states=io["context"],
            timestep=io["timesteps"],
            image_rotary_emb=rope,
            return_dict=False,
        )[0]


def test_converted_and_merged_network_equals_the_original(sat):
    config, state, io = sat
    transformer = orbit_transformer(merge_lora(convert_checkpoint(state)), config, dtype=torch.float32)
    np.testing.assert_allclose(run(transformer, io), io["out"], atol=5e-6)


def test_kept_as_an_adapter_it_equals_the_original_too(sat):
    config, state, io = sat
    parts = convert_checkpoint(state)
    transformer = orbit_transformer(parts.state, config, dtype=torch.float32)
    np.testing.assert_allclose(run(transformer, io), io["out_without_lora_diffusers"], atol=1e-4)
    Directors(transformer, lambda _: parts.lora).use([("orbit_360", 1.0)])
    np.testing.assert_allclose(run(transformer, io), io["out"], atol=5e-6)


def test_a_checkpoint_that_was_merged_before_is_taken_as_it_is(sat):
    config, state, io = sat
    plain = {key.replace(".original.", "."): value for key, value in state.items() if ".matrix_" not in key}
    parts = convert_checkpoint(plain)
    assert parts.lora is None
    got = run(orbit_transformer(merge_lora(parts), config, dtype=torch.float32), io)
    np.testing.assert_allclose(got, io["out_without_lora_diffusers"], atol=1e-4)


def test_every_key_of_the_full_model_has_its_place(dimensionx_golden):
    keymap = listed(dimensionx_golden, "sat145_to_diffusers_keymap.json.gz")
    with torch.device("meta"):
        state = {row["sat"]: torch.empty(row["shape"], dtype=torch.bfloat16) for row in keymap["rows"]}
        got = convert_checkpoint(state)
    ours = {key: list(value.shape) for key, value in got.state.items()}
    assert ours == listed(dimensionx_golden, "diffusers_orbit145_transformer_keys.json.gz")["keys"]
    loras = {
        name.removeprefix("transformer.") for row in keymap["rows"] if row["op"] == "lora" for name in row["diffusers"]
    }
    assert set(got.lora.tensors) == loras and got.lora.scale == 1 / 256
    assert {key: ORBIT_TRANSFORMER[key] for key in keymap["diffusers_config"]} == keymap["diffusers_config"]


def test_a_missing_table_is_zeros_and_a_short_one_is_refused(sat):
    config, state, _ = sat
    parts = convert_checkpoint(state).state
    table = parts.pop("patch_embed.pos_embedding")
    assert not orbit_transformer(parts, config, dtype=torch.float32).patch_embed.pos_embedding.any()
    parts["patch_embed.pos_embedding"] = table[:, :-24]
    with pytest.raises(InputError, match="not the checkpoint of the 360 degree orbit"):
        orbit_transformer(parts, config, dtype=torch.float32)


def test_a_missing_weight_is_refused(sat):
    config, state, _ = sat
    parts = convert_checkpoint(state).state
    del parts["proj_out.bias"]
    with pytest.raises(InputError, match=r"proj_out\.bias"):
        orbit_transformer(parts, config, dtype=torch.float32)
    with pytest.raises(InputError, match="contains nothing under"):
        convert_checkpoint({"transformer.x": torch.zeros(1)})


def test_the_command_writes_a_lora_that_diffusers_reads(sat, tmp_path, monkeypatch):
    config, state, io = sat
    save_file({key: value for key, value in state.items() if ".matrix_" in key}, tmp_path / "trained.safetensors")
    monkeypatch.setattr(
        "sys.argv", ["convert", "lora", str(tmp_path / "trained.safetensors"), str(tmp_path / "x.safetensors")]
    )
    main()
    transformer = orbit_transformer(convert_checkpoint(state).state, config, dtype=torch.float32)
    lora = read_lora(tmp_path / "x.safetensors")
    assert lora.alpha == 1 and lora.rank == 4
    transformer.load_lora_adapter(str(tmp_path), weight_name="x.safetensors", adapter_name="trained")
    np.testing.assert_allclose(run(transformer, io), io["out"], atol=5e-6)  # with weight 1 the rank does not matter


@pytest.mark.parametrize(
    ("name", "config", "frames", "size"),
    [("orbit145", (40, 60, 145), 37, (320, 480)), ("i2v49", (60, 90, 49), 13, (480, 720))],
)
def test_rotary_tables_of_the_real_sizes(dimensionx_golden, name, config, frames, size):
    golden = stored(dimensionx_golden, "rope_full_geometry.npz")
    height, width, count = config
    with torch.device("meta"):
        transformer = CogVideoXTransformer3DModel(
            num_layers=0, num_attention_heads=1, sample_height=height, sample_width=width, sample_frames=count,
            use_rotary_positional_embeddings=True,
        )  # fmt: skip
    cos, sin = rotary_tables(transformer, frames, *size, device="cpu")
    rows = golden[f"{name}_rows"]
    assert list(cos.shape) == golden[f"{name}_shape"].tolist()
    np.testing.assert_allclose(cos[rows], golden[f"{name}_cos"], atol=1e-6)
    np.testing.assert_allclose(sin[rows], golden[f"{name}_sin"], atol=1e-6)
    if name == "orbit145":
        assert (cos[rows] - golden["orbit145_wrong_base_cos"]).abs().max() > 1


def test_tables_of_the_original_sampler(dimensionx_golden):
    golden = stored(dimensionx_golden, "sat_sampler.npz")
    table = sat_table(50)
    np.testing.assert_allclose(table.signal, golden["alpha_sqrt_50"], atol=1e-6)
    np.testing.assert_allclose(table.snapped, golden["quant_alpha_sqrt_50"], atol=1e-6)
    np.testing.assert_allclose(signal_levels()[0], golden["alpha_sqrt_1000_flipped"], atol=1e-6)
    assert table.timesteps.tolist() == golden["timesteps_50"].tolist()
    for guidance in (6, 7):
        ours = [dynamic_guidance(guidance, t, 50) for t in table.timesteps.tolist()]
        np.testing.assert_allclose(ours, golden[f"cfg_scale_{guidance}_50"], atol=1e-9)


@pytest.fixture(scope="module")
def long_run(golden):
    folder = golden / "dimensionx"
    config = json.loads((folder / "sat_145like_config.json").read_text())["diffusers_config"]
    parts = convert_checkpoint(load_file(folder / "sat_145like_state.safetensors"))
    transformer = orbit_transformer(merge_lora(parts), config, dtype=torch.float32)
    io = stored(folder, "sat_sampler.npz")
    text = torch.cat([torch.zeros_like(io["context"]), io["context"]])
    rope = rotary_tables(transformer, 37, 64, 96, device="cpu")
    return transformer, Conditions(text, io["image_latents"], rope), io


def test_the_orbits_sampler_repeats_the_original_run(long_run):
    transformer, conditions, io = long_run
    with torch.no_grad():
        steps = list(
            sat_denoise(
                transformer, latents=io["init_noise"], conditions=conditions, steps=50, guidance=6.0, dynamic=True,
                generator=torch.Generator(), noises=io["step_noise"].float(),
            )
        )  # fmt: skip
    for number in (0, 1, 24):
        np.testing.assert_allclose(steps[number].latents, io[f"x_after_step_{number}"], atol=1e-3)
    np.testing.assert_allclose(steps[-1].latents, io["final_latents"], atol=1e-3)


def test_of_the_two_draws_of_a_step_the_second_counts(long_run):
    transformer, conditions, io = long_run
    run = {"latents": io["init_noise"], "conditions": conditions, "steps": 3, "guidance": 6.0, "dynamic": True}
    draws = torch.Generator().manual_seed(4)
    noises = torch.stack([torch.randn(io["init_noise"].shape, generator=draws) for _ in range(4)])[1::2]
    with torch.no_grad():
        *_, drawn = sat_denoise(transformer, generator=torch.Generator().manual_seed(4), **run)
        *_, given = sat_denoise(transformer, generator=torch.Generator(), noises=noises, **run)
    assert torch.equal(drawn.latents, given.latents)


def test_the_ordinary_sampler_comes_close(long_run, monkeypatch):
    transformer, conditions, io = long_run
    draws = iter(
        [noise for noise in io["step_noise"].float() for _ in range(2)][1:]
    )  # two draws per step, of which the second counts
    last = torch.zeros_like(io["init_noise"])
    monkeypatch.setattr(
        "diffusers.schedulers.scheduling_dpm_cogvideox.randn_tensor", lambda *_, **__: next(draws, last)
    )
    scheduler = scheduler_named("DPM++")
    assert isinstance(scheduler, CogVideoXDPMScheduler)
    with torch.no_grad():
        *_, end = denoise(
            transformer, scheduler, latents=io["init_noise"], conditions=conditions, steps=50, guidance=6.0,
            dynamic=True, generator=torch.Generator(),
        )  # fmt: skip
    np.testing.assert_allclose(end.latents, io["final_latents_diffusers_dpm_scheduler"], atol=1e-3)
    np.testing.assert_allclose(end.latents, io["final_latents"], atol=5e-2)
