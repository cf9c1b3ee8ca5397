"""GEN3C's denoiser against the original network: values at tiny size, names and shapes at full size."""

import gzip
import io
import json
import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from camera.errors import InputError
from pipelines.methods.gen3c.network.transformer import Gen3cTransformer, RotaryAngles
from pipelines.methods.gen3c.weights.convert import TRANSFORMER_DROPPED, TRANSFORMER_RENAMES, load_transformer
from pipelines.weights.checkpoints import load_strict, on_meta_device

from .conftest import GOLDEN_TRANSFORMER


@pytest.fixture(scope="module")
def folder(golden):
    return golden / "gen3c"


@pytest.fixture(scope="module")
def tiny(folder) -> Gen3cTransformer:
    network = on_meta_device(lambda: Gen3cTransformer(**GOLDEN_TRANSFORMER))
    load_transformer(network, folder / "transformer_tiny.safetensors", dtype=torch.float32)
    return network


def _case(folder, name):
    with np.load(folder / "transformer_forward.npz") as arrays:
        return {
            key.split("/")[1]: torch.from_numpy(arrays[key].astype(np.float32))
            for key in arrays
            if key.startswith(name)
        }


def _inputs(case):
    return {
        "latents": case["x"], "timestep": case["timestep"], "text": case["ctx"], "input_mask": case["cond_mask"],
        "pose": case["pose"], "padding_mask": case["padding_mask"], "fps": float(case["fps"]),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["c0", "c1"])
def test_output_equals_the_original(tiny, folder, name):
    case = _case(folder, name)
    with torch.inference_mode():
        torch.testing.assert_close(tiny(**_inputs(case)), case["out"], atol=5e-5, rtol=0)


def test_blocks_and_time_equal_the_original(tiny, folder):
    case, seen = _case(folder, "c1"), {}
    hooks = [
        block.register_forward_hook(lambda module, given, out, index=index: seen.__setitem__(index, out))
        for index, block in enumerate(tiny.transformer_blocks)
    ]
    hooks.append(tiny.time_embed.register_forward_hook(lambda module, given, out: seen.__setitem__("time", out)))
    with torch.inference_mode():
        tiny(**_inputs(case))
    for hook in hooks:
        hook.remove()
    for index in range(2):
        expected = case[f"block{index}_THWBD"][:, :, :, 0].flatten(0, 2)
        torch.testing.assert_close(seen[index][0], expected, atol=5e-5, rtol=0)
    torch.testing.assert_close(seen["time"][0], case["adaln_lora"], atol=1e-5, rtol=0)
    torch.testing.assert_close(seen["time"][1], case["affine_emb"], atol=1e-5, rtol=0)


def test_no_padding_mask_means_no_padding(tiny, folder):
    inputs = _inputs(_case(folder, "c0"))
    assert not inputs["padding_mask"].any()
    with torch.inference_mode():
        with_zeros = tiny(**inputs)
        torch.testing.assert_close(tiny(**{**inputs, "padding_mask": None}), with_zeros, atol=0, rtol=0)


@pytest.mark.parametrize(("name", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_rotary_angles_in_both_precisions(folder, name, dtype):
    with np.load(folder / "rope_tables.npz") as golden:
        for fps in (24, 30, 12):
            tables = RotaryAngles(128).tables((16, 44, 80), fps, torch.device("cpu"), dtype)
            for axis, table in zip((f"fps{fps}/t", "h", "w"), tables):
                tolerance = 1e-5 if name == "fp32" else 0
                np.testing.assert_allclose(table.numpy(), golden[f"{name}/{axis}"].astype(np.float32), atol=tolerance)


def test_rounded_angles_change_the_output(tiny, folder):
    inputs = _inputs(_case(folder, "c1"))
    with torch.inference_mode():
        difference = (tiny(**inputs) - tiny(**inputs, rope_dtype=torch.bfloat16)).abs().max()
    assert difference > 1e-4


def _manifest(folder, name):
    with gzip.open(folder / f"{name}.json.gz") as stream:
        return json.load(stream)


@pytest.fixture(scope="module")
def full_size(folder):
    network = on_meta_device(Gen3cTransformer)
    state = {key: torch.empty(shape, device="meta") for key, shape in _manifest(folder, "transformer_keys").items()}
    report = load_strict(network, state, TRANSFORMER_RENAMES, dropped=TRANSFORMER_DROPPED)
    return network, state, report


def test_full_size_takes_every_published_tensor(full_size):
    network, _, report = full_size
    assert report.loaded == 570 and sum(p.numel() for p in network.parameters()) == 7_237_257_216
    assert sorted(report.dropped) == ["logvar.0.freqs", "logvar.0.phases", "logvar.1.weight", "net.pos_embedder.seq"]


def test_renames_agree_with_the_map_of_the_original(folder):
    expected = {key: name for key, name in _manifest(folder, "transformer_key_map").items() if name}
    assert {key: _renamed(key) for key in expected} == expected


def _renamed(key: str) -> str:
    for pattern, replacement in TRANSFORMER_RENAMES:
        key = re.sub(pattern, replacement, key)
    return key


def test_a_missing_or_foreign_tensor_is_refused(full_size):
    _, state, _ = full_size
    without = {key: value for key, value in state.items() if key != "net.affline_norm.weight"}
    with pytest.raises(InputError, match=r"1 of 570 .*missing \(first time_embed.norm.weight"):
        load_strict(on_meta_device(Gen3cTransformer), without, TRANSFORMER_RENAMES, dropped=TRANSFORMER_DROPPED)
    with pytest.raises(InputError, match=r"unknown .*extra"):
        load_strict(
            on_meta_device(Gen3cTransformer), {**state, "net.extra": state["net.affline_norm.weight"]}, TRANSFORMER_RENAMES,
            dropped=TRANSFORMER_DROPPED,
        )  # fmt: skip


def test_checkpoint_wrapped_in_model_with_engine_states_loads(tmp_path, folder):
    state = dict(load_file(folder / "transformer_tiny.safetensors"))
    state["logvar.0.freqs"] = torch.zeros(4)
    state["net.blocks.block0.blocks.0.block.attn.to_q.1._extra_state"] = io.BytesIO(b"")
    torch.save({"model": state}, tmp_path / "model.pt")
    network = on_meta_device(lambda: Gen3cTransformer(**GOLDEN_TRANSFORMER))
    report = load_transformer(network, tmp_path / "model.pt", dtype=torch.bfloat16)
    assert "logvar.0.freqs" in report.dropped
    assert network.proj_out.weight.dtype == torch.bfloat16


def test_step_cache_can_be_enabled(tiny, folder):
    from diffusers import FirstBlockCacheConfig

    inputs = _inputs(_case(folder, "c0"))
    with torch.inference_mode():
        plain = tiny(**inputs)
        tiny.enable_cache(FirstBlockCacheConfig(threshold=0.5))
        try:
            with tiny.cache_context("with cache"):
                torch.testing.assert_close(tiny(**inputs), plain, atol=1e-5, rtol=0)
                torch.testing.assert_close(tiny(**inputs), plain, atol=1e-5, rtol=0)
        finally:
            tiny.disable_cache()


def test_full_size_shapes_of_one_pass():
    """121 frames of 1280 x 704 through the published network, without allocating any values."""
    latent = torch.zeros(1, 16, 16, 88, 160, device="meta")
    network = on_meta_device(Gen3cTransformer)
    network.to("meta")
    out = network(
        latent, torch.zeros(1, device="meta"), torch.zeros(1, 512, 1024, device="meta"), latent[:, :1],
        latent.repeat(1, 4, 1, 1, 1), fps=24,
    )  # fmt: skip
    assert out.shape == latent.shape
