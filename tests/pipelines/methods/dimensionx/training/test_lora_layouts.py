"""Every layout of a LoRA file gives the same tensors; nothing is dropped, guessed or unpickled."""

from __future__ import annotations

import gzip
import json
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXTransformer3DModel
from diffusers.pipelines.cogvideo.pipeline_cogvideox_image2video import CogVideoXImageToVideoPipeline
from peft import LoraConfig, get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from camera.errors import InputError
from pipelines.methods.dimensionx.loras.directors import Directors
from pipelines.methods.dimensionx.loras.layouts import (
    TARGETS,
    LoraFile,
    lora_of,
    merge_weight,
    read_lora,
    rename_key,
    save_lora,
)
from pipelines.methods.dimensionx.loras.sat import read_latest, read_sat_file


@pytest.fixture
def lora(golden: Path) -> LoraFile:
    return read_lora(golden / "dimensionx" / "lora_a_unprefixed.safetensors")


def as_sat(key: str) -> str:
    _, block, _, rest = key.split(".", 3)
    layer = f"model.diffusion_model.transformer.layers.{block}.attention."
    module, side = rest.removesuffix(".weight").rsplit(".lora_", 1)
    number = "qkv".find(module[-1])
    return layer + (f"dense.matrix_{side}.0" if module == "to_out.0" else f"query_key_value.matrix_{side}.{number}")


LAYOUTS = {
    "diffusers": lambda key: f"transformer.{key}",
    "exporter": lambda key: key,
    "peft": lambda key: f"base_model.model.{key}",
    "peft with adapter name": lambda key: f"base_model.model.{key}".replace(".weight", ".default.weight"),
    "diffusion_model": lambda key: f"diffusion_model.{key}",
    "down and up": lambda key: f"transformer.{key}".replace("lora_A", "lora_down").replace("lora_B", "lora_up"),
    "sat": as_sat,
    "sat without prefix": lambda key: as_sat(key).removeprefix("model.diffusion_model."),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_read_as_one(lora, layout, tmp_path):
    save_file({LAYOUTS[layout](key): value.clone() for key, value in lora.tensors.items()}, tmp_path / "x.safetensors")
    read = read_lora(tmp_path / "x.safetensors")
    assert read.tensors.keys() == lora.tensors.keys() and read.rank == 4
    assert all(torch.equal(read.tensors[key], lora.tensors[key]) for key in lora.tensors)


def test_the_released_key_list_is_understood_whole(golden):
    listing = json.loads(gzip.decompress((golden / "dimensionx" / "lora_keys_rank256.json.gz").read_bytes()))
    with torch.device("meta"):
        stored = {key: torch.empty(shape) for key, shape in listing["keys"].items()}
    lora = lora_of(stored, name="released")
    assert len(lora.tensors) == 336 and lora.rank == 256 and lora.scale == 1 / 256


def test_alpha_comes_from_wherever_it_is_said(lora, tmp_path):
    assert lora.alpha is None and lora.scale == 1 / 4
    save_lora(tmp_path / "ours.safetensors", LoraFile("ours", lora.tensors, 4, 8.0))
    assert read_lora(tmp_path / "ours.safetensors").scale == 2
    stored = {**lora.tensors, "transformer_blocks.0.attn1.to_q.alpha": torch.tensor(2.0)}
    assert lora_of(stored, name="kohya").scale == 0.5
    peft = {f"base_model.model.{key}": value for key, value in lora.tensors.items()}
    save_file(peft, tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"lora_alpha": 16, "r": 4}))
    assert read_lora(tmp_path / "adapter_model.safetensors").scale == 4


def test_saved_loras_are_diffusers_own_layout(lora, tmp_path):
    save_lora(tmp_path / "x.safetensors", lora)
    assert all(key.startswith("transformer.transformer_blocks.") for key in load_file(tmp_path / "x.safetensors"))
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]


def as_numpy_1(path: Path) -> None:
    """Rewrites the pickle inside a torch file with the module names of numpy 1."""
    with zipfile.ZipFile(path) as file:
        parts = {info.filename: file.read(info) for info in file.infolist()}
    with zipfile.ZipFile(path, "w") as file:
        for name, data in parts.items():
            file.writestr(name, data.replace(b"numpy._core.", b"numpy.core.") if name.endswith("data.pkl") else data)


@pytest.mark.parametrize("numpy_1", [False, True])
def test_training_checkpoints_are_read_without_running_code(lora, tmp_path, numpy_1):
    state = {as_sat(key): value for key, value in lora.tensors.items()}
    state["model.diffusion_model.time_embed.0.weight"] = torch.zeros(2, 2)
    extras = {"numpy_rng": np.random.RandomState(0).get_state(), "random_rng": random.Random(0).getstate()}
    extras["torch_rng"] = torch.get_rng_state()
    torch.save({"module": state, "iteration": 3, **extras}, tmp_path / "mp_rank_00_model_states.pt")
    if numpy_1:
        as_numpy_1(tmp_path / "mp_rank_00_model_states.pt")
    assert read_lora(tmp_path / "mp_rank_00_model_states.pt").tensors.keys() == lora.tensors.keys()


class Evil:
    def __reduce__(self):
        return (Path("ran").write_text, ("",))


def test_pickles_that_would_run_code_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"module": {"a": torch.zeros(1)}, "evil": Evil()}, "x.pt")
    with pytest.raises(InputError, match="without running its code"):
        read_sat_file("x.pt")
    assert not Path("ran").exists()


def test_broken_files_are_refused_in_words(lora, tmp_path):
    whole = tmp_path / "whole.safetensors"
    save_lora(whole, lora)
    (tmp_path / "cut.safetensors").write_bytes(whole.read_bytes()[:-50])
    with pytest.raises(InputError, match="damaged or incomplete"):
        read_lora(tmp_path / "cut.safetensors")
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(InputError, match="cannot be read"):
        read_lora(tmp_path / "text.pt")
    torch.save({"step": 3}, tmp_path / "empty.pt")
    with pytest.raises(InputError, match="no tensors"):
        read_sat_file(tmp_path / "empty.pt")


def without(lora: LoraFile, key: str) -> dict:
    return {name: value for name, value in lora.tensors.items() if name != key}


KEY = "transformer_blocks.0.attn1.to_q.lora_A.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lora: without(lora, KEY), "only one of lora_A and lora_B"),
        (lambda lora: {**lora.tensors, KEY: torch.zeros(3, 32)}, "cannot be multiplied"),
        (lambda lora: {**lora.tensors, "proj_out.weight": torch.zeros(2, 2)}, "not a LoRA of a known layout"),
        (lambda lora: {}, "not a LoRA"),
        (
            lambda lora: {**lora.tensors, KEY: torch.zeros(8, 32), KEY.replace("_A", "_B"): torch.zeros(32, 8)},
            r"mixes the ranks \[4, 8\]",
        ),
        (
            lambda lora: {**lora.tensors, "a.alpha": torch.tensor(1.0), "b.alpha": torch.tensor(2.0)},
            "has an alpha for 'a' but no matrices",
        ),
    ],
)
def test_half_mixed_or_foreign_files_are_refused(lora, change, message):
    with pytest.raises(InputError, match=message):
        lora_of(change(lora), name="x")


def test_unknown_keys_come_back_unchanged():
    assert rename_key("proj_out.weight") == "proj_out.weight"


def test_merging_is_done_in_float32():
    weight = torch.ones(2, 2, dtype=torch.bfloat16)
    merged = merge_weight(weight, torch.full((1, 2), 0.5), torch.full((2, 1), 0.5), 1 / 2)
    assert merged.dtype == torch.bfloat16 and torch.equal(merged, torch.full((2, 2), 1.125, dtype=torch.bfloat16))


@pytest.mark.parametrize("text", ["0", "-1", "release", "", "1.5"])
def test_the_tracker_names_a_folder(text):
    assert read_latest("1\n") == "1"
    with pytest.raises(InputError, match="whole number above 0"):
        read_latest(text)


CONFIGS = {
    "plain": {"r": 4, "lora_alpha": 8},
    "rank-stabilised": {"r": 4, "lora_alpha": 8, "use_rslora": True},
    "alpha of a kind of layer": {"r": 4, "lora_alpha": 8, "alpha_pattern": {"to_q": 2}},
    "alpha of one layer": {"r": 4, "lora_alpha": 8, "alpha_pattern": {"^transformer_blocks.1.attn1.to_k": 3}},
    "rank of a kind of layer": {"r": 4, "lora_alpha": 8, "rank_pattern": {"to_q": 2}},
    "all of it": {"r": 4, "lora_alpha": 6, "rank_pattern": {"attn1.to_q": 2}, "alpha_pattern": {"to_v": 5}, "use_rslora": True},
}  # fmt: skip


def saved_by_diffusers(tiny_config: dict, folder: Path, config: LoraConfig) -> Path:
    network = CogVideoXTransformer3DModel(**tiny_config)
    network.add_adapter(config)
    CogVideoXImageToVideoPipeline.save_lora_weights(
        folder, get_peft_model_state_dict(network), transformer_lora_adapter_metadata=config.to_dict()
    )
    return folder / "pytorch_lora_weights.safetensors"


@pytest.mark.parametrize("name", CONFIGS)
def test_every_layer_acts_as_strongly_as_in_diffusers_own_loader(name, golden, tmp_path):
    tiny = json.loads((golden / "dimensionx" / "lora_tiny_transformer_config.json").read_text())
    tiny = {key: value for key, value in tiny.items() if not key.startswith("_")}
    file = saved_by_diffusers(tiny, tmp_path, LoraConfig(**CONFIGS[name], target_modules=list(TARGETS)))  # type: ignore[arg-type]
    theirs, ours = CogVideoXTransformer3DModel(**tiny), CogVideoXTransformer3DModel(**tiny)
    state, metadata = CogVideoXImageToVideoPipeline.lora_state_dict(str(file), return_lora_metadata=True)
    CogVideoXImageToVideoPipeline.load_lora_into_transformer(state, theirs, adapter_name="a", metadata=metadata)
    Directors(ours, lambda _: read_lora(file, layers_may_differ=True)).use([("own.safetensors", 0.5)])
    expected = {key: module.scaling["a"] for key, module in theirs.named_modules() if hasattr(module, "scaling")}
    (adapter,) = ours.peft_config
    got = {key: 2 * module.scaling[adapter] for key, module in ours.named_modules() if hasattr(module, "scaling")}
    assert len(expected) == 8 and got == pytest.approx(expected)
    again = read_lora(file, layers_may_differ=True)
    save_lora(tmp_path / "again.safetensors", again)
    back = read_lora(tmp_path / "again.safetensors", layers_may_differ=True)
    assert {m: back.scale_of(m) for m in back.modules} == pytest.approx(expected)
    if len(set(expected.values())) > 1:
        with pytest.raises(InputError, match="no common scale"):
            read_lora(file)


def test_diffusers_names_what_else_its_header_holds_and_we_need_none_of_it(golden, tmp_path):
    tiny = json.loads((golden / "dimensionx" / "lora_tiny_transformer_config.json").read_text())
    tiny = {key: value for key, value in tiny.items() if not key.startswith("_")}
    file = saved_by_diffusers(tiny, tmp_path, LoraConfig(r=4, lora_alpha=8, target_modules=list(TARGETS)))
    notes = read_lora(file).notes
    assert len(notes) == 1 and "bias (configuration)" in notes[0] and "not known" not in notes[0]


def test_a_silent_file_says_what_is_assumed(lora):
    assert "scaled by 0.25 (1 / rank)" in lora.strength_words and "an alpha of 4" in lora.strength_words
