"""Blocks compiled ahead of time: the same values through the compiler's own packages, with each block's weights; readable refusals."""

import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers.hooks.layerwise_casting import apply_layerwise_casting
from fake_zerogpu import zerogpu
from torch import nn
from toy_method import TOY, toy_shot

from camera.errors import InputError
from pipelines import registry
from pipelines.method import Clip
from pipelines.options import RunOptions
from pipelines.runtime import runner
from pipelines.runtime.acceleration import apply, compiled_blocks
from pipelines.shot import Shot


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x, *, scale, grid):
        return x + nn.functional.silu(self.layer(x)) * scale[0] * grid[1]


class Network(nn.Module):
    _repeated_blocks = ("Block",)

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block() for _ in range(3))

    def forward(self, x):
        for block in self.blocks:
            x = block(x, scale=(torch.ones(1),), grid=(1, 2))
        return x


class One:
    device = torch.device("cpu")

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.network = Network().eval()
        self.components = {"network": self.network}

    @torch.no_grad()
    def __call__(self, scene, path, settings):
        numbers = self.network(torch.linspace(-1, 1, 16).reshape(2, 8)).numpy()
        files = {"numbers": numbers.tobytes(), "process": str(os.getpid()).encode()}
        yield Clip(np.zeros((len(path), 16, 16, 3), np.uint8), path.fps, path, files=files)


def load(weights):
    return One()


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A pipeline, and the folder with the blocks compiled in one run of it."""
    pipeline, folder, made = One(), tmp_path_factory.mktemp("compiled"), []
    with torch.no_grad(), compiled_blocks.compile_blocks(pipeline, folder / "toy", made):
        pipeline.network(torch.randn(2, 8))
    assert [path.name for path in made] == [f"{compiled_blocks.kind_of(pipeline.network.blocks[0])}.pt2"], (
        "one kind, one package"
    )
    return pipeline, folder


@pytest.fixture
def on_zerogpu(compiled, monkeypatch):
    monkeypatch.setattr(apply, "on_zerogpu", lambda: True)
    monkeypatch.setenv(compiled_blocks.FOLDER_VARIABLE, str(compiled[1]))
    return compiled[0]


def fast(pipeline, **options):
    return apply.accelerate(pipeline, replace(RunOptions(compile=True), **options), steps=1, method="toy")


@torch.no_grad()
def test_every_block_computes_in_its_package_with_its_own_weights_and_is_itself_again_after(on_zerogpu):
    network, x = on_zerogpu.network, torch.randn(2, 8)
    expected, eager = network(x), []
    handle = network.blocks[1].layer.register_forward_hook(lambda *_: eager.append(True))
    with fast(on_zerogpu):
        torch.testing.assert_close(network(x), expected)
        network.blocks[2].layer.weight.mul_(2)
        assert not torch.allclose(network(x), expected), "weights are the network's, not the package's"
        network.blocks[2].layer.weight.div_(2)
    assert not eager
    torch.testing.assert_close(network(x), expected)
    assert eager
    handle.remove()


@torch.no_grad()
def test_another_size_is_refused_with_what_was_compiled(on_zerogpu):
    with fast(on_zerogpu), pytest.raises(InputError, match=r"ahead for \(2, 8\) torch.float32, this run has \(3, 8\)"):
        on_zerogpu.network(torch.randn(3, 8))


def test_what_was_not_compiled_is_refused_with_the_command(on_zerogpu, tmp_path, monkeypatch):
    monkeypatch.setenv(compiled_blocks.FOLDER_VARIABLE, str(tmp_path))
    with (
        pytest.raises(InputError, match="run `python -m pipelines compile toy` on a GPU of this kind"),
        fast(on_zerogpu),
    ):
        pass


def test_what_else_holds_the_blocks_is_refused(on_zerogpu):
    held = One()
    apply_layerwise_casting(held.network, storage_dtype=torch.float32, compute_dtype=torch.float32)
    with pytest.raises(InputError, match="do not work with a step cache, group offload or 8 bits"), fast(held):
        pass


def test_a_zerogpu_worker_computes_with_what_was_compiled(on_zerogpu, monkeypatch, tmp_path):
    called, compute = tmp_path / "called", compiled_blocks._Compiled.__call__

    def noted(self, *args, **kwargs):
        called.write_text(str(os.getpid()))
        return compute(self, *args, **kwargs)

    (tmp_path / "cgroup").write_text("0::/toy\n")
    monkeypatch.setattr(compiled_blocks._Compiled, "__call__", noted)
    monkeypatch.setattr(registry, "method", lambda name: replace(TOY, pipeline=__name__))
    monkeypatch.setattr(runner, "_default", None)
    with zerogpu() as (space, _):
        from spaces.config import Config

        monkeypatch.setattr(Config, "zerogpu_proc_self_cgroup_path", str(tmp_path / "cgroup"))
        items = list(
            space.run(Shot(replace(TOY, pipeline=__name__), *toy_shot(), RunOptions(weights="tiny", compile=True)))
        )
    clip = next(item for item in items if isinstance(item, Clip))
    here = next(One()(*toy_shot()))
    np.testing.assert_allclose(*(np.frombuffer(each.files["numbers"], np.float32) for each in (clip, here)), atol=1e-5)
    assert clip.files["process"].decode() == called.read_text() != str(os.getpid())
