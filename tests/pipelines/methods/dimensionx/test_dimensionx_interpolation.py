"""Frame interpolation: RIFE's network and upstream's doubling, and ours without upstream's strip."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from pipelines.methods.dimensionx.postprocess.interpolation import (
    double_as_upstream,
    interpolate_frames,
    load_flow_net,
    thumbnail_similarity,
)
from pipelines.methods.dimensionx.postprocess.rife import FlowNet, warp
from pipelines.weights.hub import Weights


@pytest.fixture(scope="module")
def recorded(golden):
    with np.load(golden / "dimensionx" / "postprocess.npz") as stored:
        return {key: torch.from_numpy(np.asarray(stored[key])) for key in stored.files}


@pytest.fixture(scope="module")
def keys(golden):
    return json.loads((golden / "dimensionx" / "rife_ifnet_keys.json").read_text())


@pytest.fixture(scope="module")
def network(keys):
    """Weights by the golden's recipe: a sine over the elements of a tensor, with a different phase for every tensor."""
    state = {}
    for k, (name, shape) in enumerate(keys.items()):
        wave = torch.sin(0.37 * torch.arange(math.prod(shape), dtype=torch.float64) + 1.3 * k).view(shape)
        if len(shape) > 1:
            wave = wave * 1.2 / math.sqrt(math.prod(shape[1:]))
        else:
            wave = 0.05 * wave if "bias" in name else 0.25 + 0.05 * wave
        state[name] = wave.float()
    made = FlowNet().eval()
    made.load_state_dict(state)
    return made.requires_grad_(False)


def test_keys_are_those_of_the_released_file(keys):
    assert {name: list(value.shape) for name, value in FlowNet().state_dict().items()} == keys


def test_the_frame_between_two_is_the_originals(network, recorded):
    first, second = recorded["rife_frames"][:1], recorded["rife_frames"][1:2]
    left, right, top, bottom = recorded["rife_pad"].tolist()
    pad = torch.nn.functional.pad
    got = network(*(pad(frame, (left, right, top, bottom)) for frame in (first, second)))
    np.testing.assert_allclose(got, recorded["rife_mid"], atol=1e-3)


def test_similarities_are_the_originals(recorded):
    frames = recorded["rife_frames"]
    pad = torch.nn.functional.pad
    got = [
        thumbnail_similarity(pad(frames[a : a + 1], (0, 24, 0, 16)), pad(frames[b : b + 1], (0, 24, 0, 16)))
        for a, b in ((0, 1), (1, 2), (2, 3), (0, 4))
    ]
    unpadded = [thumbnail_similarity(frames[a : a + 1], frames[b : b + 1]) for a, b in ((0, 1), (1, 2), (2, 3), (0, 4))]
    errors = [np.abs(np.array(each) - recorded["ssim_pairs"].numpy()).max() for each in (got, unpadded)]
    assert min(errors) < 1e-5


def test_doubling_as_upstream_with_its_strip(network, recorded):
    got = double_as_upstream(network, recorded["rife_frames"])
    np.testing.assert_allclose(got, recorded["rife_out"], atol=1e-3)
    assert not got[..., -8:].any() and recorded["rife_frames"][..., -8:].all()


@pytest.mark.parametrize("times", [2, 4])
def test_ours_keeps_every_frame_and_has_no_strip(network, recorded, times):
    frames = (recorded["rife_frames"].permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy()
    made = np.concatenate(list(interpolate_frames(network, frames, times=times)))
    assert made.shape == (4 * times + 1, 48, 72, 3)
    assert np.array_equal(made[::times], frames)
    expected = recorded["rife_mid"][0, :, :48, :72].clamp(0, 1).permute(1, 2, 0).numpy() * 255
    np.testing.assert_allclose(made[times // 2], expected, atol=1)


def test_a_cut_is_not_blended(network):
    checks = np.indices((64, 64)).sum(axis=0) // 8 % 2 * 255
    frames = np.stack([np.repeat(each[..., None], 3, axis=2) for each in (checks, 255 - checks)]).astype(np.uint8)
    made = np.concatenate(list(interpolate_frames(network, frames, times=4)))
    assert all(np.array_equal(frame, frames[0]) for frame in made[:4])


def test_warping_reads_where_the_flow_points():
    picture = torch.arange(20.0).view(1, 1, 4, 5)
    flow = torch.zeros(1, 2, 4, 5)
    flow[:, 0] = 1
    np.testing.assert_allclose(warp(picture, flow)[0, 0, :, :4], picture[0, 0, :, 1:], atol=1e-5)


def test_tiny_weights_need_no_file():
    assert isinstance(load_flow_net(Weights("tiny")), FlowNet)
