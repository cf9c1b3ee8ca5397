"""Real mode, with files in the published layouts at tiny sizes: they load strictly, run, and are refused if something is missing."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLCosmos
from safetensors.torch import load_file
from transformers import (
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    Dinov2Config,
    T5Config,
    T5ForConditionalGeneration,
)

from camera.errors import InputError
from pipelines.estimation import depth as models
from pipelines.inputs.picture import scene_from
from pipelines.media.image import Picture
from pipelines.method import Clip
from pipelines.methods.gen3c import guardrail
from pipelines.methods.gen3c.method import TEXT_ENCODER, TOKENIZER, TRANSFORMER, Gen3cMoves, Gen3cSettings, path
from pipelines.methods.gen3c.network.transformer import Gen3cTransformer
from pipelines.methods.gen3c.pipeline import PREVIEW_EVERY, load
from pipelines.methods.gen3c.weights import depth_network
from pipelines.methods.gen3c.weights import load as networks
from pipelines.weights.components import byte_tokenizer
from pipelines.weights.hub import Weights

from .conftest import GOLDEN_TRANSFORMER, GOLDEN_VAE

SETTINGS = Gen3cSettings(steps=2, chunk_frames=9, prompt="a box")


def _text_encoder(folder):
    """Like google-t5/t5-11b: encoder and decoder in one pytorch_model.bin, with tokenizer files."""
    config = T5Config(vocab_size=320, d_model=24, d_kv=8, d_ff=48, num_layers=2, num_heads=2)
    folder.mkdir(parents=True)
    config.save_pretrained(folder)
    torch.save(T5ForConditionalGeneration(config).state_dict(), folder / "pytorch_model.bin")
    byte_tokenizer(320).save_pretrained(folder)
    (folder / "spiece.model").write_bytes(b"")


def _depth_model(folder):
    backbone = Dinov2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=56, patch_size=14, out_indices=[1, 2],
        reshape_hidden_states=False, apply_layernorm=True,
    )  # fmt: skip
    config = DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=16, reassemble_factors=[1, 0.5], neck_hidden_sizes=[8, 8],
        fusion_hidden_size=8, head_in_index=-1, head_hidden_size=8,
    )  # fmt: skip
    torch.manual_seed(0)
    network = DepthAnythingForDepthEstimation(config)
    torch.nn.init.constant_(network.head.conv3.bias, 1.0)
    network.save_pretrained(folder)


@pytest.fixture
def published(golden, published_tokenizer, tmp_path, monkeypatch):
    """A folder of weights under the repositories' names, and networks of matching sizes."""
    monkeypatch.setitem(networks.FULL, Gen3cTransformer, GOLDEN_TRANSFORMER)
    monkeypatch.setitem(networks.FULL, AutoencoderKLCosmos, GOLDEN_VAE)
    transformer, tokenizer = (tmp_path / checkpoint.repo for checkpoint in (TRANSFORMER, TOKENIZER))
    for folder in (transformer, tokenizer):
        folder.mkdir(parents=True)
    torch.save({"model": load_file(golden / "gen3c/transformer_tiny.safetensors")}, transformer / "model.pt")
    for name in ("encoder.jit", "decoder.jit"):
        (tokenizer / name).write_bytes((published_tokenizer / name).read_bytes())
    with np.load(golden / "gen3c/vae.npz") as arrays:
        torch.save((torch.from_numpy(arrays["mean"]), torch.from_numpy(arrays["std"])), tokenizer / "mean_std.pt")
    _text_encoder(tmp_path / TEXT_ENCODER.repo)
    _depth_model(tmp_path / models.MODELS[depth_network.OWN].checkpoint.repo)
    return tmp_path


def test_published_files_are_loaded_and_shot_with(published, scene):
    pipeline = load(Weights(mode="real", device="cpu", folder=published))
    assert set(pipeline.components) == {"transformer", "vae"}
    moves = Gen3cMoves(width=96, height=64, frames=17)
    clips = [event for event in pipeline(scene, path(moves, scene), SETTINGS) if isinstance(event, Clip)]
    assert [len(clip.frames) for clip in clips] == [9, 17]
    assert clips[-1].scene is not None and len(clips[-1].scene.views) == 2
    assert guardrail.describe_state() in clips[-1].notes
    assert {"text_encoder", "depth"} <= set(pipeline.components)
    assert pipeline.networks.depth is not None and pipeline.networks.depth.model is models.MODELS[depth_network.OWN]


@pytest.mark.parametrize(("repo", "name", "words"), [
    (TRANSFORMER.repo, "model.pt", "has no file model.pt"),
    (TOKENIZER.repo, "decoder.jit", "has no file decoder.jit"),
])  # fmt: skip
def test_a_missing_file_is_named(published, repo, name, words):
    (published / repo / name).unlink()
    with pytest.raises(InputError, match=words):
        load(Weights(mode="real", device="cpu", folder=published))


def test_half_a_tokenizer_is_refused(published):
    folder = published / TOKENIZER.repo
    (folder / "decoder.jit").write_bytes((folder / "encoder.jit").read_bytes())
    with pytest.raises(InputError, match="missing"):
        load(Weights(mode="real", device="cpu", folder=published))


MOGE = '''
import torch


class MoGeModel(torch.nn.Module):
    """Answers as MoGe does: lens in shares of the picture, infinite depth outside the mask."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    @classmethod
    def from_pretrained(cls, path):
        assert path.endswith("model.pt")
        return cls()

    def infer(self, picture):
        assert picture.shape[0] == 3 and picture.max() <= 1
        depth = torch.where(picture.mean(0) > 0.5, picture.mean(0), torch.inf)
        lens = torch.tensor([[0.8, 0, 0.5], [0, 1.2, 0.5], [0, 0, 1]])
        return {"depth": depth, "mask": depth.isfinite(), "intrinsics": lens}
'''


@pytest.fixture
def moge_installed(tmp_path, monkeypatch):
    package = tmp_path / "site/moge/model"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    (package / "v1.py").write_text(MOGE)
    monkeypatch.syspath_prepend(str(package.parents[1]))
    yield package.parents[1]
    for name in [name for name in sys.modules if name.split(".")[0] == "moge"]:
        del sys.modules[name]


def test_moge_measures_where_its_package_is_installed(published, scene, moge_installed):
    folder = published / models.MOGE.checkpoint.repo
    folder.mkdir(parents=True)
    (folder / "model.pt").touch()
    picture = scene.first.colour
    measure = depth_network.load_depth(Weights(mode="real", device="cpu", folder=published))
    assert measure.model is models.MOGE
    bright = picture.mean(axis=2) / 255 > 0.5
    values = measure(picture)
    assert np.isfinite(values[bright]).all() and np.isnan(values[~bright]).all()
    _, lens = models.moge_answer(measure.network, picture)
    np.testing.assert_allclose(lens, [[0.8 * 96, 0, 48], [0, 1.2 * 64, 32], [0, 0, 1]], rtol=1e-6)
    found = scene_from(Picture(picture, None), models.estimate(Picture(picture, None), models.MOGE, measure.network))
    assert found.first.intrinsics[0, 0] == pytest.approx(0.8 * 96) and found.unit == "relative"


def test_moge_is_the_first_choice_for_a_picture_where_it_is_installed(moge_installed):
    code = "from pipelines.estimation.depth import MODELS; print(next(iter(MODELS)))"
    environment = os.environ | {"PYTHONPATH": str(moge_installed)}
    root = Path(depth_network.__file__).parents[4]
    told = subprocess.run([sys.executable, "-c", code], env=environment, cwd=root, capture_output=True, text=True)
    assert told.stdout.strip() == "moge"
    assert "moge" not in models.MODELS


def test_a_frame_without_depth_is_left_out_of_the_cache_and_noted(scene):
    pipeline = load(Weights(mode="tiny", device="cpu"))
    moves = Gen3cMoves(width=96, height=64, frames=17)

    class Blind(depth_network.FrameDepth):
        def __call__(self, picture):
            raise InputError("No depth was found.")

    pipeline.networks.depth = Blind()
    clip = [event for event in pipeline(scene, path(moves, scene), SETTINGS) if isinstance(event, Clip)][-1]
    assert len(clip.frames) == 17 and clip.scene is scene
    assert "A generated frame was not added to the cache. No depth was found." in clip.notes


CHECKER = '''
import torch


class CosmosSafetyChecker(torch.nn.Module):
    """As the published package: words and frames in, an answer out."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def check_text_safety(self, prompt):
        return "knife" not in prompt

    def check_video_safety(self, frames):
        assert frames.ndim == 4 and frames.dtype.name == "uint8"
        if self.weight.item() > 0:
            return None
        checked = frames.copy()
        checked[:, :8, :8] = 77
        return checked
'''


@pytest.fixture
def checker_installed(tmp_path, monkeypatch):
    package = tmp_path / "site" / guardrail.PACKAGE
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(CHECKER)
    monkeypatch.syspath_prepend(str(package.parent))
    yield
    sys.modules.pop(guardrail.PACKAGE, None)


def test_the_checker_is_used_whenever_it_is_installed(published, scene, checker_installed):
    pipeline = load(Weights(mode="real", device="cpu", folder=published))
    assert "guardrail" in pipeline.components, "placed by the runtime like any network"
    along = path(Gen3cMoves(width=96, height=64, frames=9), scene)
    events = list(pipeline(scene, along, replace(SETTINGS, steps=PREVIEW_EVERY + 1)))
    assert all(event.preview is None for event in events[:-1]), "nothing unchecked is shown"
    clip = events[-1]
    assert (clip.frames[:, :8, :8] == 77).all() and not (clip.frames[:, 8:] == 77).all()
    assert any("Guardrail: installed" in note for note in clip.notes)
    with pytest.raises(InputError, match="refused the prompt"):
        list(pipeline(scene, along, replace(SETTINGS, prompt="a knife")))
    with torch.no_grad():
        pipeline.networks.checker.weight.fill_(1)
    with pytest.raises(InputError, match="refused the generated frames"):
        list(pipeline(scene, along, SETTINGS))


def test_without_the_package_the_state_says_so():
    assert "not installed" in guardrail.describe_state() and guardrail.load() is None
