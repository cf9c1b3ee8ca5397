"""Upscaling: tiles are blended as upstream does, and the network has the published shape."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from camera.errors import InputError
from pipelines.methods.dimensionx.postprocess.upscaling import Upscaler, _state, in_tiles, load_upscaler, upscale
from pipelines.weights.hub import Weights


def test_tiles_are_blended_as_upstream(golden):
    def toy(a):
        return 0.8 * F.interpolate(a, scale_factor=4, mode="nearest") + 0.2 * a.mean(dim=(2, 3), keepdim=True)

    with np.load(golden / "dimensionx" / "postprocess.npz") as stored:
        given, expected = torch.from_numpy(stored["tile_in"]), stored["tile_out"].astype(np.float32)
    got = torch.cat([in_tiles(toy, picture[None], tile=32, overlap=8, times=4) for picture in given])
    np.testing.assert_allclose(got, expected, atol=1e-3)


def test_the_released_network_has_its_known_size():
    with torch.device("meta"):
        network = Upscaler()
    assert sum(value.numel() for value in network.state_dict().values()) == 16_697_987  # Real-ESRGAN x4plus
    assert {"body.22.rdb3.conv5.weight", "conv_up2.bias", "conv_hr.weight"} <= set(network.state_dict())


def test_frames_come_out_four_times_larger():
    frames = np.random.default_rng(0).integers(0, 255, (2, 20, 30, 3)).astype(np.uint8)
    made = np.concatenate(list(upscale(load_upscaler(Weights("tiny")), frames)))
    assert made.shape == (2, 80, 120, 3) and made.dtype == np.uint8


@pytest.mark.parametrize(
    "wrap", [lambda state: state, lambda state: {"params_ema": state}, lambda state: {"params": state}]
)
def test_weights_bare_or_wrapped(tmp_path, wrap):
    torch.save(wrap({"conv_first.bias": torch.ones(3)}), tmp_path / "x.pth")
    assert list(_state(str(tmp_path / "x.pth"))) == ["conv_first.bias"]
    (tmp_path / "bad.pth").write_bytes(b"no")
    with pytest.raises(InputError, match="damaged"):
        _state(str(tmp_path / "bad.pth"))
