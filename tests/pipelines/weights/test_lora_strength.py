"""Everything a LoRA file says about its strength is applied or named in a note, wherever and however it is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from camera.errors import InputError
from camera.formats.account import Account
from pipelines.weights.lora_strength import HEADER, Strength, read_strength

LAYER = "blocks.0.attn1.to_q"


def strength(folder: Path, header: dict[str, str]) -> tuple[Strength, list[str]]:
    save_file({"a": torch.zeros(1)}, folder / "x.safetensors", metadata=header)
    account = Account("x.safetensors")
    return read_strength(folder / "x.safetensors", "unet", account), account.notes()


def packed(**values: object) -> dict[str, str]:
    return {
        HEADER: json.dumps({f"unet.{key}": value for key, value in values.items()} | {"text_encoder.lora_alpha": 99})
    }


ACTING = [
    ({"unet.lora_alpha": "64", "unet.r": "16"}, 4.0),
    ({"lora_alpha": "64"}, 4.0),
    ({"ss_network_alpha": "8", "ss_network_dim": "16"}, 0.5),
    ({"lora_alpha": "8", "use_rslora": "True"}, 2.0),
    ({"lora_alpha": "8", "alpha_pattern": json.dumps({"to_q": 4})}, 0.25),
    (packed(r=16, lora_alpha=8), 0.5),
    (packed(r=16, lora_alpha=8, use_rslora=True), 2.0),
    (packed(r=16, lora_alpha=8, alpha_pattern={"to_k": 4, "attn1.to_q": 32}), 2.0),
    (packed(r=8, rank_pattern={"to_q": 16}, lora_alpha=8), 0.5),
    ({}, 7.0),
]


@pytest.mark.parametrize(("header", "scale"), ACTING)
def test_every_field_about_strength_changes_it(header, scale, tmp_path):
    said, _ = strength(tmp_path, header)
    said.check_rank(LAYER, 16, "x")
    assert said.scale(LAYER, 16, silent=7.0) == scale


REFUSED = [
    (packed(r=16, lora_alpha=8, init_lora_weights="pissa_niter_4"), "base weights changed before"),
    (packed(r=16, lora_alpha=8, use_qalora=True), "use_qalora"),
    (packed(r=16, lora_alpha=8, layer_replication=[[0, 4]]), "layer_replication"),
    (packed(r=16, lora_alpha=8, alora_invocation_tokens=[1]), "alora_invocation_tokens"),
    (packed(peft_type="LOHA", lora_alpha=8), "peft_type 'LOHA'"),
    (packed(lora_alpha=8, alpha_pattern={"(a+)+$": 4}), "a pattern over many layers"),
    (packed(lora_alpha=8, alpha_pattern=[4]), "should name layers"),
    (packed(lora_alpha="much"), "should be a number above 0, got 'much'"),
    ({"lora_alpha": "nan"}, "should be a number above 0"),
    ({HEADER: "{"}, "not valid JSON"),
    ({HEADER: "[1]"}, "should be a JSON object"),
]


@pytest.mark.parametrize(("header", "message"), REFUSED)
def test_what_cannot_be_followed_is_refused_by_name(header, message, tmp_path):
    with pytest.raises(InputError) as caught:
        strength(tmp_path, header)
    assert message in str(caught.value)


def test_the_rest_of_a_header_is_named(tmp_path):
    _, notes = strength(tmp_path, {"lora_alpha": "8", "format": "pt", "ss_base_model": "x", "sparkle": "9"})
    assert notes == [
        "x.safetensors also holds ss_base_model (header), which changes nothing here.",
        "x.safetensors also holds sparkle (header), which is not known and was not used.",
    ]
    _, notes = strength(tmp_path, packed(lora_alpha=8, lora_dropout=0.1, twist=1))
    assert any("twist (configuration), which is not known" in note for note in notes)


def test_another_rank_than_the_matrices_have_is_refused(tmp_path):
    said, _ = strength(tmp_path, packed(r=8, lora_alpha=8))
    with pytest.raises(InputError, match=r"states rank 8 for blocks\.0\.attn1\.to_q, whose matrices have 16"):
        said.check_rank(LAYER, 16, "x")
