"""The two-branch network against the original's arrays, and the features that diffusers' tools need."""

import copy

import pytest
import torch
from diffusers import FirstBlockCacheConfig, MagCacheConfig
from diffusers.hooks import apply_group_offloading

from pipelines.methods.dualcamctrl.network import convert

from .conftest import golden_file, tiny_transformer


@pytest.fixture(scope="module")
def golden():
    return golden_file("transformer_forward")


def _inputs(golden, dtype=torch.float32) -> dict[str, torch.Tensor]:
    return {
        "hidden_states": torch.cat([golden["in.latents"], golden["in.y"]], 1).to(dtype),
        "depth_hidden_states": torch.cat([golden["in.control_latents"], golden["in.control_y"]], 1).to(dtype),
        "timestep": golden["t0.timestep"].to(dtype),
        "encoder_hidden_states": golden["in.context"].to(dtype),
        "encoder_hidden_states_image": golden["in.clip_feature"].to(dtype),
        "camera": golden["in.control_camera_latents_input"].to(dtype),
    }


def _close(outputs, golden, name, atol=2e-4):
    torch.testing.assert_close(outputs[0].float(), golden[f"{name}.out_rgb"].float(), atol=atol, rtol=0)
    torch.testing.assert_close(outputs[1].float(), golden[f"{name}.out_depth"].float(), atol=atol, rtol=0)


@pytest.mark.parametrize("name", ["t0", "t1"])
@torch.no_grad()
def test_velocities(transformer, golden, name):
    _close(transformer(**_inputs(golden) | {"timestep": golden[f"{name}.timestep"]}), golden, name)


@torch.no_grad()
def test_without_camera(transformer, golden):
    _close(transformer(**_inputs(golden) | {"camera": None}), golden, "nocam")


@torch.no_grad()
def test_without_fusion(transformer, golden):
    network = copy.deepcopy(transformer)
    for name, parameter in network.named_parameters():
        if name.endswith(("rgb_to_depth.proj_out.weight", "depth_to_rgb.proj_out.weight")):
            parameter.zero_()
    _close(network(**_inputs(golden)), golden, "nofusion")


@torch.no_grad()
def test_a_batch_with_a_timestep_each(transformer, golden):
    inputs = {name: torch.cat([value, value.flip(-1)]) for name, value in _inputs(golden).items()}
    _close(transformer(**inputs), golden, "batch2")


@torch.no_grad()
def test_bfloat16_stays_near(transformer, golden):
    network = copy.deepcopy(transformer).to(torch.bfloat16)
    _close(network(**_inputs(golden, torch.bfloat16)), golden, "bf16", atol=0.1)


@torch.no_grad()
def test_every_stage_on_the_way(transformer, golden):
    taps: dict[str, torch.Tensor] = {}

    def keep(name):
        return lambda _module, _inputs, output: taps.setdefault(name, output)

    last = transformer.blocks[-1]
    watched = {
        "camera_feat": transformer.camera_adapter,
        "t": transformer.condition_embedder.time_embedder,
        "t_proj": transformer.condition_embedder.time_proj,
        "img_tokens": transformer.condition_embedder.image_embedder,
        "text_tokens": transformer.condition_embedder.text_embedder,
        "rgb_fusion0": transformer.blocks[0].rgb_to_depth,
        "depth_fusion0": transformer.blocks[2].depth_to_rgb,
        "block0": transformer.blocks[0].rgb,
        "control_block0": transformer.blocks[0].depth,
        "block_last": last.rgb,
        "control_block_last": last.depth,
    }
    handles = [module.register_forward_hook(keep(name)) for name, module in watched.items()]
    transformer(**_inputs(golden))
    for handle in handles:
        handle.remove()
    for name, value in taps.items():
        torch.testing.assert_close(value, golden[f"tap.{name}"], atol=1e-4, rtol=0, msg=lambda m, n=name: f"{n}: {m}")
    assert len(taps) == len(watched)


def test_text_of_another_length_is_refused(transformer, golden):
    with pytest.raises(ValueError, match="512"):
        transformer(**_inputs(golden) | {"encoder_hidden_states": golden["in.context"][:, :77]})


def test_gradient_checkpointing_changes_no_gradient(transformer, golden):
    gradients = []
    for checkpointed in (False, True):
        network = copy.deepcopy(transformer).train().requires_grad_(True)
        if checkpointed:
            network.enable_gradient_checkpointing()
        rgb, depth = network(**_inputs(golden))
        (rgb.square().mean() + depth.square().mean()).backward()
        gradients.append(network.blocks[1].rgb_to_depth.fuse_temporal[1].weight.grad)
    assert gradients[0].abs().max() > 0
    torch.testing.assert_close(gradients[0], gradients[1])


@torch.no_grad()
def test_first_block_cache_sees_both_streams(transformer, golden):
    network, inputs = copy.deepcopy(transformer), _inputs(golden)
    plain = network(**inputs)
    network.enable_cache(FirstBlockCacheConfig(threshold=10.0))
    with network.cache_context("positive"):
        first, again = network(**inputs), network(**inputs)
    for output, repeated, expected in zip(first, again, plain, strict=True):
        torch.testing.assert_close(output, expected)
        torch.testing.assert_close(
            repeated, expected, atol=1e-5, rtol=0
        )  # the residuals were stored for exactly this input
    ran = []
    network.blocks[3].depth.register_forward_hook(lambda *_: ran.append(True))
    with network.cache_context("positive"):
        network(**inputs)
    assert not ran


@torch.no_grad()
def test_magcache_skips_both_streams(transformer, golden):
    network, inputs = copy.deepcopy(transformer), _inputs(golden)
    ratios = torch.ones(4)
    network.enable_cache(
        MagCacheConfig(threshold=0.2, num_inference_steps=4, mag_ratios=ratios, max_skip_steps=2, retention_ratio=0.25)
    )
    ran = []
    network.blocks[3].depth.register_forward_hook(lambda *_: ran.append(True))
    with network.cache_context("positive"):
        outputs = [network(**inputs) for _ in range(4)]
    assert len(ran) == 2
    _close(outputs[-1], golden, "t0")


@torch.no_grad()
def test_layers_compile_without_a_graph_break(transformer, golden):
    network = copy.deepcopy(transformer)
    network.compile_repeated_blocks(fullgraph=True, backend="eager")
    _close(network(**_inputs(golden)), golden, "t0")


@torch.no_grad()
def test_attention_kernels_can_be_chosen(transformer, golden):
    network = copy.deepcopy(transformer)
    network.set_attention_backend("_native_math")
    assert network.blocks[0].depth.attn1.processor._attention_backend == "_native_math"
    _close(network(**_inputs(golden)), golden, "t0")


@torch.no_grad()
def test_group_offloading_by_layers(transformer, golden):
    network = copy.deepcopy(transformer)
    cpu = torch.device("cpu")
    apply_group_offloading(
        network, onload_device=cpu, offload_device=cpu, offload_type="block_level", num_blocks_per_group=1
    )
    _close(network(**_inputs(golden)), golden, "t0")


@torch.no_grad()
def test_float8_storage_runs(transformer, golden):
    network = copy.deepcopy(transformer).to(torch.bfloat16)
    network.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=torch.bfloat16)
    assert network.blocks[0].rgb.attn1.to_q.weight.dtype == torch.float8_e4m3fn
    assert network.camera_adapter.conv.weight.dtype == torch.bfloat16
    _close(network(**_inputs(golden, torch.bfloat16)), golden, "t0", atol=1.0)


def test_saved_and_read_again(transformer, tmp_path):
    transformer.save_pretrained(tmp_path)
    again = convert.load_folder(tmp_path, dtype=torch.float32)
    assert tuple(again.config.rgb_to_depth) == transformer.config.rgb_to_depth == (0, 1)
    for name, value in transformer.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value)


def test_fusions_start_silent():
    network = tiny_transformer()
    for layer in (0, 1):
        assert not network.blocks[layer].rgb_to_depth.proj_out.weight.any()
    assert network.blocks[5].rgb_to_depth is None and network.blocks[5].depth_to_rgb is None
