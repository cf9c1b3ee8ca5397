"""Every published name is mapped, and no other name is accepted."""

import gzip
import json
import re

import pytest
import torch

from camera.errors import InputError
from pipelines.methods.dualcamctrl.network import convert
from pipelines.methods.dualcamctrl.network.transformer import DualCamCtrlTransformer
from pipelines.weights.checkpoints import on_meta_device, strip_prefix

from .conftest import GOLDEN, golden_file, tiny_transformer


@pytest.fixture(scope="module")
def manifest() -> dict:
    return json.loads(gzip.decompress((GOLDEN / "transformer_keys.json.gz").read_bytes()))


@pytest.fixture(scope="module")
def full_size() -> DualCamCtrlTransformer:
    return on_meta_device(DualCamCtrlTransformer)


def _meta(shapes: dict[str, list[int]]) -> dict[str, torch.Tensor]:
    return {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}


@pytest.mark.parametrize("prefix", ["pipe.dit.", "dit.", "module.", ""])
def test_all_2084_names_and_shapes(full_size, manifest, prefix):
    state = _meta({prefix + key: shape for key, shape in manifest["keys"].items()})
    report = convert.load_transformer(full_size, state, source="the manifest")
    assert report.loaded == 2084 and not report.dropped and not report.kept


def test_the_whole_wrapper_file(full_size):
    keys = json.loads(gzip.decompress((GOLDEN / "full_wrapper_keys.json.gz").read_bytes()))["keys"]
    state = _meta(keys)
    assert len(state) == 2913 and convert.has_encoders(state)
    assert convert.load_transformer(full_size, state, source="the wrapper").loaded == 2084


def test_inner_names_are_those_of_diffusers_wan(full_size, manifest):
    renames = convert.transformer_renames(tuple(range(5)), tuple(range(5, 15)))

    def ours(key):
        for pattern, replacement in renames:
            key = re.sub(pattern, replacement, key)
        return key

    for old, theirs in manifest["upstream_to_diffusers"].items():
        if old.startswith(("blocks.", "control_blocks.")):
            branch, number, rest = theirs.split(".", 2)
            assert ours(old) == f"blocks.{number}.{'depth' if branch == 'control_blocks' else 'rgb'}.{rest}"
        elif "zero_inits" not in old and "control_adapter" not in old:
            assert ours(old) == theirs


def test_fusions_go_to_the_layers_they_serve(manifest):
    network = on_meta_device(DualCamCtrlTransformer)
    with_rgb_to_depth = [i for i, block in enumerate(network.blocks) if block.rgb_to_depth is not None]
    with_depth_to_rgb = [i for i, block in enumerate(network.blocks) if block.depth_to_rgb is not None]
    assert with_rgb_to_depth == manifest["upstream_config"]["rgb_inject_blocks"]
    assert with_depth_to_rgb == manifest["upstream_config"]["depth_inject_blocks"]
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(3.253e9, rel=1e-3)


def test_a_missing_and_an_unknown_tensor_are_refused(manifest, full_size):
    state = _meta(manifest["keys"])
    shortened = dict(state)
    del shortened["control_blocks.7.ffn.0.bias"]
    with pytest.raises(InputError, match=r"blocks\.7\.depth\.ffn\.net\.0\.proj\.bias"):
        convert.load_transformer(full_size, shortened, source="the file")
    with pytest.raises(InputError, match="unknown"):
        convert.load_transformer(full_size, state | {"lora.weight": torch.empty(1)}, source="the file")


def test_the_base_fills_both_branches_alike():
    base = {
        key: value
        for key, value in golden_file("tiny_transformer").items()
        if not key.startswith(("control_blocks", "rgb_zero", "control_zero"))
    }
    network = tiny_transformer()
    report = convert.load_base(network, base, source="the base", dtype=torch.float32)
    for name, value in network.blocks[4].rgb.named_parameters():
        twin = network.blocks[4].depth.get_parameter(name)
        assert torch.equal(value, twin) and value.data_ptr() != twin.data_ptr()
    assert all("_to_" in name for name in report.kept) and not network.blocks[0].rgb_to_depth.proj_out.weight.any()


def test_the_base_loader_refuses_a_trained_model():
    with pytest.raises(InputError, match="two branches"):
        convert.load_base(tiny_transformer(), golden_file("tiny_transformer"), source="the file")


def test_encoders_of_the_wrapper_load_strictly(vae, text_encoder, image_encoder, encoder_state):
    """The fixtures load them; here one tensor is removed from each."""
    loads = {
        "vae.model.": (convert.load_vae, vae, "decoder.conv1.bias"),
        "text_encoder.": (convert.load_text_encoder, text_encoder, "blocks.1.ffn.fc1.weight"),
        "image_encoder.model.": (convert.load_image_encoder, image_encoder, "visual.pre_norm.bias"),
    }
    for prefix, (load, network, name) in loads.items():
        part = strip_prefix(encoder_state, prefix)
        del part[name]
        with pytest.raises(InputError, match="missing"):
            load(network, part, source="the wrapper")


def test_the_text_encoders_embedding_is_held_once(text_encoder):
    assert text_encoder.shared.weight is text_encoder.encoder.embed_tokens.weight
