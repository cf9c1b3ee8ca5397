"""The arithmetic of the estimates against the network itself, on the meta device."""

import weakref

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import FlopCounterMode

from camera.path import CameraPath
from pipelines.methods.dualcamctrl import cost
from pipelines.methods.dualcamctrl.network.load import empty
from pipelines.methods.dualcamctrl.network.transformer import DualCamCtrlTransformer
from pipelines.methods.dualcamctrl.network.vae import TiledWanVAE


def _path(frames: int, width: int, height: int) -> CameraPath:
    return CameraPath(np.eye(4)[None].repeat(frames, 0), np.diag([300.0, 300, 1]), width, height)


def test_tokens():
    assert cost.tokens(_path(61, 480, 320)) == 9600 and cost.tokens(_path(61, 720, 480)) == 21600


def _pass(network: DualCamCtrlTransformer, frames: int, rows: int, columns: int) -> None:
    """One full-size pass in bfloat16 without computing anything."""
    meta = {"device": "meta", "dtype": torch.bfloat16}
    latents, depth = (torch.empty(1, 32, frames, rows, columns, **meta) for _ in range(2))
    text, tokens = torch.empty(1, 512, 4096, **meta), torch.empty(1, 257, 1280, **meta)
    camera = torch.empty(1, 24, frames, rows * 8, columns * 8, **meta)
    with torch.no_grad():
        network(latents, depth, torch.empty(1, **meta), text, tokens, camera)


@pytest.fixture(scope="module")
def network() -> DualCamCtrlTransformer:
    return empty(DualCamCtrlTransformer).to(device="meta", dtype=torch.bfloat16)


def test_operations_are_those_of_the_full_size_network(network):
    with FlopCounterMode(display=False) as counter:
        _pass(network, 8, 40, 60)
    counted = 2 * counter.get_total_flops()  # two passes per step
    assert cost.denoising_flops(cost.tokens(_path(29, 480, 320)), 1) == pytest.approx(counted, rel=0.1)


class _LiveBytes(TorchDispatchMode):
    """Tracks every tensor's memory from allocation to release; ``peak`` is the most that was allocated at once."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.weights = [tensor.untyped_storage() for tensor in (*module.parameters(), *module.buffers())]
        self.live = {storage._cdata: 0 for storage in self.weights}
        self.now = self.peak = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in tree_iter(out):
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage()._cdata not in self.live:
                storage = tensor.untyped_storage()
                self.live[storage._cdata] = storage.nbytes()
                self.now += storage.nbytes()
                self.peak = max(self.peak, self.now)
                weakref.finalize(storage, self._ended, storage._cdata)
        return out

    def _ended(self, key: int) -> None:
        self.now -= self.live.pop(key, 0)


@pytest.mark.parametrize(("frames", "rows", "columns"), [(8, 40, 60), (16, 60, 90)])
def test_memory_of_a_pass(network, monkeypatch, frames, rows, columns):
    monkeypatch.setattr(F, "scaled_dot_product_attention", lambda query, key, value, **_: torch.empty_like(query))
    with _LiveBytes(network) as alive:
        _pass(network, frames, rows, columns)
    estimated = frames * rows * columns / 4 * cost.BYTES_PER_TOKEN
    assert 0.85 * estimated < alive.peak < 1.05 * estimated


def test_memory_of_a_tile():
    vae = empty(TiledWanVAE).to(device="meta", dtype=torch.bfloat16)
    with _LiveBytes(vae) as alive, torch.no_grad():
        vae._decode_unclamped(torch.empty(1, 16, 4, 30, 52, device="meta", dtype=torch.bfloat16))
    assert 0.85 * cost.TILE_GIGABYTES < alive.peak / 1e9 < cost.TILE_GIGABYTES
