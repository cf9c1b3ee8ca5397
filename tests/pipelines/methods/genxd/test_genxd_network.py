"""The denoiser against the original's names, shapes and values."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pipelines.methods.genxd.network.unet import GenXDUNet
from pipelines.weights.checkpoints import load_strict, on_meta_device

TAPS = (
    "down_blocks.0.resnets.0.mv_res_block",
    "down_blocks.0.resnets.0.temporal_res_block",
    "down_blocks.0.resnets.0",
    "down_blocks.0.attentions.0",
    "mid_block",
    "up_blocks.0",
    "up_blocks.1",
)


@pytest.fixture(scope="module")
def unet(golden):
    config = json.loads((golden / "genxd/tiny/unet_config.json").read_text())
    state = {key: value.float() for key, value in load_file(golden / "genxd/tiny/unet_f8.safetensors").items()}
    network = on_meta_device(lambda: GenXDUNet(**config))
    load_strict(network, state)
    return network


@pytest.fixture(scope="module")
def arrays(golden):
    return np.load(golden / "genxd/tiny/unet_io.npz")


def run(unet, arrays, case):
    given = {
        key: torch.from_numpy(arrays[f"{case}/{key}"])
        for key in ("sample", "timestep", "added_time_ids", "indicator", "motion_ids")
        if f"{case}/{key}" in arrays
    }
    with torch.inference_mode():
        return unet(given.pop("sample"), given.pop("timestep"), **given)


@pytest.mark.parametrize("case", ["mv3d", "dyn4d", "video", "mixed", "nomotion"])
def test_outputs_equal_the_original(unet, arrays, case):
    np.testing.assert_allclose(run(unet, arrays, case).numpy(), arrays[f"{case}/output"], atol=1e-4)


def test_inner_layers_equal_the_original(unet, arrays):
    seen = {}

    def keep(name):
        def hook(module, given, output):
            seen[name] = output[0] if isinstance(output, tuple) else output

        return hook

    hooks = [unet.get_submodule(name).register_forward_hook(keep(name)) for name in TAPS]
    run(unet, arrays, "dyn4d")
    for hook in hooks:
        hook.remove()
    for name in TAPS:
        np.testing.assert_allclose(seen[name].numpy(), arrays[f"dyn4d/tap/{name}"], atol=1e-4, err_msg=name)


def test_skipping_time_for_still_scenes_changes_nothing(unet, arrays):
    """In a batch with another sample nothing is skipped; the still sample must come out the same."""
    sample = torch.from_numpy(arrays["mv3d/sample"])[:1].repeat(2, 1, 1, 1, 1)
    ids = torch.from_numpy(arrays["mv3d/added_time_ids"])[:1].repeat(2, 1, 1)
    motion, time = torch.tensor([1.0, 1.0]), torch.tensor(1.0)
    with torch.inference_mode():
        still = unet(sample, time, added_time_ids=ids, indicator=torch.tensor([0, 0]), motion_ids=motion)
        mixed = unet(sample, time, added_time_ids=ids, indicator=torch.tensor([0, 2]), motion_ids=motion)
    torch.testing.assert_close(still[0], mixed[0], atol=2e-6, rtol=0)
    assert (still[1] - mixed[1]).abs().max() > 1e-3


def test_attention_kernels_can_be_chosen(unet, arrays, monkeypatch):
    import pipelines.methods.genxd.network.blocks as blocks

    asked = []
    original = blocks.dispatch_attention_fn
    monkeypatch.setattr(
        blocks, "dispatch_attention_fn", lambda *given, **options: asked.append(options) or original(*given, **options)
    )
    unet.set_attention_backend("_native_math")
    try:
        output = run(unet, arrays, "dyn4d")
    finally:
        unet.reset_attention_backend()
    np.testing.assert_allclose(output.numpy(), arrays["dyn4d/output"], atol=1e-4)
    assert {options["backend"] for options in asked} == {"_native_math"}


def test_full_size_names_and_shapes_are_the_published_ones(golden):
    manifest = json.loads(gzip.decompress((golden / "genxd/unet_keys.json.gz").read_bytes()))
    config = {key: value for key, value in manifest["config"].items() if not key.startswith("_")}
    network = on_meta_device(lambda: GenXDUNet(**config))
    shapes = {key: list(value.shape) for key, value in network.state_dict().items()}
    assert shapes == manifest["keys"]
    assert len(shapes) == 1770 and sum(p.numel() for p in network.parameters()) == 1_932_125_520


def test_normalisation_is_that_of_the_original():
    network = on_meta_device(GenXDUNet)
    for name, module in network.named_modules():
        if isinstance(module, torch.nn.GroupNorm):
            loose = name.startswith(("down_blocks.3", "mid_block.resnets", "conv_norm_out"))
            assert module.eps == (1e-5 if loose else 1e-6), name


@pytest.mark.parametrize(
    "other", [{"camera_embedding_dim": 16}, {"cross_attention_dim": 1024}, {"scale_add_time": True}]
)
def test_configurations_of_other_variants_are_refused(other):
    with pytest.raises(ValueError, match="variant"):
        GenXDUNet(**other)
