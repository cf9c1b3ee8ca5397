"""Directors work as upstream trained them: never dropped, never 256 times too strong, never fused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from camera.errors import InputError
from camera.trajectories.dimensionx import DIRECTORS
from pipelines.methods.dimensionx.loras.directors import REPOSITORY, Directors, find_file, identify_files, layers_with
from pipelines.methods.dimensionx.loras.layouts import LoraFile, cast, read_lora

FILES = {"x_left": "lora_a_unprefixed.safetensors", "x_right": "lora_b_prefixed.safetensors"}


@pytest.fixture
def directors(tiny_transformer, dimensionx_golden):
    return Directors(tiny_transformer, lambda id: read_lora(dimensionx_golden / FILES.get(id, FILES["x_left"])))


def close(got, expected, tolerance=1e-5):
    np.testing.assert_allclose(got, expected, atol=tolerance)


def test_trap_unprefixed_keys_are_not_dropped(directors, tiny_transformer, forward, lora_io):
    directors.use([("x_left", 1.0)])
    close(forward(tiny_transformer), lora_io["out_a_scale_1_over_r"])
    assert np.abs(lora_io["out_a_scale_1_over_r"] - lora_io["out_base"]).max() > 1e-2
    assert layers_with(tiny_transformer, "director_x_left") == 8


def test_trap_prefixed_keys_act_too(directors, tiny_transformer, forward, lora_io):
    directors.use([("x_right", 1.0)])
    close(forward(tiny_transformer), lora_io["out_b_scale_1_over_r"])


def test_trap_strength_one_is_one_over_rank(directors, tiny_transformer, forward, lora_io):
    directors.use([("x_left", 0.5)])
    close(forward(tiny_transformer), lora_io["out_a_scale_half_over_r"])
    directors.use([("x_left", 4.0)])  # the golden's rank: what a plain loader would apply
    close(forward(tiny_transformer), lora_io["out_a_scale_1"])


def test_trap_nothing_is_fused_so_that_the_base_comes_back_bit_for_bit(
    directors, tiny_transformer, forward, lora_io, dimensionx_golden
):
    before = {key: value.clone() for key, value in tiny_transformer.state_dict().items()}
    for _ in range(3):  # a repeated fuse would multiply the scale
        directors.use([("x_left", 1.0)])
        close(forward(tiny_transformer), lora_io["out_a_fused"])
        directors.use([("x_right", 1.0)])
    directors.use([])
    close(forward(tiny_transformer), lora_io["out_base"])
    directors.unload()
    after = tiny_transformer.state_dict()
    assert after.keys() == before.keys() and all(torch.equal(after[key], before[key]) for key in before)


def test_two_directors_add_up(directors, tiny_transformer, forward, lora_io):
    directors.use([("x_left", 1.0), ("x_right", 0.6)])
    close(forward(tiny_transformer), lora_io["out_a_1_b_0p6_over_r"])


def test_half_precision_files_are_as_good(tiny_transformer, forward, lora_io, dimensionx_golden):
    Directors(tiny_transformer, lambda _: read_lora(dimensionx_golden / "lora_a_unprefixed_bf16.safetensors")).use(
        [("y_up", 1.0)]
    )
    close(forward(tiny_transformer), lora_io["out_a_scale_1_over_r"], 2e-3)


def test_few_adapters_stay_resident_and_files_are_read_once(tiny_transformer, dimensionx_golden):
    reads: list[str] = []

    def read(id: str) -> LoraFile:
        reads.append(id)
        return read_lora(dimensionx_golden / FILES["x_left"])

    directors = Directors(tiny_transformer, read)
    for id in ("x_left", "x_right", "x_left", "y_up", "y_down"):
        directors.use([(id, 1.0)])
    assert reads == ["x_left", "x_right", "y_up", "y_down"]
    assert set(tiny_transformer.peft_config) == {"director_x_left", "director_y_up", "director_y_down"}


def test_incomplete_directors_are_refused(tiny_transformer, dimensionx_golden):
    whole = read_lora(dimensionx_golden / FILES["x_left"])
    kept = {key: value for key, value in whole.tensors.items() if not key.startswith("transformer_blocks.1.attn1.to_v")}
    with pytest.raises(InputError, match="contains 14 tensors; a director for 2 blocks has 16"):
        Directors(tiny_transformer, lambda _: LoraFile("part", kept, 4, None)).use([("x_left", 1.0)])


def test_loras_of_other_networks_are_refused(tiny_transformer, dimensionx_golden):
    whole = cast(read_lora(dimensionx_golden / FILES["x_left"]), torch.float32)
    other = {key.replace("blocks.1", "blocks.7"): value for key, value in whole.tensors.items()}
    with pytest.raises(InputError, match="another network"):
        Directors(tiny_transformer, lambda _: LoraFile("other", other, 4, None)).use([("mine.safetensors", 1.0)])
    wide = {
        key: torch.cat([value, value], dim=-1) if "lora_A" in key else value for key, value in whole.tensors.items()
    }
    with pytest.raises(InputError, match="is 64 to 32 there and 32 to 32 here"):
        Directors(tiny_transformer, lambda _: LoraFile("wide", wide, 4, None)).use([("mine.safetensors", 1.0)])


RELEASED = [
    *(f"{id}_lora_weights.safetensors" for id in DIRECTORS if REPOSITORY[id] == "basic" and "pan_left" not in id),
    "pan_left_30_lora_weights.safetensors",
    "README.md",
]


def test_files_are_known_by_their_words():
    found = identify_files(RELEASED)
    assert {each.director for each in found} == {id for id, key in REPOSITORY.items() if key == "basic"}
    assert find_file("pan_left", RELEASED).degrees == 30
    assert find_file("x_left", RELEASED).file == "x_left_lora_weights.safetensors"
    assert find_file("pan_rotation_left", RELEASED).file == "pan_rotation_left_lora_weights.safetensors"


@pytest.mark.parametrize(
    ("file", "director", "degrees"),
    [
        ("orbit_up_45_lora_weights.safetensors", "orbit_up", 45),
        ("DimensionX_orbit_left_lora_rank256_bf16.safetensors", "orbit_left", None),
        ("loras/Zoom-In.safetensors", "z_zoom_in", None),
        ("roll_right_30.safetensors", "pan_rotation_right", 30),
        ("t_director_lora_weights.safetensors", "t_director", None),
        ("pytorch_lora_weights.safetensors", None, None),
        ("orbit_left.ckpt", None, None),
    ],
)
def test_names_seen_in_the_wild(file, director, degrees):
    found = identify_files([file])
    assert [(each.director, each.degrees) for each in found] == ([(director, degrees)] if director else [])


def test_a_repository_with_one_nameless_lora_is_the_t_director():
    assert find_file("t_director", ["pytorch_lora_weights.safetensors", "README.md"]).file.startswith("pytorch")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["a.safetensors", "b.safetensors"], "no file for 'Orbit up'; it contains a.safetensors, b.safetensors"),
        (["orbit_up_30.safetensors", "orbit_up_45.safetensors"], "several files for 'Orbit up'"),
        ([], "it contains no LoRA at all"),
    ],
)
def test_what_is_not_there_is_listed(files, message):
    with pytest.raises(InputError, match=message):
        find_file("orbit_up", files)
