"""Strict loading: exact if the weights fit; otherwise one sentence and an unchanged network."""

import pickle

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from camera.errors import InputError
from pipelines.weights.checkpoints import (
    build_random,
    dtype_for,
    fill_randomly,
    from_folder,
    load_strict,
    on_meta_device,
    read_json,
    read_state,
    strip_prefix,
)


class Net(nn.Module):
    _keep_in_fp32_modules = ("norm",)

    def __init__(self, width=4):
        super().__init__()
        self.first = nn.Linear(3, width)
        self.norm = nn.LayerNorm(width)
        self.register_buffer("table", torch.arange(3.0), persistent=False)


@pytest.fixture
def state():
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(value.shape, generator=generator) for name, value in Net().state_dict().items()}


RENAMES = ((r"^net\.", ""), (r"^in\.", "first."))


def published(state):
    named = {"net." + name.replace("first.", "in."): value for name, value in state.items()}
    return named | {"net.pos.seq": torch.zeros(2), "logvar.0": torch.zeros(1)}


def test_ordered_renames_drop_what_is_known_and_report_it(state):
    net = on_meta_device(Net)
    assert net.first.weight.is_meta and torch.equal(net.table, torch.arange(3.0))
    report = load_strict(net, published(state), RENAMES, dropped=(r"pos\.seq$", r"^logvar"), dtype=torch.bfloat16)
    assert (report.loaded, report.dropped) == (4, ("net.pos.seq", "logvar.0"))
    assert str(report) == "4 tensors loaded from this checkpoint; 2 not needed (net.pos.seq, ...)"
    assert torch.equal(net.first.weight, state["first.weight"].bfloat16())
    assert net.norm.weight.dtype == torch.float32 and not net.first.weight.requires_grad and not net.training


def test_a_full_table_of_renames_serves_too(state):
    table = {"a": "first.weight", "b": "first.bias", "junk": None}
    given = {"a": state["first.weight"], "b": state["first.bias"], "junk": torch.zeros(1)}
    given |= {"norm.weight": state["norm.weight"], "norm.bias": state["norm.bias"]}
    assert load_strict(Net(), given, table).dropped == ("junk",)


def test_optional_tensors_keep_the_value_they_were_built_with(state):
    net = Net()
    del state["norm.bias"]
    report = load_strict(net, state, optional=("norm",))
    assert report.kept == ("norm.bias",) and torch.equal(net.norm.bias, torch.zeros(4))
    with pytest.raises(ValueError, match="must be built with values"):
        load_strict(on_meta_device(Net), state, optional=("norm",))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("first.bias"), r"1 of 4 expected tensors missing \(first first\.bias\); the file"),
        (lambda s: s.update(extra=torch.zeros(1)), r"1 unknown \(first extra\)"),
        (
            lambda s: (s.pop("norm.bias"), s.update(x=torch.zeros(1))),
            r"missing \(first norm\.bias\), 1 unknown \(first x\)",
        ),
        (
            lambda s: s.update({"first.weight": torch.zeros(5, 3)}),
            r"first\.weight has shape \(5, 3\), expected was \(4, 3\)",
        ),
        (lambda s: (s.clear(), s.update(y=torch.zeros(1))), r"another network: none of their 1 tensors is among the 4"),
        (lambda s: s.clear(), r"none of their 0 tensors"),
        (lambda s: s.update({"net.norm.bias": torch.zeros(4)}), r"Two tensors of a/b are renamed to norm\.bias"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence_and_nothing_changes(state, change, words):
    net = Net()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    change(state)
    with pytest.raises(InputError, match=words) as refused:
        load_strict(net, state, RENAMES, source="a/b")
    assert "a/b" in str(refused.value) and str(refused.value).endswith(".")
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


def test_files_of_both_kinds_and_their_wrappings_are_read(tmp_path, state):
    save_file(state, tmp_path / "a.safetensors")
    torch.save({"module": {"state_dict": state}, "epoch": 3}, tmp_path / "b.pt")
    torch.save(state, tmp_path / "c.bin", _use_new_zipfile_serialization=False)
    for name in ("a.safetensors", "b.pt", "c.bin"):
        read = read_state(tmp_path / name)
        assert read.keys() == state.keys() and all(torch.equal(read[key], state[key]) for key in state)


def test_shards_are_joined_and_may_not_overlap(tmp_path, state):
    names = list(state)
    save_file({name: state[name] for name in names[:2]}, tmp_path / "1.safetensors")
    save_file({name: state[name] for name in names[2:]}, tmp_path / "2.safetensors")
    shards = [tmp_path / "1.safetensors", tmp_path / "2.safetensors"]
    assert read_state(shards).keys() == state.keys()
    with pytest.raises(InputError, match="in two files of one checkpoint"):
        read_state([*shards, shards[0]])


@pytest.mark.parametrize("name", ["a.safetensors", "b.pt", "c.bin"])
def test_cut_and_missing_files_are_refused(tmp_path, state, name):
    with pytest.raises(InputError, match=f"{name} does not exist"):
        read_state(tmp_path / name)
    if name == "a.safetensors":
        save_file(state, tmp_path / name)
    else:
        torch.save(state, tmp_path / name, _use_new_zipfile_serialization=name == "b.pt")
    data = (tmp_path / name).read_bytes()
    for length in (0, 10, len(data) // 2, len(data) - 1):
        (tmp_path / name).write_bytes(data[:length])
        with pytest.raises(InputError, match=rf"{name} (is damaged or incomplete|contains more than tensors)"):
            read_state(tmp_path / name)


class Canary:
    ran = False

    def __reduce__(self):
        return (setattr, (Canary, "ran", True))


def test_code_in_a_file_never_runs(tmp_path):
    torch.save({"a": torch.zeros(1), "b": Canary()}, tmp_path / "evil.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Canary()))
    for name in ("evil.pt", "plain.pt"):
        with pytest.raises(InputError, match=f"{name} "):
            read_state(tmp_path / name)
    assert not Canary.ran


def test_files_without_tensors_and_foreign_json_are_refused(tmp_path):
    torch.save({"epoch": 1}, tmp_path / "a.pt")
    with pytest.raises(InputError, match="contains no named tensors"):
        read_state(tmp_path / "a.pt")
    for text in ("[]", "{", "\xff", "[" * 10**5):
        (tmp_path / "c.json").write_text(text, encoding="latin-1")
        with pytest.raises(InputError, match=r"c\.json"):
            read_json(tmp_path / "c.json")


def test_prefixes_are_taken_off_in_order():
    state = {"pipe.dit.a": torch.zeros(1), "b": torch.zeros(1)}
    assert list(strip_prefix(state, "x.", "pipe.dit.")) == ["a"]
    assert list(strip_prefix(state, "x.", "")) == ["pipe.dit.a", "b"]
    with pytest.raises(InputError, match=r"nothing under x\. or y\.; its first tensor is pipe\.dit\.a"):
        strip_prefix(state, "x.", "y.")


def test_random_values_depend_on_the_seed_alone_and_keep_activations_in_range():
    def made(seed):
        return fill_randomly(on_meta_device(lambda: nn.Sequential(nn.Linear(1024, 2048), Net())), seed=seed)

    first, second, other = made(1), made(1), made(2)
    assert torch.equal(first[0].weight, second[0].weight) and not torch.equal(first[0].weight, other[0].weight)
    assert 0.9 < first[0](torch.randn(64, 1024)).std() < 1.1
    assert torch.equal(first[1].norm.weight, torch.ones(4)) and torch.equal(first[0].bias, torch.zeros(2048))
    assert torch.equal(first[0].weight.flatten()[: 1 << 20], first[0].weight.flatten()[1 << 20 :]), "blocks repeat"


def test_tied_weights_stay_tied():
    from transformers import T5EncoderModel

    config = {"vocab_size": 32, "d_model": 8, "d_kv": 4, "d_ff": 16, "num_layers": 1, "num_heads": 2}
    encoder = build_random(T5EncoderModel, config, seed=0, dtype=torch.bfloat16)
    assert encoder.shared.weight is encoder.encoder.embed_tokens.weight
    assert encoder.encoder.block[0].layer[1].DenseReluDense.wo.weight.dtype == torch.bfloat16


@pytest.fixture
def folder(tmp_path):
    from diffusers import AutoencoderKL

    model = build_random(AutoencoderKL, {"block_out_channels": (8,), "norm_num_groups": 2}, seed=0, dtype=torch.float32)
    model.save_pretrained(tmp_path / "vae")
    return tmp_path, AutoencoderKL, model


def test_stock_models_come_back_from_a_folder_exactly(folder):
    place, kind, model = folder
    read = from_folder(kind, place, subfolder="vae", dtype=torch.float32)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), read.parameters(), strict=True))
    assert from_folder(kind, place, subfolder="vae", dtype=torch.bfloat16).dtype == torch.bfloat16


@pytest.mark.parametrize("damage", ["missing", "unknown", "shape", "cut", "config"])
def test_stock_models_are_never_half_loaded(folder, damage):
    place, kind, model = folder
    file = place / "vae" / "diffusion_pytorch_model.safetensors"
    state = dict(model.state_dict())
    name = "decoder.conv_in.weight"
    if damage == "missing":
        del state[name]
    elif damage == "unknown":
        state["more"] = torch.zeros(1)
    elif damage == "shape":
        state[name] = torch.zeros(2)
    save_file(state, file)
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:5000])
    if damage == "config":
        (place / "vae" / "config.json").unlink()
    with pytest.raises(InputError, match=r"owner/vae-repo/vae") as refused:
        from_folder(kind, place, subfolder="vae", dtype=torch.float32, source="owner/vae-repo")
    expected = {"missing": name, "unknown": "more", "shape": name}.get(damage, "download it again")
    assert expected in str(refused.value)
    if damage == "unknown":
        from_folder(kind, place, subfolder="vae", dtype=torch.float32, dropped=("^more$",))


def test_processors_compute_in_float32():
    assert dtype_for("cpu") == torch.float32
