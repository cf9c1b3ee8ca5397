"""SVD's ControlNet, its residuals in the UNet, and injection from the source rows, against the original code."""

import numpy as np
import pytest
import torch
from diffusers import UNetSpatioTemporalConditionModel

from pipelines.methods.i2v3d.load import FULL
from pipelines.methods.i2v3d.video import edm
from pipelines.methods.i2v3d.video.controlnet import ControlNetSVDModel, add_residuals
from pipelines.methods.i2v3d.video.injection import ATTENTION, FEATURES, VideoInjection, inject, masks_by_tokens
from pipelines.weights.checkpoints import on_meta_device
from tests.pipelines.methods.i2v3d.conftest import arrays, difference, packed_json


@pytest.mark.parametrize(
    "kind, file", [(ControlNetSVDModel, "controlnet_svd_keys"), (UNetSpatioTemporalConditionModel, "svd_unet_keys")]
)
def test_full_size_networks_have_exactly_the_published_tensors(kind, file):
    network = on_meta_device(lambda: kind(**FULL[kind]))
    expected = packed_json(file)["keys"]
    assert {key: list(value.shape) for key, value in network.state_dict().items()} == expected


def test_injected_modules_are_those_of_the_original_code():
    points = packed_json("injection_points")
    assert [*ATTENTION] == points["phase3_attn"] and points["phase3_conv"] == [FEATURES]


@pytest.mark.parametrize("steps", [4, 25])
def test_noise_levels_and_single_steps_both_ways(steps):
    golden = {
        key.split("/")[1]: value for key, value in arrays("p3_a_scheduler").items() if key.startswith(f"n{steps}/")
    }
    for levels, name in ((edm.generation(steps), "forward"), (edm.inversion(steps), "inverse")):
        assert difference(levels.sigmas, golden[f"{name}_sigmas"]) < 1e-6
        assert difference(levels.times, golden[f"{name}_timesteps"]) < 1e-6
    up, down = edm.inversion(steps).sigmas, edm.generation(steps).sigmas
    x, y = golden["x0"], golden["forward_y0"]
    for i in range(steps):
        assert difference(edm.scale_input(x, up[i]), golden["scaled_inputs"][i]) < 1e-5
        x = edm.euler_step(x, golden["model_outputs"][i], up[i], up[i + 1])
        y = edm.euler_step(y, golden["forward_model_outputs"][i], down[i], down[i + 1])
        assert difference(x, golden["latents_after_step"][i]) < 1e-5
        assert difference(y, golden["forward_latents_after_step"][i]) < 1e-5
    assert difference(edm.scale_input(x, up[-1]), golden["last_latents_prepared"]) < 1e-5


@torch.no_grad()
def test_residuals_and_the_unet_that_takes_them(svd):
    golden = arrays("p3_d_controlnet")
    names = ("sample", "timestep", "encoder_hidden_states", "added_time_ids")
    sample, time, words, ids = (golden[name] for name in names)
    unet, given = svd["svd_unet"], golden["controlnet_cond"].float()

    def velocity():
        return unet(sample, time, encoder_hidden_states=words, added_time_ids=ids).sample

    for scale, suffix in ((1.0, ""), (0.5, "_scale0.5")):
        down, middle = svd["svd_controlnet"](sample, time, words, ids, given, scale)
        assert difference(middle, golden["mid" + suffix]) < 1e-4
        with add_residuals(unet, down, middle):
            assert difference(velocity(), golden["unet_with_residuals" + suffix]) < 1e-4
        if scale == 1.0:
            assert max(difference(ours, golden[f"down_{i:02d}"]) for i, ours in enumerate(down)) < 1e-4
            with add_residuals(unet, [torch.zeros_like(part) for part in down], middle):
                assert difference(velocity(), golden["unet_mid_only"]) < 1e-4
    assert difference(velocity(), golden["unet_without_residuals"]) < 1e-4


SETTINGS = {
    "none": (False, False, False),
    "conv_only": (True, False, False),
    "attn_only": (False, True, False),
    "attn_masked": (False, True, True),
    "both": (True, True, False),
    "both_masked": (True, True, True),
    "outside_schedule": (False, False, False),
    "conv_in_attn_out": (True, False, False),
    "conv_out_attn_in": (False, True, True),
}


@torch.no_grad()
@pytest.mark.parametrize("name", SETTINGS)
def test_injection_from_the_source_row_and_nothing_left_behind(svd, name):
    golden, unet = arrays("p3_b_injection"), svd["svd_unet"]
    features, attention, masked = SETTINGS[name]
    masks = masks_by_tokens(golden["mask_images"] == 255)
    for tokens in (128, 32, 8):
        assert torch.equal(masks[tokens], golden[f"vis_mask_{tokens}"].flatten(1))

    def velocity():
        time = golden["timestep"]
        words, ids = golden["encoder_hidden_states"], golden["added_time_ids"]
        return unet(golden["sample"], time, encoder_hidden_states=words, added_time_ids=ids).sample

    with inject(unet, VideoInjection(features, attention, masks if masked else None)):
        assert difference(velocity(), golden[f"out/{name}"]) < 1e-4
    if name == "both_masked":
        assert difference(velocity(), golden["out/none"]) < 1e-4


def test_masks_of_odd_sizes_have_the_unet_s_token_counts():
    visible = torch.from_numpy(np.random.default_rng(0).random((2, 72, 104)) > 0.5)
    assert [*masks_by_tokens(visible)] == [9 * 13, 5 * 7, 3 * 4]
