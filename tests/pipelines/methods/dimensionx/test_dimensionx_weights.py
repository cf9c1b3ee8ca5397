"""Real weights from a folder in the hub's layout: base, directors by name, the orbit's checkpoint, the captioner."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel
from safetensors.torch import load_file, save_file

from camera.errors import InputError
from camera.path import pinhole
from camera.view import Scene, View
from pipelines.method import Clip
from pipelines.methods.dimensionx.loras.layouts import read_lora
from pipelines.methods.dimensionx.loras.sources import read_director, repository_files, untrained_lora
from pipelines.methods.dimensionx.method import METHOD, DimensionXMoves, DimensionXSettings, checkpoint
from pipelines.methods.dimensionx.network import configs
from pipelines.methods.dimensionx.network import load as networks
from pipelines.methods.dimensionx.network.load import load_networks
from pipelines.methods.dimensionx.pipeline import load
from pipelines.methods.dimensionx.sampling import SCHEDULE
from pipelines.weights.components import byte_tokenizer
from pipelines.weights.hub import Weights


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Path:
    """Tiny networks saved in the layout of the base repository, and two directors in the exporter's layout."""
    root = tmp_path_factory.mktemp("weights")
    tiny = load_networks(Weights("tiny", seed=3), "image")
    base = root / checkpoint("base").repo
    for name in ("text_encoder", "vae", "transformer"):
        getattr(tiny, name).save_pretrained(base / name)
    tiny.tokenizer.save_pretrained(base / "tokenizer")
    (base / "scheduler").mkdir()
    (base / "scheduler" / "scheduler_config.json").write_text(json.dumps(SCHEDULE))
    orbits = root / checkpoint("orbit").repo
    orbits.mkdir(parents=True)
    for name in ("orbit_left", "orbit_up"):
        lora = untrained_lora(tiny.transformer, name, 4, Weights("tiny"))
        save_file(lora.tensors, orbits / f"{name}_45_lora_weights.safetensors")
    return root


@pytest.fixture
def weights(hub, monkeypatch) -> Weights:
    monkeypatch.setattr(networks, "read_tokenizer", lambda folder: byte_tokenizer(384))
    return Weights("real", folder=hub)


@pytest.fixture(scope="module")
def scene() -> Scene:
    colour = np.random.default_rng(0).integers(0, 255, (64, 96, 3)).astype(np.uint8)
    return Scene((View.of(colour, np.full((64, 96), 3.0, np.float32), pinhole(96, 64, 60)),))


def clip_of(weights, scene, **moves) -> Clip:
    path = METHOD.path(DimensionXMoves(frames=9, **moves), scene)
    *_, clip = load(weights)(scene, path, DimensionXSettings(steps=2, prompt="a room"))
    return clip


@pytest.mark.parametrize(("kind", "parameters"), [("image", 5_625_087_552), ("orbit", 5_639_372_352)])
def test_full_size_networks_have_their_known_size(kind, parameters):
    with torch.device("meta"):
        transformer = CogVideoXTransformer3DModel(**configs.TRANSFORMERS[kind])
    assert sum(value.numel() for value in transformer.state_dict().values()) == parameters


def test_a_run_from_files(weights, scene):
    left, up = (clip_of(weights, scene, director=name) for name in ("orbit_left", "orbit_up"))
    assert left.frames.shape == (9, 64, 96, 3) and not np.array_equal(left.frames, up.frames)


def test_t5s_vocabulary_is_read_as_the_hub_has_it(tmp_path):
    import sentencepiece

    model = BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a red house by the sea", "people walk in the rain"] * 5), model_writer=model,
        vocab_size=60, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, hard_vocab_limit=False,
    )  # fmt: skip
    (tmp_path / "spiece.model").write_bytes(model.getvalue())
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "T5Tokenizer", "extra_ids": 100}')
    ids = networks.read_tokenizer(tmp_path)("a red house", padding="max_length", max_length=24).input_ids
    assert len(ids) == 24 and ids.count(1) == 1 and ids[-1] == 0 and 2 not in ids


def test_a_broken_vocabulary_is_refused(tmp_path):
    (tmp_path / "spiece.model").write_bytes(b"nothing")
    with pytest.raises(InputError, match="vocabulary could not be read"):
        networks.read_tokenizer(tmp_path)


def test_a_director_that_is_not_there_is_named(weights, scene):
    with pytest.raises(InputError, match="no file for 'Orbit down'; it contains orbit_left_45"):
        clip_of(weights, scene, director="orbit_down")


def test_listing_without_folder_network_or_cache_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="could not be listed"):
        repository_files(Weights("real", folder=tmp_path), checkpoint("basic"))


def test_only_the_director_in_use_is_asked_for(hub):
    asked = []

    class Watched(Weights):
        def files(self, checkpoint):
            asked.append(checkpoint.files)
            return super().files(checkpoint)

    transformer = load_networks(Weights("tiny", seed=3), "image").transformer
    lora = read_director(Watched("real", folder=hub), "orbit_up", transformer)
    assert asked == [("orbit_up_45_lora_weights.safetensors",)] and lora.scale == 1 / 4


@pytest.fixture
def orbit_weights(weights, hub, dimensionx_golden, monkeypatch):
    """The golden's SAT state as saved by DeepSpeed, and networks of its size."""
    config = json.loads((dimensionx_golden / "sat_145like_config.json").read_text())["diffusers_config"]
    monkeypatch.setattr(networks, "ORBIT_TRANSFORMER", config)
    folder = hub / checkpoint("orbit_360").repo
    (folder / "1").mkdir(parents=True, exist_ok=True)
    (folder / "latest").write_text("1")
    state = load_file(dimensionx_golden / "sat_145like_state.safetensors")
    torch.save({"module": state, "torch_rng_state": torch.get_rng_state()}, folder / "1" / "mp_rank_00_model_states.pt")
    return weights


def test_the_orbit_is_converted_from_its_published_form(orbit_weights):
    loaded = load_networks(orbit_weights, "orbit")
    assert isinstance(loaded.transformer, CogVideoXTransformer3DModel) and isinstance(
        loaded.vae, AutoencoderKLCogVideoX
    )
    assert loaded.geometry.sample_frames == 145 and loaded.transformer.norm_out.norm.eps == 1e-6


def test_of_several_orbit_states_the_latest_counts(orbit_weights, hub):
    folder = hub / checkpoint("orbit_360").repo
    (folder / "2").mkdir(exist_ok=True)
    other = folder / "2" / "mp_rank_00_model_states.pt"
    other.write_bytes(b"an older one")
    try:
        assert load_networks(orbit_weights, "orbit").geometry.sample_frames == 145
        (folder / "latest").write_text("7")
        with pytest.raises(InputError, match="should contain one model state, found 0"):
            networks._orbit_file(orbit_weights.files(checkpoint("orbit_360")))
    finally:
        other.unlink()


def test_a_cut_director_file_is_refused(hub, tmp_path):
    whole = next((hub / checkpoint("orbit").repo).iterdir()).read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="damaged or incomplete"):
        read_lora(tmp_path / "cut.safetensors")
